//! Test programs that run themselves as the suite which they test.

use std::env;
use std::process::ExitCode;

use lago_test::Suite;
use libtest_mimic::{Arguments, Trial};

/// Set for the process that is to be the fixture suite: which one.
pub const FIXTURE: &str = "LAGO_FIXTURE";

/// The `main` of a test program that runs itself as the suite which it tests.
#[must_use]
pub fn main(fixture: fn(&str) -> Suite, trials: Vec<Trial>) -> ExitCode {
    match env::var(FIXTURE) {
        Ok(name) => fixture(&name).main(),
        Err(_) => libtest_mimic::run(&Arguments::from_args(), trials).exit_code(),
    }
}

/// A test that fails by a panic.
pub fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}
