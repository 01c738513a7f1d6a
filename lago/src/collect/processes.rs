//! When the processes of a guest started, the latest first: what changed, where there is no systemd to ask.

use std::fmt::Write as _;
use std::time::Duration;

/// Prints how long the guest has been up, then a line for each process, as `proc(5)` describes them. A process that ends
/// meanwhile is no error.
pub(super) const QUESTION: &str = "cat /proc/uptime /proc/[0-9]*/stat 2>/dev/null";

/// How many of these the kernel counts a second, on every architecture that Linux runs VMs on.
const TICKS: f64 = 100.0;

/// The number of the field with the start time, counted from the one after the name, which is the third.
const START_FIELD: usize = 22 - 3;

#[derive(Debug, Clone, PartialEq)]
struct Process {
    pid: u32,
    name: String,
    /// How long ago it started, in seconds.
    started: f64,
}

/// The answer as a text for people. `since` is how long ago that began which they want to understand.
pub(super) fn report(answer: &str, since: Option<Duration>) -> String {
    let mut processes = processes(answer);
    processes.sort_by(|one, other| one.started.total_cmp(&other.started));
    let mut text = String::new();
    if let Some(since) = since {
        let seconds = since.as_secs_f64();
        // Writing to a string does not fail.
        let _ =
            writeln!(text, "Started in the last {seconds:.1} s, which is since the stage began:");
        list(&mut text, processes.iter().filter(|process| process.started <= seconds));
    }
    text.push_str("All, the latest first:\n");
    list(&mut text, processes.iter());
    text
}

fn list<'a>(text: &mut String, processes: impl Iterator<Item = &'a Process>) {
    let before = text.len();
    for Process { pid, name, started } in processes {
        let _ = writeln!(text, "  {started:>10.1} s ago  {pid:>6}  {name}");
    }
    if text.len() == before {
        text.push_str("  none\n");
    }
    text.push('\n');
}

fn processes(answer: &str) -> Vec<Process> {
    let mut lines = answer.lines();
    let uptime = lines.next().and_then(|line| line.split_whitespace().next()?.parse().ok());
    let Some(uptime) = uptime else { return Vec::new() };
    lines.filter_map(|line| process(line, uptime)).collect()
}

/// The name is between the first and the last parenthesis, and may hold any itself.
fn process(line: &str, uptime: f64) -> Option<Process> {
    let (pid, rest) = line.split_once(" (")?;
    let (name, fields) = rest.rsplit_once(") ")?;
    let started: f64 = fields.split_whitespace().nth(START_FIELD)?.parse().ok()?;
    let started = (uptime - started / TICKS).max(0.0);
    Some(Process { pid: pid.parse().ok()?, name: name.to_owned(), started })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "\
100.00 20.00
1 (init) S 0 1 1 0 -1 4194560 196 5347 14 70 2 5 10 20 20 0 1 0 3 2265088 128 18446744073709551615 1 1 0
138 (a (b) c) S 1 138 138 0 -1 4194560 196 5347 14 70 2 5 10 20 20 0 1 0 9725 2265088 128 18446744073709551615 1 1
cat: /proc/99/stat: No such file or directory
";

    #[test]
    fn the_latest_comes_first() {
        let expected = "\
Started in the last 5.0 s, which is since the stage began:
         2.8 s ago     138  a (b) c

All, the latest first:
         2.8 s ago     138  a (b) c
       100.0 s ago       1  init

";
        assert_eq!(report(ANSWER, Some(Duration::from_secs(5))), expected);
    }

    #[test]
    fn this_machine_is_understood() {
        let script = std::process::Command::new("sh").args(["-c", QUESTION]).output().unwrap();
        let found = processes(&String::from_utf8_lossy(&script.stdout));
        assert!(found.iter().any(|process| process.pid == 1), "{found:?}");
        let own = found.iter().find(|process| process.pid == std::process::id()).unwrap();
        assert!(own.started < 3600.0, "{own:?}");
    }

    #[test]
    fn what_is_no_answer_has_no_processes() {
        assert_eq!(report("cat: not found", None), "All, the latest first:\n  none\n\n");
    }
}
