//! The HTML report and the trace, as a run leaves them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Fixture, Ran, report};

crate::trials![
    a_run_names_its_html_report_and_its_trace,
    a_killed_run_gets_both_from_its_events,
    stages_at_the_same_time_are_lanes_of_the_trace,
    an_interrupted_run_has_both,
];

fn file(ran: &Ran, name: &str) -> PathBuf {
    ran.prefix().join(name)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn a_run_names_its_html_report_and_its_trace() {
    let ran = Fixture::new("blocking").run();
    let stdout = ran.stdout();
    for name in ["blocking.report.html", "blocking.trace.json"] {
        let path = file(&ran, name);
        assert!(stdout.lines().any(|line| Path::new(line) == path), "{name}: {stdout}");
    }
    let html = read(&file(&ran, "blocking.report.html"));
    for told in [
        "2 of 5 scenarios failed",
        "No such file or directory",
        "about to fail",
        "blocked by first::broken",
        "1 + 1 == 3",
        "./scenarios/first.broken.log",
    ] {
        assert!(html.contains(told), "{told}");
    }
    assert!(read(&file(&ran, "blocking.trace.json")).contains("first::tolerated"));
}

fn a_killed_run_gets_both_from_its_events() {
    let running = Fixture::new("slow").start();
    running.wait_for("scenarios/only.waits.log", "waiting in");
    running.signal("-KILL");
    let ran = running.wait();
    assert!(!file(&ran, "slow.report.html").exists(), "it is made at the end");
    let output = report(&[ran.workdir.path().to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let html = read(&file(&ran, "slow.report.html"));
    assert!(html.contains("The run did not end: its events stop in the middle"));
    assert!(html.contains("waiting in"), "the output of the one that ran");
    assert!(read(&file(&ran, "slow.trace.json")).contains("cut short"));
}

fn stages_at_the_same_time_are_lanes_of_the_trace() {
    let ran = Fixture::new("meeting").args(&["--test-threads", "2"]).run();
    let trace: serde_json::Value =
        serde_json::from_str(&read(&file(&ran, "meeting.trace.json"))).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let thread = |scenario: &str| {
        let event = events.iter().find(|event| event["name"] == scenario);
        let event = event.unwrap_or_else(|| panic!("{scenario} is not in {trace:#}"));
        let is_its_name = |other: &&serde_json::Value| {
            other["name"] == "thread_name" && other["tid"] == event["tid"]
        };
        let name = &events.iter().find(is_its_name).unwrap()["args"]["name"];
        let (begin, took) = (event["ts"].as_u64().unwrap(), event["dur"].as_u64().unwrap());
        (name.as_str().unwrap().to_owned(), begin, begin + took)
    };
    let (left, left_begin, left_end) = thread("left::meets_right");
    let (right, right_begin, right_end) = thread("right::meets_left");
    assert_eq!([left.as_str(), right.as_str()], ["prefix", "fork right"]);
    assert!(left_begin < right_end && right_begin < left_end, "at the same time: {trace:#}");
}

fn an_interrupted_run_has_both() {
    let running = Fixture::new("slow").start();
    running.wait_for("scenarios/only.waits.log", "waiting in");
    running.signal("-INT");
    let ran = running.wait();
    assert!(read(&file(&ran, "slow.report.html")).contains("Interrupted by SIGINT"));
    assert!(file(&ran, "slow.trace.json").exists());
}
