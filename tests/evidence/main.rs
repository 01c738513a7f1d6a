//! What can be known of an environment in which something has gone wrong; and a suite with real VMs whose scenarios fail,
//! from outside: this program runs itself as the suite.

mod collect;
mod failures;
mod suite;

use std::process::ExitCode;

use lago_system_tests::fixture_suite::{self, trial};

fn main() -> ExitCode {
    let trials = vec![
        trial("a_guest_gives_evidence_alive_and_dead", collect::alive_and_dead),
        trial("an_environment_that_does_not_come_up_leaves_evidence", failures::never_up),
        trial("a_broken_kernel_fails_the_scenario_and_leaves_evidence", failures::broken_kernels),
    ];
    fixture_suite::main(suite::fixture, trials)
}
