//! What can be done with a VM: its devices, its services, its power, faults of its network. Every stage starts from the
//! environment as it came up.
#![expect(clippy::needless_pass_by_value, reason = "the harness hands parameters over")]

mod devices;
mod display;
mod faults;
mod power;
mod properties;
mod scripts;
mod services;

use std::process::ExitCode;

use lago_system_tests::{init_file, repository_manifest, with_store};
use lago_test::{Stage, Suite, continue_on_failure, minutes, scenarios};

lago_test::vms! {
    pub(crate) struct Server = "server";
    pub(crate) struct Client = "client";
}

fn main() -> ExitCode {
    with_store(suite)
}

fn suite() -> ExitCode {
    Suite::new("vms")
        .init_file(init_file("vms.yaml"))
        .template_repository(repository_manifest())
        .timeout(minutes(1))
        .stage(Stage::new("properties").scenarios(scenarios![
            continue_on_failure(properties::what_the_init_file_says_is_what_the_guest_sees),
            continue_on_failure(properties::disks_are_on_their_buses),
            continue_on_failure(properties::the_distribution_is_what_the_file_or_the_guest_says),
        ]))
        .stage(Stage::new("scripts").from_start().scenarios(scenarios![
            continue_on_failure(scripts::a_script_has_its_arguments_and_its_exit_code),
            continue_on_failure(scripts::a_script_of_any_size_runs),
            continue_on_failure(scripts::a_script_leaves_nothing_behind),
        ]))
        .stage(Stage::new("services").from_start().scenarios(scenarios![
            continue_on_failure(services::an_init_script_starts_and_stops),
            continue_on_failure(services::what_is_not_there_is_missing),
            continue_on_failure(services::the_agents_service_is_found),
            continue_on_failure(services::a_docker_that_does_not_answer_changes_nothing),
        ]))
        .stage(Stage::new("faults").from_start().scenarios(scenarios![
            continue_on_failure(faults::a_pulled_cable_is_seen_by_the_guest),
            continue_on_failure(faults::packets_are_lost_until_it_is_cleared),
            continue_on_failure(faults::a_delay_needs_a_kernel_that_can),
            continue_on_failure(faults::parted_vms_reach_the_host_and_not_each_other),
            continue_on_failure(faults::another_process_heals_what_a_killed_one_left),
            continue_on_failure(faults::a_revert_ends_faults),
        ]))
        .stage(Stage::new("devices").from_start().scenarios(scenarios![
            continue_on_failure(devices::an_attached_disk_is_part_of_snapshots),
            continue_on_failure(devices::what_cannot_be_attached_or_detached_is_said),
            continue_on_failure(devices::an_attached_nic_gets_its_planned_address)
                .timeout(minutes(2)),
            continue_on_failure(devices::an_attached_disk_is_there_after_a_restart)
                .timeout(minutes(2)),
        ]))
        .stage(Stage::new("display").from_start().scenarios(scenarios![
            continue_on_failure(display::a_display_wants_its_password),
            continue_on_failure(display::a_display_is_there_after_a_revert_and_in_a_fork),
            continue_on_failure(display::a_vm_without_a_display_says_so),
        ]))
        .stage(Stage::new("power").from_start().scenarios(scenarios![
            continue_on_failure(power::a_paused_vm_does_nothing_until_it_is_resumed),
            continue_on_failure(power::a_guest_is_told_to_start_anew_by_its_agent)
                .timeout(minutes(2)),
            continue_on_failure(power::a_guest_without_an_agent_is_told_by_the_power_button)
                .timeout(minutes(2)),
            continue_on_failure(power::an_nmi_reaches_the_kernel),
            continue_on_failure(power::a_crash_loses_what_was_not_written).timeout(minutes(2)),
            continue_on_failure(power::a_guest_shuts_down),
            continue_on_failure(power::a_guest_that_does_not_listen_stays_up),
        ]))
        .main()
}
