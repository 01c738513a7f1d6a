//! What of an environment is exported, and as what.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::{ExportError, ExportForm, ExportOptions};
use crate::Result;
use crate::paths::Paths;
use crate::prefix::chain::Link;
use crate::prefix::layers::disks_at;
use crate::prefix::state::State;
use crate::prefix::{DiskImage, Prefix, Record};
use crate::snapshot::Snapshot;
use crate::spec::{self, DiskFormat, JsonMap};
use crate::templates::{StoredImage, TemplateStore};
use crate::utils::FileError;
use crate::virt::{Vm, VmState};

/// Everything that is exported.
pub(super) struct Plan {
    /// The VMs, also those whose disks all stay.
    pub(super) vms: Vec<String>,
    pub(super) disks: Vec<DiskExport>,
    /// The files with the variables of UEFI firmware of those VMs that have any.
    pub(super) nvram: IndexMap<String, PathBuf>,
}

/// One disk.
#[derive(Debug)]
pub(super) struct DiskExport {
    pub(super) vm: String,
    /// What the init file says of it; a disk that was attached later is in none.
    pub(super) spec: Option<spec::Disk>,
    /// All that is known of its content.
    pub(super) metadata: JsonMap,
    /// Its image, and the format of that.
    pub(super) source: PathBuf,
    pub(super) source_format: &'static str,
    pub(super) dev: String,
    pub(super) form: Form,
    pub(super) compressed: bool,
}

/// As what a disk is exported.
#[derive(Debug)]
pub(super) enum Form {
    /// The file as it is.
    Cd,
    /// The bytes of the disk.
    Raw,
    /// A qcow2 image that stands on nothing.
    Standalone,
    /// A qcow2 image with what differs from a template.
    Layered(Base),
}

/// The template that a disk was made from.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) template: String,
    pub(super) version: String,
    pub(super) image: StoredImage,
}

/// The VMs that are to be exported.
pub(super) fn selected<'a>(prefix: &'a Prefix, names: &[String]) -> Result<Vec<&'a Vm>> {
    let vms = prefix.virt_env().select(names)?;
    Ok(vms.into_iter().filter(|vm| !vm.spec().skip_export && !vm.is_remote()).collect())
}

pub(super) fn require_down(vms: &[&Vm]) -> Result<()> {
    let mut running = Vec::new();
    for vm in vms.iter().filter(|vm| vm.host().is_running()) {
        if !matches!(vm.state()?, VmState::Down | VmState::Crashed) {
            running.push(vm.name().to_owned());
        }
    }
    if running.is_empty() { Ok(()) } else { Err(ExportError::Running { vms: running }.into()) }
}

/// The images of the disks as they are now.
pub(super) fn sources(prefix: &Prefix, vms: &[&Vm]) -> Result<IndexMap<String, Vec<PathBuf>>> {
    let state = State::read(prefix.paths())?;
    let disks = disks_at(prefix.record(), &state.attached, state.active);
    let of = |vm: &&Vm| {
        let images = exported(prefix.paths(), prefix.record(), vm.name(), &disks[vm.name()]);
        let paths = images.map(|(image, _)| prefix.paths().prefix().join(&image.path)).collect();
        (vm.name().to_owned(), paths)
    };
    Ok(vms.iter().map(of).collect())
}

/// The disks of a VM that are exported, each with what the init file says of it. The seed is made anew wherever the VM is.
fn exported<'a>(
    paths: &Paths,
    record: &'a Record,
    vm: &str,
    images: &'a [DiskImage],
) -> impl Iterator<Item = (&'a DiskImage, Option<&'a spec::Disk>)> {
    let seed = paths.seed(vm).file_name().map(Path::new).map(Path::to_owned);
    let specs = record.init_file.domains.get(vm).map_or(&[][..], |domain| &domain.disks);
    let of = move |(position, image)| (image, specs.get(position));
    let is_seed = move |image: &DiskImage| {
        image.read_only && image.path.file_name().map(Path::new) == seed.as_deref()
    };
    images
        .iter()
        .enumerate()
        .map(of)
        .filter(move |(image, _)| !is_seed(image))
        .filter(|(_, spec)| spec.is_none_or(|spec| !spec.skip_export))
}

impl Plan {
    pub(super) fn make(
        prefix: &Prefix,
        vms: &[&Vm],
        snapshot: &Snapshot,
        options: &ExportOptions,
    ) -> Result<Self> {
        let record = prefix.record();
        let mut disks = Vec::new();
        for vm in vms.iter().map(|vm| vm.name()) {
            for (image, spec) in exported(prefix.paths(), record, vm, &snapshot.vms[vm].disks) {
                let source = prefix.paths().prefix().join(&image.path);
                let source_format = image.format.qemu_name();
                disks.push(DiskExport {
                    vm: vm.to_owned(),
                    spec: spec.cloned(),
                    metadata: known(record, vm, image, spec),
                    form: Form::of(image, spec, &source, options)?,
                    source,
                    source_format,
                    dev: image.dev.clone(),
                    compressed: options.compress,
                });
            }
        }
        let of_firmware = |vm: &&Vm| {
            let kept = snapshot.vms[vm.name()].nvram.as_ref()?;
            Some((vm.name().to_owned(), prefix.paths().prefix().join(kept)))
        };
        let nvram = vms.iter().filter_map(of_firmware).collect();
        let plan = Self { vms: vms.iter().map(|vm| vm.name().to_owned()).collect(), disks, nvram };
        plan.require_distinct()?;
        plan.require_apart(&options.directory)?;
        Ok(plan)
    }

