//! The states that stages leave behind, to start from again.

use crate::result::Failure;

/// Keeps the environment's state at the end of a stage and puts it back.
pub(crate) trait StageStates: Send {
    /// Called when all of a stage has run and nothing in it failed.
    fn save(&mut self, stage: &str) -> Result<Saved, Failure>;

    /// Whether [`restore`](Self::restore) can put this stage's end state back, in this run or from an earlier one.
    fn has(&self, stage: &str) -> bool;

    /// Puts the environment into the state that it had at the end of a stage.
    fn restore(&mut self, stage: &str) -> Result<(), Failure>;
}

/// What came of [`StageStates::save`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Saved {
    /// Nothing was kept, for this reason.
    Nothing(String),
}

/// Keeps no state: every stage runs on what the one before it left, and a scenario alone needs all that it stands on
/// to run first.
#[derive(Debug)]
pub(crate) struct NoSnapshots;

impl StageStates for NoSnapshots {
    fn save(&mut self, _: &str) -> Result<Saved, Failure> {
        Ok(Saved::Nothing("snapshots are not taken".to_owned()))
    }

    fn has(&self, _: &str) -> bool {
        false
    }

    fn restore(&mut self, stage: &str) -> Result<(), Failure> {
        Err(Failure::infrastructure(format!(
            "there is no state of stage `{stage}` to go back to: snapshots are not taken"
        )))
    }
}
