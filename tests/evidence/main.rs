//! What can be known of an environment in which something has gone wrong; and a suite with real VMs whose scenarios fail,
//! from outside: this program runs itself as the suite.

mod collect;
mod failures;
mod suite;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// Set for the process that is to be the fixture suite: which one.
const FIXTURE: &str = "LAGO_FIXTURE";

fn main() -> ExitCode {
    if let Ok(name) = std::env::var(FIXTURE) {
        return suite::fixture(&name).main();
    }
    let trial = |name: &str, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    let trials = vec![
        trial("a_guest_gives_evidence_alive_and_dead", collect::alive_and_dead),
        trial("an_environment_that_does_not_come_up_leaves_evidence", failures::never_up),
        trial("a_broken_kernel_fails_the_scenario_and_leaves_evidence", failures::broken_kernels),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
