//! What is known about the content of disks.

use indexmap::IndexMap;

use super::identity::{LAGO_KEY, METADATA_KEY};
use super::{InitOptions, PrefixError};
use crate::Result;
use crate::spec::{Disk, DiskKind, JsonMap};
use crate::templates::{TemplateStore, find_template};

/// What of it decides how a guest is treated: how it is given its identity, and what it is said to be.
pub(crate) const DECISIVE_KEYS: [&str; 3] = [METADATA_KEY, LAGO_KEY, "distro"];

/// By the VMs' names and the disks' device names: what the init file says, and over it what the templates say.
pub(super) fn of_disks(
    options: &InitOptions,
) -> Result<IndexMap<String, IndexMap<String, JsonMap>>> {
    let domains = options.init_file.domains.iter();
    let of_domain = |disks: &[Disk]| -> Result<IndexMap<_, _>> {
        disks.iter().map(|disk| Ok((disk.dev.clone(), of_disk(disk, options)?))).collect()
    };
    domains.map(|(vm, domain)| Ok((vm.clone(), of_domain(&domain.disks)?))).collect()
}

fn of_disk(disk: &Disk, options: &InitOptions) -> Result<JsonMap> {
    let mut metadata = disk.metadata.clone();
    if let DiskKind::Template { name, version, .. } = &disk.kind {
        let store = TemplateStore::open(options.store.as_deref().ok_or(PrefixError::NoStore)?)?;
        let version = find_template(&options.repositories, name, version.as_deref())?;
        metadata.extend(store.get_stored_metadata(version)?);
    }
    Ok(metadata)
}
