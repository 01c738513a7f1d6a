//! Exporting an environment: its disks as files of their own, with an init file that brings them up elsewhere.
//!
//! ```no_run
//! # fn main() -> lago::Result<()> {
//! use lago::export::ExportOptions;
//!
//! let prefix = lago::Prefix::open("my-prefix")?;
//! prefix.stop()?;
//! let exported = prefix.export(&ExportOptions::new("exported"))?;
//! println!("lago init {}", exported.init_file.display());
//! # Ok(())
//! # }
//! ```
//!
//! A disk that was made from a template is *layered*: one image with what differs from the template, which names that. Where
//! it is brought up, the template has to be in the store or in a repository, and to be the same one. A *standalone* disk
//! stands on nothing; disks that were made from no template are always that.
//!
//! # The files
//! | file | holds |
//! |---|---|
//! | `<vm>_<disk>.qcow2`, `.raw` or `.iso` | the disk; with `.xz` after it when it is compressed |
//! | the same name, without `.xz`, and `.hash` | the SHA-256 of the disk before it is compressed, in hexadecimal digits |
//! | ..., and `.metadata` | a JSON object: `name`, `size` in bytes, `version`, the date; `sha256`; `base`, the template; and what the init file has as the disk's `metadata` |
//! | `<vm>.nvram` | the variables of UEFI firmware, of a VM that has it |
//! | `LagoInitFile` | the init file |
//!
//! They are for their owner only: disks have keys and passwords on them. A directory that is made for them lets others pass, as
//! QEMU has to where it is another user, and shows them nothing. All of them appear when they are complete, and take
//! the places of those of an earlier export; of the directory nothing else is touched. The init file goes first and comes
//! last, so that one that is there never names files of two exports. Environments that were made of a standalone
//! earlier export keep its disks, where they are on the same file system; not its CDs, and not what `build` steps have made
//! of a disk of it. What a killed process has left is in a directory `.lago-export-*`, which the next export into the same
//! place removes. A process that is killed in the moment of replacing has put the earlier files into `.replaced` in there.
//!
//! Left out are the memory of the VMs, snapshots, machines that lago only reaches over ssh, and what has `skip-export`.

mod disk;
mod error;
mod init_file;
mod plan;
mod staging;

use std::fs;
use std::path::PathBuf;

use indexmap::IndexMap;

pub use error::ExportError;
pub use init_file::InitFileFormat;

use crate::Result;
use crate::prefix::Prefix;
use crate::snapshot::{Moment, SnapshotOptions};
use crate::utils::{FileError, parallel};
use plan::Plan;
use staging::Staging;

/// The usual name of an init file.
pub const INIT_FILE_NAME: &str = "LagoInitFile";

/// What becomes of disks that were made from templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportForm {
    /// What differs from the template.
    Layered,
    /// All of the disk.
    Standalone,
}

/// How an environment is exported.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// Where the files go; it is made if it does not exist.
    pub directory: PathBuf,
    /// The VMs; all of them when there are no names.
    pub vms: Vec<String>,
    /// Whether disks that were made from templates stand on them.
    pub form: ExportForm,
    /// Compresses the disks with xz.
    pub compress: bool,
    /// The name of the init file.
    pub init_file_name: String,
    /// How the init file is written.
    pub init_file_format: InitFileFormat,
    /// Exports VMs that run: their disks at one instant, at which the guest agents hold the file systems at rest. Otherwise
    /// a VM that runs is an error.
    pub live: bool,
    /// Exports one disk after the other.
    pub one_by_one: bool,
}

impl ExportOptions {
    /// Layered and uncompressed, of all VMs, which are down.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            vms: Vec::new(),
            form: ExportForm::Layered,
            compress: false,
            init_file_name: INIT_FILE_NAME.to_owned(),
            init_file_format: InitFileFormat::default(),
            live: false,
            one_by_one: false,
        }
    }
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The init file.
    pub init_file: PathBuf,
    /// The disks of each VM.
    pub disks: IndexMap<String, Vec<PathBuf>>,
}

impl Prefix {
    /// Exports the disks of VMs and an init file for them. The environment stays as it is, and nobody else changes it
    /// meanwhile.
    ///
    /// # Errors
    /// Nothing of it is there then.
    pub fn export(&self, options: &ExportOptions) -> Result<Exported> {
        let _span = tracing::info_span!("export").entered();
        init_file::check_name(&options.init_file_name)?;
        let vms = plan::selected(self, &options.vms)?;
        if !options.live {
            plan::require_down(&vms)?;
        }
        let staging = Staging::begin(&options.directory)?;
        let moment =
            Moment::hold(self, SnapshotOptions { live: options.live && self.is_running()? })?;
        let plan = Plan::make(self, &vms, moment.snapshot(), options)?;
        staging.require_replaceable(plan.file_names().chain([options.init_file_name.clone()]))?;
        let threads = disk::compression_threads(plan.disks.len());
        let export = |disk: &plan::DiskExport| disk::export(disk, staging.path(), threads);
        if options.one_by_one {
            plan.disks.iter().try_for_each(export)?;
        } else {
            parallel(&plan.disks, export)?;
        }
        for (vm, nvram) in &plan.nvram {
            let content = fs::read(nvram).map_err(FileError::io("read", nvram))?;
            staging.write(&plan::beside(vm, plan::NVRAM), &content)?;
        }
        drop(moment);
        let text = init_file::write(self.record(), &plan, options.init_file_format);
        staging.write(&options.init_file_name, text.as_bytes())?;
        staging.publish(&options.init_file_name)?;
        Ok(Exported {
            init_file: options.directory.join(&options.init_file_name),
            disks: plan.paths(|disk| options.directory.join(disk.file_name())),
        })
    }

    /// The images of the disks that an export is made of, for each VM.
    pub fn export_sources(
        &self,
        options: &ExportOptions,
    ) -> Result<IndexMap<String, Vec<PathBuf>>> {
        let vms = plan::selected(self, &options.vms)?;
        plan::sources(self, &vms)
    }
}
