//! What machines can be: with UEFI firmware and disks on every bus, or only reached over ssh. This program runs itself as a
//! suite with such a machine.

mod remote;
mod scenarios;
mod server;
mod uefi;

use std::process::ExitCode;

use lago_system_tests::fixture_suite::{self, trial};

fn main() -> ExitCode {
    let trials = vec![
        trial(
            "remote::a_machine_that_exists_is_part_of_a_suite",
            remote::a_machine_that_exists_is_part_of_a_suite,
        ),
        trial(
            "remote::a_machine_is_known_by_its_host_key_alone",
            remote::a_machine_is_known_by_its_host_key_alone,
        ),
        trial(
            "uefi::variables_are_part_of_snapshots_forks_and_capsules",
            uefi::variables_are_part_of_snapshots_forks_and_capsules,
        ),
    ];
    fixture_suite::main(scenarios::suite, trials)
}
