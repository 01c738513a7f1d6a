//! Suites with an init file, as far as no VM starts.

use lago_test::events::{RunResult, What};

use crate::run::Fixture;

crate::trials![
    a_vm_that_the_init_file_does_not_have_is_refused,
    a_suite_without_an_init_file_cannot_have_vms,
    a_malformed_init_file_is_refused,
    a_wrong_keep_is_refused,
    an_environment_that_does_not_come_up_is_infrastructure,
    reports_without_an_environment_are_not_in_the_way,
    an_earlier_environment_that_cannot_be_opened_is_told_of,
    what_the_library_warns_of_is_seen,
    listing_reads_no_init_file,
];

fn a_vm_that_the_init_file_does_not_have_is_refused() {
    let ran = Fixture::new("unknown_vm").run();
    assert_eq!(ran.exit_code(), Some(2));
    let message = "`only::uses_the_router` needs the VM `router`; the init file has server, client";
    assert!(ran.stderr().contains(message), "{}", ran.stderr());
    assert!(!ran.prefix().exists());
}

fn a_suite_without_an_init_file_cannot_have_vms() {
    let ran = Fixture::new("no_init_file").run();
    assert_eq!(ran.exit_code(), Some(2));
    assert!(ran.stderr().contains("Suite::init_file"), "{}", ran.stderr());
}

fn a_malformed_init_file_is_refused() {
    let ran = Fixture::new("malformed_init_file").run();
    assert_eq!(ran.exit_code(), Some(2));
    assert!(ran.stderr().contains("fixtures.rs"), "{}", ran.stderr());
}

fn a_wrong_keep_is_refused() {
    let ran = Fixture::new("passing").env("LAGO_KEEP", "sometimes").run();
    assert_eq!(ran.exit_code(), Some(2));
    assert!(ran.stderr().contains("LAGO_KEEP=sometimes"), "{}", ran.stderr());
}

fn an_environment_that_does_not_come_up_is_infrastructure() {
    let ran = Fixture::new("no_template").run();
    assert_eq!(ran.exit_code(), Some(3), "{}{}", ran.stdout(), ran.stderr());
    assert_eq!(ran.words(), ["only::uses_the_server errored", "only::fetch blocked"]);
    let reason = ran.outcome("only::uses_the_server").to_string();
    assert!(reason.contains("the environment did not come up"), "{reason}");
    assert!(reason.contains("no-such-template"), "{reason}");
    assert_eq!(ran.outcome("only::fetch").to_string(), "blocked by environment");

    let events = ran.events();
    assert!(events.iter().any(|event| matches!(event.what, What::EnvironmentFailed { .. })));
    let last = &events.last().unwrap().what;
    assert_eq!(*last, What::RunFinished { result: RunResult::Infrastructure, exit_code: 3 });
    let junit = ran.valid_junit();
    assert!(junit.contains(r#"<error message="the environment did not come up""#), "{junit}");
}

fn reports_without_an_environment_are_not_in_the_way() {
    let directory = tempfile::tempdir().unwrap();
    let workdir = directory.path().to_str().unwrap();
    let passing = || Fixture::new("passing").env("LAGO_FIXTURE_WORKDIR", workdir);
    assert_eq!(passing().run().exit_code(), Some(0));
    // Each time the report has another name, and so has what is left of the one before.
    for junit in ["", "results.xml", "results", ""] {
        let ran = passing()
            .env("LAGO_FIXTURE_INIT_FILE", "tests/harness/two-vms.yaml")
            .env("LAGO_JUNITXML_FILE", junit)
            .run();
        // What fails is the template, not the directory.
        assert!(ran.stdout().contains("no-such-template"), "{}", ran.stdout());
    }
    assert_eq!(passing().run().exit_code(), Some(0));
}

fn an_earlier_environment_that_cannot_be_opened_is_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let record = directory.path().join("default/prefix.json");
    std::fs::create_dir(directory.path().join("default")).unwrap();
    std::fs::write(&record, r#"{"format": 1000000, "lago": "99.0.0"}"#).unwrap();
    let workdir = directory.path().to_str().unwrap();
    let ran = Fixture::new("no_template")
        .args(&["--exact", "only::fetch"])
        .env("LAGO_FIXTURE_WORKDIR", workdir)
        .run();
    assert_eq!(ran.exit_code(), Some(3));
    let stderr = ran.stderr();
    assert!(stderr.contains("the environment of an earlier run cannot be opened: "), "{stderr}");
    assert!(stderr.contains("99.0.0") && stderr.contains("; the environment is made anew"));
    assert!(record.exists());
}

fn what_the_library_warns_of_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = directory.path().join("default");
    std::fs::create_dir(&prefix).unwrap();
    std::fs::write(prefix.join("prefix.json"), "{}").unwrap();
    let workdir = directory.path().to_str().unwrap();
    let ran = Fixture::new("no_template").env("LAGO_FIXTURE_WORKDIR", workdir).run();
    assert_eq!(ran.exit_code(), Some(3));
    let stderr = ran.stderr();
    assert!(stderr.contains("WARN lago") && stderr.contains("removing what is there"), "{stderr}");
}

fn listing_reads_no_init_file() {
    let ran = Fixture::new("malformed_init_file").args(&["--list"]).run();
    assert_eq!(
        (ran.exit_code(), ran.stdout().as_str()),
        (Some(0), "only::uses_the_server: test\n\n1 test, 0 benchmarks\n")
    );
}
