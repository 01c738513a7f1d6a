//! What is wrong with a suite itself, found before anything runs.

use std::collections::HashSet;

use lago::spec::InitFile;

use super::saved::START;
use crate::stage::Base;
use crate::suite::Suite;

/// Everything that keeps a suite from running, one line each.
pub(super) fn problems(suite: &Suite) -> Vec<String> {
    let mut problems = Vec::new();
    problems.extend(bad_name("suite", suite.name()));
    problems.extend(suite.console().problems());
    let mut stages = HashSet::new();
    for (number, stage) in suite.stages().iter().enumerate() {
        problems.extend(bad_name("stage", stage.name()));
        problems.extend(bad_base(suite, number));
        problems.extend(stage.console().problems());
        if stage.name() == START {
            problems.push(format!(
                "a stage cannot be named `{START}`: that is the state of the environment as it came up"
            ));
        }
        if !stages.insert(stage.name()) {
            problems.push(format!("two stages are named `{}`", stage.name()));
        }
        let mut scenarios = HashSet::new();
        for scenario in stage.list() {
            problems.extend(bad_name("scenario", scenario.name()));
            problems.extend(scenario.console().problems());
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

/// A stage can start only from what has run before it.
fn bad_base(suite: &Suite, number: usize) -> Option<String> {
    let stage = &suite.stages()[number];
    let Base::Stage(base) = stage.base() else { return None };
    if suite.base(number).is_some() {
        return None;
    }
    let before: Vec<_> = suite.stages()[..number].iter().map(crate::Stage::name).collect();
    let before = match before.as_slice() {
        [] => "there is none before it".to_owned(),
        names => format!("before it there are {}", names.join(", ")),
    };
    Some(format!(
        "stage `{}` starts from `{base}`, which is no stage that is declared before it; {before}; for the environment \
         as it came up there is Stage::from_start",
        stage.name()
    ))
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
    fn an_expression_for_consoles_must_be_one() {
        use crate::IntoScenario as _;
        let suite = Suite::new("web").console_pattern("trouble", "(").allow_console("fine").stage(
            Stage::new("a").allow_console("[").scenarios(scenarios![one.allow_console("*")]),
        );
        let problems = problems(&suite);
        assert_eq!(problems.len(), 3, "{problems:#?}");
        for (problem, expression) in problems.iter().zip(["(", "[", "*"]) {
            let expected = format!("`{expression}` is no regular expression: ");
            assert!(problem.starts_with(&expected), "{problem}");
        }
    }

    #[test]
    fn a_base_must_be_declared_before() {
        let suite = Suite::new("web")
            .stage(Stage::new("own").from("own"))
            .stage(Stage::new("early").from("late"))
            .stage(Stage::new("typo").from("ealry"))
            .stage(Stage::new("late").from("early"))
            .stage(Stage::new("start"));
        let problems = problems(&suite);
        assert_eq!(problems.len(), 4, "{problems:#?}");
        assert!(problems[0].starts_with("stage `own` starts from `own`"), "{problems:#?}");
        assert!(problems[0].contains("there is none before it"), "{problems:#?}");
        assert!(problems[1].contains("before it there are own"), "{problems:#?}");
        assert!(problems[2].contains("before it there are own, early"), "{problems:#?}");
        assert!(problems[3].contains("cannot be named `start`"), "{problems:#?}");
    }

    #[test]
    fn a_good_suite_has_none() {
        let suite = Suite::new("web-2")
            .stage(Stage::new("first_stage").scenarios(scenarios![one]))
            .stage(Stage::new("second").from("first_stage"))
            .stage(Stage::new("third").from_start());
        assert!(problems(&suite).is_empty());
    }
}
