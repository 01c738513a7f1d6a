//! Where a run's files are.
//!
//! ```text
//! target/lago/junit.xml               of all suites, unless they say where their workdir is
//! <workdir>/                          target/lago/<suite>, unless the suite says otherwise
//!   default.lock                      held while a run uses the prefix
//!   default.records/                  events and logs, while the environment is made anew in the middle of a nextest run
//!   default/                          the prefix
//!     events.jsonl
//!     <suite>.junit.xml
//!     <suite>.report.html
//!     <suite>.trace.json              the timeline, for programs that show such
//!     scenarios/<stage>.<scenario>.log
//!     scenarios/worker-<n>.log        what a worker prints outside of scenarios
//!     evidence/<stage>.<scenario>/    what was found out right after it had failed; `.2` and so on when it failed again
//!     states.json                     what the saved states were made of
//!     capsules/<stage>.<scenario>.lago-capsule    the environment of a failure, which stays over later runs
//!     forks/<stage>/                  a fork, while a stage runs on it
//!     logs/forks/<stage>/             the logs of a fork in which something failed
//! ```

mod lock;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::events;
use crate::limits;
use crate::result::Failure;
use lock::lock;
pub(crate) use lock::{PrefixLock, owner, sign};

/// The name of the prefix that a suite runs in.
const PREFIX: &str = "default";

/// What happened in a run, inside the prefix.
const EVENTS: &str = "events.jsonl";

/// A run's own directory, inside the prefix.
const SCENARIOS: &str = "scenarios";

/// The directories of what a run records, inside the prefix.
const RECORD_DIRECTORIES: [&str; 2] = [SCENARIOS, EVIDENCE];

/// How the name of a report begins that is being written. It stays when its writer is killed.
const HALF_WRITTEN: &str = ".report-";

/// What the names of reports end with.
const JUNIT: &str = ".junit.xml";
const HTML: &str = ".report.html";
const TRACE: &str = ".trace.json";

/// The capsules of scenarios that have failed, inside the prefix.
const CAPSULES: &str = "capsules";

/// Where the workdirs of suites are, inside the target directory.
pub(crate) const LAGO: &str = "lago";

/// What is collected after failures, inside the prefix.
const EVIDENCE: &str = "evidence";

/// Where the forks of a prefix are, inside it.
const FORKS: &str = "forks";

/// The logs of an environment, inside the prefix.
const LOGS: &str = "logs";

/// What the name of a capsule ends with while it is being written.
const PARTIAL: &str = "part";

/// The paths of one run.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) prefix: PathBuf,
    suite: String,
    junit: PathBuf,
    /// Only where suites have their workdirs side by side.
    merged_junit: Option<PathBuf>,
    /// Which process of its run this is, from 1: each scenario may have one under nextest.
    part: u32,
}

impl Files {
    /// Those of a suite's run. `junit` is what the user says of the JUnit file, if anything.
    pub(crate) fn new(workdir: &Path, suite: &str, junit: Option<&Path>) -> io::Result<Self> {
        Self::of_prefix(&workdir.join(PREFIX), suite, junit)
    }

    /// The same files, with a JUnit file of all suites in the directory that holds the workdir.
    pub(crate) fn merged(self) -> Self {
        let place = self.prefix.parent().and_then(Path::parent);
        Self { merged_junit: place.map(merged_junit), ..self }
    }

    /// Those of a run in this prefix.
    pub(crate) fn of_prefix(prefix: &Path, suite: &str, junit: Option<&Path>) -> io::Result<Self> {
        let junit = junit_path(prefix, suite, junit)?;
        let suite = suite.to_owned();
        Ok(Self { prefix: prefix.to_owned(), suite, junit, merged_junit: None, part: 1 })
    }

    pub(crate) fn events(&self) -> PathBuf {
        Self::events_of(&self.prefix)
    }

    /// The events, from the prefix.
    pub(crate) fn events_in_prefix() -> PathBuf {
        EVENTS.into()
    }

    /// The capsule of a scenario, from the prefix.
    pub(crate) fn capsule(stage: &str, scenario: &str) -> PathBuf {
        Path::new(CAPSULES).join(format!("{stage}.{scenario}.{}", lago::capsule::EXTENSION))
    }

    /// The events of the run in a prefix.
    pub(crate) fn events_of(prefix: &Path) -> PathBuf {
        prefix.join(EVENTS)
    }

    pub(crate) fn junit(&self) -> PathBuf {
        self.junit.clone()
    }

    /// The JUnit file of all suites beside this one.
    pub(crate) fn merged_junit(&self) -> Option<&Path> {
        self.merged_junit.as_deref()
    }

    pub(crate) fn html(&self) -> PathBuf {
        self.prefix.join(format!("{}{HTML}", self.suite))
    }

