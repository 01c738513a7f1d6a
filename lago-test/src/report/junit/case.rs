//! One scenario as a test case.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestRerun};

use super::super::RecordedRun;
use super::super::text::{clean, first_line};
use super::story::{End, Story, Try};
use crate::events::OutputPart;
use crate::outcome::{Class, Outcome};

/// The longest `message` attribute, in characters: viewers show it in a list.
const MESSAGE_LENGTH: usize = 500;

/// How much output of a scenario that did not pass goes into the file, at most.
const FAILED_OUTPUT: u64 = 1 << 20;

/// How much output of one that passed does, at most.
const PASSED_OUTPUT: u64 = 64 << 10;

/// How much output of a run goes into the file, about: a reader holds all of it in memory, and some many times over.
const ALL_OUTPUT: u64 = 64 << 20;

/// However many there are, so much of each.
const LEAST_OUTPUT: u64 = 1 << 10;

/// Gives an excerpt of a part of a log, of at most so many bytes.
pub(super) type Excerpts<'a> = dyn Fn(&Path, Range<u64>, u64) -> io::Result<String> + 'a;

/// How much output of each scenario of a run goes into the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    failed: u64,
    passed: u64,
}

impl Limits {
    /// As much as there may be for one, but less when all together would be too much. What failed comes first.
    pub(super) fn for_all<'a>(stories: impl Iterator<Item = &'a Story<'a>>) -> Self {
        let (mut failed, mut passed) = (Vec::new(), Vec::new());
        for End { outcome, output, .. } in stories.filter_map(|story| story.end) {
            let sizes = if is_told_in_full(outcome) { &mut failed } else { &mut passed };
            sizes.extend(output.map(|output| output.bytes));
        }
        let failed_limit = shared_out(&failed, FAILED_OUTPUT, ALL_OUTPUT / 4 * 3);
        let passed_limit = shared_out(&passed, PASSED_OUTPUT, ALL_OUTPUT / 4);
        Self { failed: failed_limit, passed: passed_limit }
    }

    fn of(self, outcome: &Outcome) -> u64 {
        if is_told_in_full(outcome) { self.failed } else { self.passed }
    }
}

/// The limit for each, at most `most`, with which all together are not much more than `budget`.
fn shared_out(sizes: &[u64], most: u64, budget: u64) -> u64 {
    let total = |limit: u64| sizes.iter().map(|&size| size.min(limit)).sum::<u64>();
    let limits = std::iter::successors(Some(most), |&limit| Some(limit / 2));
    limits
        .take_while(|&limit| limit > LEAST_OUTPUT)
        .find(|&limit| total(limit) <= budget)
        .unwrap_or(LEAST_OUTPUT)
}

fn is_told_in_full(outcome: &Outcome) -> bool {
    outcome.is_failure() || matches!(outcome, Outcome::Flaky { .. })
}

/// A scenario as a test case, without its class.
pub(super) fn test_case(
    name: &str,
    story: &Story<'_>,
    run: &RecordedRun,
    limits: Limits,
    excerpts: &Excerpts<'_>,
) -> TestCase {
    let unfinished = unfinished(story);
    let end = story.end.unwrap_or(End { outcome: &unfinished, took: Duration::ZERO, output: None });
    let limit = limits.of(end.outcome);
    let read = |path: &Path, part: Range<u64>| {
        let text = excerpts(&run.prefix.join(path), part, limit).unwrap_or_else(|error| {
            format!("[the output in {} cannot be read: {error}]", path.display())
        });
        clean(&text)
    };
    let read_part = |output: &OutputPart| {
        read(&output.path, output.offset..output.offset.saturating_add(output.bytes))
    };

    let (main, others) = tries(story);
    let mut status = status(end.outcome);
    let is_flaky = matches!(end.outcome, Outcome::Flaky { .. });
    status.add_reruns(others.iter().map(|tried| rerun(tried, is_flaky, read_part)));
    let mut case = TestCase::new(name, status);
    case.set_time(end.took);
    let output = match (main, story.end) {
        (Some(main), _) => main.output.map(read_part),
        (None, Some(end)) => end.output.map(|log| read(&log.path, 0..log.bytes)),
        // Whether it has printed something is not known, and there may be no log.
        (None, None) => story.log.and_then(|log| {
            let output = excerpts(&run.prefix.join(log), 0..u64::MAX, limit).ok()?;
            (!output.is_empty()).then(|| clean(&output))
        }),
    };
    let attachments = attachments(&run.prefix, &story.evidence);
    if let Some(output) = output.into_iter().chain(attachments).reduce(|all, more| all + &more) {
        case.set_system_out(output);
    }
    case
}

