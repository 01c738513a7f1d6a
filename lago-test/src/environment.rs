//! A suite's environment: one lago prefix, made and started for a run and taken down after it.

mod facts;

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lago::cache::{Cache, Cached, Key, StartOrigin, Started, fingerprint};
use lago::capsule::{SaveOptions, Saved};
use lago::collect::{CollectOptions, Collected};
use lago::config::Config;
use lago::snapshot::Snapshot;
use lago::spec::InitFile;
use lago::templates::TemplateRepository;
use lago::virt::VmEnding;
use lago::{InitOptions, Prefix};

use crate::result::Failure;
use crate::tell;

/// What a suite says about its environment.
#[derive(Debug, Clone)]
pub(crate) struct EnvironmentSpec {
    /// The init file, as the suite names it.
    pub(crate) init_file: PathBuf,
    /// Manifests of template repositories, in front of those of the settings.
    pub(crate) repositories: Vec<PathBuf>,
    /// Whether it may start from the cache.
    pub(crate) cached: bool,
}

impl EnvironmentSpec {
    /// Reads the init file. Starts nothing.
    pub(crate) fn load(&self) -> Result<InitFile, Failure> {
        Ok(InitFile::load(&from_package(&self.init_file))?)
    }
}

/// A path that a suite names is relative to its package, which is where cargo starts it.
fn from_package(path: &Path) -> PathBuf {
    match env::var_os("CARGO_MANIFEST_DIR") {
        Some(package) => Path::new(&package).join(path),
        None => path.to_owned(),
    }
}

/// A VM that is not there any more.
#[derive(Debug, Clone)]
pub(crate) struct GoneVm {
    pub(crate) name: String,
    pub(crate) ending: VmEnding,
    /// The log of its console.
    pub(crate) console: PathBuf,
    /// The last lines in it.
    pub(crate) last_lines: String,
}

/// A prefix that belongs to a run.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    prefix: Prefix,
    /// How it comes up, if it comes up through the cache.
    cached: Option<Arc<Mutex<Option<Cached>>>>,
    /// Where it came from, once it is up.
    origin: Option<StartOrigin>,
    /// What it was made from, in a word.
    key: Option<Key>,
}

impl Environment {
    /// Takes down and removes what an earlier run left in this directory, if it left an environment.
    pub(crate) fn discard_stale(directory: &Path) -> Result<(), Failure> {
        let paths = lago::paths::Paths::new(directory);
        if paths.is_prefix() || paths.unfinished().exists() {
            return Prefix::destroy_at(directory).map_err(|error| {
                let at = directory.display();
                Failure::from(error).context(format!(
                    "cannot remove the environment that an earlier run left in {at}"
                ))
            });
        }
        Ok(())
    }

    /// The environment that an earlier run left in this directory, if it left one.
    pub(crate) fn open(directory: &Path) -> Result<Option<Self>, Failure> {
        if !lago::paths::Paths::new(directory).is_prefix() {
            return Ok(None);
        }
        let prefix = Prefix::open(directory).map_err(|error| {
            Failure::from(error).context("the environment of an earlier run cannot be opened")
        })?;
        Ok(Some(Self::of(prefix)))
    }

    /// Whether it was made from this init file.
    pub(crate) fn was_made_from(&self, init_file: &InitFile) -> bool {
        self.prefix.record().init_file == *init_file
    }

    /// Destroys the forks that are left in this directory: as many as can be.
    pub(crate) fn discard_forks(directory: &Path) -> Result<(), Failure> {
        let entries = match std::fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        let mut discarded = Ok(());
        for entry in entries {
            let paths = lago::paths::Paths::new(entry?.path());
            if paths.is_prefix() || paths.unfinished().exists() {
                let at = paths.prefix().display();
                let destroyed = Prefix::destroy_at(paths.prefix()).map_err(|error| {
                    Failure::from(error).context(format!("cannot remove the fork in {at}"))
                });
                discarded = discarded.and(destroyed);
            }
        }
        discarded
    }

