//! What every room needs: work on several VMs at once, undoing half-done work, running host programs, limits on waits,
//! and files that are either written completely or not at all.

mod command;
mod deadline;
mod failures;
mod files;
mod parallel;
mod rollback;

pub use command::{COMMAND_LIMIT, CommandError, CommandOutput, HostCommand};
pub use deadline::{Deadline, Probe, TimedOut, wait_until};
pub use failures::{BoxError, Failures, error_chain};
pub use files::{
    FileError, PRIVATE_MODE, create_dir, read_json, read_text, write_file, write_json,
};
pub use parallel::{MAX_THREADS, parallel};
pub use rollback::{RollbackContext, UndoError, with_rollback};
