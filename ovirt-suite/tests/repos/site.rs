//! A repository somewhere in the network, which can go away, and what is made of it here.

use std::fs;
use std::path::{Path, PathBuf};

use lago::host::Host;
use ovirt_suite::repos::{Package, RepoServer, RepoSetup, Upstream};
use tempfile::TempDir;

/// Both families of repositories have one.
pub(crate) struct Site {
    dir: TempDir,
    server: Option<RepoServer>,
    upstream: fn(PathBuf) -> Upstream,
    configuration: &'static str,
}

impl Site {
    /// `fill` puts packages and their index into the repository. `configuration` is the name of the file in which dnf or apt
    /// reads where that is, `configure` what it reads there, and `upstream` what takes the file.
    pub(crate) fn new(
        fill: impl FnOnce(&Path),
        configuration: &'static str,
        configure: impl FnOnce(&str) -> String,
        upstream: fn(PathBuf) -> Upstream,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let repository = dir.path().join("upstream");
        fs::create_dir(&repository).unwrap();
        fill(&repository);
        let server = serve(&repository);
        fs::write(dir.path().join(configuration), configure(&server.url())).unwrap();
        Self { dir, server: Some(server), upstream, configuration }
    }

    /// A path in the directory of this test, in which `upstream` is the repository and `cache` what was brought of it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn setup(&self) -> RepoSetup {
        let upstream = (self.upstream)(self.path(self.configuration));
        RepoSetup::synced(upstream, self.path("cache"))
    }

    /// The repository is not reached any more.
    pub(crate) fn goes_away(&mut self) {
        self.server = None;
    }
}

/// Serves a directory on this machine's loopback interface.
pub(crate) fn serve(dir: &Path) -> RepoServer {
    // Nothing of a libvirt is asked: the host is this machine.
    let here = Host::uri("test:///default");
    RepoServer::start(&here, "127.0.0.1:0".parse().unwrap(), dir).unwrap()
}

/// Names and versions, in an order of their own.
pub(crate) fn shown(packages: &[Package]) -> Vec<String> {
    let mut shown: Vec<_> =
        packages.iter().map(|package| format!("{} {}", package.name, package.version)).collect();
    shown.sort();
    shown
}
