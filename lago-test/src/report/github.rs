//! What GitHub Actions shows beside the changed lines: an annotation for each scenario that failed.
//!
//! The form is that of [workflow commands][1]: `::error file=F,line=L,title=T::message`, a line each.
//!
//! [1]: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands

use std::collections::HashSet;
use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::events::{Event, What};
use crate::outcome::Outcome;

/// The longest message of an annotation, in characters: it is a hint, and the reports have the rest.
const MESSAGE_LENGTH: usize = 4000;

/// Whether this runs in a step of GitHub Actions.
pub(crate) fn is_here() -> bool {
    env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Has the runner ignore commands until [`resume`] has the same token: what guests and scenarios print is no command.
pub(crate) fn stop(token: &str) -> String {
    format!("::stop-commands::{token}")
}

/// Ends [`stop`].
pub(crate) fn resume(token: &str) -> String {
    format!("::{token}::")
}

/// An annotation for each scenario that failed, which is a warning when the run passes all the same. Where each scenario has
/// a process of its own, that of a prerequisite tells of it. `locate` makes of a file, as the compiler knew it, one as the repository
/// has it.
pub(crate) fn annotations(events: &[Event], locate: impl Fn(&str) -> String) -> Vec<String> {
    let told_elsewhere = prerequisites(events);
    let annotation = |event: &Event| match &event.what {
        What::ScenarioFinished { stage, scenario, outcome, .. } => {
            let command = command(outcome)?;
            if told_elsewhere.contains(&(stage.as_str(), scenario.as_str())) {
                return None;
            }
            let title = format!("{stage}::{scenario} {}", outcome.word().replace('_', " "));
            let message: String = outcome.to_string().chars().take(MESSAGE_LENGTH).collect();
            let place = place(outcome, &locate);
            Some(format!("::{command} {place}title={}::{}", property(&title), data(&message)))
        }
        _ => None,
    };
    events.iter().filter_map(annotation).collect()
}

/// The properties that say where something failed: `file=tests/web.rs,line=12,col=5,`, or nothing.
fn place(outcome: &Outcome, locate: impl Fn(&str) -> String) -> String {
    let Outcome::Failed { failure } = outcome else { return String::new() };
    let Some(location) = failure.location() else { return String::new() };
    let mut parts = location.rsplitn(3, ':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(column), Some(line), Some(file)) => {
            format!("file={},line={line},col={column},", property(&locate(file)))
        }
        _ => String::new(),
    }
}

/// What runs in this process, and in another one that is there for it.
fn prerequisites(events: &[Event]) -> HashSet<(&str, &str)> {
    let planned = match events.first().map(|event| &event.what) {
        Some(What::RunStarted { part_of: Some(_), planned, .. }) => planned.as_slice(),
        _ => &[],
    };
    let prerequisites = planned.iter().filter(|planned| planned.prerequisite);
    prerequisites.map(|planned| (planned.stage.as_str(), planned.scenario.as_str())).collect()
}

/// The command for an outcome, if there is something to tell.
fn command(outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Failed { .. } | Outcome::Errored { .. } | Outcome::TimedOut { .. } => {
            Some("error")
        }
        Outcome::Flaky { .. } | Outcome::KnownFailure { .. } => Some("warning"),
        Outcome::Passed
        | Outcome::Skipped { .. }
        | Outcome::Blocked { .. }
        | Outcome::NotRun { .. } => None,
    }
}

/// A message, escaped: a command ends with its line.
fn data(text: &str) -> String {
    escaped(text, "%\r\n")
}

/// A property's value, escaped: it also ends at a comma or a colon.
fn property(text: &str) -> String {
    escaped(text, "%\r\n:,")
}

fn escaped(text: &str, special: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if special.contains(c) {
            // Writing to a string does not fail.
            let _ = write!(escaped, "%{:02X}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// A file as the repository has it. The compiler knows it from the directory of the workspace, which is the package's or
/// one above it.
pub(crate) fn in_repository(file: &str) -> String {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let repository = env::var_os("GITHUB_WORKSPACE").map(PathBuf::from);
    located(file, package.as_deref(), repository.as_deref())
}

fn located(file: &str, package: Option<&Path>, repository: Option<&Path>) -> String {
    let above = package.into_iter().flat_map(Path::ancestors);
    let found = above.map(|directory| directory.join(file)).find(|path| path.is_file());
    let inside = found.as_deref().zip(repository).and_then(|(path, repository)| {
        path.strip_prefix(repository).ok().map(|path| path.display().to_string())
    });
    inside.unwrap_or_else(|| file.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn finished(scenario: &str, outcome: Outcome) -> Event {
        let (stage, scenario) = ("serve".to_owned(), scenario.to_owned());
        Event {
            at: DateTime::from_timestamp(0, 0).unwrap(),
            what: What::ScenarioFinished { stage, scenario, outcome, took_ms: 1, output: None },
        }
    }

    #[test]
    fn every_failure_is_annotated_and_nothing_else() {
        let failure = serde_json::json!({
            "kind": "failed", "message": "100 % of pages: none\nnot one", "location": "tests/a,b.rs:12:5",
        });
        let events = [
            finished("passes", Outcome::Passed),
            finished(
                "fetch",
                Outcome::Failed { failure: serde_json::from_value(failure).unwrap() },
            ),
            finished(
                "dies",
                Outcome::Errored { message: "the worker died\r\n::set-output::".into() },
            ),
            finished("hangs", Outcome::TimedOut { limit_ms: 1000, note: None }),
            finished("wavers", Outcome::Flaky { attempt: 2, failure: "no page".into() }),
            finished("later", Outcome::Blocked { by: "serve::fetch".into() }),
            finished("skips", Outcome::Skipped { reason: "no hosts".into() }),
        ];
        insta::assert_snapshot!(annotations(&events, |file| format!("web/{file}")).join("\n"));
    }

    #[test]
    fn a_file_is_looked_for_from_the_package_upwards() {
        let repository = tempfile::tempdir().unwrap();
        let package = repository.path().join("suites/web");
        std::fs::create_dir_all(package.join("tests")).unwrap();
        std::fs::write(package.join("tests/web.rs"), "").unwrap();
        let located = |file, package: &Path| located(file, Some(package), Some(repository.path()));
        assert_eq!(located("tests/web.rs", &package), "suites/web/tests/web.rs");
        assert_eq!(located("web/tests/web.rs", &package), "suites/web/tests/web.rs");
        assert_eq!(located("tests/other.rs", &package), "tests/other.rs");
        assert_eq!(located("tests/web.rs", Path::new("/")), "tests/web.rs");
    }

    #[test]
    fn output_cannot_command_between_stop_and_resume() {
        assert_eq!([stop("x-1"), resume("x-1")], ["::stop-commands::x-1", "::x-1::"]);
    }
}
