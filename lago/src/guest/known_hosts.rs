//! Host keys that OpenSSH's users have accepted: `known_hosts`, of which `sshd(8)` describes the form.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ssh_key::{Algorithm, PublicKey};
use ssh2::{CheckResult, KnownHostFileKind, Session};

use super::{GuestError, Result};

/// The port that a name in the file need not say.
const USUAL_PORT: u16 = 22;

/// How lines begin with keys that are not to be accepted any more.
const REVOKED: &str = "@revoked";

/// The host key of a server in a file, whether its name is written there or hashed. Of several the one that costs an emulated
/// guest least.
pub(crate) fn find(file: &Path, host: &str, port: u16) -> Result<Option<PublicKey>> {
    let failure = |detail: String| GuestError::Key { path: file.to_owned(), detail };
    let text = fs::read_to_string(file).map_err(|error| failure(error.to_string()))?;
    let revoked: Vec<&str> = text.lines().filter(|line| line.starts_with(REVOKED)).collect();
    let mut keys = known(&text, host, port).map_err(|error| failure(error.to_string()))?;
    keys.retain(|(digits, _)| !revoked.iter().any(|line| line.contains(digits)));
    let rank = |key: &PublicKey| match key.algorithm() {
        Algorithm::Ed25519 => 0,
        Algorithm::Ecdsa { .. } => 1,
        _ => 2,
    };
    Ok(keys.into_iter().map(|(_, key)| key).min_by_key(rank))
}

/// The keys of a server, as their digits and as keys. libssh2 knows the names, also those that are hashed.
fn known(text: &str, host: &str, port: u16) -> Result<Vec<(String, PublicKey)>, ssh2::Error> {
    let session = Session::new()?;
    let mut hosts = session.known_hosts()?;
    let entries = text.lines().map(str::trim);
    for line in entries.filter(|line| !line.is_empty() && !line.starts_with(['#', '@'])) {
        // A line that is not understood is nobody's key.
        let _ = hosts.read_str(line, KnownHostFileKind::OpenSSH);
    }
    // With a port libssh2 would also take the key of the name without one.
    let name = if port == USUAL_PORT { host.to_owned() } else { format!("[{host}]:{port}") };
    let of_host = |digits: &str| {
        let blob = BASE64.decode(digits).ok()?;
        let is_known = matches!(hosts.check(&name, &blob), CheckResult::Match);
        let key = PublicKey::from_bytes(&blob).ok().filter(|_| is_known)?;
        Some((digits.to_owned(), key))
    };
    Ok(hosts.hosts()?.iter().filter_map(|entry| of_host(entry.key())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::keys::KeyPair;
    use crate::utils::HostCommand;

    #[test]
    fn a_key_is_found_by_name_and_port_also_when_the_name_is_hashed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("known_hosts");
        let (one, other) = (KeyPair::generate("").unwrap(), KeyPair::generate("").unwrap());
        let line = |key: &KeyPair| key.public_line().unwrap();
        let text =
            format!("# people\nserver,10.0.0.1 {}\n[server]:2222 {}\n", line(&one), line(&other));
        fs::write(&file, &text).unwrap();
        let found =
            |host: &str, port| find(&file, host, port).unwrap().map(|key| key.to_bytes().unwrap());
        let bytes = |key: &KeyPair| Some(key.public().to_bytes().unwrap());
        for _ in ["plain", "hashed"] {
            assert_eq!(found("server", 22), bytes(&one));
            assert_eq!(found("10.0.0.1", 22), bytes(&one));
            assert_eq!(found("server", 2222), bytes(&other));
            assert_eq!(found("another", 22), None);
            HostCommand::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&file).run().unwrap();
        }
        fs::write(&file, format!("{text}broken\n@revoked * {}\n", line(&one))).unwrap();
        assert_eq!(found("server", 22), None);
    }
}
