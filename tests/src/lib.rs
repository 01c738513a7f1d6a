//! What the tests with real virtual machines share.
//!
//! The tests need the images that `cargo xtask images` builds, and the `lago` program, which `cargo test --workspace`
//! builds. Each test has a directory of its own under `target/lago/system-tests`, and removes from it at its start
//! whatever a killed run has left there.

mod environment;
pub mod fixture_suite;
mod guests;
mod images;
mod lago_program;
mod place;
pub mod rfb;
mod settings;
mod terminal;
mod traces;
mod wait;

pub use environment::Environment;
pub use guests::{DISKS, connect, identity, in_guest, received};
pub use images::{repository, repository_manifest};
pub use lago_program::{Ran, lago, lago_path, run, run_within};
pub use place::{Place, init_file, store, target};
pub use settings::with_store;
pub use terminal::Terminal;
pub use traces::Traces;
pub use wait::{DEFAULT_LIMIT, wait_until};
