//! Compressing the memory of a snapshot after it was taken, while the VMs run on.
//!
//! The thread that does it holds the prefix's lock, so whoever changes the prefix next waits for its end.

use std::convert::Infallible;
use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::{Snapshot, memory};
use crate::Result;
use crate::dirlock::DirLock;
use crate::paths::Paths;
use crate::prefix::state::{Pending, State};
use crate::utils::{FileError, error_chain, parallel};

/// The thread that compresses, waited for when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Compression(Mutex<Option<JoinHandle<()>>>);

impl Compression {
    /// Starts to compress what `state`, which has been written, has as pending.
    pub(super) fn start(&self, paths: Paths, state: State, lock: DirLock) {
        let compress = move || {
            let _lock = lock;
            if let Err(error) = finish(&paths, state) {
                tracing::warn!("{}", error_chain(&error));
            }
        };
        match thread::Builder::new().name("compression".to_owned()).spawn(compress) {
            Ok(thread) => {
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
            }
            // Whoever opens the prefix next does it.
            Err(error) => tracing::warn!("the snapshot is not compressed now: {error}"),
        }
    }

    /// Waits until nothing is being compressed, however long that takes; all who wait are let go together.
    pub(crate) fn wait(&self) {
        let mut thread = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that panicked has said so.
        let _ = thread.take().map(JoinHandle::join);
    }
}

impl Drop for Compression {
    fn drop(&mut self) {
        self.wait();
    }
}

/// Compresses what `state` has as pending, for a caller that holds the lock.
pub(super) fn finish(paths: &Paths, mut state: State) -> Result<()> {
    let Some(Pending::Compression { name }) = state.pending.take() else { return Ok(()) };
    let _span = tracing::info_span!("compress", name).entered();
    let memories = state.snapshots.get_mut(&name).map(memories).unwrap_or_default();
    let originals = compress(paths, memories);
    state.write(paths)?;
    for path in originals {
        fs::remove_file(&path).map_err(FileError::io("remove", &path))?;
    }
    Ok(())
}

fn memories(snapshot: &mut Snapshot) -> Vec<&mut PathBuf> {
    snapshot.vms.values_mut().filter_map(|vm| vm.memory.as_mut()).collect()
}

/// Puts the compressed file in the place of each, and returns those that are of no use any more. A file for which there is
/// no room stays as it is.
fn compress(paths: &Paths, memories: Vec<&mut PathBuf>) -> Vec<PathBuf> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = (processors / memories.len().max(1)).max(1);
    let compressed = parallel(memories, |memory| {
        let original = paths.prefix().join(&*memory);
        let compressed = memory::compress(&original, threads)
            .inspect_err(|error| tracing::warn!("{}; it is kept as it is", error_chain(error)))
            .ok();
        Ok::<_, Infallible>(compressed.map(|compressed| {
            let name = compressed.file_name().unwrap_or_default();
            *memory = memory.with_file_name(name);
            original
        }))
    });
    match compressed {
        Ok(originals) => originals.into_iter().flatten().collect(),
        Err(never) => match never.first {},
    }
}
