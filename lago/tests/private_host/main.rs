//! Real private hosts: real namespaces, a real libvirtd.
//!
//! The program is also what the tests start: a process that brings a host up and then is killed, and all of the tests
//! again as a plain user. Run by root, the tests cover that user, too, when `LAGO_TEST_USER` names one with subordinate
//! ids; run by a plain user, they cover that user only.

mod bridges;
mod enter;
mod fixture;
mod life;
mod nested;
mod network;
mod plain_user;
mod uplink;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// With this variable the program is no test, but a process that starts the host in the directory that it names, says
/// so, and waits to be killed.
const STARTER_VARIABLE: &str = "LAGO_TEST_STARTER";

fn main() -> ExitCode {
    if let Some(dir) = std::env::var_os(STARTER_VARIABLE) {
        return life::be_a_starter(dir.as_ref());
    }
    if std::env::var_os(bridges::INSIDE_VARIABLE).is_some() {
        bridges::are_made_where_this_process_is();
        return ExitCode::SUCCESS;
    }
    if let Some(dir) = std::env::var_os(nested::DIRECTORY_VARIABLE) {
        nested::start_and_list_networks(dir.as_ref());
        return ExitCode::SUCCESS;
    }
    if let Some(dir) = std::env::var_os(uplink::DIRECTORY_VARIABLE) {
        uplink::is_tried_on_the_machine(dir.as_ref());
        return ExitCode::SUCCESS;
    }
    let mut arguments = Arguments::from_args();
    // Each test runs a libvirtd or two; more of them at once only measure the machine.
    arguments.test_threads.get_or_insert(2);
    let mut trials = vec![
        trial("start_enter_stop_leaves_nothing", life::start_enter_stop_leaves_nothing),
        trial("start_and_stop_again_do_nothing", life::start_and_stop_again_do_nothing),
        trial("two_starts_at_once_make_one_host", life::two_starts_at_once_make_one_host),
        trial("a_host_outlives_its_killed_starter", life::a_host_outlives_its_killed_starter),
        trial("a_start_killed_half_way_is_found", life::a_start_killed_half_way_is_found),
        trial("a_killed_libvirtd_comes_back", life::a_killed_libvirtd_comes_back),
        trial("a_domain_outlives_its_libvirtd", life::a_domain_outlives_its_libvirtd),
        trial("all_ends_with_the_first_process", life::all_ends_with_the_first_process),
        trial("a_damaged_directory_can_be_stopped", life::a_damaged_directory_can_be_stopped),
        trial("a_stale_pid_file_is_not_trusted", life::a_stale_pid_file_is_not_trusted),
        trial("a_stray_is_found_and_removed", life::a_stray_is_found_and_removed),
        trial("a_failed_start_says_why", life::a_failed_start_says_why),
        trial("orphans_are_reaped", life::orphans_are_reaped),
        trial("a_command_keeps_its_surroundings", enter::a_command_keeps_its_surroundings),
        trial("exit_codes_and_signals_pass", enter::exit_codes_and_signals_pass),
        trial(
            "a_program_for_administrators_is_found",
            enter::a_program_for_administrators_is_found,
        ),
        trial("a_missing_program_is_an_error", enter::a_missing_program_is_an_error),
        trial("a_killed_child_kills_the_command", enter::a_killed_child_kills_the_command),
        trial(
            "streams_close_when_the_command_closes_them",
            enter::streams_close_when_the_command_closes_them,
        ),
        trial("further_descriptors_are_inherited", enter::further_descriptors_are_inherited),
        trial(
            "a_process_inside_uses_the_host_directly",
            enter::a_process_inside_uses_the_host_directly,
        ),
        trial(
            "a_stopped_command_stops_its_supervisor",
            enter::a_stopped_command_stops_its_supervisor,
        ),
        trial("two_hosts_share_a_subnet", network::two_hosts_share_a_subnet),
        trial("a_connection_from_outside", network::a_connection_from_outside),
        trial("somebody_inside_reaches_a_listener", network::somebody_inside_reaches_a_listener),
        trial(
            "a_connection_whose_first_packets_are_lost",
            network::a_connection_whose_first_packets_are_lost,
        ),
        trial("a_connection_keeps_its_limit", network::a_connection_keeps_its_limit),
        trial("bridges_of_a_host", bridges::bridges_of_a_host),
        trial("bridges_around_this_process", bridges::bridges_around_this_process),
        trial("no_connection_to_a_stopped_host", network::no_connection_to_a_stopped_host),
        trial("a_host_within_a_host_is_its_own", nested::a_host_within_a_host_is_its_own),
        trial("guests_get_out_and_nobody_gets_in", uplink::guests_get_out_and_nobody_gets_in),
        trial("a_uri_that_does_not_answer", network::a_uri_that_does_not_answer),
    ];
    trials.extend(plain_user::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test that fails by a panic.
fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}
