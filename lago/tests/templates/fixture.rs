//! A store, a manifest, and images.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use lago::templates::{
    StoredImage, TemplateError, TemplateRepository, TemplateStore, TemplateVersion, TransferOptions,
};
use lago::utils::HostCommand;
use serde_json::{Value, json};

/// A directory with an empty store, and limits under which no test waits long.
pub(crate) struct Fixture {
    dir: tempfile::TempDir,
    pub(crate) store: TemplateStore,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(options())
    }

    pub(crate) fn with(options: TransferOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = TemplateStore::open(&dir.path().join("store")).unwrap().with_transfer(options);
        Self { dir, store }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A file that makes the template `disk` be this version entry of this source.
    pub(crate) fn manifest(&self, source: &Value, entry: &Value) -> PathBuf {
        let mut version = json!({"source": "there", "timestamp": 1});
        version.as_object_mut().unwrap().extend(entry.as_object().unwrap().clone());
        let manifest = json!({
            "name": "test",
            "sources": {"there": source},
            "templates": {"disk": {"versions": {"v1": version}}},
        });
        let path = self.path().join("repo.json");
        fs::write(&path, manifest.to_string()).unwrap();
        path
    }

    pub(crate) fn version(&self, source: &Value, entry: &Value) -> TemplateVersion {
        let repository = TemplateRepository::from_file(&self.manifest(source, entry)).unwrap();
        repository.get_by_name("disk").unwrap().get_latest_version().clone()
    }

    /// The image at an address.
    pub(crate) fn at(&self, url: &str, digest: &str) -> TemplateVersion {
        self.version(&json!({"type": "http", "args": {}}), &json!({"handle": url, "hash": digest}))
    }

    /// Has the store fetch the image, and compares it.
    #[track_caller]
    pub(crate) fn assert_fetches(&self, version: &TemplateVersion, content: &[u8]) -> StoredImage {
        let image = self.store.download(version).unwrap();
        assert!(fs::read(&image.path).unwrap() == content, "the image is another one");
        assert_eq!(self.files(), ["", ".hash", ".lock", ".metadata", ".stored"]);
        image
    }

    /// Has the store fail to fetch the image, and returns what it says. No image can be seen.
    #[track_caller]
    pub(crate) fn refusal(&self, version: &TemplateVersion) -> String {
        let error = self.store.download(version).unwrap_err();
        assert!(matches!(self.store.get_path(version), Err(TemplateError::NotStored { .. })));
        error.to_string()
    }

    /// What is in the store of the template, by the ends of the names.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.store.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut ends: Vec<String> = names.map(|name| name.replace("test:disk:v1", "")).collect();
        ends.sort();
        ends
    }

    pub(crate) fn store_file(&self, end: &str) -> PathBuf {
        self.store.path().join(format!("test:disk:v1{end}"))
    }

    /// The `lago` program with this store and nothing of the user's settings.
    pub(crate) fn lago(&self, manifest: Option<&Path>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lago"));
        let home = self.path().join("home");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", &home).env("XDG_CONFIG_HOME", home.join("config"));
        command.env("LAGO_STORE", self.store.path());
        command.env("LAGO_TEMPLATE_REPOS", self.path().join("repos"));
        command.envs(manifest.map(|manifest| ("LAGO_TEMPLATE_REPO_PATH", manifest)));
        command
    }
}

pub(crate) fn options() -> TransferOptions {
    TransferOptions {
        // For a machine that has other things to do.
        connect: Duration::from_secs(20),
        idle: Duration::from_secs(20),
        attempts: 4,
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(5),
        ..TransferOptions::default()
    }
}

/// Bytes that do not compress and never repeat.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| next().to_le_bytes()).collect();
    bytes.truncate(length);
    bytes
}

/// An image with a large hole.
pub(crate) fn sparse_image() -> Vec<u8> {
    let mut image = noise(1 << 20);
    image.resize(12 << 20, 0);
    image.extend(noise(300_000));
    image
}

pub(crate) fn sum(program: &str, bytes: &[u8]) -> String {
    let output = HostCommand::new(program).stdin(bytes).run().unwrap().stdout_text();
    output.split_whitespace().next().unwrap().to_owned()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    sum("sha256sum", bytes)
}

pub(crate) fn compressed(program: &str, bytes: &[u8]) -> Vec<u8> {
    HostCommand::new(program).arg("-c").stdin(bytes).run().unwrap().stdout
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
