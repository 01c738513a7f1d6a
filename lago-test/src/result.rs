//! What a scenario returns: nothing, or a [`Failure`] that says why it did not pass.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::panic::Location;

use serde::{Deserialize, Serialize};

use crate::outcome::noted;

/// What a scenario returns. `?` turns any [`std::error::Error`] into a [`Failure`] with its whole chain of causes.
pub type TestResult = Result<(), Failure>;

/// Why a scenario did not pass.
///
/// Made by `?` from any error, by [`fail!`](crate::fail), [`ensure!`](crate::ensure) and [`skip!`](crate::skip). It
/// is no [`std::error::Error`] itself, as only so can every error be turned into it by `?`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    kind: FailureKind,
    message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backtrace: Option<String>,
}

/// Whose fault it is that a scenario did not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// What the scenario asserts does not hold.
    Failed,
    /// What the scenario needs in order to run is broken: nothing is known about what it asserts.
    Infrastructure,
    /// Nobody's: the scenario does not apply here.
    Skipped,
}

impl Failure {
    /// A failed assertion.
    #[track_caller]
    pub fn new(message: impl Into<String>) -> Self {
        Self::of_kind(FailureKind::Failed, message.into(), Location::caller())
    }

    /// A reason for not running the scenario that is no fault.
    #[track_caller]
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self::of_kind(FailureKind::Skipped, reason.into(), Location::caller())
    }

    /// Something that the scenario stands on is broken.
    #[track_caller]
    pub fn infrastructure(message: impl Into<String>) -> Self {
        Self::of_kind(FailureKind::Infrastructure, message.into(), Location::caller())
    }

    fn of_kind(kind: FailureKind, message: String, location: &Location<'_>) -> Self {
        Self {
            kind,
            message,
            causes: Vec::new(),
            location: Some(location.to_string()),
            backtrace: None,
        }
    }

    /// A panic, at the place and with the backtrace that the panic hook saw.
    pub(crate) fn panicked(
        message: &str,
        location: Option<String>,
        backtrace: Option<String>,
    ) -> Self {
        Self {
            kind: FailureKind::Failed,
            message: format!("panicked: {message}"),
            causes: Vec::new(),
            location,
            backtrace,
        }
    }

    /// The same failure with a message in front that says what was being done; the old message becomes its cause.
    #[must_use]
    pub fn context(mut self, message: impl Into<String>) -> Self {
        let cause = std::mem::replace(&mut self.message, message.into());
        self.causes.insert(0, cause);
        self
    }

    /// The same failure with something to add in its message.
    #[must_use]
    pub(crate) fn with_note(mut self, note: &str) -> Self {
        self.message = noted(&self.message, note);
        self
    }

    /// The same failure without the place where it was made, which is of no use when it is the harness's own.
    #[must_use]
    pub(crate) fn without_location(mut self) -> Self {
        self.location = None;
        self
    }

    /// The same failure with these causes after those that it has.
    #[must_use]
    pub(crate) fn caused_by(mut self, causes: impl IntoIterator<Item = String>) -> Self {
        self.causes.extend(causes);
        self
    }

    /// Whose fault it is.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// The message alone, without causes and location.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What led to it, the nearest cause first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// Where it was made: `file:line:column`.
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// Shortens every text in it to at most `limit` bytes, saying so: a message travels over the protocol and into
    /// every report.
    pub(crate) fn shorten(&mut self, limit: usize) {
        let texts = std::iter::once(&mut self.message)
            .chain(&mut self.causes)
            .chain(&mut self.location)
            .chain(&mut self.backtrace);
        for text in texts {
            shorten(text, limit);
        }
    }
}