/// The lines by which Jenkins' JUnit Attachments plugin finds files. They come last in the output.
fn attachments(prefix: &Path, files: &[&Path]) -> Option<String> {
    let prefix = std::path::absolute(prefix).unwrap_or_else(|_| prefix.to_owned());
    // The names of some were chosen by a guest. One that could be read as more than a name is left out.
    let is_plain = |path: &str| !path.contains('\n') && !path.contains("]]") && clean(path) == path;
    let lines = files
        .iter()
        .filter_map(|file| prefix.join(file).to_str().map(ToOwned::to_owned))
        .filter(|path| is_plain(path))
        .map(|path| format!("\n[[ATTACHMENT|{path}]]"));
    let lines: String = lines.collect();
    (!lines.is_empty()).then(|| lines + "\n")
}

/// What is said of a scenario that has no end: it waits for its turn, it runs now, or the run was killed.
fn unfinished(story: &Story<'_>) -> Outcome {
    if story.log.is_some() {
        Outcome::Errored { message: "it was running when the run ended".to_owned() }
    } else {
        Outcome::NotRun { reason: "the run ended before it did".to_owned() }
    }
}

/// The try that the case stands for, and the other ones that failed. As Surefire has it, the case is the try that passed,
/// or else the first one.
fn tries<'a>(story: &Story<'a>) -> (Option<Try<'a>>, Vec<Try<'a>>) {
    let mut others = story.tries.clone();
    let main = match story.end {
        Some(_) if others.is_empty() => None,
        Some(End { outcome: Outcome::Flaky { .. }, .. }) => others.pop(),
        Some(_) => Some(others.remove(0)),
        // The try that was running when the run ended has left no event.
        None => None,
    };
    others.retain(|tried| tried.outcome.is_failure());
    (main, others)
}

fn status(outcome: &Outcome) -> TestCaseStatus {
    let mut status = match outcome.class() {
        Class::Passed => return TestCaseStatus::success(),
        Class::Failure => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Class::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
        Class::Tolerated | Class::NoResult => TestCaseStatus::skipped(),
    };
    let text = clean(&outcome.to_string());
    status.set_message(message(&text)).set_type(outcome.word()).set_description(text);
    status
}

/// A try that the case does not stand for. It has no time: the schema knows none there.
fn rerun(tried: &Try<'_>, is_flaky: bool, read: impl Fn(&OutputPart) -> String) -> TestRerun {
    let kind = match tried.outcome.class() {
        // Jenkins reads no `flakyError`; the type says what it was.
        _ if is_flaky => NonSuccessKind::Failure,
        Class::Failure => NonSuccessKind::Failure,
        Class::Passed | Class::Error | Class::Tolerated | Class::NoResult => NonSuccessKind::Error,
    };
    let text = clean(&tried.outcome.to_string());
    let mut rerun = TestRerun::new(kind);
    rerun.set_message(message(&text)).set_type(tried.outcome.word()).set_stack_trace(text);
    if let Some(output) = tried.output {
        rerun.set_system_out(read(output));
    }
    rerun
}

fn message(text: &str) -> String {
    first_line(text).chars().take(MESSAGE_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_evidence_are_attached_and_hostile_names_are_not() {
        let files = [
            Path::new("evidence/a.b/README.txt"),
            Path::new("evidence/a.b/x]]\n[[ATTACHMENT|/etc/passwd"),
            Path::new("evidence/a.b/y]]"),
            Path::new("evidence/a.b/\u{fffe}"),
        ];
        let expected = "\n[[ATTACHMENT|/p/default/evidence/a.b/README.txt]]\n";
        assert_eq!(attachments(Path::new("/p/default"), &files).unwrap(), expected);
        assert_eq!(attachments(Path::new("/p/default"), &[]), None);
    }

    #[test]
    fn output_is_cut_only_when_all_of_it_is_too_much() {
        assert_eq!(shared_out(&[], 1 << 20, 100), 1 << 20);
        assert_eq!(shared_out(&vec![10; 10_000], 64 << 10, 100_000), 64 << 10);
        assert_eq!(shared_out(&[1 << 20; 100], 1 << 20, 48 << 20), 1 << 18);
        assert_eq!(shared_out(&vec![1 << 20; 100_000], 1 << 20, 48 << 20), LEAST_OUTPUT);
    }
}
