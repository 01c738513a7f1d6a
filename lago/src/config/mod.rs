//! The user's and the system's settings.
//!
//! A setting comes from the first of these that has it:
//! 1. the environment: `LAGO_STORE`, or `LAGO__LAGO__STORE` (section and key)
//! 2. the user's file: `$XDG_CONFIG_HOME/lago/lago.conf`
//! 3. the system's file: `/etc/lago/lago.conf`
//! 4. the default
//!
//! The files are INI files with the section `[lago]`. Relative paths in them are relative to the file.
//!
//! ```ini
//! [lago]
//! store = /srv/lago/store
//! template_repo_path = ~/templates
//! start_limit = 15m
//! cache_size = 20G
//! ```

mod error;
mod generate;
mod keys;
mod layers;
mod values;

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use crate::constants::{CACHE_SIZE, START_LIMIT};
use crate::host::AccelerationChoice;
use crate::spec::{DomainDefaults, SubnetRange};

pub use error::ConfigError;
pub use generate::generate;
pub use layers::{Origin, Sources};

use crate::paths;
use keys::{KEYS, Key};
use layers::Setting;

/// The name of a configuration file.
pub const CONFIG_FILE: &str = "lago.conf";

/// As many tries as Lago makes at ssh, unless it is told otherwise.
const SSH_TRIES: u32 = 100;

/// The seconds that each of them takes.
const SSH_TIMEOUT: u32 = 10;

/// All settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// The template store; `None` when it is not set and the user has no home directory.
    pub store: Option<PathBuf>,
    /// Manifests of template repositories, or directories of them.
    pub template_repo_path: Vec<PathBuf>,
    /// Where template repositories and templates that were added are; `None` when it is not set and the user has no home
    /// directory.
    pub template_repos: Option<PathBuf>,
    /// How VMs are run.
    pub accel: AccelerationChoice,
    /// What is logged.
    pub loglevel: LevelFilter,
    /// The libvirt to use instead of a private host.
    pub libvirt_uri: Option<String>,
    /// How long the VMs of a prefix may take to start.
    pub start_limit: Duration,
    /// Whether suites start from cached environments; `None` leaves it to `lago cache on|off`.
    pub cache: Option<bool>,
    /// Where cached environments are; `None` when it is not set and the user has no home directory.
    pub cache_dir: Option<PathBuf>,
    /// How large all cached environments together may become, in bytes.
    pub cache_size: u64,
    /// The subnets for networks that name none.
    pub subnet_range: SubnetRange,
    /// Where the leases of subnets are; `None` when it is not set and the user has no home directory.
    pub lease_dir: Option<PathBuf>,
    /// What domains are for which an init file does not say.
    pub domain_defaults: DomainDefaults,
    /// How often ssh is tried, as Lago counts it.
    pub ssh_tries: Option<u32>,
    /// How many seconds each try may take.
    pub ssh_timeout: Option<u32>,
    /// How verbs print what they found out: `default`, `json`, `yaml` or `flat`.
    pub out_format: String,
    /// Whether the log is without warnings.
    pub ignore_warnings: bool,
    entries: Vec<Entry>,
    warnings: Vec<String>,
}

/// A setting as text, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub key: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// Its value.
    pub value: String,
    /// Where the value comes from.
    pub origin: Origin,
}

impl Config {
    /// The settings of this process.
    ///
    /// # Errors
    /// When a file cannot be read, or has a key that does not exist or a value that cannot be used: where it is.
    pub fn load() -> Result<Self, ConfigError> {
        let dirs = paths::user_config_dir().into_iter().chain([paths::system_config_dir()]);
        let files = dirs.map(|dir| dir.join(CONFIG_FILE)).collect();
        Self::from_sources(&Sources { environment: env::vars_os().collect(), files })
    }

    /// The settings of other sources.
    pub fn from_sources(sources: &Sources) -> Result<Self, ConfigError> {
        let (settings, warnings) = sources.settings()?;
        let find = |key| settings.iter().find(|setting: &&Setting| setting.key.name == key);
        Ok(Self {
            store: read(find("store"), values::path)?.or_else(paths::default_store),
            template_repo_path: find("template_repo_path")
                .map_or_else(paths::default_repositories, values::paths),
            template_repos: read(find("template_repos"), values::path)?
                .or_else(paths::default_template_repos),
            accel: read(find("accel"), values::accel)?.unwrap_or_default(),
            loglevel: read(find("loglevel"), values::level)?.unwrap_or(LevelFilter::INFO),
            libvirt_uri: find("libvirt_uri").map(|setting| setting.value.clone()),
            start_limit: read(find("start_limit"), values::duration)?.unwrap_or(START_LIMIT),
            cache: read(find("cache"), values::switch)?,
            cache_dir: read(find("cache_dir"), values::path)?.or_else(paths::default_environments),
            cache_size: read(find("cache_size"), values::size)?.unwrap_or(CACHE_SIZE),
            subnet_range: read(find("subnet_range"), values::subnet_range)?.unwrap_or_default(),
            lease_dir: read(find("lease_dir"), values::path)?.or_else(paths::default_lease_dir),
            domain_defaults: DomainDefaults {
                ssh_user: read(find("ssh_user"), values::word)?.flatten(),
                ssh_password: read(find("ssh_password"), values::word)?.flatten(),
                root_password: read(find("default_root_password"), values::word)?.flatten(),
                vm_type: read(find("default_vm_type"), values::word)?.flatten(),
                vm_provider: read(find("default_vm_provider"), values::vm_provider)?.flatten(),
            },
            ssh_tries: read(find("ssh_tries"), values::count)?,
            ssh_timeout: read(find("ssh_timeout"), values::count)?,
            out_format: read(find("out_format"), values::out_format)?
                .unwrap_or_else(|| values::OUT_FORMATS[0].to_owned()),
            ignore_warnings: read(find("ignore_warnings"), values::switch)?.unwrap_or(false),
            entries: Vec::new(),
            warnings,
        }
        .with_entries(&settings))
    }

