//! `lago-test report`.

use std::collections::HashSet;
use std::env;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::files::{Files, LAGO, merged_junit};
use crate::report::{self, RecordedRun, Report, prefixes_below};

/// Options of `lago-test report`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Prefixes, workdirs, or directories of workdirs; without one, the workspace's `target/lago`.
    paths: Vec<PathBuf>,

    /// One JUnit file of all these runs, beside the one of each.
    #[arg(long, value_name = "FILE")]
    merge: Option<PathBuf>,

    /// Where the JUnit file goes, as the option of the suite has it: a name is a file in the prefix, a path is taken as
    /// it is, a directory gets `<suite>.junit.xml`.
    #[arg(long, value_name = "FILE")]
    junitxml_file: Option<PathBuf>,
}

/// Writes the reports of each run, and says where they are.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let usual = usual_place();
    let is_usual = arguments.paths.is_empty();
    let runs = read(if is_usual { std::slice::from_ref(&usual) } else { &arguments.paths })?;
    let mut failed = 0;
    let mut taken = HashSet::new();
    for run in &runs {
        let suite = run.suite().unwrap_or_default();
        let files = Files::of_prefix(&run.prefix, suite, arguments.junitxml_file.as_deref())?;
        ensure!(
            taken.insert(files.junit()),
            "{} would be the JUnit file of several runs; name a directory, or --merge them",
            files.junit().display()
        );
        for report in report::write_all(run, &files) {
            failed += usize::from(!say(suite, &report)?);
        }
    }
    if is_usual {
        failed += usize::from(!say("all", &report::write_merged(&merged_junit(&usual)))?);
    }
    if let Some(path) = &arguments.merge {
        failed += usize::from(!say("all", &report::write_merge_of(&runs, path))?);
    }
    ensure!(failed == 0, "{failed} of the reports could not be written");
    Ok(())
}

/// The runs that have left events at or below these paths.
fn read(paths: &[PathBuf]) -> Result<Vec<RecordedRun>> {
    let mut runs = Vec::new();
    for path in paths {
        let prefixes = prefixes_below(path)
            .with_context(|| format!("cannot look for runs in {}", path.display()))?;
        if prefixes.is_empty() {
            bail!("no run has left an events.jsonl in {} or two levels below", path.display());
        }
        for prefix in prefixes {
            runs.push(RecordedRun::read(&prefix).context("cannot read the events of a run")?);
        }
    }
    Ok(runs)
}

/// Where suites have their workdirs, as seen from anywhere in a workspace.
fn usual_place() -> PathBuf {
    if let Some(target) = env::var_os("CARGO_TARGET_DIR") {
        return Path::new(&target).join(LAGO);
    }
    let in_target = |directory: &Path| directory.join("target").join(LAGO);
    let here = env::current_dir().unwrap_or_default();
    let found = here.ancestors().map(in_target).find(|place| place.is_dir());
    found.unwrap_or_else(|| in_target(Path::new("")))
}

/// Says where a report is, or why it is not there. Whether it is.
fn say(suite: &str, report: &Report) -> io::Result<bool> {
    let Report { name, path, written } = report;
    let path = path.display();
    match written {
        Ok(()) => writeln!(io::stdout(), "{suite}: {name}:\n{path}")?,
        Err(error) => eprintln!("error: {suite}: the {name} {path} cannot be written: {error}"),
    }
    Ok(written.is_ok())
}