    /// The timeline, for programs that show such.
    pub(crate) fn trace(&self) -> PathBuf {
        self.prefix.join(format!("{}{TRACE}", self.suite))
    }

    /// Those of a later process of the same run.
    pub(crate) fn of_part(self, part: u32) -> Self {
        Self { part, ..self }
    }

    /// Whether other processes of the same run have written events before.
    pub(crate) fn is_later_part(&self) -> bool {
        self.part > 1
    }

    /// A scenario's log, from the prefix. It may have run in an earlier process of the same run, and have a log of that.
    pub(crate) fn scenario_log(&self, stage: &str, scenario: &str) -> PathBuf {
        let part = if self.is_later_part() { format!(".{}", self.part) } else { String::new() };
        Path::new(SCENARIOS).join(format!("{stage}.{scenario}{part}.log"))
    }

    pub(crate) fn worker_log(&self, worker: u32) -> PathBuf {
        self.prefix.join(SCENARIOS).join(format!("worker-{worker}.log"))
    }

    /// A new directory for what is collected after a scenario has failed, from the prefix.
    pub(crate) fn evidence(&self, stage: &str, scenario: &str) -> PathBuf {
        let name = |number: u32| match number {
            1 => format!("{stage}.{scenario}"),
            again => format!("{stage}.{scenario}.{again}"),
        };
        let mut paths = (1..).map(|number| Path::new(EVIDENCE).join(name(number)));
        let is_free = |path: &PathBuf| !self.prefix.join(path).exists();
        paths.find(is_free).unwrap_or_else(|| Path::new(EVIDENCE).join(name(1)))
    }

    /// Where forks are.
    pub(crate) fn forks(&self) -> PathBuf {
        self.prefix.join(FORKS)
    }

    /// The prefix of the fork on which a stage runs.
    pub(crate) fn fork(&self, stage: &str) -> PathBuf {
        self.forks().join(stage)
    }

    /// Where the logs of a fork stay.
    pub(crate) fn fork_logs(&self, stage: &str) -> PathBuf {
        self.prefix.join(LOGS).join(FORKS).join(stage)
    }

    /// Where a log can be that was `log` in the fork of a stage, from the prefix: moved away with the fork's end, or still
    /// in the fork.
    pub(crate) fn log_of_fork(stage: &str, log: &Path) -> [PathBuf; 2] {
        let kept = log.strip_prefix(LOGS).unwrap_or(log);
        [Path::new(LOGS).join(FORKS).join(stage).join(kept), Path::new(FORKS).join(stage).join(log)]
    }

    /// Takes the prefix for this run, waiting for another run that has it, unless the wait is called off.
    pub(crate) fn lock(&self, called_off: impl Fn() -> bool) -> Result<PrefixLock, Failure> {
        let path = self.prefix.with_extension("lock");
        let workdir = self.prefix.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(workdir).map_err(|error| {
            let message = format!("cannot make the workdir {}", workdir.display());
            Failure::infrastructure(error.to_string()).context(message)
        })?;
        lock(&path, limits::OTHER_RUN, called_off).map_err(|error| {
            let message = format!("cannot take the prefix {}", self.prefix.display());
            Failure::infrastructure(error.to_string()).context(message)
        })
    }

    /// Where records are while the environment is made anew.
    fn records_aside(&self) -> PathBuf {
        self.prefix.with_extension("records")
    }

    /// Moves what earlier processes of this run have recorded out of the way of a new environment.
    pub(crate) fn set_records_aside(&self) -> io::Result<()> {
        move_records(&self.prefix, &self.records_aside())
    }

    /// Moves the capsules of earlier runs out of the way of a new environment: a failure that was taken down once stays
    /// until the same scenario fails again, or somebody removes it.
    pub(crate) fn set_capsules_aside(&self) -> io::Result<()> {
        move_files(&self.prefix.join(CAPSULES), &self.records_aside().join(CAPSULES))
    }

    /// Moves it back; also what a process that was killed in between has left aside.
    pub(crate) fn bring_records_back(&self) -> io::Result<()> {
        let aside = self.records_aside();
        if !aside.exists() {
            return Ok(());
        }
        move_records(&aside, &self.prefix)?;
        move_files(&aside.join(CAPSULES), &self.prefix.join(CAPSULES))?;
        fs::remove_dir(aside)
    }

    /// Makes the directories of what is recorded and reported.
    pub(crate) fn make_directories(&self) -> io::Result<()> {
        let at_junit = self.junit.parent().unwrap_or(Path::new("/")).to_owned();
        for directory in [self.prefix.join(SCENARIOS), at_junit] {
            fs::create_dir_all(&directory)
                .map_err(|error| with_path("make", &directory, &error))?;
        }
        Ok(())
    }

