//! What is wrong with a suite itself, found before anything runs.

use std::collections::HashSet;

use lago::spec::InitFile;

use crate::suite::Suite;

/// Everything that keeps a suite from running, one line each.
pub(super) fn problems(suite: &Suite) -> Vec<String> {
    let mut problems = Vec::new();
    problems.extend(bad_name("suite", suite.name()));
    let mut stages = HashSet::new();
    for stage in suite.stages() {
        problems.extend(bad_name("stage", stage.name()));
        if !stages.insert(stage.name()) {
            problems.push(format!("two stages are named `{}`", stage.name()));
        }
        let mut scenarios = HashSet::new();
        for scenario in stage.list() {
            problems.extend(bad_name("scenario", scenario.name()));
            if !scenarios.insert(scenario.name()) {
                problems.push(format!(
                    "stage `{}` has two scenarios named `{}`; name one with Scenario::new",
                    stage.name(),
                    scenario.name()
                ));
            }
        }
    }
    problems
}

/// What scenarios need and the init file does not have, one line each.
pub(super) fn unmet_needs(suite: &Suite, init_file: Option<&InitFile>) -> Vec<String> {
    let scenarios = suite.stages().iter().flat_map(|stage| {
        stage.list().iter().map(move |scenario| (stage.name(), scenario.name(), scenario.needs()))
    });
    let mut problems = Vec::new();
    for (stage, scenario, needs) in scenarios {
        let Some(init_file) = init_file else {
            if needs.needs_environment() {
                problems.push(format!(
                    "`{stage}::{scenario}` needs VMs and the suite has none; give it an init file with Suite::init_file"
                ));
            }
            continue;
        };
        let missing = needs.vms().filter(|name| !init_file.domains.contains_key(*name));
        problems.extend(missing.map(|name| {
            let known: Vec<_> = init_file.domains.keys().map(String::as_str).collect();
            format!(
                "`{stage}::{scenario}` needs the VM `{name}`; the init file has {}",
                known.join(", ")
            )
        }));
    }
    problems
}

/// Names become parts of `stage::scenario`, of file names, and of class names that Jenkins splits at dots.
fn bad_name(what: &str, name: &str) -> Option<String> {
    let is_good = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_good) {
        return None;
    }
    let mut problem =
        format!("a {what} cannot be named `{name}`: letters, digits, `_` and `-` only");
    if name.contains("closure") {
        problem.push_str("; name a closure with Scenario::new");
    }
    Some(problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Stage, scenarios};

    fn one() {}

    #[test]
    fn every_problem_is_named() {
        let suite = Suite::new("my suite")
            .stage(Stage::new("a").scenarios(scenarios![one, one, || {}]))
            .stage(Stage::new("a"));
        assert_eq!(
            problems(&suite),
            [
                "a suite cannot be named `my suite`: letters, digits, `_` and `-` only",
                "stage `a` has two scenarios named `one`; name one with Scenario::new",
                "a scenario cannot be named `{{closure}}`: letters, digits, `_` and `-` only; \
             name a closure with Scenario::new",
                "two stages are named `a`",
            ]
        );
    }

    #[test]
    fn a_good_suite_has_none() {
        let suite = Suite::new("web-2").stage(Stage::new("first_stage").scenarios(scenarios![one]));
        assert!(problems(&suite).is_empty());
    }
}
