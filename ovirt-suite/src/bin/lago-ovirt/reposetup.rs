use std::path::PathBuf;

use anyhow::bail;
use ovirt_suite::OvirtPrefix;
use ovirt_suite::repos::{AptSources, Family, RepoSetup, Upstream, YumConfig};

/// Where packages from the network are kept for all environments of a user, in the user's caches.
const CACHE: &str = "lago/reposync";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The distribution whose guests they are for: `el9` is served as `http://GATEWAY:8585/el9/`. Without it that is `el9`, or
    /// `debian` for Debian's packages.
    #[arg(long, value_name = "NAME", value_parser = distribution)]
    dist: Option<String>,

    /// A configuration of dnf or yum with the repositories to sync.
    #[arg(long, value_name = "FILE", conflicts_with = "apt_sources")]
    reposync_yum_config: Option<PathBuf>,

    /// A file of apt's sources to sync, `*.list` or `*.sources`.
    #[arg(long, value_name = "FILE")]
    apt_sources: Option<PathBuf>,

    /// What `$releasever` stands for in the configuration of dnf.
    #[arg(long, value_name = "RELEASE", requires = "reposync_yum_config")]
    release: Option<String>,

    /// Where synced packages are kept, instead of the user's caches.
    #[arg(long, visible_alias = "rpm-repo", value_name = "DIR")]
    cache: Option<PathBuf>,

    /// A directory with packages that were built. May be given several times.
    #[arg(long, visible_alias = "custom-source", value_name = "DIR")]
    built: Vec<PathBuf>,

    /// Take what an earlier sync has brought, without asking the network.
    #[arg(long)]
    skip_sync: bool,

    /// The packages that were built are Debian's, where nothing is synced that says so.
    #[arg(long, conflicts_with = "reposync_yum_config")]
    deb: bool,
}

impl Arguments {
    pub(crate) fn run(&self, prefix: &OvirtPrefix) -> anyhow::Result<()> {
        let setup = self.built.iter().fold(self.setup()?, RepoSetup::built);
        let output = prefix.ovirt_paths().internal_repo(self.dist());
        let synced = setup.skip_sync(self.skip_sync).run(&output)?;
        tracing::info!("{} packages in {}", synced.packages.len(), output.display());
        Ok(())
    }

    fn setup(&self) -> anyhow::Result<RepoSetup> {
        let upstream = match (&self.reposync_yum_config, &self.apt_sources) {
            (Some(config), _) => {
                let config = YumConfig::new(config);
                Upstream::Yum(match &self.release {
                    Some(release) => config.release(release),
                    None => config,
                })
            }
            (None, Some(sources)) => Upstream::Apt(AptSources::new(sources)),
            (None, None) if self.built.is_empty() => bail!(
                "there is nothing to make a repository of: give --reposync-yum-config, --apt-sources or --built"
            ),
            (None, None) => {
                let family = if self.deb { Family::Apt } else { Family::Yum };
                return Ok(RepoSetup::built_only(family));
            }
        };
        Ok(RepoSetup::synced(upstream, self.cache()?))
    }

    fn dist(&self) -> &str {
        match &self.dist {
            Some(dist) => dist,
            None if self.deb || self.apt_sources.is_some() => "debian",
            None => "el9",
        }
    }

    fn cache(&self) -> anyhow::Result<PathBuf> {
        if let Some(cache) = &self.cache {
            return Ok(cache.clone());
        }
        let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let caches = named.or_else(|| Some(std::env::home_dir()?.join(".cache")));
        let Some(caches) = caches else { bail!("there is no home directory; give --cache") };
        Ok(caches.join(CACHE).join(self.dist()))
    }
}

/// A name that is one directory.
fn distribution(name: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(allowed) {
        return Err("a distribution is letters, digits, `-`, `_` and `.`".to_owned());
    }
    Ok(name.to_owned())
}
