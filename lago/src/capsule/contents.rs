//! What goes into a capsule: the disks and memory of one moment, the keys, and all that tells what happened before.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rustix::fs::OFlags;

use super::machine::Machine;
use super::manifest::{CAPSULE_FORMAT, FileEntry, MOST_FILES, Manifest, check_path};
use super::{CapsuleError, SNAPSHOT, SaveOptions, description, disks, sparse};
use crate::Result;
use crate::constants::VERSION;
use crate::dirlock::LOCK_FILE;
use crate::paths::Paths;
use crate::prefix::{Prefix, Record};
use crate::snapshot::{Moment, Snapshot, VmSnapshot, description_of};
use crate::utils::{FileError, read_text};

/// What of a prefix's own files is no evidence: what is packed in another way, is made anew, or only means something
/// while the prefix is there.
const LEFT_OUT: [&str; 16] = [
    "images",
    "layers",
    "nvram",
    "vnc",
    "snapshots",
    "forks",
    "host",
    "capsules",
    "prefix.json",
    "state.json",
    "uuid",
    LOCK_FILE,
    "capsule.json",
    "initialized",
    "id_rsa",
    "id_rsa.pub",
];

/// Everything that is going to be in a capsule.
pub(super) struct Contents {
    pub(super) manifest: Manifest,
    /// The file behind each of the manifest's, in the same order.
    sources: Vec<Source>,
}

/// A file that is to be packed.
pub(super) struct Source {
    path: PathBuf,
    /// It does not change any more. Another one may grow meanwhile, and goes in as it was.
    frozen: bool,
}

impl Contents {
    /// Finds out what there is. Nothing large is read yet.
    pub(super) fn collect(
        prefix: &Prefix,
        moment: &Moment<'_>,
        mut machine: Machine,
        options: &SaveOptions,
    ) -> Result<Self> {
        let paths = prefix.paths();
        let kept = moment.snapshot();
        let packed = disks::pack(paths, &kept.disks(), options.with_templates)?;
        let mut files = Files::default();
        // What comes first stays: a key that somebody has put in the place of the prefix's own.
        if paths.identity() != paths.ssh_key() {
            files.add_tree(&paths.identity(), Path::new("ssh/id_ed25519"));
            files.add_tree(&paths.ssh_id_rsa_pub(), Path::new("ssh/id_ed25519.pub"));
        }
        files.add_tree(&paths.ssh(), Path::new("ssh"));
        files.add_tree(&paths.vnc_passwords(), Path::new("vnc"));
        files.add_evidence(paths);
        for (source, path) in &options.extra {
            files.add_tree(source, path);
        }
        for (path, source) in packed.sources {
            files.add(source, path, true)?;
        }
        let mut vms = IndexMap::new();
        for (name, vm) in &kept.vms {
            let memory = match &vm.memory {
                None => None,
                Some(memory) => {
                    let description =
                        read_text(&description_of(&paths.prefix().join(memory), name))?;
                    require_packable(prefix, name, vm, &description)?;
                    let machine_type = description::machine_type(&description);
                    machine.machine_types.extend(machine_type.map(|known| (name.clone(), known)));
                    Some(files.add_memory(paths, name, memory)?)
                }
            };
            let disks = packed.disks[name].clone();
            let nvram = vm.nvram.as_ref().map(|nvram| files.add_nvram(paths, name, nvram));
            let nvram = nvram.transpose()?;
            vms.insert(name.clone(), VmSnapshot { memory, disks, nvram, ..vm.clone() });
        }
        let mut record = prefix.record().clone();
        record.disks = packed.disks;
        record.origin = None;
        leave_out_remote(&mut record);
        let snapshot =
            Snapshot { name: SNAPSHOT.to_owned(), parent: None, layer: None, vms, ..kept.clone() };
        let manifest = Manifest {
            format: CAPSULE_FORMAT,
            lago: VERSION.to_owned(),
            reason: options.reason.clone(),
            machine,
            snapshot,
            record,
            templates: packed.templates,
            images: packed.images,
            files: files.entries,
        };
        Ok(Self { manifest, sources: files.sources })
    }

    /// Each file, and where its content is.
    pub(super) fn files(&self) -> impl Iterator<Item = (&FileEntry, &Source)> {
        self.manifest.files.iter().zip(&self.sources)
    }
}

/// Another machine may know them by other keys, or not at all.
fn leave_out_remote(record: &mut Record) {
    let remote = std::mem::take(&mut record.remote);
    record.init_file.domains.retain(|vm, _| !remote.contains_key(vm));
    record.plan.vms.retain(|vm| !remote.contains_key(&vm.name));
}

/// Whether a domain has only what is taken over when its capsule is opened: nothing may have been plugged in past lago.
fn require_packable(
    prefix: &Prefix,
    vm: &str,
    kept: &VmSnapshot,
    description: &str,
) -> Result<(), CapsuleError> {
    let record = prefix.record();
    let Some(planned) = record.plan.vm(vm) else { return Ok(()) };
    let disks = &kept.disks;
    description::adopted(description, record, disks, &kept.with_attached(planned))
        .map(drop)
        .map_err(|reason| CapsuleError::Unpackable { vm: vm.to_owned(), reason })
}