fn shorten(text: &mut String, limit: usize) {
    if text.len() > limit {
        let end = (0..=limit).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        let cut = text.len() - end;
        text.truncate(end);
        // Writing to a string does not fail.
        let _ = write!(text, " [... {cut} more bytes]");
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, "\n  caused by: {cause}")?;
        }
        if let Some(location) = &self.location {
            write!(f, "\n  at {location}")?;
        }
        if let Some(backtrace) = &self.backtrace {
            write!(f, "\n{backtrace}")?;
        }
        Ok(())
    }
}

impl<E: Error + 'static> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Self {
        let mut failure = Self::new(error.to_string());
        failure.causes = causes(&error);
        failure
    }
}

/// The texts of an error's sources, without those that the message before them already ends with.
fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut previous = error.to_string();
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        if !previous.ends_with(&text) {
            causes.push(text.clone());
        }
        previous = text;
        next = source.source();
    }
    causes
}

/// What a scenario's function may return: `()`, [`TestResult`], or a `Result` with another error.
pub trait IntoTestResult {
    /// The same as a [`TestResult`].
    fn into_test_result(self) -> TestResult;
}

impl IntoTestResult for () {
    fn into_test_result(self) -> TestResult {
        Ok(())
    }
}

impl<E: Into<Failure>> IntoTestResult for Result<(), E> {
    fn into_test_result(self) -> TestResult {
        self.map_err(Into::into)
    }
}

/// Fails the scenario with a formatted message.
#[macro_export]
macro_rules! fail {
    ($($message:tt)+) => {
        return ::core::result::Result::Err($crate::Failure::new(::std::format!($($message)+)).into())
    };
}

/// Fails the scenario unless a condition holds. Without a message, the condition's source text is the message.
#[macro_export]
macro_rules! ensure {
    ($condition:expr $(,)?) => {
        if !$condition {
            $crate::fail!("does not hold: {}", ::core::stringify!($condition));
        }
    };
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            $crate::fail!($($message)+);
        }
    };
}

/// Ends the scenario as skipped, with a formatted reason. A skipped scenario blocks nothing.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)+) => {
        return ::core::result::Result::Err(
            $crate::Failure::skipped(::std::format!($($reason)+)).into(),
        )
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot fetch the page")]
    struct Outer(#[source] Middle);

    #[derive(Debug, thiserror::Error)]
    #[error("request failed: {0}")]
    struct Middle(#[source] std::fmt::Error);

    fn fetch() -> Result<(), Outer> {
        Err(Outer(Middle(std::fmt::Error)))
    }

    #[test]
    fn question_mark_keeps_the_chain_without_repeats_and_the_place() {
        fn scenario() -> TestResult {
            fetch()?;
            Ok(())
        }
        let failure = scenario().unwrap_err();
        assert_eq!(failure.message(), "cannot fetch the page");
        assert_eq!(failure.causes(), [format!("request failed: {}", std::fmt::Error)]);
        let location = failure.location().unwrap();
        assert!(location.contains("result.rs"), "{location}");
    }

    #[test]
    fn context_comes_first() {
        let failure = Failure::new("no route").context("cannot reach `server`");
        assert_eq!(failure.message(), "cannot reach `server`");
        assert_eq!(failure.causes(), ["no route"]);
    }

    #[test]
    fn macros_make_the_right_kind() {
        fn holds(number: u32) -> TestResult {
            ensure!(number > 1);
            ensure!(number > 2, "{number} is too small");
            if number == 3 {
                skip!("three");
            }
            fail!("always")
        }
        assert_eq!(holds(1).unwrap_err().message(), "does not hold: number > 1");
        assert_eq!(holds(2).unwrap_err().message(), "2 is too small");
        assert_eq!(holds(3).unwrap_err().kind(), FailureKind::Skipped);
        assert_eq!(holds(4).unwrap_err().kind(), FailureKind::Failed);
    }

    #[test]
    fn long_texts_are_cut_at_a_character_and_say_so() {
        let mut failure = Failure::new("ä".repeat(100));
        failure.shorten(11);
        assert_eq!(failure.message(), format!("{} [... 190 more bytes]", "ä".repeat(5)));
    }
}
