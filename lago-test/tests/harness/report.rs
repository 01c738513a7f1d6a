//! The JUnit files: where they are, that they are there while a run goes on and after it was killed, and
//! `lago-test report`, which makes them anew.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::FIXTURE;
use crate::fixtures::WORKDIR;
use crate::run::{Fixture, Ran, report, valid_junit, wait_until};

crate::trials![
    a_killed_run_has_left_a_report,
    the_junit_file_is_where_the_user_says,
    a_report_of_an_earlier_run_is_gone_at_once,
    a_junit_file_that_cannot_be_written_is_told_of,
    suites_side_by_side_share_a_report,
    a_shared_report_that_is_held_fails_nobody,
    a_report_is_written_anew_from_events,
    one_file_for_several_runs_is_refused,
    what_cannot_be_reported_on_is_named,
];

fn path(ran: &Ran) -> String {
    ran.workdir.path().to_str().unwrap().to_owned()
}

/// A JUnit file as it is right after its coordinator was killed. The worker notices that a moment later, and says so.
fn without_the_workers_last_word(path: &Path) -> String {
    valid_junit(path).replace("lago-test worker: the coordinator is gone\n", "")
}

fn a_killed_run_has_left_a_report() {
    let running = Fixture::new("slow").start();
    running.wait_for("scenarios/only.waits.log", "waiting in");
    running.wait_for("slow.junit.xml", "waiting in");
    running.signal("-KILL");
    let ran = running.wait();
    let left = without_the_workers_last_word(&ran.junit_path());
    for expected in [
        r#"tests="3" failures="0" errors="1""#,
        "<system-out>hello from the scenario\nand from its standard error\n</system-out>",
        r#"<error message="it was running when the run ended" type="errored">"#,
        r#"<skipped message="not run: the run ended before it did" type="not_run">"#,
    ] {
        assert!(left.contains(expected), "{expected}: {left}");
    }
    let output = report(&[&path(&ran)]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(without_the_workers_last_word(&ran.junit_path()), left, "nothing was missing");
}

fn the_junit_file_is_where_the_user_says() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = directory.path().join("new/results.xml");
    let there = format!("{}/", directory.path().display());
    let run = |said: &str| Fixture::new("passing").env("LAGO_JUNITXML_FILE", said).run();

    let ran = run(elsewhere.to_str().unwrap());
    assert!(valid_junit(&elsewhere).contains(r#"tests="3""#));
    assert!(ran.stdout().lines().any(|line| Path::new(line) == elsewhere), "{}", ran.stdout());
    assert!(!ran.junit_path().exists());
    run(&there);
    assert!(valid_junit(&directory.path().join("passing.junit.xml")).contains(r#"tests="3""#));
    let ran = run("results.xml");
    assert!(valid_junit(&ran.prefix().join("results.xml")).contains(r#"tests="3""#));
    let ran = run("");
    assert!(ran.valid_junit().contains(r#"tests="3""#));

    let option = ["--junitxml-file", "by_option.xml"];
    let ran = Fixture::new("passing").args(&option).env("LAGO_JUNITXML_FILE", &there).run();
    assert!(valid_junit(&ran.prefix().join("by_option.xml")).contains(r#"tests="3""#));
}

/// It would tell of a run that is not this one for as long as this one has not begun.
fn a_report_of_an_earlier_run_is_gone_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("results.xml");
    fs::write(&file, "of an earlier run").unwrap();
    let running = Fixture::new("slow").env("LAGO_JUNITXML_FILE", file.to_str().unwrap()).start();
    running.wait_for("events.jsonl", "scenario_started");
    running.signal("-KILL");
    running.wait();
    assert!(valid_junit(&file).contains(r#"tests="3""#));
}

fn a_junit_file_that_cannot_be_written_is_told_of() {
    let ran = Fixture::new("passing").env("LAGO_JUNITXML_FILE", "/dev/null/results.xml").run();
    assert_eq!(ran.exit_code(), Some(3), "{}{}", ran.stdout(), ran.stderr());
    let said = format!("{}{}", ran.stdout(), ran.stderr());
    assert!(said.contains("/dev/null/results.xml"), "{said}");
}

/// A target directory, with this program in it.
struct Target {
    directory: tempfile::TempDir,
    program: PathBuf,
}

impl Target {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("target");
        fs::create_dir_all(target.join("debug")).unwrap();
        fs::write(target.join("CACHEDIR.TAG"), "").unwrap();
        let program = target.join("debug/suite");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        Self { directory, program }
    }

    fn start(&self, suite: &str) -> Child {
        Command::new(&self.program)
            .env(FIXTURE, suite)
            .env_remove(WORKDIR)
            .env_remove("LAGO_JUNITXML_FILE")
            .stdin(Stdio::null())
            .stdout(fs::File::create(self.directory.path().join(suite)).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn merged(&self) -> PathBuf {
        self.directory.path().join("target/lago/junit.xml")
    }
}

/// A suite that was stopped while it wrote the shared report. What the others have to tell is in their own.
fn a_shared_report_that_is_held_fails_nobody() {
    let target = Target::new();
    let lock = target.merged().with_extension("lock");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let mut held = fs::File::create(lock).unwrap();
    held.write_all(b"4711").unwrap();
    held.lock().unwrap();
    assert_eq!(target.start("passing").wait().unwrap().code(), Some(0));
    let said = fs::read_to_string(target.directory.path().join("passing")).unwrap();
    let warning = said.lines().find(|line| line.starts_with("warning: ")).expect(&said);
    assert!(warning.contains("junit.xml does not have the end of this run yet"), "{warning}");
    assert!(warning.contains("another suite (process 4711) is writing it"), "{warning}");
    let own = target.directory.path().join("target/lago/passing/default/passing.junit.xml");
    assert!(valid_junit(&own).contains(r#"tests="3" failures="0" errors="0""#));
    assert!(!target.merged().exists());
}

fn suites_side_by_side_share_a_report() {
    let target = Target::new();
    let mut waiting = target.start("slow");
    wait_until("the running scenario in the shared report", || {
        fs::read_to_string(target.merged()).is_ok_and(|text| text.contains("waiting in"))
    });
    let mut beside = [(target.start("passing"), 0), (target.start("blocking"), 101)];
    for (suite, code) in &mut beside {
        assert_eq!(suite.wait().unwrap().code(), Some(*code));
    }
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    let merged = without_the_workers_last_word(&target.merged());
    let totals = r#"<testsuites name="lago" tests="11" failures="2" errors="1""#;
    assert!(merged.contains(totals), "{merged}");
    assert!(merged.contains("it was running when the run ended"), "{merged}");
    let said = fs::read_to_string(target.directory.path().join("blocking")).unwrap();
    // The other one that ran beside it may or may not have begun by then.
    assert!(said.contains("JUnit report of blocking, ") && said.contains("slow:\n"), "{said}");
    assert!(said.lines().any(|line| Path::new(line) == target.merged()), "{said}");

    // Where it finds all by itself.
    fs::remove_file(target.merged()).unwrap();
    let below = target.directory.path().join("target/debug");
    let output = Command::new(env!("CARGO_BIN_EXE_lago-test"))
        .arg("report")
        .env_remove("CARGO_TARGET_DIR")
        .current_dir(below)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(without_the_workers_last_word(&target.merged()), merged);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("all: JUnit report of blocking, passing, slow:\n"), "{said}");
}

fn a_report_is_written_anew_from_events() {
    let ran = Fixture::new("blocking").run();
    let written = ran.valid_junit();
    fs::remove_file(ran.junit_path()).unwrap();
    let output = report(&[&path(&ran)]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(ran.valid_junit(), written);
    let said = String::from_utf8(output.stdout).unwrap();
    let junit = ran.junit_path().to_str().unwrap().to_owned();
    assert!(said.lines().any(|line| line == junit), "{said}");

    let merged = ran.workdir.path().join("reports/all.xml");
    let output = report(&[&path(&ran), "--merge", merged.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read_to_string(merged).unwrap(), written, "one run, merged, is that run");
}

fn one_file_for_several_runs_is_refused() {
    let (one, other) = (Fixture::new("blocking").run(), Fixture::new("passing").run());
    let directory = tempfile::tempdir().unwrap();
    let there = directory.path().to_str().unwrap();
    let file = format!("{there}/results.xml");
    let to = |place: &str| report(&[&path(&one), &path(&other), "--junitxml-file", place]);
    let output = to(&file);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("results.xml would be the JUnit file of several runs"), "{said}");
    assert!(to(there).status.success());
    for suite in ["blocking", "passing"] {
        valid_junit(&directory.path().join(format!("{suite}.junit.xml")));
    }
}

fn what_cannot_be_reported_on_is_named() {
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().to_str().unwrap();
    let output = report(&[path]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("no run has left an events.jsonl in {path}")), "{said}");
    assert_eq!(report(&["--no-such-option"]).status.code(), Some(2));
}
