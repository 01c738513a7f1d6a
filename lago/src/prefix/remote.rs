//! Machines that lago only reaches over ssh: where they are, and by which host key they are known.

use std::env;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use ssh_key::PublicKey;

use super::PrefixError;
use crate::Result;
use crate::guest::known_hosts;
use crate::spec::{Domain, InitFile, SshAccess, VmProvider};

/// Where the host keys are that the machine's users have in common.
const SYSTEM_KNOWN_HOSTS: &str = "/etc/ssh/ssh_known_hosts";

/// The address of each machine.
pub(super) type Addresses = IndexMap<String, SocketAddr>;

/// Whether a machine is one that lago does not start.
pub(super) fn is_remote(domain: &Domain) -> bool {
    domain.vm_provider == VmProvider::Ssh
}

/// Looks up where they are.
pub(super) fn addresses(init_file: &InitFile) -> Result<Addresses, PrefixError> {
    let remote = init_file.domains.iter().filter(|(_, domain)| is_remote(domain));
    remote.map(|(vm, domain)| Ok((vm.clone(), address(vm, &access(domain))?))).collect()
}

/// How it is reached, with what Lago's own init files say instead.
fn access(domain: &Domain) -> SshAccess {
    let ip = || domain.nics.iter().find_map(|nic| nic.ip).map(|ip| ip.to_string());
    let mut access = domain.ssh.clone().unwrap_or(SshAccess {
        address: String::new(),
        port: 22,
        host_key: None,
        known_hosts: None,
        identity: None,
        password: None,
    });
    if access.address.is_empty() {
        access.address = ip().unwrap_or_default();
    }
    access
}

fn address(vm: &str, access: &SshAccess) -> Result<SocketAddr, PrefixError> {
    let name = format!("{}:{}", access.address, access.port);
    let unknown = |reason: String| PrefixError::Remote { vm: vm.to_owned(), reason };
    let found = (access.address.as_str(), access.port).to_socket_addrs();
    let mut found =
        found.map_err(|error| unknown(format!("{name} cannot be looked up: {error}")))?;
    found.next().ok_or_else(|| unknown(format!("{name} has no address")))
}

/// The host key by which a machine is known.
pub(super) fn host_key(vm: &str, domain: &Domain) -> Result<PublicKey> {
    let access = access(domain);
    let refused = |reason: String| PrefixError::Remote { vm: vm.to_owned(), reason };
    if let Some(text) = &access.host_key {
        let key = PublicKey::from_openssh(text);
        return Ok(key.map_err(|error| refused(format!("its `host-key` is none: {error}")))?);
    }
    let files = match &access.known_hosts {
        Some(path) => vec![path.clone()],
        None => usual_files(),
    };
    for file in files.iter().filter(|file| file.is_file()) {
        if let Some(key) = known_hosts::find(file, &access.address, access.port)? {
            return Ok(key);
        }
    }
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let reason = format!(
        "no host key of {} is in {}; write its `host-key` into the init file, or connect to it once with ssh and look at the key",
        access.address,
        files.join(" or ")
    );
    Err(refused(reason).into())
}

fn usual_files() -> Vec<PathBuf> {
    let users = env::home_dir().map(|home| home.join(".ssh/known_hosts"));
    users.into_iter().chain([Path::new(SYSTEM_KNOWN_HOSTS).to_owned()]).collect()
}
