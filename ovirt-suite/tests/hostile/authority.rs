//! An authority that nobody else knows, and certificates by it.

use std::fs;
use std::path::Path;

use lago::utils::HostCommand;
use native_tls::Identity;
use tempfile::TempDir;

/// A certificate authority of a test.
pub(crate) struct Authority {
    dir: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let subject = ["req", "-x509", "-days", "2", "-subj", "/CN=an engine's authority"];
        openssl(
            dir.path(),
            &[&subject[..], &KEY, &["-keyout", "ca.key", "-out", "ca.pem"]].concat(),
        );
        Self { dir }
    }

    pub(crate) fn pem(&self) -> Vec<u8> {
        fs::read(self.dir.path().join("ca.pem")).unwrap()
    }

    /// A certificate for this name, such as `DNS:engine`.
    pub(crate) fn certify(&self, name: &str) -> Identity {
        let dir = self.dir.path();
        let request =
            ["req", "-subj", "/CN=an engine", "-keyout", "key.pem", "-out", "request.pem"];
        openssl(dir, &[&request[..], &KEY].concat());
        fs::write(dir.join("names"), format!("subjectAltName={name}\n")).unwrap();
        let sign = [
            "x509",
            "-req",
            "-days",
            "2",
            "-in",
            "request.pem",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
        ];
        let to = ["-CAcreateserial", "-extfile", "names", "-out", "cert.pem"];
        openssl(dir, &[&sign[..], &to].concat());
        let read = |name: &str| fs::read(dir.join(name)).unwrap();
        Identity::from_pkcs8(&read("cert.pem"), &read("key.pem")).unwrap()
    }
}

const KEY: [&str; 5] = ["-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

fn openssl(dir: &Path, args: &[&str]) {
    HostCommand::new("openssl").args(args).current_dir(dir).run().unwrap();
}