    /// Makes the prefix. Nothing runs yet.
    ///
    /// This and [`start`](Self::start) are all that bring-up consists of.
    pub(crate) fn make(
        spec: &EnvironmentSpec,
        init_file: InitFile,
        directory: &Path,
    ) -> Result<Self, Failure> {
        make_room(directory)?;
        let config = Config::load()?;
        let options = options(spec, init_file, directory, &config)?;
        let Some(cache) = Cache::if_on(&config).filter(|_| spec.cached) else {
            let key = fingerprint(&options, &config).ok();
            return Ok(Self { key, ..Self::of(Prefix::init(&options)?) });
        };
        let cached = cache.init(options)?;
        let key = cached.key().or_else(|| fingerprint(cached.options(), &config).ok());
        let prefix = cached.prefix().clone();
        let cached = Some(Arc::new(Mutex::new(Some(cached))));
        Ok(Self { cached, key, ..Self::of(prefix) })
    }

    fn of(prefix: Prefix) -> Self {
        tell::log_into(&prefix);
        Self { prefix, cached: None, origin: None, key: None }
    }

    /// What decides whether states of it can stand in for those of an environment that would be made now: what it was
    /// made of. None when that cannot be told.
    pub(crate) fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// The key of an environment that would be made now, or why nobody can tell what it is made of.
    pub(crate) fn key_now(
        spec: &EnvironmentSpec,
        init_file: InitFile,
        directory: &Path,
    ) -> Result<Key, String> {
        let options = Config::load()
            .map_err(Failure::from)
            .and_then(|config| Ok((options(spec, init_file, directory, &config)?, config)));
        let (options, config) =
            options.map_err(|failure| failure.without_location().to_string())?;
        fingerprint(&options, &config)
    }

    /// Brings everything up and waits until all guests answer. Returns what is up, which is another prefix in the same
    /// directory when a cached one did not come up.
    pub(crate) fn start(&self) -> Result<Self, Failure> {
        let cached = self
            .cached
            .as_ref()
            .and_then(|cached| cached.lock().unwrap_or_else(PoisonError::into_inner).take());
        let Some(cached) = cached else {
            self.prefix.start()?;
            return Ok(self.clone());
        };
        let Started { prefix, origin } = cached.start()?;
        Ok(Self { origin: Some(origin), key: self.key.clone(), ..Self::of(prefix) })
    }

    /// What there is to say about where it came from: `, from the cache`.
    pub(crate) fn whence(&self) -> String {
        match &self.origin {
            None | Some(StartOrigin::Boot) => String::new(),
            Some(StartOrigin::Cache) => ", from the cache".to_owned(),
            Some(StartOrigin::UncachedBoot { reason }) => format!(", and is not cached: {reason}"),
        }
    }

    /// Whether it came from the cache instead of booting.
    pub(crate) fn is_from_cache(&self) -> bool {
        self.origin == Some(StartOrigin::Cache)
    }

    /// The prefix.
    pub(crate) fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// Its VMs.
    pub(crate) fn vms(&self) -> impl Iterator<Item = &lago::Vm> {
        self.prefix.vms()
    }

    /// Collects what can be known of it now.
    pub(crate) fn collect(
        &self,
        directory: &Path,
        options: &CollectOptions,
    ) -> Result<Collected, Failure> {
        Ok(self.prefix.collect(directory, options)?)
    }

    /// Makes a running [`start`](Self::start) fail soon: nothing that it waits for lives on.
    pub(crate) fn cut_off(&self) -> Result<(), Failure> {
        Ok(self.prefix.host().stop()?)
    }

    /// Makes a command run where the guests can be reached.
    pub(crate) fn enter(&self, command: &mut Command) -> Result<(), Failure> {
        self.prefix.enter(command).map_err(|error| {
            Failure::from(error).context("cannot run anything on the private host")
        })
    }

    /// The VMs that are not there any more.
    pub(crate) fn gone_vms(&self) -> Result<Vec<GoneVm>, Failure> {
        let mut gone = Vec::new();
        for vm in self.prefix.vms() {
            let Some(ending) = vm.ending()? else { continue };
            let console = vm.console_log();
            gone.push(GoneVm {
                name: vm.name().to_owned(),
                ending,
                last_lines: lago::guest::console::tail(console),
                console: console.to_owned(),
            });
        }
        Ok(gone)
    }

    /// The VMs that stand still because a disk of theirs cannot be written.
    pub(crate) fn vms_paused_by_io_errors(&self) -> Result<Vec<&str>, Failure> {
        let mut paused = Vec::new();
        for vm in self.prefix.vms() {
            if vm.is_paused_by_io_error()? {
                paused.push(vm.name());
            }
        }
        Ok(paused)
    }

