//! Several errors of one operation.

use std::error::Error;
use std::fmt;

use indexmap::IndexSet;

/// Any error, of any room.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// All errors of one operation: the one that leads, and those that came after it or beside it.
///
/// Its text holds every error with its causes, the leading one first.
#[derive(Debug)]
pub struct Failures<E> {
    /// The error that made the operation fail.
    pub first: E,
    /// What failed beside it, or while undoing what it left.
    pub others: Vec<BoxError>,
}

impl<E: Error + Send + Sync + 'static> Failures<E> {
    /// All failures of several steps that were all tried; the first one leads.
    pub fn all(steps: impl IntoIterator<Item = Result<(), Self>>) -> Result<(), Self> {
        let failed = steps.into_iter().filter_map(Result::err).reduce(|mut all, more| {
            all.others.push(more.first.into());
            all.others.extend(more.others);
            all
        });
        failed.map_or(Ok(()), Err)
    }
}

impl<E: Error + 'static> fmt::Display for Failures<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = error_chain(&self.first);
        f.write_str(&first)?;
        // Work on several VMs often fails for one reason, which is worth saying once.
        let others: IndexSet<String> = self
            .others
            .iter()
            .map(|other| error_chain(other.as_ref()))
            .filter(|other| *other != first)
            .collect();
        if others.is_empty() {
            return Ok(());
        }
        let noun = if others.len() == 1 { "failure" } else { "failures" };
        write!(f, "\nand {} more {noun}:", others.len())?;
        for other in others {
            write!(f, "\n- {}", other.replace('\n', "\n  "))?;
        }
        Ok(())
    }
}

impl<E: Error + 'static> Error for Failures<E> {}

/// An error's text followed by the texts of its causes, `what: because: because`.
///
/// A cause that the text before it already ends with is not repeated.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.ends_with(&reason) {
            text.push_str(": ");
            text.push_str(&reason);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read {0}")]
    struct Outer(&'static str, #[source] std::io::Error);

    fn outer(name: &'static str) -> Outer {
        Outer(name, std::io::Error::other("the disk is gone"))
    }

    #[test]
    fn one_failure_reads_like_the_error_itself() {
        let failures = Failures { first: outer("a"), others: Vec::new() };
        assert_eq!(failures.to_string(), "cannot read a: the disk is gone");
    }

    #[test]
    fn every_failure_is_listed_with_its_cause_and_the_first_one_leads() {
        let failures =
            Failures { first: outer("a"), others: vec![outer("b").into(), "plain".into()] };
        assert_eq!(
            failures.to_string(),
            "cannot read a: the disk is gone\n\
             and 2 more failures:\n\
             - cannot read b: the disk is gone\n\
             - plain"
        );
    }

    #[test]
    fn one_reason_is_said_once() {
        let others: Vec<BoxError> = vec![outer("a").into(), outer("b").into(), outer("b").into()];
        let failures = Failures { first: outer("a"), others };
        assert_eq!(
            failures.to_string(),
            "cannot read a: the disk is gone\nand 1 more failure:\n- cannot read b: the disk is gone"
        );
    }

    #[test]
    fn a_cause_that_the_message_ends_with_is_not_repeated() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open x: {0}")]
        struct Inline(#[source] std::io::Error);
        let error = Inline(std::io::Error::other("no"));
        assert_eq!(error_chain(&error), "cannot open x: no");
    }
}