    /// Every setting with its origin, to be shown.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// A setting by its name.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// What looks like a mistake but may be meant for somebody else, such as the environment variable `LAGO_STROE`.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How long a guest may take until it answers ssh, as Lago's settings say it, and with what else says one of the two.
    pub fn ssh_limit(&self, tries: Option<u32>, timeout: Option<u32>) -> Option<Duration> {
        let (tries, timeout) = (tries.or(self.ssh_tries), timeout.or(self.ssh_timeout));
        (tries.is_some() || timeout.is_some()).then(|| {
            let seconds =
                u64::from(tries.unwrap_or(SSH_TRIES)) * u64::from(timeout.unwrap_or(SSH_TIMEOUT));
            Duration::from_secs(seconds)
        })
    }

    /// The template store.
    ///
    /// # Errors
    /// When it is not set and the user has no home directory.
    pub fn store(&self) -> Result<PathBuf, ConfigError> {
        self.store.clone().ok_or(ConfigError::NoStore)
    }

    fn with_entries(mut self, settings: &[Setting]) -> Self {
        let entry = |key: &'static Key| {
            let origin = settings.iter().find(|setting| setting.key.name == key.name);
            Entry {
                key: key.name,
                description: key.description,
                value: self.shown(key.name),
                origin: origin.map_or(Origin::Default, |setting| setting.origin.clone()),
            }
        };
        self.entries = KEYS.iter().map(entry).collect();
        self
    }

    fn shown(&self, key: &str) -> String {
        let show = |path: &PathBuf| path.display().to_string();
        match key {
            "store" => self.store.as_ref().map(show).unwrap_or_default(),
            "template_repo_path" => {
                self.template_repo_path.iter().map(show).collect::<Vec<_>>().join(":")
            }
            "template_repos" => self.template_repos.as_ref().map(show).unwrap_or_default(),
            "accel" => self.accel.to_string(),
            "loglevel" => self.loglevel.to_string(),
            "libvirt_uri" => self.libvirt_uri.clone().unwrap_or_default(),
            "start_limit" => format!("{}s", self.start_limit.as_secs()),
            "cache" => match self.cache {
                None => String::new(),
                Some(on) => shown_switch(on),
            },
            "cache_dir" => self.cache_dir.as_ref().map(show).unwrap_or_default(),
            "cache_size" => values::shown_size(self.cache_size),
            "subnet_range" => self.subnet_range.to_string(),
            "lease_dir" => self.lease_dir.as_ref().map(show).unwrap_or_default(),
            "ssh_user" => self.domain_defaults.ssh_user.clone().unwrap_or_default(),
            "ssh_password" => hidden(self.domain_defaults.ssh_password.as_ref()),
            "ssh_tries" => shown_number(self.ssh_tries),
            "ssh_timeout" => shown_number(self.ssh_timeout),
            "default_root_password" => hidden(self.domain_defaults.root_password.as_ref()),
            "default_vm_type" => self.domain_defaults.vm_type.clone().unwrap_or_default(),
            "default_vm_provider" => self.domain_defaults.vm_provider.clone().unwrap_or_default(),
            "out_format" => self.out_format.clone(),
            "ignore_warnings" => shown_switch(self.ignore_warnings),
            _ => String::new(),
        }
    }
}

/// A password that is set is not for the screen.
fn hidden(password: Option<&String>) -> String {
    password.map(|_| "********".to_owned()).unwrap_or_default()
}

fn shown_number(number: Option<u32>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn shown_switch(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

/// The value of a setting that is there, or where it is and what is wrong with it.
fn read<T>(
    setting: Option<&Setting>,
    parse: impl FnOnce(&Setting) -> Result<T, String>,
) -> Result<Option<T>, ConfigError> {
    let Some(setting) = setting else { return Ok(None) };
    let invalid = |reason| ConfigError::Invalid {
        origin: setting.origin.clone(),
        key: setting.key.name,
        value: setting.value.clone(),
        reason,
    };
    parse(setting).map(Some).map_err(invalid)
}

#[cfg(test)]
mod tests;
