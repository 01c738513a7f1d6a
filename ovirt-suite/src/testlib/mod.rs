//! What scenarios of an oVirt suite need, beside what `lago-test` has for all suites.
//!
//! | `ovirtlago.testlib` | here |
//! |---|---|
//! | `with_ovirt_prefix` | a parameter of the type [`OvirtPrefix`](crate::OvirtPrefix) |
//! | `with_ovirt_api` | a parameter of the type [`OvirtApi`] |
//! | `engine_capability(caps)` | [`.requires(engine(caps))`](engine) |
//! | `host_capability(caps)` | [`.requires(hosts(caps))`](hosts) |
//! | `utils.VectorThread` | [`in_parallel`] |
//! | `assert_true_within*` | the same names, in `lago_test` |
//!
//! ```no_run
//! use lago_test::{IntoScenario as _, Stage, Suite, TestResult, ensure, scenarios};
//! use ovirt_suite::testlib::{OvirtApi, hosts};
//!
//! fn main() -> std::process::ExitCode {
//!     Suite::new("mine")
//!         .init_file("LagoInitFile.yaml")
//!         .stage(Stage::new("sanity").scenarios(scenarios![
//!             hosts_are_up,
//!             hosts_are_up.requires(hosts(["snapshot-live-merge"])),
//!         ]))
//!         .main()
//! }
//!
//! fn hosts_are_up(engine: OvirtApi) -> TestResult {
//!     for host in engine.hosts().all()? {
//!         ensure!(host.status.is_some_and(|status| status.as_str() == "up"), "{:?}", host.name);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Which engine
//!
//! [`WhichEngine`] says what a suite runs against: a simulator, oVirt itself from templates
//! ([`LAGO_OVIRT_TEMPLATES`](which_engine::TEMPLATES)), or an engine that exists already. With
//! [`OVIRT_URL`](external::URL) in the environment, [`OvirtApi`] is the engine at that address instead of that of the
//! prefix: [`ExternalEngine`](external::ExternalEngine) has the other variables.

mod capabilities;
pub mod external;
mod parallel;
mod parameters;
pub mod which_engine;

pub use capabilities::{Capable, engine, hosts};
pub use parallel::in_parallel;
pub use parameters::OvirtApi;
pub use which_engine::{OvirtTemplates, WhichEngine};
