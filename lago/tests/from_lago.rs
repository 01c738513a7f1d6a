//! The table that says where the counterpart of each name of Lago 0.3 is: it has all names, and what it leads to exists.

use std::collections::BTreeSet;

use lago::templates::{FileSystemTemplateProvider, TemplateProvider};
use lago::{Prefix, Vm};

const TABLE: &str = include_str!("../docs/from-lago.md");

/// Every class, function and attribute that the manual of Lago 0.3 lists, its chapter on ovirtlago aside.
const NAMES: &str = include_str!("data/lago-0.3-names.txt");

/// Where the table begins.
const HEADING: &str = "## The library of Lago 0.3";

/// A row: the name in Lago, and the paths here.
fn rows() -> Vec<(&'static str, Vec<&'static str>)> {
    let table = TABLE.split_once(HEADING).expect("the table has its heading").1;
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let code = |cell: &'static str| {
            cell.split(',').map(|word| word.trim().trim_matches('`')).collect::<Vec<_>>()
        };
        (code(cells[1])[0], code(cells[2]))
    })
    .collect()
}

#[test]
fn every_name_of_lago_has_one_row() {
    let listed: Vec<&str> = rows().into_iter().map(|(name, _)| name).collect();
    let wanted: BTreeSet<&str> = NAMES.lines().collect();
    let had: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(had.len(), listed.len(), "a name is there twice");
    let missing: Vec<_> = wanted.difference(&had).collect();
    let unknown: Vec<_> = had.difference(&wanted).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing: {missing:?}, unknown: {unknown:?}");
}

#[test]
fn every_row_leads_to_something_that_exists() {
    let exist: BTreeSet<String> =
        items().iter().chain(values()).chain(calls()).map(|path| path.replace(' ', "")).collect();
    let named: BTreeSet<String> =
        rows().into_iter().flat_map(|(_, paths)| paths).map(str::to_owned).collect();
    let nowhere: Vec<_> = named.difference(&exist).collect();
    assert!(nowhere.is_empty(), "the compiler was not asked whether these exist: {nowhere:?}");
    let unused: Vec<_> = exist.difference(&named).collect();
    assert!(unused.is_empty(), "the table does not name: {unused:?}");
}

/// Modules, types, traits, functions and constants: each has to be there to be imported.
macro_rules! imported {
    ($($($segment:ident)::+),* $(,)?) => {{
        $( #[allow(unused_imports, reason = "that they can be imported is all")] use $($segment)::+ as _; )*
        &[$(stringify!($($segment)::+)),*]
    }};
}

/// Methods and variants: each has to be a value.
macro_rules! valued {
    ($($($segment:ident)::+),* $(,)?) => {{
        $( let _ = $($segment)::+; )*
        &[$(stringify!($($segment)::+)),*]
    }};
}

/// Methods that are generic, so that they are values only where they are called. Nobody does.
macro_rules! called {
    ($($path:literal: $call:expr),* $(,)?) => {{
        $( let _ = $call; )*
        &[$($path),*]
    }};
}

#[rustfmt::skip]
fn items() -> &'static [&'static str] {
    imported![
        lago::InitOptions,
        lago::Prefix,
        lago::Vm,
        lago::brctl::Bridges,
        lago::brctl::create,
        lago::brctl::destroy,
        lago::brctl::exists,
        lago::config::Sources,
        lago::constants,
        lago::dirlock::DirLock,
        lago::dirlock::LOCK_FILE,
        lago::dirlock::lock,
        lago::dirlock::lock_file,
        lago::dirlock::try_lock,
        lago::guest::Cmd,
        lago::guest::Output,
        lago::guest::Service,
        lago::guest::ServiceState,
        lago::paths::Paths,
        lago::prefix::DiskImage,
        lago::prefix::Record,
        lago::spec::Domain,
        lago::spec::Net,
        lago::spec::PlannedNic,
        lago::spec::plan,
        lago::subnet_lease::Owner,
        lago::sysprep::Seed,
        lago::sysprep::add_ssh_key,
        lago::sysprep::config_net_interface_dhcp,
        lago::sysprep::set_hostname,
        lago::sysprep::set_iscsi_initiator_name,
        lago::sysprep::set_root_password,
        lago::sysprep::set_selinux_mode,
        lago::sysprep::sysprep,
        lago::sysprep::upload_file,
        lago::sysprep::write_file,
        lago::templates::FileSystemTemplateProvider,
        lago::templates::HttpTemplateProvider,
        lago::templates::Template,
        lago::templates::TemplateRepository,
        lago::templates::TemplateStore,
        lago::templates::TemplateVersion,
        lago::templates::find_repo_by_name,
        lago::utils::CommandOutput,
        lago::utils::Deadline,
        lago::utils::HostCommand,
        lago::utils::PrefixLog,
        lago::utils::RollbackContext,
        lago::utils::parallel,
        lago::utils::service_is_enabled,
        lago::utils::setup_logging,
        lago::utils::write_json,
        lago::virt::Network,
        lago::virt::VirtEnv,
        lago::virt::domain_xml,
        lago::virt::network_xml::NetworkDescription,
    ]
}

