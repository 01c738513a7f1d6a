//! What a VM's identity is made of.

use std::fmt;
use std::path::Path;

use ssh_key::{Algorithm, PrivateKey, PublicKey};
use uuid::Uuid;

use super::nocloud::SeedFiles;
use super::volume;
use crate::utils::{FileError, PRIVATE_MODE, write_file};

/// The longest host name that Linux takes.
const HOSTNAME_LENGTH: usize = 64;

/// An identity that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SysprepError {
    /// The host name is not one.
    #[error(
        "`{}` cannot be a host name: use at most {HOSTNAME_LENGTH} letters, digits, `-`, `_` and `.`, \
         beginning and ending with a letter or a digit; rename the VM in the init file",
        hostname.escape_debug()
    )]
    Hostname {
        /// The name.
        hostname: String,
    },
    /// The password holds what cannot be typed or stored.
    #[error(
        "the root password of {hostname} is empty or holds a control character such as a line break; \
         change `root-password` in the init file"
    )]
    Password {
        /// The VM.
        hostname: String,
    },
    /// The MAC address is not one.
    #[error("NIC {nic} of {hostname}: `{}` is no MAC address, such as 54:52:c0:a8:c8:02", mac.escape_debug())]
    Mac {
        /// The VM.
        hostname: String,
        /// The NIC's position.
        nic: usize,
        /// The address.
        mac: String,
    },
    /// The host key is of another kind.
    #[error(
        "the host key of {hostname} is {algorithm}; the seed needs an ed25519 key without a passphrase"
    )]
    HostKey {
        /// The VM.
        hostname: String,
        /// Its kind.
        algorithm: Algorithm,
    },
    /// A key could not be encoded.
    #[error("cannot encode an ssh key of {hostname}")]
    Key {
        /// The VM.
        hostname: String,
        /// Why not.
        #[source]
        source: ssh_key::Error,
    },
    /// The volume could not be built.
    #[error("cannot build the seed of {hostname}")]
    Volume {
        /// The VM.
        hostname: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A NIC of a VM, as its guest sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedNic {
    /// The MAC address by which the guest finds it.
    pub mac: String,
    /// Whether the guest takes its default route from this NIC's network.
    pub management: bool,
}

/// The identity of a VM.
///
/// ```
/// # use lago::sysprep::{Seed, SeedNic};
/// # use ssh_key::{Algorithm, PrivateKey, rand_core::OsRng};
/// # let dir = tempfile::tempdir().unwrap();
/// let key = || PrivateKey::random(&mut OsRng, Algorithm::Ed25519).unwrap();
/// let seed = Seed {
///     instance_id: uuid::Uuid::new_v4(),
///     hostname: "client".to_owned(),
///     nics: vec![SeedNic { mac: "54:52:c0:a8:c8:02".to_owned(), management: true }],
///     authorized_keys: vec![key().public_key().clone()],
///     host_key: key(),
///     root_password: "123456".to_owned(),
/// };
/// seed.write(&dir.path().join("client-seed.img")).unwrap();
/// ```
#[derive(Clone)]
pub struct Seed {
    /// What the guest takes as its first boot: a new value makes it apply the seed again.
    pub instance_id: Uuid,
    /// The host name.
    pub hostname: String,
    /// The NICs, which become `eth0`, `eth1` and so on.
    pub nics: Vec<SeedNic>,
    /// The keys that may log in as root.
    pub authorized_keys: Vec<PublicKey>,
    /// The ed25519 key by which the guest's ssh server proves who it is.
    pub host_key: PrivateKey,
    /// The password of root.
    pub root_password: String,
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seed")
            .field("instance_id", &self.instance_id)
            .field("hostname", &self.hostname)
            .field("nics", &self.nics)
            .finish_non_exhaustive()
    }
}

impl Seed {
    /// The three files of the seed.
    pub fn files(&self) -> Result<SeedFiles, SysprepError> {
        self.validate()?;
        SeedFiles::of(self)
            .map_err(|source| SysprepError::Key { hostname: self.hostname.clone(), source })
    }

    /// Writes the seed as the image of a volume to `path`, completely or not at all, with mode 0600.
    pub fn write(&self, path: &Path) -> Result<(), SysprepError> {
        let files = self.files()?;
        let image = volume::image(&files.named())
            .map_err(|source| SysprepError::Volume { hostname: self.hostname.clone(), source })?;
        Ok(write_file(path, &image, PRIVATE_MODE)?)
    }

    fn validate(&self) -> Result<(), SysprepError> {
        let hostname = self.hostname.clone();
        if !is_hostname(&hostname) {
            return Err(SysprepError::Hostname { hostname });
        }
        if self.root_password.is_empty() || self.root_password.contains(is_unprintable) {
            return Err(SysprepError::Password { hostname });
        }
        let algorithm = self.host_key.algorithm();
        if algorithm != Algorithm::Ed25519 || self.host_key.is_encrypted() {
            return Err(SysprepError::HostKey { hostname, algorithm });
        }
        match self.nics.iter().position(|nic| !is_mac(&nic.mac)) {
            Some(nic) => Err(SysprepError::Mac { hostname, nic, mac: self.nics[nic].mac.clone() }),
            None => Ok(()),
        }
    }
}

fn is_hostname(name: &str) -> bool {
    let ends_well = |c: char| c.is_ascii_alphanumeric();
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.len() <= HOSTNAME_LENGTH
        && name.starts_with(ends_well)
        && name.ends_with(ends_well)
        && name.chars().all(inner)
        && !name.contains("..")
}

/// Characters that no keyboard types, and that YAML readers refuse or take for line breaks.
fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn is_mac(text: &str) -> bool {
    let octets: Vec<&str> = text.split(':').collect();
    let is_octet = |octet: &&str| octet.len() == 2 && octet.chars().all(|c| c.is_ascii_hexdigit());
    octets.len() == 6 && octets.iter().all(is_octet)
}

#[cfg(test)]
mod tests;