    /// Removes what an earlier run reported.
    pub(crate) fn remove_reports(&self) -> io::Result<()> {
        for directory in RECORD_DIRECTORIES.map(|name| self.prefix.join(name)) {
            removed(&directory, fs::remove_dir_all(&directory))?;
        }
        // By the events it is known what is a report, so they go last.
        let own = [self.junit(), self.html(), self.trace(), self.events()];
        let others = self.reports_by_other_names()?;
        // The one of all suites is written again as soon as there are events. Better none than one that tells of an
        // earlier run.
        for file in others.iter().chain(&own).map(PathBuf::as_path).chain(self.merged_junit()) {
            removed(file, fs::remove_file(file))?;
        }
        own.iter().try_for_each(|file| remove_half_written(file))
    }

    /// Reports in the prefix that a run has left under names which this one does not use: the JUnit file may have had
    /// another, or the suite. Only beside events, as the directory may be somebody else's otherwise.
    fn reports_by_other_names(&self) -> io::Result<Vec<PathBuf>> {
        if !events::is_of_a_run(&self.events())? {
            return Ok(Vec::new());
        }
        let files: io::Result<Vec<_>> =
            fs::read_dir(&self.prefix)?.map(|entry| Ok(entry?.path())).collect();
        Ok(files?.into_iter().filter(|file| is_report(file)).collect())
    }
}

/// Whether a file in a prefix is one of the reports of a run, or was going to be one.
fn is_report(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.is_file()
        && (name.starts_with(HALF_WRITTEN)
            || [JUNIT, HTML, TRACE].iter().any(|end| name.ends_with(end))
            || is_junit(path).unwrap_or(false))
}

/// Whether a file of any name is a JUnit report, by how such a file begins.
fn is_junit(path: &Path) -> io::Result<bool> {
    let mut beginning = Vec::new();
    fs::File::open(path)?.take(256).read_to_end(&mut beginning)?;
    let text = String::from_utf8_lossy(&beginning);
    Ok(text.starts_with("<?xml") && text.contains("<testsuites "))
}

/// What the name of a file begins with while it is being written that becomes this one.
pub(crate) fn half_written(path: &Path) -> OsString {
    let mut name = OsString::from(HALF_WRITTEN);
    name.push(path.file_name().unwrap_or_default());
    name.push("-");
    name
}

/// Removes what processes that were killed have left of a file that they wrote. Nobody may be writing it.
pub(crate) fn remove_half_written(path: &Path) -> io::Result<()> {
    let beginning = half_written(path);
    let directory = path.parent().filter(|at| !at.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(beginning.as_encoded_bytes()) {
            removed(&entry.path(), fs::remove_file(entry.path()))?;
        }
    }
    Ok(())
}

/// Whether something is gone now.
fn removed(path: &Path, removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(with_path("remove what an earlier run has left:", path, &error))
        }
        _ => Ok(()),
    }
}

fn with_path(action: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {action} {}: {error}", path.display()))
}

/// Moves those records that are there.
fn move_records(from: &Path, to: &Path) -> io::Result<()> {
    for name in RECORD_DIRECTORIES.into_iter().chain([EVENTS]) {
        let (from, to) = (from.join(name), to.join(name));
        if from.exists() {
            // As private as the prefix.
            lago::utils::create_dir(to.parent().unwrap_or(&to)).map_err(io::Error::other)?;
            fs::rename(from, to)?;
        }
    }
    Ok(())
}

/// Moves the files of a directory that may not be there. What a killed process has left half written is removed.
fn move_files(from: &Path, to: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    lago::utils::create_dir(to).map_err(io::Error::other)?;
    for entry in entries {
        let entry = entry?;
        if entry.path().extension().is_some_and(|end| end == PARTIAL) {
            fs::remove_file(entry.path())?;
        } else {
            fs::rename(entry.path(), to.join(entry.file_name()))?;
        }
    }
    fs::remove_dir(from)
}

/// Where a JUnit file goes. Without a word from the user it is `<suite>.junit.xml` in the prefix. A name is a file in
/// the prefix, a path is taken as it is, and a directory gets a file with the usual name.
fn junit_path(prefix: &Path, suite: &str, said: Option<&Path>) -> io::Result<PathBuf> {
    let usual = format!("{suite}{JUNIT}");
    let Some(said) = said else { return Ok(prefix.join(usual)) };
    if said.as_os_str().as_encoded_bytes().ends_with(b"/") || said.is_dir() {
        return std::path::absolute(said.join(usual));
    }
    match said.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => std::path::absolute(said),
        Some(_) => Ok(prefix.join(said)),
        None => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "the name of the JUnit file is empty"))
        }
    }
}

