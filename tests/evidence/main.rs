//! What can be known of an environment in which something has gone wrong; and a suite with real VMs whose scenarios fail,
//! from outside: this program runs itself as the suite.

mod collect;
mod consoles;
mod suite;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// Set for the process that is to be the fixture suite.
const FIXTURE: &str = "LAGO_FIXTURE";

fn main() -> ExitCode {
    if std::env::var_os(FIXTURE).is_some() {
        return suite::fixture().main();
    }
    let trial = |name: &str, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    let trials = vec![
        trial("a_guest_gives_evidence_alive_and_dead", collect::alive_and_dead),
        trial("a_broken_kernel_fails_the_scenario_and_leaves_evidence", consoles::broken_kernels),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
