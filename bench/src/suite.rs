//! The suites that the figures of the harness run. Each is this same program, started again with a variable that says
//! which one it is, as the harness itself does with its workers.

use std::env;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use lago_test::{Scenario, Stage, Suite, TestResult, scenarios};

/// Which suite this process is.
const SUITE: &str = "LAGO_BENCH_SUITE";

/// Where it works.
const WORKDIR: &str = "LAGO_BENCH_WORKDIR";

/// How many scenarios the suite of empty ones has.
pub(crate) const EMPTY: u32 = 1000;

/// How many scenarios the suite has whose scenarios print a little each.
pub(crate) const TALKATIVE: u32 = 10_000;

/// What each of these prints, in bytes.
pub(crate) const LITTLE: usize = 1 << 10;

/// What the scenario prints that prints much, in bytes.
pub(crate) const MUCH: usize = 200_000_000;

/// A suite of the figures.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BenchSuite {
    /// Scenarios that do nothing.
    Empty,
    /// Many scenarios that print a little.
    Talkative,
    /// One scenario that prints much.
    Loud,
    /// Two stages against one VM.
    Attached,
}

impl BenchSuite {
    const ALL: [Self; 4] = [Self::Empty, Self::Talkative, Self::Loud, Self::Attached];

    /// The suite's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Talkative => "talkative",
            Self::Loud => "loud",
            Self::Attached => "attached",
        }
    }

    /// The command that runs it in a workdir; the suite against a VM finds its init file there.
    pub(crate) fn command(self, workdir: &Path) -> Result<Command> {
        let program = env::current_exe().context("finding this program")?;
        let mut command = Command::new(program);
        command.env(SUITE, self.name()).env(WORKDIR, workdir);
        Ok(command)
    }

    fn suite(self, workdir: &Path) -> Suite {
        let suite = Suite::new(self.name()).workdir(workdir);
        match self {
            Self::Empty => suite.stage(numbered(EMPTY, || Ok(()))),
            Self::Talkative => suite.stage(numbered(TALKATIVE, || print(LITTLE))),
            Self::Loud => suite.stage(numbered(1, || print(MUCH))),
            Self::Attached => suite
                .init_file(workdir.join("LagoInitFile.yaml"))
                .stage(Stage::new("first").scenarios(scenarios![nothing]))
                .stage(Stage::new("second").scenarios(scenarios![nothing])),
        }
    }
}

/// Runs the suite that this process is, if it is one.
pub(crate) fn main_of_suite() -> Option<ExitCode> {
    let name = env::var(SUITE).ok()?;
    let suite = BenchSuite::ALL.into_iter().find(|suite| suite.name() == name)?;
    let workdir = env::var_os(WORKDIR)?;
    Some(suite.suite(Path::new(&workdir)).main())
}

fn numbered(count: u32, scenario: fn() -> TestResult) -> Stage {
    let list = (0..count).map(|number| Scenario::new(format!("scenario_{number}"), scenario));
    Stage::new("all").scenarios(list.collect::<Vec<_>>())
}

fn nothing() {}

fn print(bytes: usize) -> TestResult {
    const LINE: &[u8] = b"A line of output, as a test prints them while it waits for something.\n";
    let mut out = std::io::stdout().lock();
    let mut left = bytes;
    while left > 0 {
        let piece = &LINE[..left.min(LINE.len())];
        out.write_all(piece)?;
        left -= piece.len();
    }
    Ok(())
}
