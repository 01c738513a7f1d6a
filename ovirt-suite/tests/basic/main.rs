//! oVirt's basic suite, in the order of oVirt's own of the 3.6 era: an engine is set up, gets a data center with hosts and
//! storage, and runs VMs.
#![expect(
    clippy::needless_pass_by_value,
    reason = "the harness hands a scenario's parameters over"
)]

mod bootstrap;
mod faults;
mod initialize;
mod interrupted;
mod iso;
mod machines;
mod names;
mod rest;
mod sanity;
mod simulator;
mod site;
mod storage;
mod templates;
mod wait;

use std::process::ExitCode;

use lago_system_tests::{repository_manifest, with_store};
use lago_test::lago::utils::error_chain;
use lago_test::{IntoScenario as _, Stage, Suite, continue_on_failure, minutes, scenarios};
use ovirt_suite::limits;
use ovirt_suite::testlib::{WhichEngine, hosts};

/// What a host's kernel says of a LUN that it does not reach any more.
const LOST_LUN: &str = r"I/O error, dev sd[a-z]+,";

/// Why a scenario does not run unless that is asked for.
const MISSED_SLOWLY: &str = "hosts need a minute to be sure that storage is gone";

/// Why scenarios that compare do not run unless that is asked for.
const COMPARES: &str = "to compare with `snapshot_at_rest`";

/// Why scenarios do not run unless that is asked for.
const RESTS: &str = "all storage comes to rest and back, which takes minutes";

/// Why scenarios do not run unless that is asked for.
const TAKES_LONG: &str = "all VMs boot again, which takes minutes";

/// The exit code of a suite that cannot be.
const EXIT_UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    match WhichEngine::from_env() {
        Ok(WhichEngine::Simulator) => with_store(|| suite(&WhichEngine::Simulator)),
        Ok(engine) => suite(&engine),
        Err(error) => {
            eprintln!("error: {}", error_chain(&error));
            ExitCode::from(EXIT_UNUSABLE)
        }
    }
}

/// Each kind of engine has a record of its own. One that exists already is there, and set up.
fn suite(engine: &WhichEngine) -> ExitCode {
    let initialize = || {
        Stage::new("initialize_engine").scenarios(scenarios![
            initialize::deploy.timeout(limits::DEPLOY),
            initialize::initialize_engine.timeout(limits::INITIALIZE),
        ])
    };
    let suite = match engine {
        WhichEngine::Existing(_) => Suite::new("basic-external"),
        WhichEngine::Templates(templates) => Suite::new("basic-ovirt")
            .init_file("tests/basic/ovirt/LagoInitFile.yaml")
            .template_repository(templates.manifest())
            .bring_up_timeout(limits::BRING_UP)
            .beside({
                let templates = templates.clone();
                move |prefix| templates.serve_packages(prefix)
            })
            .stage(initialize()),
        WhichEngine::Simulator => Suite::new("basic")
            .init_file("tests/basic/LagoInitFile.yaml")
            .template_repository(repository_manifest())
            .stage(initialize()),
    };
    let mut bootstrap = Stage::new("bootstrap").scenarios(scenarios![
        bootstrap::add_dc,
        bootstrap::add_cluster,
        bootstrap::add_hosts.timeout(minutes(16)),
        storage::add_master_storage_domain,
        storage::add_secondary_storage_domains,
        templates::import_templates.timeout(minutes(20)),
    ]);
    if engine.is_simulated() {
        // Its tool is on the engine's machine, and newer ones of oVirt's have none.
        bootstrap = bootstrap.scenario(iso::add_iso);
    }
    let suite = suite.timeout(minutes(10)).stage(bootstrap).stage(
        Stage::new("basic_sanity").scenarios(scenarios![
            sanity::vms::add_vm_blank,
            sanity::vms::add_nic,
            sanity::vms::add_disk,
            sanity::snapshots::snapshot_merge,
            sanity::vms::add_vm_template,
            sanity::life::vm_run,
            sanity::life::vm_migrate,
            sanity::snapshots::snapshot_live_merge.requires(hosts(["snapshot-live-merge"])),
            sanity::hotplug::hotplug_nic,
            sanity::hotplug::hotplug_disk,
        ]),
    );
    if matches!(engine, WhichEngine::Existing(_)) {
        return suite.main();
    }
    let mut faults = Stage::new("faults")
        .from("bootstrap")
        .scenario(continue_on_failure(faults::engine::engine_hangs));
    if engine.is_simulated() {
        // oVirt has Apache at its port, which stays when the engine's service goes away.
        faults = faults.scenario(continue_on_failure(faults::engine::engine_goes_away));
    }
    let faults = faults.scenarios(scenarios![
        continue_on_failure(faults::hosts::host_with_a_wrong_password),
        continue_on_failure(faults::hosts::host_that_does_not_come_up),
        continue_on_failure(
            faults::storage::storage_unplugged.allow_console(LOST_LUN).ignored(MISSED_SLOWLY)
        ),
    ]);
    suite
        .stage(faults)
        .stage(Stage::new("rest").from("bootstrap").scenarios(scenarios![
            continue_on_failure(rest::snapshot_with_memory.ignored(COMPARES)),
            continue_on_failure(interrupted::snapshot_is_killed.ignored(RESTS)),
            continue_on_failure(interrupted::snapshot_is_interrupted.ignored(RESTS)),
            continue_on_failure(rest::snapshot_at_rest.timeout(minutes(30)).ignored(TAKES_LONG)),
        ]))
        .main()
}