#[rustfmt::skip]
#[expect(clippy::too_many_lines, reason = "it is a list")]
fn values() -> &'static [&'static str] {
    valued![
        lago::Prefix::cleanup,
        lago::Prefix::init,
        lago::Prefix::paths,
        lago::Prefix::record,
        lago::Prefix::revert,
        lago::Prefix::snapshot,
        lago::Prefix::snapshot_with,
        lago::Prefix::start,
        lago::Prefix::stop,
        lago::Prefix::virt_env,
        lago::Vm::alive,
        lago::Vm::all_nics,
        lago::Vm::distro,
        lago::Vm::guest_agent,
        lago::Vm::interactive_ssh,
        lago::Vm::ip,
        lago::Vm::iscsi_name,
        lago::Vm::libvirt_name,
        lago::Vm::metadata,
        lago::Vm::name,
        lago::Vm::nics,
        lago::Vm::output,
        lago::Vm::root_password,
        lago::Vm::service,
        lago::Vm::ssh,
        lago::Vm::start,
        lago::Vm::stop,
        lago::Vm::stream,
        lago::Vm::vnc_port,
        lago::Vm::wait_for_ssh,
        lago::brctl::Bridges::create,
        lago::brctl::Bridges::destroy,
        lago::brctl::Bridges::exists,
        lago::brctl::Bridges::set_link,
        lago::config::Config::from_sources,
        lago::config::Config::get,
        lago::config::Config::load,
        lago::guest::Service::alive,
        lago::guest::Service::exists,
        lago::guest::Service::find,
        lago::guest::Service::provider,
        lago::guest::Service::start,
        lago::guest::Service::state,
        lago::guest::Service::stop,
        lago::guest::ServiceState::Active,
        lago::guest::ServiceState::Inactive,
        lago::guest::ServiceState::Missing,
        lago::guest::Ssh::interactive,
        lago::guest::Ssh::interactive_on,
        lago::guest::Ssh::output,
        lago::guest::Ssh::stream,
        lago::guest::Ssh::wait,
        lago::guest::keys::KeyPair::generate,
        lago::host::Host::libvirt_uri,
        lago::paths::Paths::images,
        lago::paths::Paths::logs,
        lago::paths::Paths::prefix,
        lago::paths::Paths::record,
        lago::paths::Paths::ssh_id_rsa,
        lago::paths::Paths::ssh_id_rsa_pub,
        lago::paths::Paths::ssh_key,
        lago::paths::Paths::ssh_key_pub,
        lago::paths::Paths::state,
        lago::paths::Paths::uuid,
        lago::prefix::Record::distro,
        lago::spec::DhcpRange::contains,
        lago::spec::HostAddress::within,
        lago::spec::InitFile::load,
        lago::spec::NetKind::Bridge,
        lago::spec::NetKind::Nat,
        lago::spec::ServiceProvider::SysVInit,
        lago::spec::ServiceProvider::Systemd,
        lago::spec::ServiceProvider::SystemdContainer,
        lago::subnet_lease::Owner::is_there,
        lago::subnet_lease::SubnetLeases::acquire,
        lago::subnet_lease::SubnetLeases::acquire_subnet,
        lago::subnet_lease::SubnetLeases::dir,
        lago::subnet_lease::SubnetLeases::is_leasable_subnet,
        lago::subnet_lease::SubnetLeases::release,
        lago::subnet_lease::SubnetLeases::release_all,
        lago::templates::Template::get_latest_version,
        lago::templates::Template::get_version,
        lago::templates::TemplateRepository::from_file,
        lago::templates::TemplateRepository::get_by_name,
        lago::templates::TemplateRepository::name,
        lago::templates::TemplateRepository::origin,
        lago::templates::TemplateStore::download,
        lago::templates::TemplateStore::get_path,
        lago::templates::TemplateStore::get_stored_hash,
        lago::templates::TemplateStore::get_stored_metadata,
        lago::templates::TemplateStore::mark_used,
        lago::templates::TemplateStore::path,
        lago::templates::TemplateStore::prune,
        lago::templates::TemplateStore::users,
        lago::templates::TemplateVersion::download,
        lago::templates::TemplateVersion::get_hash,
        lago::templates::TemplateVersion::get_metadata,
        lago::templates::TemplateVersion::timestamp,
        lago::utils::Deadline::passed,
        lago::utils::HostCommand::run,
        lago::utils::RollbackContext::clear,
        lago::virt::Network::alive,
        lago::virt::Network::gateway,
        lago::virt::Network::is_management,
        lago::virt::Network::name,
        lago::virt::Network::resolve,
        lago::virt::Network::start,
        lago::virt::Network::stop,
        lago::virt::VirtEnv::network,
        lago::virt::VirtEnv::networks,
        lago::virt::VirtEnv::start,
        lago::virt::VirtEnv::stop,
        lago::virt::VirtEnv::vm,
        lago::virt::VirtEnv::vms,
        lago::virt::domain_xml::DomainDescription::to_xml,
        lago::virt::network_xml::NetworkDescription::to_xml,
    ]
}

