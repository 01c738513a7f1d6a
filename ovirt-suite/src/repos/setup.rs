//! What the guests of one distribution are given packages from.

use std::fs;
use std::path::{Path, PathBuf};

use lago::dirlock::{self, Mode};
use lago::utils::error_chain;

use super::merge::{merge, scan};
use super::package::{Family, Package, SourceRepo};
use super::{AptSources, REPO_LIMIT, RepoError, Result, YumConfig};

/// Where packages come from over the network.
#[derive(Debug, Clone)]
pub enum Upstream {
    /// Repositories of RPMs.
    Yum(YumConfig),
    /// Repositories of Debian packages.
    Apt(AptSources),
}

/// What the guests of one distribution are given packages from: what Lago called `reposetup`.
///
/// Packages that somebody has built come first, then those that come over the network; of each the newest version is taken.
///
/// ```no_run
/// # use ovirt_suite::repos::{RepoSetup, Upstream, YumConfig};
/// let upstream = Upstream::Yum(YumConfig::new("el9.repo").release("9"));
/// RepoSetup::synced(upstream, "/var/cache/ovirt/el9")
///     .built("exported-artifacts")
///     .run("prefix/internal_repo/el9".as_ref())?;
/// # Ok::<(), ovirt_suite::repos::RepoError>(())
/// ```
#[derive(Debug, Clone)]
pub struct RepoSetup {
    family: Family,
    upstream: Option<(Upstream, PathBuf)>,
    built: Vec<PathBuf>,
    skip_sync: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Synced {
    /// What is in the repository now.
    pub packages: Vec<Package>,
    /// Syncs that failed, where complete packages of an earlier one were taken instead.
    pub stale: Vec<RepoError>,
}

impl RepoSetup {
    /// Of packages from the network, which are kept in the directory `cache`. It may be shared by several environments.
    pub fn synced(upstream: Upstream, cache: impl Into<PathBuf>) -> Self {
        let family = match upstream {
            Upstream::Yum(_) => Family::Yum,
            Upstream::Apt(_) => Family::Apt,
        };
        let upstream = Some((upstream, cache.into()));
        Self { family, upstream, built: Vec::new(), skip_sync: false }
    }

    /// Of packages that somebody has built alone.
    pub fn built_only(family: Family) -> Self {
        Self { family, upstream: None, built: Vec::new(), skip_sync: false }
    }

    /// Adds a directory with packages that somebody has built.
    pub fn built(mut self, dir: impl Into<PathBuf>) -> Self {
        self.built.push(dir.into());
        self
    }

    /// Whether to take what an earlier sync has brought, without asking the network.
    pub fn skip_sync(mut self, skip: bool) -> Self {
        self.skip_sync = skip;
        self
    }

    /// Makes the repository in `output`, in the place of what is there.
    ///
    /// # Errors
    /// When a sync fails and there is nothing complete from an earlier one; when packages cannot be read or indexed, or there
    /// is none. What is in `output` stays then.
    pub fn run(&self, output: &Path) -> Result<Synced> {
        let mut sources = Vec::new();
        for dir in &self.built {
            sources.push(scan(self.family, dir)?);
        }
        let mut stale = Vec::new();
        // Held until the files are linked.
        let mut lock = None;
        if let Some((upstream, cache)) = &self.upstream {
            fs::create_dir_all(cache).map_err(RepoError::io("make", cache))?;
            lock = Some(dirlock::lock(cache, Mode::Exclusive, REPO_LIMIT)?);
            for (source, failed) in self.bring(upstream, cache)? {
                if let Some(failed) = failed {
                    let dir = source.dir.display();
                    tracing::warn!(
                        "taking the packages of an earlier sync in {dir}: {}",
                        error_chain(&failed)
                    );
                    stale.push(failed);
                }
                sources.push(source);
            }
        }
        if sources.iter().all(|source| source.packages.is_empty()) {
            let dirs = sources.into_iter().map(|source| source.dir).collect();
            return Err(RepoError::NoPackages { family: self.family, dirs });
        }
        let packages = merge(self.family, &sources, output)?;
        drop(lock);
        Ok(Synced { packages, stale })
    }

    /// What is in the cache in the end, each with the failure because of which it is of an earlier sync.
    fn bring(
        &self,
        upstream: &Upstream,
        cache: &Path,
    ) -> Result<Vec<(SourceRepo, Option<RepoError>)>> {
        let kept =
            |sources: Vec<SourceRepo>| sources.into_iter().map(|source| (source, None)).collect();
        match (upstream, self.skip_sync) {
            (Upstream::Yum(config), false) => config.sync(cache),
            (Upstream::Yum(config), true) => config.kept(cache).map(kept),
            (Upstream::Apt(sources), false) => sources.sync(cache).map(|synced| vec![synced]),
            (Upstream::Apt(sources), true) => sources.kept(cache).map(|source| kept(vec![source])),
        }
    }
}
