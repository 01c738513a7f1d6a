//! Opening a capsule: a prefix is made of it.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use uuid::Uuid;

use super::archive::{self, Members};
use super::bases::{self, Base};
use super::machine::{self, Differences, Offer};
use super::manifest::{Below, FileEntry, Image, Manifest};
use super::sparse::SparseFile;
use super::{COPY, CapsuleError, OpenOptions, SNAPSHOT, description};
use crate::Result;
use crate::paths::Paths;
use crate::prefix::chain::rebase;
use crate::prefix::state::State;
use crate::prefix::{Prefix, claim_directory, layers, removal, require_firmware};
use crate::snapshot::{SnapshotKind, description_of, put_nvram_back};
use crate::templates::{ImageFormat, inspect, inspect_overlay};
use crate::utils::{
    FileError, PRIVATE_MODE, create_dir, parallel, read_text, with_rollback, write_file, write_json,
};

/// How much is read at once.
const BUFFER: usize = 1 << 20;

/// What is left free on the disk, in bytes: the VMs write there as well.
const RESERVE: u64 = 64 << 20;

/// A prefix that was made of a capsule. Nothing of it runs yet.
pub(super) struct Unpacked {
    pub(super) prefix: Prefix,
    pub(super) kind: SnapshotKind,
    /// Why its memory may not fit here.
    pub(super) doubts: Vec<String>,
}

pub(super) fn unpack(capsule: &Path, options: &OpenOptions) -> Result<Unpacked> {
    let _span = tracing::info_span!("open capsule").entered();
    let path = std::path::absolute(&options.path).map_err(FileError::io("find", &options.path))?;
    let paths = Paths::new(path);
    archive::read(capsule, |manifest, members| {
        let doubts = if options.no_memory { Vec::new() } else { fitting(&manifest)? };
        require_firmware(&manifest.record.init_file)?;
        let bases = bases::find(&manifest, options)?;
        let kind = manifest.snapshot.kind;
        let _lock = claim_directory(&paths)?;
        let prefix = with_rollback(|rollback| {
            rollback.defer("remove the unfinished prefix", || removal::remove(&paths));
            require_room(&paths, manifest.data_size())?;
            Opening { capsule, paths: &paths, manifest, bases }.make(members)
        })?;
        Ok(Unpacked { prefix, kind, doubts })
    })
}

/// Whether the memory can be used here. What may keep it from that is said before it does.
fn fitting(manifest: &Manifest) -> Result<Vec<String>> {
    if manifest.snapshot.kind == SnapshotKind::Stopped {
        return Ok(Vec::new());
    }
    let acceleration = manifest.record.acceleration;
    let Differences { obstacles, doubts } =
        machine::compare(&manifest.machine, acceleration, &Offer::here()?);
    if !obstacles.is_empty() {
        return Err(CapsuleError::Machine { reasons: obstacles }.into());
    }
    for doubt in &doubts {
        tracing::warn!("the memory of the capsule's VMs may not fit here: {doubt}");
    }
    Ok(doubts)
}

