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
    /// A file is there already.
    #[error("{} is there already, and nothing was exported; remove it, or choose another directory", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
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
