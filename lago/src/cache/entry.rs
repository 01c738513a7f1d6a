//! One environment that was started, on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::inputs::file_input;
use super::{CACHE_FORMAT, FileInput, Key, KeyInputs, STARTED};
use crate::constants::VERSION;
use crate::host::Host;
use crate::paths::Paths;
use crate::prefix::layers;
use crate::prefix::state::State;
use crate::prefix::{COPY_LIMIT, InitOptions, Prefix, claim_directory, removal};
use crate::snapshot::{self, SnapshotError};
use crate::templates::TemplateStore;
use crate::utils::{
    FileError, HostCommand, PRIVATE_MODE, create_dir, error_chain, read_json, with_rollback,
    write_file, write_json,
};
use crate::{Error, Result};

/// An entry that is whole.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) paths: Paths,
    pub(super) manifest: Manifest,
}

/// What there is in the place of an entry.
#[derive(Debug)]
pub(super) enum Condition {
    Missing,
    Damaged(String),
    Whole(Box<Entry>),
}

/// What an entry says about itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) inputs: KeyInputs,
    pub(super) made: SystemTime,
    /// What never changes in it, with paths from its directory.
    files: Vec<FileInput>,
}

/// As much of a [`Manifest`] as every version of lago writes.
#[derive(Deserialize)]
struct Maker {
    inputs: MakerInputs,
}

#[derive(Deserialize)]
struct MakerInputs {
    format: u32,
    lago: String,
}

impl Maker {
    /// Nothing is wrong with what another version has made, but this one cannot read it.
    fn check(paths: &Paths) -> Result<(), String> {
        match read_json::<Self>(&manifest_path(paths)) {
            Ok(Self { inputs: MakerInputs { format, lago } }) if format != CACHE_FORMAT => {
                let remedy =
                    if format < CACHE_FORMAT { "; `lago cache prune` removes it" } else { "" };
                Err(format!(
                    "it was made by another version of lago ({lago}, format {format}; this is {VERSION}, format \
                     {CACHE_FORMAT}){remedy}"
                ))
            }
            // What is unreadable has more to say of itself.
            _ => Ok(()),
        }
    }
}

fn manifest_path(paths: &Paths) -> PathBuf {
    paths.prefix().join("entry.json")
}

/// The file that says why nothing can be started from the entry.
fn broken_path(paths: &Paths) -> PathBuf {
    paths.prefix().join("broken")
}

/// Has nothing be started from an entry any more.
pub(super) fn mark_broken(path: &Path, reason: &str) {
    let file = broken_path(&Paths::new(path));
    if let Err(error) = write_file(&file, reason.as_bytes(), PRIVATE_MODE) {
        tracing::warn!("{error}");
    }
}

/// The file whose time is that of the last use.
pub(super) fn used_path(path: &Path) -> PathBuf {
    path.join("used")
}

impl Entry {
    pub(super) fn find(path: &Path, key: &Key) -> Condition {
        if !path.exists() {
            return Condition::Missing;
        }
        let paths = Paths::new(path);
        match Self::check(&paths, key) {
            Ok(manifest) => Condition::Whole(Box::new(Self { paths, manifest })),
            Err(reason) => Condition::Damaged(reason),
        }
    }

    fn check(paths: &Paths, key: &Key) -> Result<Manifest, String> {
        if let Ok(reason) = fs::read_to_string(broken_path(paths)) {
            return Err(reason);
        }
        if paths.unfinished().exists() || !paths.is_prefix() {
            return Err("it was not finished".to_owned());
        }
        Maker::check(paths)?;
        let read: Result<Manifest, _> = read_json(&manifest_path(paths));
        let manifest = read.map_err(|error| error.to_string())?;
        if manifest.inputs.key() != *key {
            let path = manifest_path(paths);
            return Err(format!(
                "{} is of another environment, or another version of lago read it otherwise",
                path.display()
            ));
        }
        for file in &manifest.files {
            let path = paths.prefix().join(&file.path);
            let found = file_input(&path)?;
            if (found.size, found.modified) != (file.size, file.modified) {
                return Err(format!("{} was changed", path.display()));
            }
        }
        let state = State::read(paths).map_err(|error| error_chain(&error))?;
        if !state.snapshots.contains_key(STARTED) {
            return Err(format!("it has no snapshot `{STARTED}`"));
        }
        Prefix::open(paths.prefix()).map_err(|error| error_chain(&error))?;
        Ok(manifest)
    }

    /// Makes an environment from it that is down and ready to be put back to [`STARTED`].
    pub(super) fn fork(&self, path: &Path) -> Result<Prefix> {
        let origin = Prefix::open(self.paths.prefix())?;
        let fork = snapshot::prepare_fork(&origin, STARTED, path)?;
        // What the guests said while they booted is evidence too. Their consoles are appended to.
        if let Err(error) = copy_logs(&origin, fork.paths()) {
            tracing::warn!("the logs of the boot are missing: {}", error_chain(&error));
        }
        touch(self.paths.prefix());
        Ok(fork)
    }

