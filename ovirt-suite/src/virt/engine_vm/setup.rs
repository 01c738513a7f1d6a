//! What makes the engine, and puts CDs into its storage.

use std::path::Path;

use lago::cmd;
use lago::guest::Cmd;

use super::EngineVm;
use crate::constants::{CA_FILE, ENGINE_PORT, ENGINE_USER};
use crate::error::{Error, Result};
use crate::limits;
use crate::utils::succeed;

/// Runs a command with one more option, whose value is a file that only root can read and that goes when it has ended. The
/// option comes first, the command after it; the file's content is the standard input. Passwords are in such files.
const WITH_SECRET_FILE: &str = "\
umask 077
dir=$(mktemp -d) && trap 'rm -rf \"$dir\"' EXIT && cat >\"$dir/input\" || exit
option=$1
shift
\"$@\" \"$option=$dir/input\" </dev/null";

impl EngineVm {
    /// Makes the engine: runs `engine-setup` in the VM, with the answers of this file of this machine.
    ///
    /// It asks nobody: what the file does not answer, or all without a file, is as it finds best.
    ///
    /// # Errors
    /// When it does not end with 0, with the end of what it printed.
    pub fn engine_setup(&self, answers: Option<&Path>) -> Result<()> {
        let _span = tracing::info_span!("engine-setup", vm = self.name()).entered();
        let command = match answers {
            Some(path) => {
                let answers = std::fs::read(path)
                    .map_err(|source| Error::File { path: path.to_owned(), source })?;
                Cmd::sh(WITH_SECRET_FILE)
                    .args(["--config-append", "engine-setup", "--accept-defaults", "--offline"])
                    .stdin(answers)
            }
            None => cmd!("engine-setup", "--accept-defaults", "--offline"),
        };
        let command = command.limit(limits::ENGINE_SETUP);
        let hint = "its log is in /var/log/ovirt-engine/setup";
        succeed(self, &command, "engine-setup", hint)?;
        self.forget_api();
        Ok(())
    }

    /// Puts the image of a CD into an ISO storage domain, by the engine's own tool, which came with it up to oVirt 4.3.
    ///
    /// # Errors
    /// When the image cannot be copied, or the tool does not end with 0. Nothing of it stays in the VM.
    pub fn add_iso(&self, image: &Path, storage_domain: &str) -> Result<()> {
        let name = image.file_name().ok_or_else(|| Error::File {
            path: image.to_owned(),
            source: std::io::Error::from(std::io::ErrorKind::InvalidFilename),
        })?;
        let made = self.run(cmd!("mktemp", "-d"))?;
        let directory = made.stdout().trim().to_owned();
        let remote = Path::new(&directory).join(name);
        let uploaded = self.copy_to(image, &remote).map_err(Error::from).and_then(|()| {
            let configuration = format!(
                "[ISOUploader]\nuser={ENGINE_USER}\npassword={}\nengine={}:{ENGINE_PORT}\n",
                self.password()?,
                self.fqdn()
            );
            let command = Cmd::sh(WITH_SECRET_FILE)
                .args(["--conf-file", "engine-iso-uploader", "upload"])
                .arg(&remote)
                .args([format!("--cert-file={CA_FILE}"), format!("--iso-domain={storage_domain}")])
                .stdin(configuration)
                .limit(limits::ISO_UPLOAD);
            succeed(self, &command, "engine-iso-uploader", "its log is in /var/log/ovirt-engine")
                .map(drop)
        });
        let removed = self.run(cmd!("rm", "-rf", &directory));
        uploaded?;
        removed?;
        Ok(())
    }
}
