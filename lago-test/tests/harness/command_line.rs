//! What `cargo test`, its users and nextest say on the command line.

use std::path::Path;

use crate::run::{Fixture, Ran};

crate::trials![
    a_list_is_only_a_list,
    an_ignored_list_is_empty,
    a_filter_runs_what_it_stands_on_first,
    skip_leaves_out_prerequisites_too,
    nothing_selected_writes_nothing,
    what_is_ignored_is_told_and_reported,
    what_is_ignored_runs_when_it_is_asked_for,
    fail_fast_starts_nothing_after_the_first_failure,
    times_are_told_before_results,
    results_are_coloured_when_that_is_asked_for,
    refused_options_run_nothing,
    a_mistyped_option_names_the_nearest_one,
    json_stays_json,
    no_threads_are_refused,
    wrong_variables_are_refused,
    all_that_is_wrong_is_said_at_once,
    a_wrong_suite_is_refused,
    an_unknown_base_is_refused,
    a_suite_that_a_scenario_runs_is_no_worker,
    a_launcher_starts_the_worker,
    a_launcher_that_is_not_there_is_named,
    a_run_waits_for_another_one,
    a_workdir_that_cannot_be_made_is_infrastructure,
];

fn wrote_nothing(ran: &Ran) -> bool {
    !ran.prefix().exists()
}

fn a_list_is_only_a_list() {
    let ran = Fixture::new("passing").args(&["--list", "--format", "terse"]).run();
    assert_eq!(ran.exit_code(), Some(0));
    assert_eq!(
        ran.stdout(),
        "deploy::install: test\ndeploy::configure: test\nserve::fetch: test\n"
    );
    assert_eq!(ran.stderr(), "");
    assert!(wrote_nothing(&ran));

    let filtered = Fixture::new("passing").args(&["--list", "fetch"]).run();
    assert_eq!(filtered.stdout(), "serve::fetch: test\n\n1 test, 0 benchmarks\n");
}

fn an_ignored_list_is_empty() {
    let ran = Fixture::new("passing").args(&["--list", "--format", "terse", "--ignored"]).run();
    assert_eq!((ran.exit_code(), ran.stdout().as_str()), (Some(0), ""));
}

/// It inherits the variable that makes a process a worker.
fn a_suite_that_a_scenario_runs_is_no_worker() {
    let ran = Fixture::new("passing").env("LAGO_TEST_WORKER", "1").run();
    assert_eq!(ran.exit_code(), Some(0), "{}", ran.stderr());
    assert_eq!(ran.words().len(), 3);
}

fn a_filter_runs_what_it_stands_on_first() {
    let ran = Fixture::new("passing").args(&["--exact", "serve::fetch"]).run();
    assert_eq!(ran.exit_code(), Some(0));
    assert_eq!(ran.words().len(), 3);
    let stdout = ran.stdout();
    assert!(stdout.contains("test [prerequisite] deploy::install"), "{stdout}");
    assert!(stdout.contains("0 filtered out"), "{stdout}");

    let first = Fixture::new("passing").args(&["deploy::install"]).run();
    assert_eq!(first.words(), ["deploy::install passed"]);
    assert!(first.stdout().contains("2 filtered out"), "{}", first.stdout());
}

fn skip_leaves_out_prerequisites_too() {
    let ran = Fixture::new("passing").args(&["fetch", "--skip", "configure"]).run();
    assert_eq!(ran.words(), ["deploy::install passed", "serve::fetch passed"]);
}

fn nothing_selected_writes_nothing() {
    let ran = Fixture::new("passing").args(&["no_such_scenario"]).run();
    assert_eq!(ran.exit_code(), Some(0));
    assert!(ran.stdout().contains("3 filtered out"), "{}", ran.stdout());
    assert!(wrote_nothing(&ran));
}

