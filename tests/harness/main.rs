//! A suite of lago-test with real VMs, from outside: this program runs itself as the suite `fixture`.

mod aftermath;
mod run;
mod suite;

use std::process::ExitCode;

use lago_system_tests::fixture_suite::{self, trial};

fn main() -> ExitCode {
    let trials = vec![
        trial("a_suite_passes_and_its_environment_goes", run::a_suite_passes),
        trial("an_environment_that_was_kept_is_replaced", run::a_kept_environment),
        trial("a_killed_run_is_cleaned_up_by_the_next", run::a_killed_run),
        trial("a_vm_that_the_init_file_lacks_is_refused", run::an_unknown_vm),
        trial("the_capsule_of_a_failure_outlives_the_run", aftermath::a_capsule),
        trial("a_shell_is_opened_at_a_failure", aftermath::a_shell),
        trial("a_second_interrupt_says_what_is_left", aftermath::a_second_interrupt),
    ];
    fixture_suite::main(suite::fixture, trials)
}
