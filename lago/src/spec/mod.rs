#![doc = include_str!("../../docs/init-file.md")]

mod build;
mod check;
mod defaults;
mod diagnostic;
mod disk;
mod domain;
mod fields;
mod ipv6;
pub(crate) mod names;
mod net;
mod origin;
mod plan;
mod prototypes;
mod size;
mod ssh_access;
mod subnet_range;
mod tree;
mod types;
mod variables;

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub(crate) use build::{Input, Split};
use diagnostic::Report;
use fields::{Fields, Known};
use origin::Origin;
use tree::{Node, Value};

pub use defaults::DomainDefaults;
pub use diagnostic::{Diagnostic, SpecError};
pub(crate) use net::overlap;
pub use plan::{Plan, PlanInput, PlannedIpv6, PlannedNet, PlannedNic, PlannedVm, plan};
pub(crate) use plan::{autoconfigured, free_address, mac, names_of_nic};
pub(crate) use size::parse as parse_size;
pub use subnet_range::{NoSubnetRange, SubnetRange};
pub use types::{
    BuildStep, Dhcp, DhcpRange, Disk, DiskFormat, DiskKind, Domain, FileSource, Firmware, Graphics,
    HostAddress, Ipv6Subnet, JsonMap, Net, NetKind, Nic, SelinuxMode, ServiceProvider, SshAccess,
    SysprepBackend, TemplateBase, Uplink, VmProvider,
};
pub use variables::expanded;

/// The fields of the file itself.
const SECTIONS: &[&str] = &["domains", "nets", "prototypes"];

/// An init file, with prototypes and defaults applied, and free of mistakes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InitFile {
    /// The virtual machines by name, in the order of the file.
    pub domains: IndexMap<String, Domain>,
    /// The networks by name, in the order of the file.
    pub nets: IndexMap<String, Net>,
    #[serde(skip)]
    origin: Origin,
}

impl InitFile {
    /// Reads an init file, YAML or JSON.
    ///
    /// `name` is what messages call the file. Its directory is what `$LAGO_INITFILE_PATH` stands for, and what relative
    /// paths of disks start from.
    ///
    /// ```
    /// use std::path::Path;
    /// use lago::spec::InitFile;
    ///
    /// let file = InitFile::parse("
    /// domains:
    ///   web:
    ///     nics: [{net: lagoo}]
    ///     disks: [{type: template, template_name: debian}]
    /// nets:
    ///   lago:
    /// ", Path::new("LagoInitFile"));
    /// assert!(file.unwrap_err().to_string().starts_with(
    ///     "LagoInitFile:4:18: the net \"lagoo\" does not exist; did you mean `lago`?"
    /// ));
    /// ```
    pub fn parse(text: &str, name: &Path) -> Result<Self, SpecError> {
        Self::parse_in(text, name, &directory_of(name), &DomainDefaults::default())
    }

    /// Reads the init file at `path`, YAML or JSON.
    pub fn load(path: &Path) -> Result<Self, SpecError> {
        Self::load_with(path, &DomainDefaults::default())
    }

    /// As [`Self::load`], with other defaults for domains.
    pub fn load_with(path: &Path, defaults: &DomainDefaults) -> Result<Self, SpecError> {
        let failed = |source| SpecError::Read { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let absolute = std::path::absolute(path).map_err(failed)?;
        Self::parse_in(&text, path, &directory_of(&absolute), defaults)
    }

    /// The directory of the file, from which relative paths start.
    pub fn directory(&self) -> PathBuf {
        let file = std::path::absolute(self.origin.file()).unwrap_or_default();
        directory_of(&file)
    }

    fn parse_in(
        text: &str,
        name: &Path,
        directory: &Path,
        defaults: &DomainDefaults,
    ) -> Result<Self, SpecError> {
        let report = Report::new(name, text);
        let mut file =
            Self { domains: IndexMap::new(), nets: IndexMap::new(), origin: Origin::default() };
        if let Some(mut root) = tree::read(text, &report) {
            variables::expand(&mut root, directory);
            prototypes::apply(&mut root, &report);
            defaults.apply(&mut root);
            file = read(&root, directory, &report);
            file.origin = Origin::record(name, text, &root);
            check::all(&file, &report);
        }
        report.finish(file)
    }
}

/// The directory of a file, `.` if its name has none.
fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(directory) if directory != Path::new("") => directory.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Reads the tree into types. What is wrong goes to the report, and something harmless takes its place.
fn read(root: &Node, directory: &Path, report: &Report<'_>) -> InitFile {
    let anchored = anchored(root);
    let known = Known { documented: SECTIONS, tolerated: &anchored };
    let top = Fields::open(report, root, root.at, "an init file", &known);
    let mut domains = IndexMap::new();
    let mut nets = IndexMap::new();
    for (name, entry) in top.map("nets").into_iter().flat_map(|map| &map.entries) {
        check_name(name, entry.key, report);
        nets.insert(name.clone(), net::read(name, entry, report));
    }
    for (name, entry) in top.map("prototypes").into_iter().flat_map(|map| &map.entries) {
        domain::read(None, entry, &nets, directory, report);
        if name.is_empty() {
            report.mistake(entry.key, "the prototype has no name", "write a name before the colon");
        }
    }
    for (name, entry) in top.map("domains").into_iter().flat_map(|map| &map.entries) {
        check_name(name, entry.key, report);
        domains.insert(name.clone(), domain::read(Some(name), entry, &nets, directory, report));
    }
    complete_nets(&mut nets, &domains);
    // A mistake that was found may be why there is none.
    if domains.is_empty() && report.is_clean() {
        report.mistake(
            root.at,
            "the init file has no domain",
            "write at least one virtual machine under `domains`",
        );
    }
    InitFile { domains, nets, origin: Origin::default() }
}

/// Fills in what a network leaves open and the rest of the file decides.
fn complete_nets(nets: &mut IndexMap<String, Net>, domains: &IndexMap<String, Domain>) {
    if let [net] = nets.values_mut().collect::<Vec<_>>().as_mut_slice() {
        net.management = true;
    }
    for (name, net) in nets {
        let nics = domains.values().flat_map(|domain| &domain.nics);
        net::infer_subnet(net, nics.filter(|nic| nic.net == *name).filter_map(|nic| nic.ip));
    }
}

/// The fields of the top level that hold a YAML anchor, for other parts of the file to refer to.
fn anchored(root: &Node) -> Vec<&str> {
    let Value::Map(map) = &root.value else { return Vec::new() };
    let anchored = map.entries.iter().filter(|(_, entry)| entry.anchored);
    anchored.map(|(key, _)| key.as_str()).collect()
}

fn check_name(name: &str, at: diagnostic::Mark, report: &Report<'_>) {
    if let Err(message) = names::check(name) {
        report.mistake(at, message, names::help());
    }
}
