//! System tests as Rust functions, run by `cargo test` in a declared order against the VMs of a lago prefix.
//!
//! A test program is a [`Suite`] of [`Stage`]s of [`Scenario`]s. Its `main` says what runs, in the order in which it
//! runs; libtest's own harness is switched off in `Cargo.toml` (`[[test]] harness = false`).
//!
//! ```no_run
//! use lago_test::{
//!     IntoScenario as _, Stage, Suite, TestResult, assert_true_within, continue_on_failure, ensure, minutes,
//!     scenarios, seconds, skip,
//! };
//!
//! fn main() -> std::process::ExitCode {
//!     Suite::new("files")
//!         .stage(Stage::new("write").scenarios(scenarios![create, append]))
//!         .stage(Stage::new("read").scenarios(scenarios![
//!             contents,
//!             continue_on_failure(listing).timeout(minutes(2)),
//!         ]))
//!         .main()
//! }
//!
//! fn create() -> TestResult {
//!     std::fs::write("/var/tmp/greeting", "hello")?;
//!     Ok(())
//! }
//!
//! fn append() -> TestResult {
//!     skip!("nothing to append here")
//! }
//!
//! fn contents() -> TestResult {
//!     let text = std::fs::read_to_string("/var/tmp/greeting")?;
//!     ensure!(text == "hello", "unexpected text: {text}");
//!     Ok(())
//! }
//!
//! fn listing() -> TestResult {
//!     assert_true_within(seconds(5), || Ok(std::fs::exists("/var/tmp/greeting")?))
//! }
//! ```
//!
//! # How a run goes
//!
//! The program that `cargo test` starts is the coordinator. It starts itself again as a worker, which runs one scenario
//! at a time. So a panic, an abort, an endless loop or a `process::exit` costs one scenario and not the run, and all
//! that a scenario and its child processes print belongs to it.
//!
//! After a failure, the rest of its stage and every stage that stands on it is [blocked](Outcome::Blocked): reported as
//! not run, with the name of what failed. [`continue_on_failure`] scenarios block nothing, skipped ones neither. One that
//! has [retries](Scenario::retries) fails only when all of them do.
//!
//! # States
//!
//! A stage starts from the state that the stage before it left, or from another one: [`Stage::from`],
//! [`Stage::from_start`]. Where the environment has moved on from that state, it is put back, VMs with disks and memory;
//! with `--test-threads N` (or `LAGO_JOBS`) stages that do not stand on each other run at the same time, on forks of it.
//!
//! States that stages stand on are saved and outlive the run, unless `LAGO_KEEP=never`. When the command line selects
//! some scenarios only, they start from the nearest saved state; those that lie between run first, as prerequisites;
//! `--skip` leaves scenarios out of that too. `LAGO_FROM=stage` starts from a stage's saved state, `LAGO_FROM=start` in a
//! new environment, and `LAGO_REPEAT=20` runs each selected scenario twenty times from one state.

#![allow(
    clippy::similar_names,
    reason = "a stage leaves a state: both words are needed side by side"
)]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod as_lago;
mod assertions;
mod beside;
pub mod cli;
mod console_watch;
mod context;
mod coordinator;
mod duration;
mod environment;
pub mod events;
mod evidence;
mod files;
mod handler;
pub mod limits;
mod outcome;
mod output;
mod protocol;
mod report;
mod requirement;
mod result;
mod scenario;
mod stage;
mod suite;
mod tell;
mod vms;
mod worker;

pub use assertions::{
    assert_equals_within, assert_equals_within_long, assert_equals_within_short,
    assert_true_within, assert_true_within_long, assert_true_within_short,
};
pub use context::{Context, FromContext, Needs};
pub use duration::{minutes, seconds};
pub use handler::ScenarioFn;
/// What prefixes and VMs can do, for suites that have no dependency of their own on it.
pub use lago;
pub use outcome::Outcome;
pub use requirement::{Requirement, Verdict};
pub use result::{Failure, FailureKind, IntoTestResult, TestResult};
pub use scenario::{IntoScenario, Ready, Scenario, continue_on_failure};
pub use stage::Stage;
pub use suite::Suite;
pub use vms::Vms;
