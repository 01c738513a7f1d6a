//! Key pairs for ssh: the ones that let us in, and the ones by which a guest is known.

use std::fmt;
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, LineEnding, PrivateKey, PublicKey};
use tempfile::NamedTempFile;

use super::{GuestError, Result};
use crate::utils::create_dir;

/// An ed25519 key pair. Its private half is never printed.
#[derive(Debug, Clone)]
pub struct KeyPair {
    private: PrivateKey,
}

impl KeyPair {
    /// A new pair. The comment follows the key in its public line, and says whose it is.
    pub fn generate(comment: &str) -> Result<Self> {
        let mut private = PrivateKey::random(&mut OsRng, Algorithm::Ed25519)
            .map_err(|error| failure(Path::new(comment), "cannot generate a key", &error))?;
        private.set_comment(comment);
        Ok(Self { private })
    }

    /// Reads the private key in OpenSSH's format. A key with a passphrase is refused: nobody is there to type it.
    pub fn load(path: &Path) -> Result<Self> {
        let private = PrivateKey::read_openssh_file(path)
            .map_err(|error| failure(path, "cannot read the private key", &error))?;
        if private.is_encrypted() {
            return Err(passphrase(path));
        }
        Ok(Self { private })
    }

    /// Writes the private key to `path`, readable by its owner alone, and the public one beside it with `.pub` appended.
    /// Each file appears complete or not at all; one that exists is not replaced.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_new(path, self.private_text()?.as_bytes(), 0o600)?;
        write_new(&public_path(path), format!("{}\n", self.public_line()?).as_bytes(), 0o644)
    }

    /// The private half.
    pub fn private(&self) -> &PrivateKey {
        &self.private
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        self.private.public_key()
    }

    /// The public half as one line, as in `authorized_keys`.
    pub fn public_line(&self) -> Result<String> {
        let comment = Path::new(self.private.comment());
        self.public()
            .to_openssh()
            .map_err(|error| failure(comment, "cannot encode the public key", &error))
    }

    /// The private half in OpenSSH's format, wiped from memory when dropped.
    pub fn private_text(&self) -> Result<impl std::ops::Deref<Target = String> + use<>> {
        let comment = Path::new(self.private.comment());
        self.private
            .to_openssh(LineEnding::LF)
            .map_err(|error| failure(comment, "cannot encode the private key", &error))
    }
}

/// Where the public key of the private key at `path` is: the same name with `.pub` appended.
pub fn public_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

/// A public key as one line, as in `authorized_keys`.
pub(crate) fn line(key: &PublicKey) -> Result<String> {
    key.to_openssh().map_err(|error| failure(Path::new(""), "cannot encode the public key", &error))
}

/// Reads a public key, one line as in `authorized_keys`.
pub fn load_public(path: &Path) -> Result<PublicKey> {
    PublicKey::read_openssh_file(path)
        .map_err(|error| failure(path, "cannot read the public key", &error))
}

/// Keeps a public key at `path`, unless there is one already; returns the one that is there now.
pub(crate) fn remember(path: &Path, key: &PublicKey) -> Result<PublicKey> {
    let line =
        key.to_openssh().map_err(|error| failure(path, "cannot encode the public key", &error))?;
    if let Some(parent) = path.parent() {
        create_dir(parent).map_err(|error| failure(path, "cannot write", &error))?;
    }
    match write_new_io(path, format!("{line}\n").as_bytes(), 0o644) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(failure(path, "cannot write", &error))
        }
        _ => load_public(path),
    }
}

/// A private key to log in with.
#[derive(Debug, Clone)]
pub(crate) enum Identity {
    /// In OpenSSH's format.
    OpenSsh(Box<KeyPair>),
    /// In an older format, which is OpenSSL's to understand: such keys are in the images of others.
    Pem(Pem),
}

/// The text of a private key, which is never printed.
#[derive(Clone)]
pub(crate) struct Pem(String);

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pem(..)")
    }
}

impl Identity {
    /// Reads a private key. One with a passphrase is refused: nobody is there to type it.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .map_err(|error| failure(path, "cannot read the private key", &error))?;
        if text.contains("-----BEGIN OPENSSH PRIVATE KEY-----") || !text.contains("-----BEGIN ") {
            return KeyPair::load(path).map(Box::new).map(Self::OpenSsh);
        }
        if text.contains("ENCRYPTED") {
            return Err(passphrase(path));
        }
        Ok(Self::Pem(Pem(text)))
    }

    /// Calls with the key's text.
    pub(crate) fn with_text<T>(&self, call: impl FnOnce(&str) -> T) -> Result<T> {
        match self {
            Self::OpenSsh(pair) => Ok(call(&pair.private_text()?)),
            Self::Pem(Pem(text)) => Ok(call(text)),
        }
    }
}

fn passphrase(path: &Path) -> GuestError {
    let detail = "it has a passphrase; take a key without one".to_owned();
    GuestError::Key { path: path.to_owned(), detail }
}

fn write_new(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    write_new_io(path, content, mode).map_err(|error| failure(path, "cannot write", &error))
}

fn write_new_io(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(content)?;
    fs::set_permissions(file.path(), Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    File::open(directory)?.sync_all()
}

fn failure(path: &Path, what: &str, error: &dyn std::error::Error) -> GuestError {
    GuestError::Key { path: path.to_owned(), detail: format!("{what}: {error}") }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::process::Command;

    use super::{KeyPair, load_public, public_path};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("a file").permissions().mode() & 0o7777
    }

    #[test]
    fn a_pair_survives_the_disk_with_tight_modes() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("id");
        let pair = KeyPair::generate("lago").expect("a pair");
        pair.write(&path).expect("written");

        assert_eq!((mode(&path), mode(&public_path(&path))), (0o600, 0o644));
        assert_eq!(KeyPair::load(&path).expect("loaded").public(), pair.public());
        assert_eq!(&load_public(&public_path(&path)).expect("loaded"), pair.public());
        assert_eq!(fs::read_dir(directory.path()).expect("listed").count(), 2);
    }

    #[test]
    fn openssh_reads_our_key() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("id");
        let pair = KeyPair::generate("lago").expect("a pair");
        pair.write(&path).expect("written");
        let derived =
            Command::new("ssh-keygen").arg("-y").arg("-f").arg(&path).output().expect("ssh-keygen");
        let derived = String::from_utf8(derived.stdout).expect("text");
        assert_eq!(derived.trim_end(), pair.public_line().expect("a line"));
    }

    #[test]
    fn an_existing_key_is_never_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("id");
        fs::write(&path, "precious").expect("written");
        let error = KeyPair::generate("lago").expect("a pair").write(&path).expect_err("refused");
        assert!(error.to_string().contains("exists"), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("read"), "precious");
    }

    #[test]
    fn a_broken_or_locked_key_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("id");
        let error = KeyPair::load(&path).expect_err("absent").to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");

        let status = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "a passphrase", "-f"])
            .arg(&path)
            .status()
            .expect("ssh-keygen");
        assert!(status.success());
        let error = KeyPair::load(&path).expect_err("locked").to_string();
        assert!(error.contains("passphrase"), "{error}");
    }

    #[test]
    fn debug_output_hides_the_private_half() {
        let pair = KeyPair::generate("lago").expect("a pair");
        let shown = format!("{pair:?}");
        let secret = pair.private.key_data().ed25519().expect("ed25519").private.to_bytes();
        assert!(!shown.contains(&format!("{secret:?}")), "{shown}");
    }
}
