//! The images that a disk consists of, as qemu-img tells of them.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Result;
use crate::utils::{FileError, HostCommand};

/// One image of a chain.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Link {
    pub(crate) filename: PathBuf,
    pub(crate) format: String,
    /// What it stands on, as its header names it.
    #[serde(default)]
    pub(crate) backing_filename: Option<PathBuf>,
    /// The same, from where the image is.
    #[serde(default)]
    pub(crate) full_backing_filename: Option<PathBuf>,
    #[serde(default)]
    format_specific: Option<FormatSpecific>,
}

#[derive(Debug, Deserialize)]
struct FormatSpecific {
    #[serde(default)]
    data: Data,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Data {
    data_file: Option<String>,
}

impl Link {
    /// The file that has the data, if the image itself has not.
    pub(crate) fn data_file(&self) -> Option<&str> {
        self.format_specific.as_ref()?.data.data_file.as_deref()
    }

    /// What the image says of itself, whether what it stands on is there or not.
    pub(crate) fn of(image: &Path, format: &str) -> Result<Self> {
        let output = HostCommand::new("qemu-img")
            .args(["info", "--force-share", "--output=json", "-f", format])
            .arg(image)
            .run()?;
        Ok(serde_json::from_slice(&output.stdout).map_err(|source| json(image, source))?)
    }

    /// The image and all below it. The running emulators have locks on some of them.
    pub(crate) fn chain(image: &Path, format: &str) -> Result<Vec<Self>> {
        let output = HostCommand::new("qemu-img")
            .args(["info", "--force-share", "--backing-chain", "--output=json", "-f", format])
            .arg(image)
            .run()?;
        Ok(serde_json::from_slice(&output.stdout).map_err(|source| json(image, source))?)
    }
}

fn json(image: &Path, source: serde_json::Error) -> FileError {
    FileError::Json { path: image.to_owned(), source }
}

/// Writes into an overlay what it stands on. Nothing is opened for that but the overlay.
pub(crate) fn rebase(overlay: &Path, below: &Path, format: &str) -> Result<()> {
    HostCommand::new("qemu-img")
        .args(["rebase", "-q", "-u", "-f", "qcow2", "-F", format, "-b"])
        .arg(below)
        .arg(overlay)
        .run()?;
    Ok(())
}