/// The JUnit file of all suites whose workdirs are in a directory. It is not named as that of one suite is, so that no
/// pattern for those finds every scenario twice.
pub(crate) fn merged_junit(place: &Path) -> PathBuf {
    place.join("junit.xml")
}

/// `<target directory>/lago/<suite>`.
pub(crate) fn default_workdir(suite: &str) -> PathBuf {
    target_directory().join(LAGO).join(suite)
}

/// Cargo's target directory, which this program is usually in. Cargo marks it; its variable may be relative to a
/// directory that is no longer known.
fn target_directory() -> PathBuf {
    let marked = env::current_exe().ok().and_then(|program| {
        program.ancestors().find(|up| up.join("CACHEDIR.TAG").is_file()).map(Path::to_path_buf)
    });
    let named = || env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).filter(|at| at.is_absolute());
    let package = || env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    marked
        .or_else(named)
        .unwrap_or_else(|| package().unwrap_or_else(|| PathBuf::from(".")).join("target"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_finds_the_target_directory_that_it_is_in() {
        let target = target_directory();
        assert!(env::current_exe().unwrap().starts_with(&target), "{}", target.display());
        assert!(target.join("CACHEDIR.TAG").is_file(), "{}", target.display());
    }

    #[test]
    fn what_a_killed_run_was_writing_goes_with_its_reports() {
        let workdir = tempfile::tempdir().unwrap();
        let files = Files::new(workdir.path(), "web", None).unwrap();
        files.remove_reports().unwrap();
        files.make_directories().unwrap();
        let half = |path: PathBuf| path.with_file_name(half_written(&path));
        for path in [files.events(), half(files.junit()), half(files.html()), half(files.trace())] {
            fs::write(path, "").unwrap();
        }
        for path in [files.junit(), files.prefix.join("prefix.json")] {
            fs::write(path, "").unwrap();
        }
        files.remove_reports().unwrap();
        let left: Vec<_> =
            fs::read_dir(&files.prefix).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["prefix.json"]);
    }

    /// A report may lie in a directory that is not the run's own.
    #[test]
    fn what_a_killed_run_was_writing_elsewhere_goes_too() {
        let (workdir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let junit = elsewhere.path().join("results.xml");
        let files = Files::new(workdir.path(), "web", Some(&junit)).unwrap();
        fs::write(elsewhere.path().join(".report-results.xml-a1"), "").unwrap();
        fs::write(elsewhere.path().join(".report-other.xml-a1"), "").unwrap();
        files.remove_reports().unwrap();
        let left: Vec<_> = fs::read_dir(elsewhere.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn the_junit_file_is_where_the_user_says() {
        let directory = tempfile::tempdir().unwrap();
        let prefix = Path::new("/suites/web/default");
        let path = |said: &str| junit_path(prefix, "web", Some(Path::new(said))).unwrap();
        let usual = junit_path(prefix, "web", None).unwrap();
        assert_eq!(usual, Path::new("/suites/web/default/web.junit.xml"));
        assert_eq!(path("results.xml"), Path::new("/suites/web/default/results.xml"));
        assert_eq!(path("/elsewhere/results.xml"), Path::new("/elsewhere/results.xml"));
        let here = env::current_dir().unwrap();
        assert_eq!(path("below/results.xml"), here.join("below/results.xml"));
        assert_eq!(path("./results.xml"), here.join("results.xml"));
        assert_eq!(path("new/"), here.join("new/web.junit.xml"));
        let there = directory.path().to_str().unwrap();
        assert_eq!(path(there), directory.path().join("web.junit.xml"));
        assert!(junit_path(prefix, "web", Some(Path::new(""))).is_err());
    }

    #[test]
    fn records_outlive_a_new_environment() {
        let workdir = tempfile::tempdir().unwrap();
        let files = Files::new(workdir.path(), "web", None).unwrap();
        files.bring_records_back().unwrap();
        files.make_directories().unwrap();
        fs::write(files.events(), "{}").unwrap();
        let log = files.prefix.join(files.scenario_log("serve", "fetch"));
        fs::write(&log, "page").unwrap();
        let evidence = files.prefix.join(files.evidence("serve", "fetch"));
        fs::create_dir_all(&evidence).unwrap();
        files.set_records_aside().unwrap();
        fs::remove_dir(&files.prefix).unwrap();

        fs::create_dir(&files.prefix).unwrap();
        files.bring_records_back().unwrap();
        assert_eq!(fs::read_to_string(log).unwrap(), "page");
        assert!(evidence.is_dir());
        assert!(files.events().exists() && !workdir.path().join("default.records").exists());
        let later = files.of_part(3);
        assert_eq!(later.scenario_log("serve", "fetch"), Path::new("scenarios/serve.fetch.3.log"));
    }
}
