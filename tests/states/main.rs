//! Saved states, forks and repetitions of a suite with a real VM, from outside: this program runs itself as the suite.

#[path = "../../lago-test/tests/harness/cargo_nextest.rs"]
mod cargo_nextest;
mod life;
mod nextest;
mod parallel;
mod run;
mod suite;
mod unsteady;

use std::process::ExitCode;

use lago_system_tests::fixture_suite::{self, trial};

fn main() -> ExitCode {
    let trials = vec![
        trial("states_outlive_their_run", life::states_outlive_their_run),
        trial("stages_run_on_forks_with_the_same_address", parallel::forks_have_the_same_address),
        cargo_nextest::trial(
            "nextest_runs_each_scenario_from_the_state_it_needs",
            nextest::by_scenario,
        ),
        trial("a_killed_run_leaves_states_to_go_on_from", parallel::a_killed_run),
        trial("each_try_begins_in_the_same_state", unsteady::each_try_begins_in_the_same_state),
    ];
    fixture_suite::main(suite::fixture, trials)
}
