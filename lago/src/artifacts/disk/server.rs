//! A disk image, read by QEMU: `qemu-nbd` serves what the guest sees of it on a socket of ours
//! (<https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md>).

use std::cell::RefCell;
use std::fmt::Display;
use std::fs::Permissions;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use nbd::client::{NbdClient, handshake};
use tempfile::TempDir;

use super::{Disk, Result};
use crate::utils::Deadline;
use crate::virt::domain_xml::DiskDevice;

/// How long it may take until the image is served. That takes milliseconds; the rest is for a busy machine.
const START_LIMIT: Duration = Duration::from_secs(10);

/// How long one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How often to look again whether it is served.
const PAUSE: Duration = Duration::from_millis(5);

/// Serves one image, for as long as it is there.
pub(super) struct Server {
    pub(super) dev: String,
    process: Child,
    /// Holds the socket, and keeps other users from it.
    directory: TempDir,
}

impl Server {
    /// Returns once the image can be read. The VM that uses it, if one does, keeps its lock.
    pub(super) fn start(disk: &DiskDevice, deadline: &Deadline) -> Result<Self> {
        let error =
            |what: &dyn Display| format!("cannot read the image {}: {what}", disk.path.display());
        let private = Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().permissions(private).tempdir();
        let directory = directory.map_err(|e| error(&e))?;
        let socket = directory.path().join("nbd");
        // The kernel ends it with us, however we end.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", "qemu-nbd"])
            .args(["--read-only", "--persistent", "--shared=0"])
            .arg(format!("--socket={}", socket.display()))
            .args(["--image-opts", &image_options(disk)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let process = command.spawn().map_err(|e| {
            error(&format_args!("cannot run setpriv: {e}; it is in the package util-linux"))
        })?;
        let mut server = Self { dev: disk.dev.clone(), process, directory };
        server.wait(deadline).map_err(|why| error(&why))?;
        Ok(server)
    }

    fn wait(&mut self, deadline: &Deadline) -> Result<()> {
        let limit = START_LIMIT.min(deadline.remaining());
        let start = Deadline::new("qemu-nbd to serve the image", limit);
        loop {
            if UnixStream::connect(self.socket()).is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                let mut said = String::new();
                if let Some(stderr) = &mut self.process.stderr {
                    let _ = stderr.read_to_string(&mut said);
                }
                return Err(format!("qemu-nbd failed with {status}: {}", said.trim()));
            }
            start.check().map_err(|error| error.to_string())?;
            thread::sleep(PAUSE);
        }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.directory.path().join("nbd")
    }

    /// The disk that it serves.
    pub(super) fn disk(&self) -> Result<Disk> {
        let open = || {
            let stream = UnixStream::connect(self.socket())?;
            stream.set_read_timeout(Some(ANSWER_LIMIT))?;
            stream.set_write_timeout(Some(ANSWER_LIMIT))?;
            let export = handshake(&stream, b"")?;
            Ok(NbdClient::new(stream, &export))
        };
        let client = open().map_err(|error: std::io::Error| {
            format!("disk {} cannot be read through qemu-nbd: {error}", self.dev)
        })?;
        Ok(Disk { name: self.dev.clone(), content: Rc::new(RefCell::new(client)) })
    }
}

/// The image in QEMU's words (`qemu-nbd(8)`), in which a comma is doubled. It is shared with a VM that writes to it.
fn image_options(disk: &DiskDevice) -> String {
    let path = disk.path.to_string_lossy().replace(',', ",,");
    format!("driver={},file.driver=file,file.filename={path},force-share=on", disk.format)
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is reaped.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_in_a_path_is_no_end_of_it() {
        let disk = DiskDevice {
            path: "/a,b/root.qcow2".into(),
            format: "qcow2",
            dev: "vda".into(),
            read_only: false,
            cdrom: false,
            detachable: false,
        };
        let expected =
            "driver=qcow2,file.driver=file,file.filename=/a,,b/root.qcow2,force-share=on";
        assert_eq!(image_options(&disk), expected);
    }
}