    /// Refuses to replace a file that a disk of the environment itself stands on.
    fn require_apart(&self, directory: &Path) -> Result<()> {
        let replaced =
            self.file_names().filter_map(|name| directory.join(name).canonicalize().ok());
        let replaced: HashSet<PathBuf> = replaced.collect();
        if replaced.is_empty() {
            return Ok(());
        }
        for disk in &self.disks {
            let below = Link::chain(&disk.source, disk.source_format)?.into_iter().skip(1);
            let mut below = below.filter_map(|link| link.filename.canonicalize().ok());
            if let Some(path) = below.find(|path| replaced.contains(path)) {
                return Err(ExportError::InUse { path, vm: disk.vm.clone() }.into());
            }
        }
        Ok(())
    }

    fn require_distinct(&self) -> Result<(), ExportError> {
        let mut seen = HashSet::new();
        match self.disks.iter().map(DiskExport::file_name).find(|name| !seen.insert(name.clone())) {
            Some(file) => Err(ExportError::Ambiguous { file }),
            None => Ok(()),
        }
    }

    /// The names of all files but the init file.
    pub(super) fn file_names(&self) -> impl Iterator<Item = String> {
        let of_disks = self.disks.iter().flat_map(|disk| {
            [
                disk.file_name(),
                beside(&disk.image_name(), HASH),
                beside(&disk.image_name(), METADATA),
            ]
        });
        of_disks.chain(self.nvram.keys().map(|vm| beside(vm, NVRAM)))
    }

    pub(super) fn paths(
        &self,
        path: impl Fn(&DiskExport) -> PathBuf,
    ) -> IndexMap<String, Vec<PathBuf>> {
        let of = |vm: &String| {
            let disks = self.disks.iter().filter(|disk| disk.vm == *vm);
            (vm.clone(), disks.map(&path).collect())
        };
        self.vms.iter().map(of).collect()
    }
}

/// What the names of the files end with that belong to a disk.
pub(super) const HASH: &str = ".hash";
pub(super) const METADATA: &str = ".metadata";
pub(super) const COMPRESSED: &str = ".xz";

/// What the name of the file with a VM's variables of UEFI firmware ends with.
pub(super) const NVRAM: &str = ".nvram";

pub(super) fn beside(name: &str, ending: &str) -> String {
    format!("{name}{ending}")
}

/// What the init file and the template say of a disk's content.
fn known(record: &Record, vm: &str, image: &DiskImage, spec: Option<&spec::Disk>) -> JsonMap {
    let known = record.disk_metadata.get(vm).and_then(|disks| disks.get(&image.dev));
    known.or(spec.map(|spec| &spec.metadata)).cloned().unwrap_or_default()
}

impl Form {
    fn of(
        image: &DiskImage,
        spec: Option<&spec::Disk>,
        source: &Path,
        options: &ExportOptions,
    ) -> Result<Self> {
        match spec.map(|spec| spec.format) {
            Some(DiskFormat::Iso) => return Ok(Self::Cd),
            Some(DiskFormat::Raw) => return Ok(Self::Raw),
            _ if options.form == ExportForm::Standalone => return Ok(Self::Standalone),
            _ => {}
        }
        let chain = Link::chain(source, image.format.qemu_name())?;
        let bottom = chain.last().filter(|_| chain.len() > 1);
        let Some(bottom) = bottom else { return Ok(Self::Standalone) };
        let file =
            bottom.filename.canonicalize().map_err(FileError::io("find", &bottom.filename))?;
        Ok(TemplateStore::stored_at(&file)?
            .and_then(|(name, image)| Base::new(&name, image))
            .map_or(Self::Standalone, Self::Layered))
    }
}

impl Base {
    /// The name in a store is that of the repository, the template and the version.
    fn new(name: &str, image: StoredImage) -> Option<Self> {
        let (template, version) = name.split_once(':')?.1.split_once(':')?;
        Some(Self { template: template.to_owned(), version: version.to_owned(), image })
    }

    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.template, self.version)
    }
}

impl DiskExport {
    pub(super) fn name(&self) -> &str {
        self.spec.as_ref().map_or(&self.dev, |spec| &spec.name)
    }

    /// The file's name before it is compressed.
    pub(super) fn image_name(&self) -> String {
        let extension = match self.form {
            Form::Cd => "iso",
            Form::Raw => "raw",
            Form::Standalone | Form::Layered(_) => "qcow2",
        };
        format!("{}_{}.{extension}", self.vm, self.name())
    }

    pub(super) fn file_name(&self) -> String {
        beside(&self.image_name(), if self.compressed { COMPRESSED } else { "" })
    }
}
