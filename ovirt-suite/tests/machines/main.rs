//! The machines of an oVirt environment, without oVirt: what is said when something is missing, and what is done in guests.
#![expect(clippy::needless_pass_by_value, reason = "the harness hands parameters over")]

mod downloads;
mod engine;
mod packages;
mod roles;

use std::process::ExitCode;

use lago_system_tests::{repository_manifest, with_store};
use lago_test::{IntoScenario as _, Stage, Suite, continue_on_failure, minutes, scenarios};
use ovirt_suite::testlib;

fn main() -> ExitCode {
    with_store(suite)
}

fn suite() -> ExitCode {
    Suite::new("machines")
        .init_file("tests/machines/LagoInitFile.yaml")
        .template_repository(repository_manifest())
        .timeout(minutes(2))
        .beside(downloads::serve)
        .stage(Stage::new("roles").scenarios(scenarios![
            continue_on_failure(roles::vms_are_what_their_metadata_say),
            roles::runs.requires(testlib::hosts(["wings"])).requires(testlib::engine(["motor"])),
            roles::never_runs.requires(testlib::hosts(["wings", "gills"])),
            continue_on_failure(roles::services_that_are_not_there_are_left_out),
        ]))
        .stage(Stage::new("packages").scenarios(scenarios![
            packages::packages_are_served_to_guests,
            packages::a_program_is_told_the_place_and_its_exit_code_counts,
            packages::a_program_that_is_tested_with_ends_in_its_own_way,
            downloads::guests_download_at_once_beside_one_that_is_slow,
            downloads::a_download_outlives_its_scenario,
        ]))
        .stage(Stage::new("engine").scenarios(scenarios![
            continue_on_failure(engine::a_missing_service_is_named),
            continue_on_failure(engine::a_snapshot_that_cannot_be_is_refused_before_anything_rests),
            engine::a_script_makes_the_engine,
            continue_on_failure(engine::a_service_that_does_not_run_is_named),
            continue_on_failure(engine::answers_are_a_secret_and_setup_must_succeed),
            continue_on_failure(engine::an_engine_without_an_authority_is_named),
            continue_on_failure(engine::an_api_that_does_not_answer_is_named),
        ]))
        .main()
}