impl Source {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is to be read of it.
    pub(super) fn open(&self, entry: &FileEntry) -> Result<Box<dyn Read>, FileError> {
        match open(&self.path) {
            Ok(file) if self.frozen => Ok(Box::new(sparse::Data::new(file, entry.segments()))),
            // What is gone or has become shorter since it was looked at is filled up with zeros, as tar does it.
            Ok(file) => Ok(Box::new(file.chain(io::repeat(0)))),
            Err(error) if !self.frozen && error.kind() == io::ErrorKind::NotFound => {
                Ok(Box::new(io::repeat(0)))
            }
            Err(error) => Err(FileError::io("open", &self.path)(error)),
        }
    }
}

/// Opens a file, and nothing else: a pipe that somebody left would be waited for.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    fs::OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// How many files evidence may fill a capsule up to: a capsule with more than [`MOST_FILES`] could not be opened.
const MOST_EVIDENCE: usize = MOST_FILES / 10 * 9;

/// The files of a capsule, as far as they have been found.
#[derive(Default)]
struct Files {
    entries: Vec<FileEntry>,
    sources: Vec<Source>,
    /// Where something is already.
    paths: HashSet<PathBuf>,
    /// Whether evidence was left out because there is too much of it.
    is_full: bool,
}

impl Files {
    fn add(&mut self, source: PathBuf, path: PathBuf, frozen: bool) -> Result<(), FileError> {
        let file = open(&source).map_err(FileError::io("open", &source))?;
        let size = file.metadata().map_err(FileError::io("look at", &source))?.len();
        let data = if frozen {
            sparse::segments(&file, size).map_err(FileError::io("look at", &source))?
        } else {
            None
        };
        self.entries.push(FileEntry { path, size, data });
        self.sources.push(Source { path: source, frozen });
        Ok(())
    }

    /// Adds what a prefix has besides disks and keys: logs, reports, evidence.
    fn add_evidence(&mut self, paths: &Paths) {
        for (name, entry) in entries(paths.prefix()).unwrap_or_default() {
            let is_left_out = LEFT_OUT.contains(&&*name) || name == "ssh" || name.starts_with('.');
            if !is_left_out {
                self.add_tree(&entry, Path::new(&name));
            }
        }
        // In their own place the host would write over them when it is started again.
        let host = Path::new("logs").join("host");
        self.add_tree(&paths.host().join("log"), &host);
        self.add_tree(&paths.host().join("host.log"), &host.join("host.log"));
    }

    /// Adds a file, or all that are below a directory, unless something is there in its place already. What is neither is
    /// left out. A file that cannot be read or cannot travel is no reason to have no capsule.
    fn add_tree(&mut self, source: &Path, path: &Path) {
        if let Err(reason) = self.try_add_tree(source, path) {
            tracing::warn!("{} is not in the capsule: {reason}", source.display());
        }
    }

    fn try_add_tree(&mut self, source: &Path, path: &Path) -> Result<(), String> {
        let found = match fs::symlink_metadata(source) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found.map_err(|error| error.to_string())?,
        };
        if self.is_full {
            return Ok(());
        }
        if self.entries.len() >= MOST_EVIDENCE {
            self.is_full = true;
            return Err(format!(
                "there are more than {MOST_EVIDENCE} files, and the rest stays out"
            ));
        }
        if found.is_dir() {
            for (name, entry) in entries(source).map_err(|error| error.to_string())? {
                self.add_tree(&entry, &path.join(name));
            }
        } else if found.is_file() && self.paths.insert(path.to_owned()) {
            check_path(path)?;
            self.add(source.to_owned(), path.to_owned(), false)
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Adds a VM's memory and its description.
    fn add_memory(&mut self, paths: &Paths, vm: &str, memory: &Path) -> Result<PathBuf, FileError> {
        let source = paths.prefix().join(memory);
        let path = Paths::snapshot(SNAPSHOT).join(format!("{vm}.memory"));
        self.add(description_of(&source, vm), description_of(&path, vm), true)?;
        self.add(source, path.clone(), true)?;
        Ok(path)
    }

    /// Adds the variables of a VM's firmware.
    fn add_nvram(&mut self, paths: &Paths, vm: &str, nvram: &Path) -> Result<PathBuf, FileError> {
        let path = Paths::snapshot(SNAPSHOT).join(format!("{vm}.nvram"));
        self.add(paths.prefix().join(nvram), path.clone(), true)?;
        Ok(path)
    }
}

/// The entries of a directory, by their names, in order.
fn entries(dir: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let named =
        |entry: fs::DirEntry| (entry.file_name().to_string_lossy().into_owned(), entry.path());
    let mut found =
        fs::read_dir(dir)?.map(|entry| entry.map(named)).collect::<io::Result<Vec<_>>>()?;
    found.sort();
    Ok(found)
}
