//! Test programs in lanes, which run side by side; the programs of one lane run one after the other.

use std::env;
use std::fs::{self, File, Permissions};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::programs::Program;
use crate::command;

/// A directory for temporary files is named like this, which none of the tests takes for something that was left behind.
const SCRATCH: &str = "xtask-";

/// Where libguestfs keeps what it has made of the packages that are installed.
const APPLIANCE_CACHE: &str = "LIBGUESTFS_CACHEDIR";

/// How a program ended.
struct Ended {
    /// What it printed, in the order in which it did.
    output: File,
    took: Duration,
    /// Why it failed, if it did.
    failure: Option<String>,
}

/// Runs the programs of all lanes. What a program printed is shown when it has ended, as a whole.
pub(super) fn run(
    lanes: &[Vec<Program>],
    command: impl Fn(&Program) -> Command + Sync,
) -> Result<()> {
    let failed = Mutex::new(Vec::new());
    let run_lane = |lane: &[Program]| {
        for program in lane {
            println!("    Starting {}", program.name);
            let ended = to_the_end(&mut command(program));
            // One lane shows at a time.
            let mut failed = failed.lock().expect("no lane panics with it");
            let failure = match ended {
                Ok(ended) => show(program, ended),
                Err(error) => Some(format!("{error:#}")),
            };
            failed.extend(failure.map(|failure| format!("`{}`: {failure}", program.again)));
        }
    };
    thread::scope(|scope| {
        for lane in lanes {
            scope.spawn(|| run_lane(lane));
        }
    });
    let failed = failed.into_inner().expect("no lane panics with it");
    if failed.is_empty() {
        return Ok(());
    }
    let count: usize = lanes.iter().map(Vec::len).sum();
    bail!("{} of {count} test programs failed:\n    {}", failed.len(), failed.join("\n    "))
}

/// Runs a program with temporary files of its own, so that none sees those of another, and nothing of them stays.
fn to_the_end(command: &mut Command) -> Result<Ended> {
    let scratch = tempfile::Builder::new().prefix(SCRATCH).tempdir()?;
    // Some tests run parts of themselves as another user.
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o1777))?;
    let output = tempfile::tempfile()?;
    // libguestfs keeps its machine's system in the one for all: making it takes longer than most tests.
    if env::var_os(APPLIANCE_CACHE).is_none() {
        command.env(APPLIANCE_CACHE, env::var_os("TMPDIR").unwrap_or_else(|| "/var/tmp".into()));
    }
    command.env("TMPDIR", scratch.path()).stdin(Stdio::null());
    command.stdout(output.try_clone()?).stderr(output.try_clone()?);
    let started = Instant::now();
    let status =
        command.status().with_context(|| format!("cannot start `{}`", command::shown(command)))?;
    let failure = (!status.success()).then(|| status.to_string());
    Ok(Ended { output, took: started.elapsed(), failure })
}

/// Prints what a program printed, and returns why it failed.
fn show(program: &Program, mut ended: Ended) -> Option<String> {
    let mut stdout = io::stdout().lock();
    let shown = (|| {
        ended.output.rewind()?;
        writeln!(stdout, "     Running {}", program.name)?;
        io::copy(&mut ended.output, &mut stdout)?;
        writeln!(stdout, "  ({} {})", program.name, command::seconds(ended.took))?;
        stdout.flush()
    })();
    let not_shown = shown.err().map(|error: io::Error| format!("its output is lost: {error}"));
    ended.failure.or(not_shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(count: usize) -> Vec<Program> {
        (0..count).map(|_| Program::doc_tests()).collect()
    }

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn lanes_run_side_by_side_each_with_temporary_files_of_its_own() {
        let meeting = tempfile::tempdir().unwrap();
        // Each leaves its directory's name, and waits for the other's.
        let script = format!(
            "cd {} && mkdir here$(basename $TMPDIR) && until [ $(ls | wc -l) = 2 ]; do sleep 0.05; done; touch $TMPDIR/x",
            meeting.path().display()
        );
        run(&[lane(1), lane(1)], |_| sh(&script)).unwrap();
        let names = fs::read_dir(meeting.path()).unwrap();
        for name in names.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
            let scratch = std::env::temp_dir().join(name.strip_prefix("here").unwrap());
            assert!(!scratch.exists(), "{} is left", scratch.display());
        }
    }

    #[test]
    fn every_failure_is_told_and_stops_no_other_program() {
        let done = tempfile::tempdir().unwrap();
        let number = Mutex::new(0..);
        let error = run(&[lane(3), lane(1)], |_| {
            let number = number.lock().unwrap().next().unwrap();
            let script = format!("touch {}/{number}; exit {number}", done.path().display());
            if number == 3 { Command::new("/no/such/program") } else { sh(&script) }
        });
        let error = error.unwrap_err().to_string();
        assert_eq!(fs::read_dir(done.path()).unwrap().count(), 3);
        for part in ["3 of 4", "status: 1", "status: 2", "/no/such/program", "`cargo test "] {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
    }

    #[test]
    fn what_a_program_printed_is_kept_in_its_order() {
        let mut ended = to_the_end(&mut sh("echo one; echo two >&2; echo three; exit 4")).unwrap();
        ended.output.rewind().unwrap();
        assert_eq!(io::read_to_string(ended.output).unwrap(), "one\ntwo\nthree\n");
        assert_eq!(ended.failure.as_deref(), Some("exit status: 4"));
    }
}
