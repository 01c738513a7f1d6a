//! The table that says where the counterpart of each name of ovirtlago is: it has all names, and what it leads to exists.

use std::collections::BTreeSet;

use ovirt_suite::{OvirtPrefix, constants, maintenance, paths, repos, testlib, virt};

const TABLE: &str = include_str!("../docs/from-lago.md");

/// Every class, function and constant of ovirtlago in Lago 0.3.
const NAMES: &str = include_str!("data/ovirtlago-0.3-names.txt");

/// Where the table begins.
const HEADING: &str = "## The library";

/// What is said instead of a path where there is no counterpart. The reason stands beside it.
const NOTHING: &str = "nothing";

/// A row: the name in ovirtlago, the paths here, and what there is to say about it.
struct Row {
    name: &'static str,
    paths: Vec<&'static str>,
    note: &'static str,
}

fn rows() -> Vec<Row> {
    let table = TABLE.split_once(HEADING).expect("the table has its heading").1;
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let code = |cell: &'static str| cell.split(',').map(|word| word.trim().trim_matches('`'));
        Row { name: cells[1].trim_matches('`'), paths: code(cells[2]).collect(), note: cells[3] }
    })
    .collect()
}

#[test]
fn every_name_of_ovirtlago_has_one_row() {
    let rows = rows();
    let wanted: BTreeSet<&str> = NAMES.lines().collect();
    let had: BTreeSet<&str> = rows.iter().map(|row| row.name).collect();
    assert_eq!(had.len(), rows.len(), "a name is there twice");
    let missing: Vec<_> = wanted.difference(&had).collect();
    let unknown: Vec<_> = had.difference(&wanted).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing: {missing:?}, unknown: {unknown:?}");
}

#[test]
fn every_row_leads_to_something_that_exists_or_says_why_not() {
    let exist: BTreeSet<String> =
        items().iter().chain(values()).chain(calls()).map(|path| path.replace(' ', "")).collect();
    let mut named = BTreeSet::new();
    for Row { name, paths, note } in rows() {
        if paths == [NOTHING] {
            assert!(!note.is_empty(), "{name} has no counterpart, and nothing says why");
        } else {
            named.extend(paths.into_iter().map(str::to_owned));
        }
    }
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

/// Methods: each has to be a value.
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

fn items() -> &'static [&'static str] {
    imported![
        OvirtPrefix,
        constants::ENGINE_PASSWORD,
        constants::ENGINE_USER,
        lago::utils::HostCommand,
        lago_test::assert_true_within,
        lago_test::assert_true_within_long,
        lago_test::assert_true_within_short,
        lago_test::continue_on_failure,
        lago_test::limits::LONG,
        lago_test::limits::SHORT,
        maintenance::activate,
        maintenance::deactivate,
        paths::OvirtPaths,
        repos::Package,
        repos::REPO_PORT,
        repos::RepoServer,
        repos::RepoSetup,
        repos::YumConfig,
        repos::merge::merge,
        repos::merge::scan,
        repos::verify::verify,
        testlib::Capable,
        testlib::OvirtApi,
        testlib::engine,
        testlib::hosts,
        virt::EngineProbe,
        virt::EngineVm,
        virt::HostVm,
        virt::OvirtVirtEnv,
        virt::TestVm,
        virt::wait_for,
    ]
}

fn values() -> &'static [&'static str] {
    valued![
        OvirtPrefix::create_snapshots,
        OvirtPrefix::deploy,
        OvirtPrefix::ovirt_paths,
        OvirtPrefix::revert_snapshots,
        OvirtPrefix::start,
        OvirtPrefix::stop,
        OvirtPrefix::virt_env,
        lago::Prefix::deploy_scripts,
        lago::Vm::stop,
        lago_test::Context::prefix,
        lago_test::Suite::main,
        paths::OvirtPaths::build_dir,
        paths::OvirtPaths::internal_repo,
        paths::OvirtPaths::internal_repos,
        repos::RepoServer::on_management,
        repos::RepoServer::start,
        repos::RepoSetup::run,
        virt::EngineVm::add_iso,
        virt::EngineVm::connect,
        virt::EngineVm::engine_setup,
        virt::EngineVm::forget_api,
        virt::EngineVm::get_api,
        virt::EngineVm::get_api_within,
        virt::EngineVm::password,
        virt::OvirtVirtEnv::engine_vm,
        virt::OvirtVirtEnv::host_vms,
        virt::OvirtVirtEnv::new,
        virt::TestVm::artifact_paths,
        virt::TestVm::new,
    ]
}

fn calls() -> &'static [&'static str] {
    called![
        "lago::Prefix::collect": |prefix: &lago::Prefix| {
            prefix.collect("".as_ref(), &lago::collect::CollectOptions::new(""))
        },
        "lago::Vm::extract_paths": |vm: &lago::Vm| vm.extract_paths([("", "")]),
        "lago_test::Stage::scenarios": |stage: lago_test::Stage| stage.scenarios([]),
        "lago_test::Suite::beside": |suite: lago_test::Suite| suite.beside(|_| Ok(())),
        "lago_test::Suite::workdir": |suite: lago_test::Suite| suite.workdir(""),
        "repos::RepoSetup::built": |setup: repos::RepoSetup| setup.built(""),
        "repos::RepoSetup::synced": || {
            repos::RepoSetup::synced(repos::Upstream::Yum(repos::YumConfig::new("")), "")
        },
    ]
}