    /// Takes everything down and removes the disks; logs and reports stay.
    pub(crate) fn discard(&self) -> Result<(), Failure> {
        Ok(self.prefix.remove_disks()?)
    }

    /// Saves the state of all VMs, with their memory.
    pub(crate) fn snapshot(&self, name: &str) -> Result<(), Failure> {
        self.prefix.snapshot(name)?;
        Ok(())
    }

    /// The saved state that it was in last.
    pub(crate) fn current_snapshot(&self) -> Result<Option<String>, Failure> {
        Ok(self.prefix.current_snapshot()?)
    }

    /// The states that are saved.
    pub(crate) fn snapshots(&self) -> Result<Vec<Snapshot>, Failure> {
        Ok(self.prefix.snapshots()?)
    }

    /// Removes saved states, in this order.
    pub(crate) fn delete_snapshots(&self, names: &[String]) -> Result<(), Failure> {
        for name in names {
            self.prefix.delete_snapshot(name)?;
        }
        Ok(())
    }

    /// Puts all VMs back into a saved state, running.
    pub(crate) fn revert(&self, name: &str) -> Result<(), Failure> {
        self.prefix.revert(name)?;
        Ok(())
    }

    /// A second environment, in a saved state of this one and running.
    pub(crate) fn fork(&self, snapshot: &str, directory: &Path) -> Result<Self, Failure> {
        Ok(Self::of(self.prefix.fork(snapshot, directory)?))
    }

    /// The longest that the state of one of its VMs may take: see [`limits`](crate::limits).
    pub(crate) fn slowest_state(&self) -> Duration {
        let of = |vm: &lago::Vm| lago::virt::state_limit(vm.spec().memory);
        self.prefix.vms().map(of).max().unwrap_or_default()
    }

    /// The VMs' names, with the logs of their consoles.
    pub(crate) fn consoles(&self) -> impl Iterator<Item = (String, PathBuf)> {
        self.prefix.vms().map(|vm| (vm.name().to_owned(), vm.console_log().to_owned()))
    }

    /// Moves the logs to where they outlive the environment.
    pub(crate) fn keep_logs(&self, to: &Path) -> io::Result<()> {
        if to.exists() {
            std::fs::remove_dir_all(to)?;
        }
        std::fs::create_dir_all(to.parent().unwrap_or(to))?;
        std::fs::rename(self.prefix.paths().logs(), to)
    }

    /// Packs it as it is now.
    pub(crate) fn save_capsule(
        &self,
        file: &Path,
        options: &SaveOptions,
    ) -> Result<Saved, Failure> {
        lago::utils::create_dir(file.parent().unwrap_or(file))?;
        Ok(self.prefix.save_capsule(file, options)?)
    }

    /// Stops everything; disks and saved states stay.
    pub(crate) fn stop(&self) -> Result<(), Failure> {
        Ok(self.prefix.stop()?)
    }

    /// Stops everything and removes the directory.
    pub(crate) fn destroy(self) -> Result<(), Failure> {
        Ok(self.prefix.destroy()?)
    }

    /// The prefix's directory.
    pub(crate) fn directory(&self) -> &Path {
        self.prefix.paths().prefix()
    }

    /// How to look into the environment when it is still there.
    pub(crate) fn how_to_look(&self) -> String {
        let vm = self.prefix.vms().next().map_or("VM", lago::Vm::name);
        format!("lago --prefix {} shell {vm}", shown(self.directory()))
    }

    /// How to remove the environment when it is still there.
    pub(crate) fn how_to_remove(&self) -> String {
        format!("lago --prefix {} destroy", shown(self.directory()))
    }
}

/// The reports of a run that had no environment are in the way of one that has; anything else is not ours.
fn make_room(directory: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            Err(Failure::new(format!(
                "{} is there already and is no prefix; remove it, or give the suite another workdir",
                directory.display()
            )))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// What the suite says, on top of the user's settings.
fn options(
    spec: &EnvironmentSpec,
    init_file: InitFile,
    directory: &Path,
    config: &Config,
) -> Result<InitOptions, Failure> {
    let mut options = InitOptions::new(directory, init_file);
    for manifest in &spec.repositories {
        options = options.repository(TemplateRepository::from_file(&from_package(manifest))?);
    }
    Ok(options.with_settings(config)?)
}

/// A path as a shell takes it.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    shlex::try_quote(&text).map_or_else(|_| text.clone().into_owned(), std::borrow::Cow::into_owned)
}
