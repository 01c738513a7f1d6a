//! Making a prefix.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::identity::Identities;
use super::{
    HostKind, Prefix, PrefixError, Record, disks, metadata, names_of_lago, networks, remote,
    removal,
};
use crate::config::Config;
use crate::dirlock::{self, DirLock, Mode};
use crate::host::{self, AccelerationChoice};
use crate::paths::{Paths, default_lease_dir, default_store};
use crate::spec::{
    Domain, Firmware, InitFile, Plan, PlannedVm, SubnetRange, SysprepBackend, TemplateBase,
};
use crate::templates::{
    Digest, StoredImage, TemplateRepository, TemplateStore, find_template, repositories,
};
use crate::utils::{FileError, PRIVATE_MODE, create_dir, let_through, with_rollback, write_file};
use crate::{Result, deploy, sysprep};

/// What a prefix is made from.
#[derive(Debug)]
pub struct InitOptions {
    /// The directory to make. It must not exist yet.
    pub path: PathBuf,
    /// What is to be in it.
    pub init_file: InitFile,
    /// Where templates come from; the first that has one by the name wins.
    pub repositories: Vec<TemplateRepository>,
    /// Where template images are kept.
    pub store: Option<PathBuf>,
    /// Where the domains are to run.
    pub host: HostKind,
    /// How they are to run.
    pub acceleration: AccelerationChoice,
    /// The subnets from which those are chosen that the init file leaves open.
    pub subnet_range: SubnetRange,
    /// Where it is noted which prefix uses which subnet, on a host that several share.
    pub lease_dir: Option<PathBuf>,
}

impl InitOptions {
    /// Everything as it is without settings: a private host, the best acceleration there is, and the template
    /// store of the user.
    pub fn new(path: impl Into<PathBuf>, init_file: InitFile) -> Self {
        Self {
            path: path.into(),
            init_file,
            repositories: Vec::new(),
            store: default_store(),
            host: HostKind::Private,
            acceleration: AccelerationChoice::Auto,
            subnet_range: SubnetRange::default(),
            lease_dir: default_lease_dir(),
        }
    }

    /// As the settings say, as far as they say anything.
    pub fn with_settings(self, config: &Config) -> Result<Self> {
        Ok(Self {
            repositories: [self.repositories, repositories(config)?].concat(),
            store: config.store.clone().or(self.store),
            host: config.libvirt_uri.as_deref().map_or(self.host, HostKind::from_setting),
            acceleration: config.accel,
            subnet_range: config.subnet_range,
            lease_dir: config.lease_dir.clone().or(self.lease_dir),
            ..self
        })
    }

    /// Adds a template repository.
    pub fn repository(mut self, repository: TemplateRepository) -> Self {
        self.repositories.push(repository);
        self
    }

    /// Chooses where the domains are to run.
    pub fn host(self, host: HostKind) -> Self {
        Self { host, ..self }
    }

    /// Chooses how the domains are to run.
    pub fn acceleration(self, acceleration: AccelerationChoice) -> Self {
        Self { acceleration, ..self }
    }

    /// Chooses where template images are kept.
    pub fn store(self, store: impl Into<PathBuf>) -> Self {
        Self { store: Some(store.into()), ..self }
    }
}

pub(super) fn init(options: &InitOptions) -> Result<Prefix> {
    let root = std::path::absolute(&options.path).map_err(|source| PrefixError::Io {
        action: "find",
        path: options.path.clone(),
        source,
    })?;
    let paths = Paths::new(disks::require_text(root)?);
    let _lock = claim(&paths)?;
    let prefix = with_rollback(|rollback| {
        rollback.defer("remove the unfinished prefix", || removal::remove(&paths));
        make(&paths, options)
    })?;
    Ok(prefix)
}

/// Makes a prefix anew in its directory, in which other files stay: the reports of a run.
pub(crate) fn init_again(prefix: &Prefix, options: &InitOptions) -> Result<Prefix> {
    let paths = prefix.paths();
    let _lock = prefix.lock()?;
    prefix.require_no_forks()?;
    prefix.virt_env().stop()?;
    // From here on it is a half one: the old record must not be taken for that of the new disks.
    removal::mark(paths)?;
    names_of_lago::remove(paths)?;
    disks::remove(paths)?;
    fs::remove_dir_all(paths.ssh()).map_err(FileError::io("remove", &paths.ssh()))?;
    deploy::remove(paths)?;
    make(paths, options)
}

/// Makes the directory, or takes over one that a killed process left half made.
pub(crate) fn claim(paths: &Paths) -> Result<DirLock> {
    let path = paths.prefix();
    if !may_claim(paths).map_err(|source| PrefixError::Io {
        action: "read",
        path: path.into(),
        source,
    })? {
        return Err(PrefixError::NotAPrefix { path: path.to_owned() }.into());
    }
    create_dir(path)?;
    let lock = dirlock::lock(path, Mode::Exclusive, super::LOCK_LIMIT)?;
    if paths.is_prefix() {
        return Err(PrefixError::Exists { path: path.to_owned() }.into());
    }
    mark_unfinished(paths).map_err(|source| PrefixError::Io {
        action: "write",
        path: paths.unfinished(),
        source,
    })?;
    removal::clear(paths)?;
    Ok(lock)
}

/// In one step: what a kill in the middle of several left would not be known as the beginning of a prefix.
fn mark_unfinished(paths: &Paths) -> io::Result<()> {
    let marker = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(PRIVATE_MODE)
        .open(paths.unfinished());
    marker.map(drop)
}

