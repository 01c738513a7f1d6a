//! Runs a fixture suite as a child process and reads what it leaves.

use std::fs::File;
use std::io::PipeReader;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use lago_test::Outcome;
use lago_test::events::{self, Event, What};
use tempfile::TempDir;

use crate::FIXTURE;
use crate::cargo_nextest::Package;
use crate::fixtures::WORKDIR;

/// It shows a configuration of nextest.
const README: &str = include_str!("../../README.md");

/// The longest that any fixture may take here: they are all made to end by themselves.
const LIMIT: Duration = Duration::from_secs(300);

/// A fixture suite, about to run.
pub(crate) struct Fixture {
    name: String,
    workdir: TempDir,
    command: Command,
}

impl Fixture {
    pub(crate) fn new(name: &str) -> Self {
        // Who started the tests in the background of a script has made them ignore SIGINT, and the suite would with them.
        let mut program = Command::new("env");
        program.arg("--default-signal=HUP,INT,TERM").arg(std::env::current_exe().unwrap());
        Self::of(name, tempfile::tempdir().unwrap(), program)
    }

    /// The suite as `cargo nextest` runs it, with these arguments and the configuration that the README shows.
    pub(crate) fn under_nextest(name: &str, arguments: &[&str]) -> Self {
        let workdir = tempfile::tempdir().unwrap();
        let block = README.split("```toml\n").find(|block| block.contains("[test-groups]"));
        let config = block.and_then(|block| block.split("```").next()).unwrap();
        let package = Package::new(&workdir.path().join("package"), config);
        Self::of(name, workdir, package.nextest(arguments)).env("NEXTEST_HIDE_PROGRESS_BAR", "1")
    }

    /// The suite as a program of its own, which may be replaced, in its workdir's `program`.
    pub(crate) fn in_its_own_program(name: &str) -> Self {
        let program = std::env::current_exe().unwrap();
        // Another name for the same file: one that is just written may be open in a child of another test.
        let workdir = tempfile::tempdir_in(program.parent().unwrap()).unwrap();
        let own = workdir.path().join("program");
        std::fs::hard_link(program, &own).unwrap();
        Self::of(name, workdir, Command::new(own))
    }

    /// The suite, started by somebody who ignores a signal.
    pub(crate) fn ignoring(name: &str, signal: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("trap '' {signal}; exec \"$0\" \"$@\"")]);
        shell.arg(std::env::current_exe().unwrap());
        Self::of(name, tempfile::tempdir().unwrap(), shell)
    }

    fn of(name: &str, workdir: TempDir, mut command: Command) -> Self {
        command
            .env(FIXTURE, name)
            .env(WORKDIR, workdir.path())
            .env("CARGO_MANIFEST_DIR", env!("CARGO_MANIFEST_DIR"))
            .env_remove("NEXTEST")
            .env_remove("GITHUB_ACTIONS")
            .env_remove("RUST_TEST_THREADS")
            .env_remove("RUST_TEST_NOCAPTURE")
            .env_remove("LAGO_KEEP")
            .env_remove("LAGO_FROM")
            .env_remove("LAGO_JOBS")
            .env_remove("LAGO_REPEAT")
            .env_remove("LAGO_CAPSULE")
            .env_remove("LAGO_ON_FAILURE")
            .env_remove("LAGO_NEXTEST")
            .env_remove("LAGO_TEST_LAUNCHER")
            .env_remove("LAGO_TOLERATE_UNSTABLE")
            .env_remove("LAGO_JUNITXML_FILE")
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null());
        Self { name: name.to_owned(), workdir, command }
    }

    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Ran {
        self.start().wait()
    }

    /// Starts it with a standard output that is read as long as the second value lives.
    pub(crate) fn start_with_reader(mut self) -> (Running, PipeReader) {
        let (reader, writer) = std::io::pipe().unwrap();
        let stderr = std::fs::File::create(self.workdir.path().join("stderr")).unwrap();
        let child = self.command.stdout(writer).stderr(stderr).spawn().unwrap();
        // The command has a copy of the writing end.
        drop(self.command);
        (Running { name: self.name, workdir: self.workdir, child }, reader)
    }

    /// Starts it on a terminal.
    pub(crate) fn start_on(mut self, terminal: &File) -> Running {
        let copy = || terminal.try_clone().unwrap();
        let child = self.command.stdout(copy()).stderr(copy()).spawn().unwrap();
        Running { name: self.name, workdir: self.workdir, child }
    }

    /// Starts it. Its output goes to files, so that it never waits for a reader.
    pub(crate) fn start(mut self) -> Running {
        let file = |name: &str| std::fs::File::create(self.workdir.path().join(name)).unwrap();
        self.command.stdout(file("stdout")).stderr(file("stderr"));
        let child = self.command.spawn().unwrap();
        Running { name: self.name, workdir: self.workdir, child }
    }
}