/// Says at once that a disk is too small, rather than when it is full.
fn require_room(paths: &Paths, wanted: u64) -> Result<(), FileError> {
    let path = paths.prefix();
    let disk =
        rustix::fs::statvfs(path).map_err(|error| FileError::io("look at", path)(error.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free > wanted.saturating_add(RESERVE) {
        return Ok(());
    }
    Err(FileError::io("unpack to", path)(std::io::ErrorKind::StorageFull.into()))
}

/// A prefix that is being made of a capsule.
struct Opening<'a> {
    capsule: &'a Path,
    paths: &'a Paths,
    manifest: Manifest,
    bases: Vec<Base>,
}

impl Opening<'_> {
    fn make(self, members: Members<'_>) -> Result<Prefix> {
        let paths = self.paths;
        for dir in [paths.images(), paths.console_logs(), paths.host_keys(), paths.host()] {
            create_dir(&dir)?;
        }
        // An identity of its own, by which the store knows it: that of the guests may be here twice.
        let id = Uuid::new_v4();
        write_file(&paths.uuid(), id.simple().to_string().as_bytes(), PRIVATE_MODE)?;
        let bases =
            self.bases.iter().map(|base| base.image(id, paths)).collect::<Result<Vec<_>>>()?;
        tracing::info_span!("unpack").in_scope(|| self.unpack(members))?;
        parallel(&self.manifest.images, |image| self.put_on(image, &bases))?;
        self.adopt_descriptions()?;
        let mut snapshot = self.manifest.snapshot.clone();
        (snapshot.name, snapshot.parent, snapshot.layer) = (SNAPSHOT.to_owned(), None, None);
        create_dir(&paths.nvram_dir())?;
        put_nvram_back(paths, &snapshot)?;
        let mut state = State {
            current: Some(SNAPSHOT.to_owned()),
            attached: snapshot.attached(&self.manifest.record),
            mappings: snapshot.mappings.clone(),
            snapshots: IndexMap::from([(SNAPSHOT.to_owned(), snapshot)]),
            ..State::default()
        };
        // Whoever starts it must not write to what is frozen.
        let layer = state.next_layer();
        layers::create(paths, layer, &self.manifest.record.disks)?;
        state.push_layer(layer, None);
        state.write(paths)?;
        let record = self.manifest.record.clone().on_private_host();
        write_json(&paths.prefix().join(COPY), &Manifest { files: Vec::new(), ..self.manifest })?;
        Prefix::establish(paths, record)
    }

    fn unpack(&self, mut members: Members<'_>) -> Result<()> {
        let mut buffer = vec![0; BUFFER];
        for file in &self.manifest.files {
            let mut target = if self.is_wanted(file) { Some(self.create(file)?) } else { None };
            let mut member = members.begin(file)?;
            loop {
                let bytes = member.read(&mut buffer)?;
                if bytes.is_empty() {
                    break;
                }
                if let Some(target) = &mut target {
                    target.write(bytes)?;
                }
            }
            member.finish();
        }
        members.finish()
    }

    /// A template that the store has is not needed twice.
    fn is_wanted(&self, file: &FileEntry) -> bool {
        let template = self
            .manifest
            .templates
            .iter()
            .find(|template| template.file.as_ref() == Some(&file.path));
        template.is_none_or(|template| {
            self.bases.iter().any(|base| base.digest == template.digest && base.is_packed())
        })
    }

    fn create(&self, file: &FileEntry) -> Result<SparseFile> {
        let path = self.paths.prefix().join(&file.path);
        create_dir(path.parent().unwrap_or(self.paths.prefix()))?;
        Ok(SparseFile::create(&path, file.size, file.segments())?)
    }

    /// Has an image stand on what it is to stand on. What it says itself may be any file of any machine.
    fn put_on(&self, image: &Image, bases: &[PathBuf]) -> Result<()> {
        let path = self.paths.prefix().join(&image.path);
        let read_error = FileError::io("read", &path);
        match &image.below {
            Some(below) => {
                let overlay = inspect_overlay(&path).map_err(read_error)?;
                overlay.map_err(|reason| self.refused(image, &reason))?;
                let (below, format) = self.below(image, below, bases)?;
                rebase(&path, &below, format.as_str())
            }
            None if image.format == ImageFormat::Qcow2 => {
                let inspected = inspect(&path).map_err(read_error)?;
                match inspected {
                    Ok(ImageFormat::Qcow2) => Ok(()),
                    Ok(other) => Err(self.refused(image, &format!("is {}", other.as_str())).into()),
                    Err(reason) => Err(self.refused(image, &reason).into()),
                }
            }
            None => Ok(()),
        }
    }

    /// The file and the format of what an image stands on. One in the same directory is named from there, so that the
    /// prefix can be moved.
    fn below(
        &self,
        image: &Image,
        below: &Below,
        bases: &[PathBuf],
    ) -> Result<(PathBuf, ImageFormat), CapsuleError> {
        let found = match below {
            Below::Image(path) => self.manifest.image(path).map(|below| {
                let file = self.paths.prefix().join(path);
                let beside = image.path.parent() == path.parent();
                // A bare name with a colon would be a protocol to QEMU, `json:{..}` for one.
                let name =
                    path.file_name().filter(|_| beside).map(|name| Path::new(".").join(name));
                (name.unwrap_or(file), below.format)
            }),
            Below::Template(digest) => {
                let mut known = self.bases.iter().zip(bases);
                let found = known.find(|(base, _)| base.digest == *digest);
                found.map(|(base, path)| (path.clone(), base.format))
            }
        };
        found.ok_or_else(|| self.refused(image, "stands on something that is missing"))
    }

    /// Replaces the descriptions of domains by what may be used of them.
    fn adopt_descriptions(&self) -> Result<()> {
        let record = &self.manifest.record;
        for planned in &record.plan.vms {
            let kept = &self.manifest.snapshot.vms[&planned.name];
            let Some(memory) = &kept.memory else { continue };
            let path = description_of(&self.paths.prefix().join(memory), &planned.name);
            let (text, vm) = (read_text(&path)?, kept.with_attached(planned));
            let adopted = description::adopted(&text, record, &kept.disks, &vm);
            let adopted = adopted.map_err(|reason| CapsuleError::Refused {
                path: self.capsule.to_owned(),
                reason: format!("of VM {}, {reason}", planned.name),
            })?;
            write_file(&path, adopted.as_bytes(), PRIVATE_MODE)?;
        }
        Ok(())
    }

    fn refused(&self, image: &Image, reason: &str) -> CapsuleError {
        CapsuleError::Refused {
            path: self.capsule.to_owned(),
            reason: format!("its image {} {reason}", image.path.display()),
        }
    }
}
