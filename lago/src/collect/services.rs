//! What systemd knows about the guest's services, the latest change first. systemd itself remembers when the state of
//! each changed, so nothing has to be asked before something goes wrong.
//!
//! The properties are those of `org.freedesktop.systemd1(5)`.

use std::fmt::Write as _;
use std::time::Duration;

/// Prints how long the guest has been up, then each unit's properties in a block of its own.
pub(super) const QUESTION: &str = "cat /proc/uptime
systemctl show --no-pager --all --property=Id,LoadState,ActiveState,SubState,Result,StateChangeTimestampMonotonic \
    '*.service' '*.mount' '*.socket' '*.timer' '*.target' '*.automount' '*.swap'";

/// What is known about one unit.
#[derive(Debug, Clone, PartialEq)]
struct Unit {
    name: String,
    active: String,
    sub: String,
    result: String,
    /// How long ago its state changed, in seconds; none when it never has.
    changed: Option<f64>,
}

/// The answer as a text for people. `since` is how long ago that began which they want to understand.
pub(super) fn report(answer: &str, since: Option<Duration>) -> String {
    let mut units = units(answer);
    units.sort_by(|one, other| {
        let age = |unit: &Unit| unit.changed.unwrap_or(f64::INFINITY);
        age(one).total_cmp(&age(other)).then_with(|| one.name.cmp(&other.name))
    });
    let mut text = String::new();
    let failed = units.iter().filter(|unit| unit.active == "failed");
    section(&mut text, "Failed", failed);
    if let Some(since) = since {
        let seconds = since.as_secs_f64();
        let heading = format!("Changed in the last {seconds:.1} s, which is since the stage began");
        section(
            &mut text,
            &heading,
            units.iter().filter(|unit| unit.changed.is_some_and(|ago| ago <= seconds)),
        );
    }
    section(&mut text, "All, the latest change first", units.iter());
    text
}

fn section<'a>(text: &mut String, heading: &str, units: impl Iterator<Item = &'a Unit>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{heading}:");
    let before = text.len();
    for Unit { name, active, sub, result, changed } in units {
        let changed = changed.map_or_else(|| "never".to_owned(), |ago| format!("{ago:.1} s ago"));
        let result = if result.is_empty() || result == "success" {
            String::new()
        } else {
            format!(", {result}")
        };
        let _ = writeln!(text, "  {changed:>12}  {name}: {active} ({sub}){result}");
    }
    if text.len() == before {
        text.push_str("  none\n");
    }
    text.push('\n');
}

fn units(answer: &str) -> Vec<Unit> {
    let (uptime, blocks) = answer.split_once('\n').unwrap_or((answer, ""));
    let uptime = uptime.split_whitespace().next().and_then(|seconds| seconds.parse().ok());
    blocks.split("\n\n").filter_map(|block| unit(block, uptime)).collect()
}

fn unit(block: &str, uptime: Option<f64>) -> Option<Unit> {
    let property = |name: &str| {
        block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or("")
    };
    let name = property("Id");
    // What others name and nobody has installed.
    if name.is_empty() || property("LoadState") == "not-found" {
        return None;
    }
    let microseconds: Option<f64> = property("StateChangeTimestampMonotonic").parse().ok();
    let changed = microseconds.filter(|&at| at > 0.0).zip(uptime);
    Some(Unit {
        name: name.to_owned(),
        active: property("ActiveState").to_owned(),
        sub: property("SubState").to_owned(),
        result: property("Result").to_owned(),
        changed: changed.map(|(at, uptime)| (uptime - at / 1e6).max(0.0)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "\
61.50 20.00
Id=ssh.service
LoadState=loaded
ActiveState=active
SubState=running
Result=success
StateChangeTimestampMonotonic=21500000

Result=exit-code
Id=httpd.service
LoadState=loaded
ActiveState=failed
SubState=failed
StateChangeTimestampMonotonic=60250000

Id=nobody.service
LoadState=not-found
ActiveState=inactive
SubState=dead
StateChangeTimestampMonotonic=0

Id=rescue.target
LoadState=loaded
ActiveState=inactive
SubState=dead
StateChangeTimestampMonotonic=0
";

    #[test]
    fn the_latest_change_comes_first() {
        insta::assert_snapshot!(report(ANSWER, Some(Duration::from_secs(5))));
    }

    #[test]
    fn what_is_no_answer_has_no_units() {
        let text = report("sh: systemctl: not found\n", None);
        assert_eq!(text, "Failed:\n  none\n\nAll, the latest change first:\n  none\n\n");
    }
}