#[rustfmt::skip]
fn calls() -> &'static [&'static str] {
    called![
        "lago::Prefix::open": || Prefix::open(""),
        "lago::Vm::copy_from": |vm: &Vm| vm.copy_from("", ""),
        "lago::Vm::copy_to": |vm: &Vm| vm.copy_to("", ""),
        "lago::Vm::extract_paths": |vm: &Vm| vm.extract_paths([("", "")]),
        "lago::Vm::run": |vm: &Vm| vm.run(lago::cmd!("true")),
        "lago::Vm::ssh_script": |vm: &Vm| vm.ssh_script("", [""]),
        "lago::guest::Ssh::copy_from": |ssh: &lago::guest::Ssh| ssh.copy_from("", ""),
        "lago::guest::Ssh::copy_to": |ssh: &lago::guest::Ssh| ssh.copy_to("", ""),
        "lago::templates::TemplateProvider::download_image":
            <FileSystemTemplateProvider as TemplateProvider>::download_image,
        "lago::templates::TemplateProvider::get_hash":
            <FileSystemTemplateProvider as TemplateProvider>::get_hash,
        "lago::templates::TemplateProvider::get_metadata":
            <FileSystemTemplateProvider as TemplateProvider>::get_metadata,
        "lago::utils::RollbackContext::defer":
            |undo: &mut lago::utils::RollbackContext<'static>| {
                undo.defer("", || Ok::<(), std::io::Error>(()));
            },
        "lago::virt::Network::add_mapping":
            |net: &lago::virt::Network| net.add_mapping("", std::net::Ipv4Addr::LOCALHOST),
        "lago::virt::Network::add_mappings":
            |net: &lago::virt::Network| net.add_mappings([("", std::net::Ipv4Addr::LOCALHOST)]),
    ]
}
