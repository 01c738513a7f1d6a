//! Compressing the memory of a snapshot after it was taken, while the VMs run on.
//!
//! The thread that does it holds the prefix's lock, so whoever changes the prefix next waits for its end.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::memory;
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

/// Compresses what `state` has as pending, for a caller that holds the lock. The state names either the originals or the
/// compressed files, and both are there.
pub(super) fn finish(paths: &Paths, mut state: State) -> Result<()> {
    let Some(Pending::Compression { name }) = state.pending.clone() else { return Ok(()) };
    let _span = tracing::info_span!("compress", name).entered();
    let compressed = compress(paths, memories(&mut state, &name));
    if let Err(error) = state.write(paths) {
        remove_all(compressed)?;
        return Err(error);
    }
    let originals = memories(&mut state, &name).into_iter();
    let originals = originals.filter_map(|memory| memory::original_of(memory));
    remove_all(originals.map(|original| paths.prefix().join(original)))?;
    state.pending = None;
    state.write(paths)
}

/// Removes files that may not be there.
fn remove_all(files: impl IntoIterator<Item = PathBuf>) -> Result<()> {
    for path in files {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(FileError::io("remove", &path)(error).into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// The files of a snapshot's memory, as the state has them.
fn memories<'a>(state: &'a mut State, name: &str) -> Vec<&'a mut PathBuf> {
    let vms = state.snapshots.get_mut(name).into_iter().flat_map(|found| found.vms.values_mut());
    vms.filter_map(|vm| vm.memory.as_mut()).collect()
}

/// Puts the compressed file in the place of each that is not compressed yet, and returns the new ones. A file for which
/// there is no room stays as it is.
fn compress(paths: &Paths, mut memories: Vec<&mut PathBuf>) -> Vec<PathBuf> {
    memories.retain(|memory| memory::original_of(memory).is_none());
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = (processors / memories.len().max(1)).max(1);
    let compressed = parallel(memories, |memory| {
        let compressed = memory::compress(&paths.prefix().join(&*memory), threads);
        let compressed = compressed
            .inspect_err(|error| tracing::warn!("{}; it is kept as it is", error_chain(error)));
        Ok::<_, Infallible>(compressed.ok().inspect(|compressed| {
            *memory = memory.with_file_name(compressed.file_name().unwrap_or_default());
        }))
    });
    match compressed {
        Ok(files) => files.into_iter().flatten().collect(),
        Err(never) => match never.first {},
    }
}
