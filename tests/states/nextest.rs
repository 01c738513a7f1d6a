//! A suite with a VM under the installed `cargo nextest`, each scenario a test.

use lago_system_tests::run;
use lago_test::events::What;

use crate::cargo_nextest::{PROGRAM, Package};
use crate::run::Fixture;

/// The configuration that `lago new` writes, before the suite's name is filled in.
const CONFIG: &str = include_str!("../../lago/new-suite/nextest.toml.in");

/// Alphabetical order, in which nextest runs them, is not that of the suite.
pub(crate) fn by_scenario() {
    let fixture = Fixture::new("branches", "states-nextest");
    let config = CONFIG.replace("{{name}}", PROGRAM);
    let package = Package::new(&fixture.place.join("package"), &config);
    let arguments = ["LAGO_NEXTEST=scenario", "LAGO_FIXTURE_FAIL=1", "--no-fail-fast"];
    let mut nextest = fixture.configured(package.nextest(&["run"]), &arguments);
    let ran = run(nextest.env("NEXTEST_HIDE_PROGRESS_BAR", "1"));
    assert_eq!(ran.code, Some(100), "{ran:#?}");
    for result in [
        "PASS after::goes_on",
        "PASS deploy::install",
        "PASS failover::takes_over",
        "PASS serve::first",
        "FAIL serve::second",
        "FAIL serve::third",
    ] {
        let (word, name) = result.split_once(' ').expect("a word and a name");
        let is_it = |line: &str| line.trim_start().starts_with(word) && line.ends_with(name);
        assert!(ran.stderr.lines().any(is_it), "{result}: {ran:#?}");
    }
    assert!(!ran.stderr.contains("LEAK"), "a process of a test outlived it: {ran:#?}");
    let outcomes = [
        "after::goes_on passed",
        "deploy::install passed",
        "failover::takes_over passed",
        "serve::first passed",
        "serve::second failed",
        "serve::third blocked",
    ];
    assert_eq!(fixture.outcomes(), outcomes);
    assert_eq!(fixture.restored(), ["start", "deploy", "deploy", "deploy", "before.serve.second"]);
    fixture.assert_down();
    a_record_outlives_its_environment(&fixture, &package);
}

/// Nothing is kept, so that each process makes an environment of its own in the same place.
fn a_record_outlives_its_environment(fixture: &Fixture, package: &Package) {
    let arguments = ["run", "deploy::install", "serve::first"];
    let variables = ["LAGO_NEXTEST=scenario", "LAGO_KEEP=never"];
    let ran = run(&mut fixture.configured(package.nextest(&arguments), &variables));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(fixture.outcomes(), ["deploy::install passed", "serve::first passed"]);
    let started = fixture.events().into_iter().filter_map(|event| match event.what {
        What::WorkerStarted { worker, .. } => Some(worker),
        _ => None,
    });
    assert_eq!(started.collect::<Vec<_>>(), [1, 2], "a worker of each process");
    for worker in ["worker-1.log", "worker-2.log"] {
        assert!(fixture.place.join("default/scenarios").join(worker).exists(), "{worker}");
    }
    fixture.assert_removed();
}
