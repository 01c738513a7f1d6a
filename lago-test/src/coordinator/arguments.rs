//! The command line: everything that libtest's users type works, or is refused with the reason.
//!
//! libtest-mimic's own parser takes one filter and knows a part of the options, so this one stands in front of it.

mod help;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use libtest_mimic::{ColorSetting, FormatSetting};

/// What the command line says.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of libtest's")]
#[derive(Debug, Clone, Default, Parser)]
#[command(
    about = help::ABOUT,
    after_help = help::after(),
    override_usage = "cargo test [CARGO'S OPTIONS] -- [OPTIONS] [FILTER]...",
    disable_version_flag = true,
    args_override_self = true,
    next_help_heading = help::SELECTING
)]
pub(super) struct Arguments {
    /// Run the scenarios that have one of these texts in their name, which is `stage::scenario`
    #[arg(value_name = "FILTER", help_heading = None::<&'static str>)]
    pub(super) filters: Vec<String>,

    /// Leave out the scenarios that have this text in their name, also as prerequisites; may be given several times
    #[arg(long, value_name = "FILTER", allow_hyphen_values = true)]
    pub(super) skip: Vec<String>,

    /// A filter is a whole name, not a part of one
    #[arg(long)]
    pub(super) exact: bool,

    /// Run only the ignored scenarios, and what they stand on
    #[arg(long, conflicts_with = "include_ignored")]
    pub(super) ignored: bool,

    /// Run the ignored scenarios too
    #[arg(long)]
    pub(super) include_ignored: bool,

    /// Run tests and not benchmarks: a suite has no benchmarks, so this changes nothing
    #[arg(long)]
    pub(super) test: bool,

    /// Run benchmarks and not tests: a suite has none, so nothing runs, unless `--test` is given too
    #[arg(long)]
    pub(super) bench: bool,

    /// Print the names and run nothing
    #[arg(long)]
    pub(super) list: bool,

    /// How many stages that do not stand on each other may run at the same time, each on a fork; 1 otherwise
    #[arg(long, value_name = "N", value_parser = threads, help_heading = help::RUNNING)]
    pub(super) test_threads: Option<usize>,

    /// Start no further scenario after the first failure
    #[arg(long, help_heading = help::RUNNING)]
    pub(super) fail_fast: bool,

    /// Print what scenarios print as it comes, each line marked with its scenario
    #[arg(long = "no-capture", alias = "nocapture", help_heading = help::PRINTING)]
    pub(super) no_capture: bool,

    /// Print the output of scenarios that passed too, at the end
    #[arg(long, help_heading = help::PRINTING)]
    pub(super) show_output: bool,

    /// How results are printed
    #[arg(long, value_name = "pretty|terse|json", value_parser = format, help_heading = help::PRINTING)]
    format: Option<FormatSetting>,

    /// As `--format terse`: a character for each scenario
    #[arg(short, long, help_heading = help::PRINTING)]
    quiet: bool,

    /// When results are coloured: `auto` on a terminal
    #[arg(long, value_enum, value_name = "auto|always|never", hide_possible_values = true, help_heading = help::PRINTING)]
    pub(super) color: Option<ColorSetting>,

    /// Print how long each scenario took, before its result
    #[arg(long, help_heading = help::PRINTING)]
    pub(super) report_time: bool,

    /// Write a line for each result to a file as well
    #[arg(long, value_name = "PATH", help_heading = help::PRINTING)]
    pub(super) logfile: Option<PathBuf>,

    /// Where the JUnit report goes instead of `<prefix>/<suite>.junit.xml`: a bare name lies in the prefix, in a
    /// directory it gets the usual name
    #[arg(long, value_name = "FILE", help_heading = help::PRINTING)]
    pub(super) junitxml_file: Option<PathBuf>,

    /// `-Z unstable-options` is what libtest wants before some options; here they work without
    #[arg(short = 'Z', value_name = "FLAG", value_enum, hide_possible_values = true, help_heading = help::PRINTING)]
    unstable: Option<Unstable>,

    #[arg(long, hide = true)]
    shuffle: bool,

    #[arg(long, value_name = "SEED", hide = true)]
    shuffle_seed: Option<String>,

    #[arg(long, hide = true)]
    ensure_time: bool,

    #[arg(long, hide = true)]
    force_run_in_process: bool,

    /// No scenario is one that should panic, so this leaves out none.
    #[arg(long, hide = true)]
    exclude_should_panic: bool,
}

/// What libtest knows behind `-Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Unstable {
    UnstableOptions,
}

/// Why the order is not for the command line to change.
const ORDER: &str =
    "scenarios run in declared order, because each stands on what those before it have done";

/// Why limits are not either.
const LIMITS: &str =
    "the limits are in the suite: Scenario::timeout, Stage::timeout, Suite::timeout";

/// Why a scenario does not run in this process.
const WORKER: &str =
    "a scenario runs in a worker process, so that a crash costs one scenario and not the run";

impl Arguments {
    /// Reads the command line. Ends the process when that asks for help, or is wrong.
    pub(super) fn read() -> Self {
        Self::parse()
    }

    /// What is asked for and cannot be had, each with the reason.
    pub(super) fn refusals(&self) -> Vec<String> {
        let refused = [
            (self.shuffle, "--shuffle", ORDER),
            (self.shuffle_seed.is_some(), "--shuffle-seed", ORDER),
            (self.ensure_time, "--ensure-time", LIMITS),
            (self.force_run_in_process, "--force-run-in-process", WORKER),
        ];
        let given = refused.into_iter().filter(|(is_given, ..)| *is_given);
        given.map(|(_, option, reason)| format!("{option}: {reason}")).collect()
    }

    /// How results are printed.
    pub(super) fn format(&self) -> FormatSetting {
        let quiet = self.quiet.then_some(FormatSetting::Terse);
        self.format.or(quiet).unwrap_or_default()
    }

    /// Whether one of the filters, if there are any, selects a name.
    pub(super) fn selects(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| self.matches(filter, name))
    }

    /// Whether a name is to be left out.
    pub(super) fn skips(&self, name: &str) -> bool {
        self.skip.iter().any(|filter| self.matches(filter, name))
    }

    fn matches(&self, filter: &str, name: &str) -> bool {
        if self.exact { filter == name } else { name.contains(filter) }
    }

    /// The same command line, selecting everything.
    pub(super) fn of_everything(&self) -> Self {
        Self { filters: Vec::new(), skip: Vec::new(), ..self.clone() }
    }

    /// The same command line, selecting nothing: no name is empty.
    pub(super) fn of_nothing(&self) -> Self {
        Self { filters: vec![String::new()], exact: true, ..self.clone() }
    }

    /// Whether only benchmarks are asked for.
    pub(super) fn only_benchmarks(&self) -> bool {
        self.bench && !self.test
    }
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least one is needed".to_owned()),
        Ok(threads) => Ok(threads),
        Err(_) => Err("it is a number from 1 on".to_owned()),
    }
}

fn format(text: &str) -> Result<FormatSetting, String> {
    match text {
        "junit" => {
            Err("a JUnit report is written by every run, and --junitxml-file says where".to_owned())
        }
        other => FormatSetting::from_str(other, false)
            .map_err(|_| "it is `pretty`, `terse` or `json`".to_owned()),
    }
}

#[cfg(test)]
mod tests;
