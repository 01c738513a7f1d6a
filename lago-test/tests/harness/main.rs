//! The harness is tested from outside: this program runs itself again as one of the fixture suites, which then run
//! themselves again as workers, and looks at what a user and a CI server would see.

mod blocking;
mod cargo_nextest;
mod command_line;
mod endings;
mod environment;
mod fixtures;
mod github;
mod html;
mod libtest;
mod live;
mod nextest;
mod output;
mod parallel;
mod readers;
mod repeat;
mod report;
mod run;
mod signals;
mod unsteady;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// Names the fixture suite that this program is to be.
pub(crate) const FIXTURE: &str = "LAGO_FIXTURE";

fn main() -> ExitCode {
    match std::env::var(FIXTURE) {
        Ok(name) => fixtures::suite(&name).main(),
        Err(_) => libtest_mimic::run(&Arguments::from_args(), trials()).exit_code(),
    }
}

fn trials() -> Vec<Trial> {
    [
        blocking::trials(),
        command_line::trials(),
        endings::trials(),
        environment::trials(),
        github::trials(),
        html::trials(),
        libtest::trials(),
        live::trials(),
        nextest::trials(),
        output::trials(),
        parallel::trials(),
        readers::trials(),
        repeat::trials(),
        report::trials(),
        signals::trials(),
        unsteady::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Trials from functions, named by their module and their own name.
#[macro_export]
macro_rules! trials {
    ($($function:ident),* $(,)?) => {
        pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
            let module = module_path!().rsplit("::").next().unwrap_or_default();
            vec![$(libtest_mimic::Trial::test(
                format!("{module}::{}", stringify!($function)),
                || { $function(); Ok(()) },
            )),*]
        }
    };
}