/// A fixture suite that runs.
pub(crate) struct Running {
    name: String,
    workdir: TempDir,
    child: Child,
}

impl Running {
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    pub(crate) fn is_alive(&self) -> bool {
        is_alive(&self.child.id().to_string())
    }

    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(self.workdir.path().join("stderr")).unwrap()
    }

    /// Waits until a file in the prefix has a text in it, and gives the file's text.
    pub(crate) fn wait_for(&self, path: &str, text: &str) -> String {
        let path = self.workdir.path().join("default").join(path);
        let mut last = String::new();
        wait_until(&format!("{text:?} in {}", path.display()), || {
            last = std::fs::read_to_string(&path).unwrap_or_default();
            last.contains(text)
        });
        last
    }

    pub(crate) fn wait(mut self) -> Ran {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > LIMIT {
                self.child.kill().unwrap();
                panic!("fixture `{}` still runs after {LIMIT:?}", self.name);
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        Ran { name: self.name, workdir: self.workdir, status }
    }
}

/// A fixture suite that has ended.
pub(crate) struct Ran {
    pub(crate) name: String,
    pub(crate) workdir: TempDir,
    pub(crate) status: ExitStatus,
}

impl Ran {
    pub(crate) fn exit_code(&self) -> Option<i32> {
        self.status.code()
    }

    pub(crate) fn stdout(&self) -> String {
        std::fs::read_to_string(self.workdir.path().join("stdout")).unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(self.workdir.path().join("stderr")).unwrap()
    }

    pub(crate) fn prefix(&self) -> PathBuf {
        self.workdir.path().join("default")
    }

    pub(crate) fn junit_path(&self) -> PathBuf {
        self.prefix().join(format!("{}.junit.xml", self.name))
    }

    /// The report, if a strict reader accepts it.
    pub(crate) fn valid_junit(&self) -> String {
        valid_junit(&self.junit_path())
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        events::read(&self.prefix().join("events.jsonl")).unwrap()
    }

    /// How scenarios ended, in the order in which they did, as `stage::scenario`.
    pub(crate) fn outcomes(&self) -> Vec<(String, Outcome)> {
        let outcome = |event: Event| match event.what {
            What::ScenarioFinished { stage, scenario, outcome, .. } => {
                Some((format!("{stage}::{scenario}"), outcome))
            }
            _ => None,
        };
        self.events().into_iter().filter_map(outcome).collect()
    }

    pub(crate) fn outcome(&self, name: &str) -> Outcome {
        let found = self.outcomes().into_iter().find(|(finished, _)| finished == name);
        found.unwrap_or_else(|| panic!("`{name}` has not finished")).1
    }

    /// The words of [`Self::outcomes`]: `only::fetch passed`.
    pub(crate) fn words(&self) -> Vec<String> {
        let outcomes = self.outcomes().into_iter();
        outcomes.map(|(name, outcome)| format!("{name} {}", outcome.word())).collect()
    }
}

/// A JUnit file, if a strict reader accepts it.
pub(crate) fn valid_junit(path: &Path) -> String {
    let mut lint = Command::new("xmllint");
    lint.args(["--noout", "--huge"]);
    if let Some(schema) = std::env::var_os("LAGO_JUNIT_XSD") {
        lint.arg("--schema").arg(schema);
    }
    let linted = lint.arg(path).output().expect("xmllint (libxml2-utils) runs");
    assert!(linted.status.success(), "{}", String::from_utf8_lossy(&linted.stderr));
    std::fs::read_to_string(path).unwrap()
}

/// `lago-test report` with these arguments.
pub(crate) fn report(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lago-test")).arg("report").args(arguments).output().unwrap()
}

/// Waits until a condition holds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < LIMIT, "waited {LIMIT:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a process lives (a zombie does not).
pub(crate) fn is_alive(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}
