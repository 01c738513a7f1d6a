//! Removing a snapshot.

use super::{SnapshotError, find, fork, remove_files};
use crate::Result;
use crate::prefix::Prefix;
use crate::prefix::layers;
use crate::prefix::state::State;

pub(super) fn delete(prefix: &Prefix, name: &str) -> Result<()> {
    let _lock = prefix.lock_settled()?;
    let paths = prefix.paths();
    let mut state = State::read(paths)?;
    find(&state, name)?;
    fork::forget_gone(&mut state, paths);
    if let Some(fork) = state.forks.iter().find(|fork| fork.snapshot == name) {
        let what = format!("snapshot `{name}`");
        return Err(SnapshotError::InUse { what, fork: fork.path.clone() }.into());
    }
    state.remove_snapshot(name);
    let unused = state.drop_unused_layers();
    state.write(paths)?;
    // What a kill leaves of this is removed with the next change.
    remove_files(paths, name)?;
    Ok(layers::remove(paths, unused)?)
}
