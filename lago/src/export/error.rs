use std::path::PathBuf;

/// What goes wrong with exports.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// VMs run.
    #[error("{} must be down to be exported: `lago stop` stops them, or --live exports them as they run", vms.join(", "))]
    Running {
        /// Those that run.
        vms: Vec<String>,
    },
    /// A directory has the name of a file that is to be replaced.
    #[error("{} is a directory, and nothing was exported; remove it, or choose another directory for the export", path.display())]
    IsDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// A file that is to be replaced is one that the environment needs.
    #[error("a disk of VM {vm} stands on {}, which the export would replace; choose another directory for it", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
        /// The VM.
        vm: String,
    },
    /// A name that cannot be a file's.
    #[error(
        "`{name}` cannot be the name of the init file: it has to be a plain name, without directories"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// Two disks would be one file.
    #[error(
        "two disks would be exported as {file}; give one of them another `name` in the init file"
    )]
    Ambiguous {
        /// The file.
        file: String,
    },
    /// A disk could not be exported.
    #[error("cannot export disk {disk} of VM {vm}")]
    Disk {
        /// The VM.
        vm: String,
        /// The disk.
        disk: String,
        /// What went wrong.
        #[source]
        source: Box<crate::Error>,
    },
}
