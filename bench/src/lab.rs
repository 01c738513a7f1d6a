//! Where the benchmarks make their prefixes, and how nothing of them is left.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use lago::Prefix;
use lago::config::Config;
use lago::templates::{TemplateRepository, read_repositories};
use lago::utils::error_chain;
use lago::{InitFile, InitOptions};

use crate::figures::Shared;

/// Below the workspace, so that it is removed with what cargo builds.
const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/lago/bench");

/// The directory of the benchmarks' prefixes, which is one process's at a time.
pub(crate) struct Lab {
    dir: PathBuf,
    lago: PathBuf,
    repositories: Vec<TemplateRepository>,
    /// Its own, as images that another prefix uses cannot be replaced. It stays for the next run.
    store: PathBuf,
    /// What several figures share. It goes before the lock does.
    pub(crate) shared: Shared,
    _lock: File,
}

impl Lab {
    /// Opens the directory and removes what a killed run left there.
    pub(crate) fn open() -> Result<Self> {
        let dir = Path::new(DIRECTORY);
        fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        let dir = dir.canonicalize()?;
        let lock_file = dir.join("lock");
        let lock = File::create(&lock_file)?;
        if lock.try_lock().is_err() {
            bail!("another benchmark is running: it holds {}", lock_file.display());
        }
        let store = dir.join("store");
        remove_leftovers(&dir, &[&lock_file, &store])?;
        let config = Config::load()?;
        if config.template_repo_path.is_empty() {
            bail!("no template repository is known; run this as `cargo xtask bench`");
        }
        Ok(Self {
            lago: lago_command()?,
            repositories: read_repositories(&config.template_repo_path)?,
            store,
            dir,
            shared: Shared::default(),
            _lock: lock,
        })
    }

    /// Where a prefix or a file of this name goes.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The store of the benchmarks' templates.
    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    /// The `lago` command, as a user runs it.
    pub(crate) fn lago(&self) -> Command {
        let mut command = Command::new(&self.lago);
        command.args(["--loglevel", "warn"]).env("LAGO_STORE", &self.store);
        command
    }

    /// What a prefix of `count` VMs from a template is made from.
    pub(crate) fn options(
        &self,
        name: &str,
        template: GuestImage,
        count: usize,
    ) -> Result<InitOptions> {
        let text = init_file(template, count);
        let init_file = InitFile::parse(&text, Path::new("LagoInitFile.yaml"))?;
        Ok(InitOptions {
            repositories: self.repositories.clone(),
            ..InitOptions::new(self.path(name), init_file).store(&self.store)
        })
    }

    /// Makes a prefix of `count` VMs from a template. Nothing runs yet.
    pub(crate) fn prefix(&self, name: &str, template: GuestImage, count: usize) -> Result<Scratch> {
        Ok(Prefix::init(&self.options(name, template, count)?)?.into())
    }
}

/// A guest image of the fixtures, and the size of a VM that runs it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GuestImage {
    /// Kernel and busybox.
    Mini,
    /// systemd and OpenSSH.
    Debian,
}

/// The init file of an environment of `count` equal VMs on one network.
pub(crate) fn init_file(image: GuestImage, count: usize) -> String {
    let (template, memory) = match image {
        GuestImage::Mini => ("mini", 128),
        GuestImage::Debian => ("debian", 512),
    };
    let domain = |number| {
        format!(
            "  vm{number}:\n    memory: {memory}\n    vcpu: 1\n    nics: [{{net: lago}}]\n    disks:\n      \
             - {{type: template, template_name: {template}, name: root, dev: vda, format: qcow2}}\n"
        )
    };
    let domains: String = (0..count).map(domain).collect();
    format!("domains:\n{domains}nets:\n  lago: {{type: nat, management: true}}\n")
}

/// A prefix that is destroyed with its owner.
pub(crate) struct Scratch(Option<Prefix>);

impl Scratch {
    /// Destroys the prefix and reports what goes wrong with that.
    pub(crate) fn destroy(mut self) -> Result<()> {
        self.0.take().map_or(Ok(()), |prefix| Ok(prefix.destroy()?))
    }
}

impl From<Prefix> for Scratch {
    fn from(prefix: Prefix) -> Self {
        Self(Some(prefix))
    }
}

impl std::ops::Deref for Scratch {
    type Target = Prefix;

    fn deref(&self) -> &Prefix {
        self.0
            .as_ref()
            .expect("only `destroy` takes the prefix out, and it takes the owner as well")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(prefix) = self.0.take() {
            let path = prefix.paths().prefix().to_owned();
            if let Err(error) = prefix.destroy() {
                eprintln!("{} is left behind: {}", path.display(), error_chain(&error));
            }
        }
    }
}

fn remove_leftovers(dir: &Path, kept: &[&Path]) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if kept.contains(&&*path) {
            continue;
        }
        let removed = if path.is_dir() {
            // What is no prefix has nothing running in it.
            Prefix::destroy_at(&path).or_else(|_| fs::remove_dir_all(&path))
        } else {
            fs::remove_file(&path)
        };
        removed.with_context(|| format!("removing {}, left by an earlier run", path.display()))?;
    }
    Ok(())
}

/// `cargo xtask bench` builds it beside this program.
fn lago_command() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("lago");
    if !path.is_file() {
        bail!("there is no {}; run this as `cargo xtask bench`", path.display());
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_files_are_valid() {
        for image in [GuestImage::Mini, GuestImage::Debian] {
            let text = init_file(image, 4);
            let parsed = InitFile::parse(&text, Path::new("bench.yaml")).unwrap();
            assert_eq!(parsed.domains.len(), 4, "{text}");
        }
    }
}
