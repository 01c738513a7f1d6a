//! The environment at one instant, kept only for as long as somebody reads it.

use std::time::Duration;

use super::take::{Kept, Take};
use super::{Snapshot, SnapshotKind, SnapshotOptions, nvram, remove_files};
use crate::Result;
use crate::dirlock::DirLock;
use crate::prefix::Prefix;
use crate::prefix::state::State;

/// The name of its directory. A snapshot's name begins with no dot, so whoever changes the prefix next removes what a
/// killed process left there.
const NAME: &str = ".moment";

/// Disks and memory of all VMs, cut at one instant.
///
/// The VMs run on meanwhile. Until this is dropped nobody else changes the prefix, and what is frozen stays as it is.
#[derive(Debug)]
pub(crate) struct Moment<'a> {
    prefix: &'a Prefix,
    snapshot: Snapshot,
    _lock: DirLock,
}

impl<'a> Moment<'a> {
    /// Cuts the states of all VMs. When this fails, they run on.
    pub(crate) fn hold(prefix: &'a Prefix, options: SnapshotOptions) -> Result<Self> {
        let _span = tracing::info_span!("cut").entered();
        let lock = prefix.lock_settled()?;
        prefix.require_complete()?;
        let mut state = State::read(prefix.paths())?;
        let take = Take::new(prefix, NAME, options, &state)?;
        let snapshot = if take.kind == SnapshotKind::Stopped {
            // Nobody starts what would write to these disks while the lock is held.
            let nvram = nvram::current(prefix.paths(), prefix.record());
            take.snapshot(&state, Duration::ZERO, &Kept { nvram, ..Kept::default() })
        } else {
            let snapshot = take.freeze(&mut state)?;
            state.pending = None;
            state.write(prefix.paths()).map_err(|error| take.abandon(&mut state, error))?;
            snapshot
        };
        Ok(Self { prefix, snapshot, _lock: lock })
    }

    /// What was kept, with paths from the prefix.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}

impl Drop for Moment<'_> {
    fn drop(&mut self) {
        if let Err(error) = remove_files(self.prefix.paths(), NAME) {
            tracing::warn!("{error}");
        }
    }
}
