//! What GitHub Actions is told.

use crate::run::Fixture;

crate::trials![
    failures_are_annotated_in_github_actions_only,
    what_is_printed_between_is_no_command,
    json_on_standard_output_stays_json,
    a_process_for_one_scenario_annotates_no_other,
];

fn commands(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("::")).collect()
}

fn failures_are_annotated_in_github_actions_only() {
    let ran = Fixture::new("blocking")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_WORKSPACE", env!("CARGO_MANIFEST_DIR"))
        .run();
    assert_eq!(ran.exit_code(), Some(101));
    let stdout = ran.stdout();
    let errors: Vec<_> =
        commands(&stdout).into_iter().filter(|line| line.starts_with("::error")).collect();
    let [tolerated, broken] = errors[..] else { panic!("{errors:?}") };
    let place = "::error file=tests/harness/fixtures.rs,line=";
    assert!(tolerated.starts_with(place) && broken.starts_with(place), "{errors:?}");
    assert!(
        tolerated.contains(",title=first%3A%3Atolerated failed::does not hold: 1 + 1 == 3"),
        "{tolerated}"
    );
    assert!(broken.contains("No such file or directory"), "{broken}");

    let elsewhere = Fixture::new("blocking").run();
    assert!(commands(&elsewhere.stdout()).is_empty(), "{}", elsewhere.stdout());
}

fn what_is_printed_between_is_no_command() {
    let ran = Fixture::new("commanding").env("GITHUB_ACTIONS", "true").run();
    let stdout = ran.stdout();
    let commands = commands(&stdout);
    let [stop, from_the_scenario, resume, error] = commands[..] else { panic!("{commands:?}") };
    let token = stop.strip_prefix("::stop-commands::").unwrap();
    assert!(token.len() > 30, "{token}");
    assert_eq!(from_the_scenario, "::warning::from a guest");
    assert_eq!(resume, format!("::{token}::"));
    assert!(error.starts_with("::error "), "{error}");

    let again = Fixture::new("commanding").env("GITHUB_ACTIONS", "true").run();
    assert!(!again.stdout().contains(token), "the next run has the same token");
}

fn json_on_standard_output_stays_json() {
    let ran =
        Fixture::new("commanding").env("GITHUB_ACTIONS", "true").args(&["--format", "json"]).run();
    for line in ran.stdout().lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
    assert_eq!(commands(&ran.stderr()).len(), 3, "{}", ran.stderr());
}

fn a_process_for_one_scenario_annotates_no_other() {
    let ran = Fixture::new("blocking")
        .args(&["--exact", "first::broken", "--nocapture"])
        .env("GITHUB_ACTIONS", "true")
        .env("NEXTEST", "1")
        .env("NEXTEST_RUN_ID", "7")
        .env("LAGO_NEXTEST", "scenario")
        .run();
    assert_eq!(ran.exit_code(), Some(101));
    assert!(
        ran.stdout().contains("first::tolerated ... ignored (failed: does not hold"),
        "{}",
        ran.stdout()
    );
    let stdout = ran.stdout();
    let errors: Vec<_> =
        commands(&stdout).into_iter().filter(|line| line.starts_with("::error")).collect();
    assert!(errors.len() == 1 && errors[0].contains("first%3A%3Abroken"), "{errors:?}");
}
