//! Changes as arguments of virt-sysprep, and the files that these name.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ssh_key::{LineEnding, PrivateKey, PublicKey};

use super::Staging;
use crate::sysprep::modification::DhcpInterface;
use crate::sysprep::{Modification, SysprepError};
use crate::utils::{FileError, PRIVATE_MODE};

/// What only one machine may have, and the changes that follow.
const OPERATIONS: &str = "machine-id,dhcp-client-state,net-hwaddr,udev-persistent-net,customize";

/// Where the ssh server has its keys.
const HOST_KEY: &str = "/etc/ssh/ssh_host_ed25519_key";

const INITIATOR_NAME: &str = "/etc/iscsi/initiatorname.iscsi";

/// Does in the guest's file system what depends on what is there.
const SCRIPT: &str = include_str!("in-guest.sh");

/// Where the script reads what it is to do.
const CHANGES: &str = "/.lago-sysprep";

/// Arguments of virt-sysprep besides the disk.
pub(super) struct Arguments<'a> {
    words: Vec<String>,
    /// The lines for the script.
    changes: String,
    staging: &'a mut Staging,
}

impl<'a> Arguments<'a> {
    /// The arguments that make these changes, which make sense.
    pub(super) fn of(
        modifications: &[Modification],
        staging: &'a mut Staging,
    ) -> Result<Self, SysprepError> {
        let first = ["--operations", OPERATIONS, "--selinux-relabel"].map(str::to_owned);
        let mut this = Self { words: first.into(), changes: String::new(), staging };
        for modification in modifications {
            this.add(modification)?;
        }
        this.run_script()?;
        Ok(this)
    }

    pub(super) fn into_vec(self) -> Vec<String> {
        self.words
    }

    fn add(&mut self, modification: &Modification) -> Result<(), SysprepError> {
        match modification {
            Modification::Hostname(name) => {
                self.option("--hostname", name.clone());
                self.change(format_args!("hostname {name}"));
            }
            Modification::RootPassword(password) => {
                let file = self.staging.add(password.as_bytes())?;
                self.option("--root-password", format!("file:{file}"));
            }
            Modification::SshKey(key) => {
                let file = self.staging.add(public_line(key)?.as_bytes())?;
                self.option("--ssh-inject", format!("root:file:{file}"));
            }
            Modification::SshHostKey(key) => self.host_key(key)?,
            Modification::IscsiInitiatorName(name) => {
                let content = format!("InitiatorName={name}\n");
                self.write(INITIATOR_NAME, content.as_bytes(), PRIVATE_MODE)?;
            }
            Modification::SelinuxMode(mode) => {
                self.change(format_args!("selinux {}", mode.as_str()));
            }
            Modification::DhcpInterface(interface) => self.nic(interface),
            Modification::UploadFile { local, remote } => self.upload(local, remote)?,
            Modification::WriteFile { remote, content, mode } => {
                self.write(remote, content, *mode)?;
            }
        }
        Ok(())
    }

    fn nic(&mut self, interface: &DhcpInterface) {
        let DhcpInterface { name, mac, default_route, ip6, domain } = interface;
        let routes = if *default_route { "yes" } else { "no" };
        let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let address = or_none(ip6.map(|ip6| ip6.address.to_string()));
        let gateway = or_none(ip6.and_then(|ip6| Some(ip6.gateway?.to_string())));
        let domain = or_none(domain.clone());
        let mac = mac.to_ascii_lowercase();
        self.change(format_args!("nic {name} {mac} {routes} {address} {gateway} {domain}"));
    }

    fn host_key(&mut self, key: &PrivateKey) -> Result<(), SysprepError> {
        self.option("--delete", "/etc/ssh/ssh_host_*".to_owned());
        let private = key.to_openssh(LineEnding::LF).map_err(|error| unencodable(&error))?;
        self.write(HOST_KEY, private.as_bytes(), PRIVATE_MODE)?;
        let public = public_line(key.public_key())?;
        self.write(&format!("{HOST_KEY}.pub"), public.as_bytes(), 0o644)?;
        // It would make keys of its own, and write names and addresses anew.
        self.change(format_args!("no-cloud-init"));
        Ok(())
    }

    fn write(&mut self, remote: &str, content: &[u8], mode: u32) -> Result<(), SysprepError> {
        let file = self.staging.add(content)?;
        self.put(&file, remote, mode);
        Ok(())
    }

    fn upload(&mut self, local: &Path, remote: &str) -> Result<(), SysprepError> {
        let file = self.staging.link(local)?;
        let metadata = fs::metadata(local).map_err(FileError::io("look at", local))?;
        self.put(&file, remote, metadata.permissions().mode() & 0o7777);
        Ok(())
    }

    fn put(&mut self, file: &str, remote: &str, mode: u32) {
        if let Some((directory, _)) = remote.rsplit_once('/').filter(|(above, _)| !above.is_empty())
        {
            self.option("--mkdir", directory.to_owned());
        }
        self.option("--upload", format!("{file}:{remote}"));
        // libguestfs keeps the owner that the file has here.
        self.change(format_args!("own {mode:o} {remote}"));
    }

    fn run_script(&mut self) -> Result<(), SysprepError> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let changes = std::mem::take(&mut self.changes);
        let changes = self.staging.add(changes.as_bytes())?;
        let script = self.staging.add(SCRIPT.as_bytes())?;
        self.option("--upload", format!("{changes}:{CHANGES}"));
        self.option("--run", script);
        Ok(())
    }

    fn option(&mut self, name: &str, value: String) {
        self.words.extend([name.to_owned(), value]);
    }

    fn change(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.changes, "{line}").expect("writing to a string cannot fail");
    }
}

fn public_line(key: &PublicKey) -> Result<String, SysprepError> {
    Ok(key.to_openssh().map_err(|error| unencodable(&error))? + "\n")
}

fn unencodable(error: &ssh_key::Error) -> SysprepError {
    SysprepError::Modification { reason: format!("an ssh key cannot be encoded: {error}") }
}

#[cfg(test)]
mod tests;
