//! `cargo xtask demo`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use crate::{command, prepare, workspace};

/// The demo suite's workdir, below the workspace.
const WORKDIR: &str = "target/lago/demo";

/// How a report's file name ends: JUnit for machines, HTML for people.
const REPORTS: [&str; 2] = [".junit.xml", ".html"];

/// How far below the workdir reports are: `<prefix>/<suite>.junit.xml`.
const REPORT_DEPTH: usize = 2;

/// Options of `cargo xtask demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What the suite is given, as `cargo test` gives it: a filter, `--exact stage::scenario`, `--test-threads 2`
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Prepares the machine, runs the demo suite and ends by naming its reports, each path alone on its line.
pub(crate) fn run(args: &Args) -> Result<()> {
    prepare::packages()?;
    prepare::plain_images()?;
    let started = SystemTime::now();
    let mut suite = workspace::cargo(["test", "--package", "lago-demo", "--test", "demo", "--"]);
    suite.args(&args.arguments);
    let outcome = command::run(prepare::with_images(&mut suite)?);
    let reports = reports_since(&workspace::root().join(WORKDIR), started);
    for report in reports.as_deref().unwrap_or_default() {
        println!("{}", report.display());
    }
    outcome?;
    if reports?.is_empty() {
        bail!("the demo suite passed, and wrote no report below {WORKDIR}");
    }
    Ok(())
}

/// The reports below `workdir` that were written after `started`, so that an older run's are not named.
fn reports_since(workdir: &Path, started: SystemTime) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(workdir, started, REPORT_DEPTH, &mut found)
        .with_context(|| format!("looking for reports below {}", workdir.display()))?;
    // JUnit first, as it is listed first.
    found.sort_by_key(|path| (!named_like(path, REPORTS[0]), path.clone()));
    Ok(found)
}

fn collect(
    dir: &Path,
    started: SystemTime,
    depth: usize,
    found: &mut Vec<PathBuf>,
) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && depth > 1 {
            collect(&entry.path(), started, depth - 1, found)?;
        } else if kind.is_file() && is_report(&entry.path()) {
            let fresh = entry.metadata()?.modified()? >= started;
            found.extend(fresh.then(|| entry.path()));
        }
    }
    Ok(())
}

fn is_report(path: &Path) -> bool {
    REPORTS.iter().any(|ending| named_like(path, ending))
}

fn named_like(path: &Path, ending: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(ending))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_reports_of_this_run_are_named_and_junit_comes_first() {
        let workdir = tempfile::tempdir().unwrap();
        let prefix = workdir.path().join("default");
        fs::create_dir(&prefix).unwrap();
        for name in ["demo.html", "demo.junit.xml", "events.jsonl", "old.junit.xml"] {
            fs::write(prefix.join(name), "").unwrap();
        }
        let started = SystemTime::now() - Duration::from_secs(60);
        let old = fs::File::options().write(true).open(prefix.join("old.junit.xml")).unwrap();
        old.set_modified(started - Duration::from_secs(60)).unwrap();

        let reports = reports_since(workdir.path(), started).unwrap();

        assert_eq!(reports, [prefix.join("demo.junit.xml"), prefix.join("demo.html")]);
    }

    #[test]
    fn a_missing_workdir_is_named() {
        let error = reports_since(Path::new("/nowhere/demo"), SystemTime::now()).unwrap_err();
        assert!(error.to_string().contains("/nowhere/demo"), "{error}");
    }
}