/// Whether the directory is ours: not there, empty but for a lock, a prefix, or the beginning of one.
fn may_claim(paths: &Paths) -> io::Result<bool> {
    if !paths.prefix().exists() || paths.is_prefix() || paths.unfinished().exists() {
        return Ok(true);
    }
    for entry in fs::read_dir(paths.prefix())? {
        if entry?.path() != paths.lock() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn make(paths: &Paths, options: &InitOptions) -> Result<Prefix> {
    let remote = remote::addresses(&options.init_file)?;
    require_firmware(&options.init_file)?;
    require_libguestfs(&options.init_file)?;
    for dir in [paths.images(), paths.console_logs(), paths.host_keys(), paths.host()] {
        create_dir(&dir)?;
    }
    if options.is_shared() {
        [paths.prefix(), &paths.images()].into_iter().try_for_each(let_through)?;
    }
    let id = Uuid::new_v4();
    write_file(&paths.uuid(), id.simple().to_string().as_bytes(), PRIVATE_MODE)?;
    let plan = networks::make_plan(paths, id, options)?;
    require_way_in(&plan, &remote)?;
    let identities = Identities::make(paths, id, &options.init_file, &plan)?;
    let disks = disks::make(paths, id, options)?;
    let acceleration = options.acceleration.resolve();
    let disks = identities.give(paths, &options.init_file, acceleration, disks)?;
    take_in_nvram(paths, &options.init_file)?;
    let init_file = options.init_file.clone();
    let mut record = Record::new(id, options.host.clone(), acceleration, init_file, plan, disks);
    record.remote = remote;
    record.deploy_scripts = deploy::take_in(paths, &options.init_file)?;
    record.disk_metadata = metadata::of_disks(options)?;
    record.lease_dir =
        options.lease_dir.clone().filter(|_| matches!(options.host, HostKind::Uri(_)));
    Prefix::establish(paths, record)
}

/// Copies the variables of UEFI firmware that VMs begin with.
fn take_in_nvram(paths: &Paths, init_file: &InitFile) -> Result<(), FileError> {
    for (vm, domain) in &init_file.domains {
        if let Some(from) = &domain.nvram {
            let content = fs::read(from).map_err(FileError::io("read", from))?;
            create_dir(&paths.nvram_dir())?;
            write_file(&paths.nvram(vm), &content, PRIVATE_MODE)?;
        }
    }
    Ok(())
}

/// What a VM starts from has to be on this machine.
pub(crate) fn require_firmware(init_file: &InitFile) -> Result<(), PrefixError> {
    let is_uefi = |domain: &Domain| domain.firmware == Firmware::Uefi;
    let Some((vm, _)) = init_file.domains.iter().find(|(_, domain)| is_uefi(domain)) else {
        return Ok(());
    };
    let found = host::uefi_firmware();
    if found.status == host::Status::Ok {
        return Ok(());
    }
    Err(PrefixError::NoFirmware { vm: vm.clone(), missing: Box::new(found) })
}

/// That it is missing is said before anything is fetched. Steps that were built before do not need it.
fn require_libguestfs(init_file: &InitFile) -> Result<()> {
    let mut backends = init_file.domains.values().filter_map(|domain| domain.sysprep);
    if backends.any(|backend| backend == SysprepBackend::Libguestfs) {
        sysprep::require_libguestfs()?;
    }
    Ok(())
}

/// A VM is reached over ssh on a management network.
fn require_way_in(plan: &Plan, remote: &remote::Addresses) -> Result<(), PrefixError> {
    let has_none =
        |vm: &&PlannedVm| vm.management_nic().is_none() && !remote.contains_key(&vm.name);
    match plan.vms.iter().find(has_none) {
        None => Ok(()),
        Some(vm) => Err(PrefixError::Unsupported {
            vm: vm.name.clone(),
            what: "it has no NIC on a management network, so nothing can be run in it".to_owned(),
            instead: "give it one under `nics`",
        }),
    }
}

impl InitOptions {
    /// The image of a template's version, fetched into the store if it is not there, and marked as used by this prefix.
    pub(super) fn template(
        &self,
        id: Uuid,
        name: &str,
        version: Option<&str>,
        prefix: &Path,
    ) -> Result<StoredImage> {
        let version = find_template(&self.repositories, name, version)?;
        Ok(self.template_store()?.acquire(version, id, prefix)?)
    }

    pub(super) fn template_store(&self) -> Result<TemplateStore> {
        let store = TemplateStore::open(self.store.as_deref().ok_or(PrefixError::NoStore)?)?;
        if self.is_shared() {
            let_through(store.path())?;
        }
        Ok(store)
    }

    /// Whether the domains run on a libvirt that is not the prefix's own, where QEMU may be another user.
    fn is_shared(&self) -> bool {
        matches!(self.host, HostKind::Uri(_))
    }

    /// The image of the template that an exported image stands on: the one in the store with the same digest, or else the
    /// one by the same name, which has to have it.
    pub(super) fn base(&self, id: Uuid, base: &TemplateBase, prefix: &Path) -> Result<StoredImage> {
        let store = self.template_store()?;
        let digest = base.digest.as_ref().and_then(|digest| digest.parse::<Digest>().ok());
        let stored =
            digest.map(|digest| store.acquire_by_digest(&digest, id, prefix)).transpose()?;
        if let Some(image) = stored.flatten() {
            return Ok(image);
        }
        let version = find_template(&self.repositories, &base.name, base.version.as_deref())?;
        let image = store.acquire(version, id, prefix)?;
        match &base.digest {
            Some(expected) if image.digest.as_hex() != expected => Err(PrefixError::OtherBase {
                template: version.name().to_owned(),
                expected: expected.clone(),
                found: image.digest.as_hex().to_owned(),
            }
            .into()),
            _ => Ok(image),
        }
    }
}