fn what_is_ignored_is_told_and_reported() {
    let ran = Fixture::new("ignoring").run();
    assert_eq!(ran.exit_code(), Some(0), "{}", ran.stderr());
    let stdout = ran.stdout();
    assert!(stdout.contains("test first::broken    ... ignored (not repaired yet)"), "{stdout}");
    assert!(
        stdout.contains("3 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out"),
        "{stdout}"
    );
    assert!(stdout.contains("3 passed, 3 skipped"), "{stdout}");
    let junit = ran.valid_junit();
    assert!(junit.contains(r#"<skipped message="not repaired yet""#), "{junit}");
    let at = |name| junit.find(&format!("name=\"{name}\"")).unwrap();
    assert!(at("install") < at("broken") && at("broken") < at("configure"), "{junit}");

    let all = Fixture::new("ignoring").args(&["all::"]).run();
    assert!(
        all.stdout().contains("test all::skipped ... ignored (takes an hour)"),
        "{}",
        all.stdout()
    );
    assert!(wrote_nothing(&all));
}

fn what_is_ignored_runs_when_it_is_asked_for() {
    let ran = Fixture::new("ignoring").args(&["--include-ignored", "--skip", "broken"]).run();
    assert_eq!(
        ran.words(),
        [
            "first::install passed",
            "first::configure passed",
            "all::skipped skipped",
            "last::fetch passed",
            "last::post passed"
        ]
    );
    let only = Fixture::new("ignoring").args(&["--ignored", "last"]).run();
    assert_eq!(
        only.words(),
        [
            "first::install passed",
            "first::configure passed",
            "last::fetch passed",
            "last::post passed"
        ],
        "other ignored ones are no prerequisites"
    );
    let failing = Fixture::new("ignoring").args(&["--ignored"]).run();
    assert_eq!(failing.exit_code(), Some(101));
    assert_eq!(failing.words()[1], "first::broken failed");
}

fn fail_fast_starts_nothing_after_the_first_failure() {
    let ran = Fixture::new("blocking").args(&["--fail-fast"]).run();
    assert_eq!(ran.exit_code(), Some(101));
    assert_eq!(ran.words()[..2], ["first::tolerated failed", "first::install not_run"]);
    let reason = "not run: --fail-fast, and first::tolerated failed";
    assert_eq!(ran.outcome("second::fetch").to_string(), reason);
}

fn times_are_told_before_results() {
    let ran = Fixture::new("passing").args(&["--report-time"]).run();
    let stdout = ran.stdout();
    let line = stdout.lines().find(|line| line.contains("serve::fetch")).unwrap();
    let time =
        line.strip_prefix("test serve::fetch      ... <").unwrap().strip_suffix("s> ok").unwrap();
    assert!(time.parse::<f64>().is_ok(), "{line}");
    let terse = Fixture::new("passing").args(&["--report-time", "-q"]).run();
    assert!(terse.stdout().contains("\n...\n"), "{}", terse.stdout());
}

fn results_are_coloured_when_that_is_asked_for() {
    for (color, expected) in [("auto", false), ("never", false), ("always", true)] {
        let ran = Fixture::new("passing").args(&["--color", color]).run();
        assert_eq!(ran.stdout().contains("\u{1b}[32mok"), expected, "{color}: {}", ran.stdout());
    }
}

fn refused_options_run_nothing() {
    for (option, reason) in [
        ("--shuffle", "each stands on what those before it have done"),
        ("--shuffle-seed=7", "each stands on what those before it have done"),
        ("--ensure-time", "Scenario::timeout"),
        ("--force-run-in-process", "worker process"),
        ("--format=junit", "--junitxml-file"),
    ] {
        let ran = Fixture::new("passing").args(&[option]).run();
        assert_eq!(ran.exit_code(), Some(2), "{option}");
        assert!(ran.stderr().contains(reason), "{}", ran.stderr());
        assert!(wrote_nothing(&ran));
    }
}

fn a_mistyped_option_names_the_nearest_one() {
    let ran = Fixture::new("passing").args(&["--no-captur"]).run();
    assert_eq!(ran.exit_code(), Some(2));
    assert!(ran.stderr().contains("a similar argument exists: '--no-capture'"), "{}", ran.stderr());
    assert_eq!(ran.stdout(), "");
}

fn json_stays_json() {
    let ran = Fixture::new("blocking").args(&["--format", "json", "--no-capture"]).run();
    assert_eq!(ran.exit_code(), Some(101));
    for line in ran.stdout().lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
    let stderr = ran.stderr();
    assert!(stderr.contains("[first::broken] about to fail"), "{stderr}");
    assert!(stderr.contains(&ran.junit_path().display().to_string()), "{stderr}");
    let blocked =
        r#""name":"second::fetch","event":"ignored","message":"blocked by first::broken""#;
    assert!(ran.stdout().contains(blocked), "{}", ran.stdout());
}

fn no_threads_are_refused() {
    let ran = Fixture::new("passing").args(&["--test-threads", "0"]).run();
    assert_eq!(ran.exit_code(), Some(2));
    assert!(ran.stderr().contains("at least one"), "{}", ran.stderr());
    let zero = Fixture::new("passing").env("RUST_TEST_THREADS", "0").run();
    assert_eq!(zero.exit_code(), Some(2));
    assert!(zero.stderr().contains("RUST_TEST_THREADS=0: it is a number"), "{}", zero.stderr());
    let four = Fixture::new("passing").args(&["--test-threads", "4"]).run();
    assert_eq!(four.words().len(), 3);
}

fn wrong_variables_are_refused() {
    for (variable, value, message) in [
        ("LAGO_JOBS", "0", "LAGO_JOBS=0: it is a number from 1 on"),
        ("LAGO_JOBS", "many", "LAGO_JOBS=many: it is a number from 1 on"),
        ("LAGO_REPEAT", "0", "LAGO_REPEAT=0: it is a number from 1 on"),
        ("LAGO_CAPSULE", "yes", "LAGO_CAPSULE=yes: it is `on-failure` or `never`"),
        ("LAGO_ON_FAILURE", "stop", "LAGO_ON_FAILURE=stop: it is `shell` or `go-on`"),
        ("LAGO_REPEAT", "-1", "LAGO_REPEAT=-1: it is a number from 1 on"),
        (
            "LAGO_FROM",
            "deplyo",
            "LAGO_FROM=deplyo: there is no such stage; there are deploy, serve",
        ),
        ("LAGO_FROM", "deploy", "LAGO_FROM=deploy: the suite has no init file"),
    ] {
        let ran = Fixture::new("passing").env(variable, value).run();
        assert_eq!(ran.exit_code(), Some(2));
        assert!(ran.stderr().contains(message), "{}", ran.stderr());
        assert!(wrote_nothing(&ran));
    }
    let no_state = Fixture::new("empty_stage")
        .env("LAGO_FIXTURE_INIT_FILE", "tests/harness/two-vms.yaml")
        .env("LAGO_FROM", "empty")
        .run();
    assert_eq!(no_state.exit_code(), Some(2));
    let message = "LAGO_FROM=empty: the stage has no scenarios";
    assert!(no_state.stderr().contains(message), "{}", no_state.stderr());
    let empty = Fixture::new("passing").env("LAGO_REPEAT", "").env("LAGO_FROM", "start").run();
    assert_eq!(empty.words().len(), 3);
}

fn all_that_is_wrong_is_said_at_once() {
    let ran = Fixture::new("passing").env("LAGO_JOBS", "x").env("LAGO_KEEP", "y").run();
    let stderr = ran.stderr();
    assert!(stderr.contains("LAGO_JOBS=x") && stderr.contains("LAGO_KEEP=y"), "{stderr}");
}

fn an_unknown_base_is_refused() {
    let ran = Fixture::new("unknown_base").run();
    assert_eq!(ran.exit_code(), Some(2));
    let message = "stage `serve` starts from `deplyo`, which is no stage that is declared before it; before it there \
                   are deploy";
    assert!(ran.stderr().contains(message), "{}", ran.stderr());
    assert!(wrote_nothing(&ran));
}

fn a_wrong_suite_is_refused() {
    let ran = Fixture::new("duplicates").run();
    assert_eq!(ran.exit_code(), Some(2));
    let message = "suite `duplicates`: stage `only` has two scenarios named `fetch`";
    assert!(ran.stderr().contains(message), "{}", ran.stderr());
    assert!(wrote_nothing(&ran));
}

fn a_launcher_starts_the_worker() {
    let ran = Fixture::new("printing")
        .args(&["--exact", "only::says_hello"])
        .env("LAGO_TEST_LAUNCHER", "sh -c 'touch \"$LAGO_FIXTURE_WORKDIR/launched\"; exec \"$0\"'")
        .run();
    assert_eq!(ran.exit_code(), Some(0), "{}", ran.stdout());
    assert!(ran.workdir.path().join("launched").exists());
}

fn a_launcher_that_is_not_there_is_named() {
    let ran = Fixture::new("passing").env("LAGO_TEST_LAUNCHER", "/no/such/launcher -x").run();
    assert_eq!(ran.exit_code(), Some(101));
    assert!(ran.stdout().contains("/no/such/launcher"), "{}", ran.stdout());
    assert_eq!(ran.words()[0], "deploy::install errored");
    assert_eq!(ran.words()[2], "serve::fetch blocked");
}

fn a_run_waits_for_another_one() {
    let directory = tempfile::tempdir().unwrap();
    let workdir = directory.path().to_str().unwrap().to_owned();
    let lock = std::fs::File::create(directory.path().join("default.lock")).unwrap();
    lock.lock().unwrap();
    let running = Fixture::new("passing").env("LAGO_FIXTURE_WORKDIR", &workdir).start();
    std::thread::sleep(std::time::Duration::from_millis(600));
    assert!(!Path::new(&workdir).join("default").exists());
    lock.unlock().unwrap();
    let ran = running.wait();
    assert_eq!(ran.exit_code(), Some(0));
    assert!(ran.stderr().contains("waiting for another run"), "{}", ran.stderr());
    assert!(Path::new(&workdir).join("default/passing.junit.xml").exists());
}

fn a_workdir_that_cannot_be_made_is_infrastructure() {
    let ran = Fixture::new("passing").env("LAGO_FIXTURE_WORKDIR", "/proc/no/such").run();
    assert_eq!(ran.exit_code(), Some(3));
    let stdout = ran.stdout();
    assert!(stdout.contains("cannot make the workdir /proc/no/such"), "{stdout}");
    assert!(stdout.contains("ignored (blocked by environment)"), "{stdout}");
}
