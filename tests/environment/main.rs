//! Two VMs on a private host, as a suite sees them. The suite is one of lago-test's own, so it tests that too.
#![expect(clippy::needless_pass_by_value, reason = "the harness hands parameters over")]

mod commands;
mod files;
mod network;
mod state;

use std::process::ExitCode;

use lago_system_tests::{init_file, repository_manifest, with_store};
use lago_test::{IntoScenario as _, Stage, Suite, continue_on_failure, minutes, scenarios};

lago_test::vms! {
    pub(crate) struct Server = "server";
    pub(crate) struct Client = "client";
}

fn main() -> ExitCode {
    with_store(suite)
}

fn suite() -> ExitCode {
    Suite::new("environment")
        .init_file(init_file("two-vms.yaml"))
        .template_repository(repository_manifest())
        .timeout(minutes(1))
        .stage(Stage::new("network").scenarios(scenarios![
            continue_on_failure(network::every_nic_has_its_planned_address),
            continue_on_failure(network::the_default_route_is_the_management_networks),
            continue_on_failure(network::names_resolve),
            continue_on_failure(network::the_vms_reach_each_other_by_name),
            continue_on_failure(network::a_port_of_a_vm_is_one_of_this_machine),
        ]))
        .stage(Stage::new("commands").scenarios(scenarios![
            continue_on_failure(commands::output_keeps_streams_apart),
            continue_on_failure(commands::arguments_arrive_as_they_are),
            continue_on_failure(commands::standard_input_arrives),
            continue_on_failure(commands::an_exit_code_is_told),
            continue_on_failure(commands::a_failure_shows_what_the_command_said),
            continue_on_failure(commands::a_signal_is_told),
            continue_on_failure(commands::a_limit_ends_the_wait),
            continue_on_failure(commands::an_open_session_is_used_again),
        ]))
        .stage(Stage::new("files").scenarios(scenarios![
            continue_on_failure(files::a_file_goes_in_and_out),
            continue_on_failure(files::a_directory_goes_in_and_out),
            continue_on_failure(files::a_missing_file_is_named),
        ]))
        .stage(Stage::new("state").scenarios(scenarios![
            continue_on_failure(state::everything_is_up),
            continue_on_failure(state::disks_are_those_of_the_init_file),
            continue_on_failure(state::another_process_finds_the_environment),
            continue_on_failure(state::an_unknown_vm_is_told_apart),
            continue_on_failure(state::the_console_is_recorded),
            continue_on_failure(state::a_start_of_what_is_up_changes_nothing),
            state::a_stopped_vm_comes_back_with_its_disk.timeout(minutes(2)),
        ]))
        .main()
}