    /// Makes the entry from an environment that has just started.
    pub(super) fn make(
        path: &Path,
        prefix: &Prefix,
        options: &InitOptions,
        inputs: KeyInputs,
    ) -> Result<Self> {
        prefix.snapshot(STARTED)?;
        // As long as this is held, nobody removes what is being linked.
        let _prefix_lock = prefix.lock_settled()?;
        let state = State::read(prefix.paths())?;
        let snapshot = snapshot::find(&state, STARTED)?;
        if snapshot.layer.is_some() {
            return Err(SnapshotError::Exists { name: STARTED.to_owned() }.into());
        }
        let paths = Paths::new(path);
        let _lock = claim_directory(&paths)?;
        Ok(with_rollback(|rollback| {
            rollback.defer("remove the unfinished entry", || removal::remove(&paths));
            for dir in [paths.images(), paths.console_logs(), paths.host_keys(), paths.host()] {
                create_dir(&dir)?;
            }
            use_templates(&paths, options, &inputs)?;
            snapshot::copy_identity(prefix, &paths)?;
            let from = prefix.paths();
            link_files(&from.images(), &paths.images())?;
            let memory = Paths::snapshot(STARTED);
            link_files(&from.prefix().join(&memory), &paths.prefix().join(&memory))?;
            copy_logs(prefix, &paths)?;
            let mut state = State {
                current: Some(STARTED.to_owned()),
                snapshots: IndexMap::from([(STARTED.to_owned(), snapshot.clone())]),
                ..State::default()
            };
            // Somebody who starts the entry itself must not write to what is frozen.
            let layer = state.next_layer();
            layers::create(&paths, layer, &snapshot.disks())?;
            state.push_layer(layer, None);
            state.write(&paths)?;
            create_dir(&paths.nvram_dir())?;
            snapshot::put_nvram_back(&paths, snapshot)?;
            let manifest = Manifest { inputs, made: SystemTime::now(), files: frozen(&paths)? };
            write_json(&manifest_path(&paths), &manifest)?;
            touch(paths.prefix());
            Prefix::establish(&paths, prefix.record().clone())?;
            Ok::<_, Error>(Self { paths: paths.clone(), manifest })
        })?)
    }
}

/// Takes note in the template store that the entry stands on images, under an identity of its own: that of the
/// environment that it is made from ends with that environment.
fn use_templates(paths: &Paths, options: &InitOptions, inputs: &KeyInputs) -> Result<()> {
    let id = Uuid::new_v4();
    write_file(&paths.uuid(), id.simple().to_string().as_bytes(), PRIVATE_MODE)?;
    let Some(store) = &options.store else { return Ok(()) };
    let store = TemplateStore::open(store)?;
    for template in &inputs.templates {
        store.mark_used_by_name(&template.version, id, paths.prefix())?;
    }
    Ok(())
}

/// Gives the files of a directory a second name in another one. None of them changes any more.
fn link_files(from: &Path, to: &Path) -> Result<()> {
    create_dir(to)?;
    for source in files_in(from)? {
        let Some(name) = source.file_name() else { continue };
        let target = to.join(name);
        match fs::hard_link(&source, &target) {
            Ok(()) => {}
            Err(error) if is_final(&error) => {
                return Err(FileError::io("link", &source)(error).into());
            }
            // Another file system, or one that has no links.
            Err(_) => {
                HostCommand::new("cp")
                    .args(["--reflink=auto", "--sparse=auto", "--preserve=mode,timestamps"])
                    .args([&source, &target])
                    .limit(COPY_LIMIT)
                    .run()?;
            }
        }
    }
    Ok(())
}

fn is_final(error: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, QuotaExceeded, StorageFull};
    matches!(error.kind(), NotFound | StorageFull | QuotaExceeded)
}

fn copy_logs(from: &Prefix, to: &Paths) -> Result<()> {
    for log in files_in(&from.paths().console_logs())? {
        let Some(name) = log.file_name() else { continue };
        let target = to.console_logs().join(name);
        fs::copy(&log, &target).map_err(FileError::io("copy", &log))?;
    }
    Ok(())
}

/// What must stay as it is, with paths from the entry's directory.
fn frozen(paths: &Paths) -> Result<Vec<FileInput>> {
    let memory = paths.prefix().join(Paths::snapshot(STARTED));
    let mut files = vec![paths.uuid()];
    for dir in [paths.images(), memory, paths.ssh(), paths.host_keys()] {
        files.extend(files_in(&dir)?);
    }
    let inside = |path: PathBuf| {
        let input = file_input(&path)
            .map_err(|reason| FileError::io("look at", &path)(io::Error::other(reason)))?;
        let path = path.strip_prefix(paths.prefix()).unwrap_or(&path).to_owned();
        Ok(FileInput { path, ..input })
    };
    files.into_iter().map(inside).collect()
}

/// The files of a directory, without those of directories in it.
fn files_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let list = || {
        let entries = fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path()));
        let mut files = entries.collect::<io::Result<Vec<_>>>()?;
        files.retain(|path| path.is_file());
        files.sort();
        Ok(files)
    };
    list().map_err(FileError::io("read", dir)).map_err(Error::from)
}

/// Sets the time of the last use to now. Without it, the entry is only the first to go.
fn touch(path: &Path) {
    if let Err(error) = write_file(&used_path(path), b"", PRIVATE_MODE) {
        tracing::warn!("{error}");
    }
}

/// Removes an entry, in whatever condition it is. Refused while environments stand on it.
pub(super) fn remove(path: &Path) -> Result<()> {
    let paths = Paths::new(path);
    if paths.is_prefix() || paths.unfinished().exists() {
        return Prefix::destroy_at(path);
    }
    snapshot::require_no_forks(&paths)?;
    // Nothing runs in an entry, unless somebody has started it.
    Host::private(paths.host()).stop()?;
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(FileError::io("remove", path)(error).into())
        }
        _ => Ok(()),
    }
}
