//! What every room needs: work on several VMs at once, undoing half-done work, running host programs, limits on waits,
//! files that are either written completely or not at all, and the log in a prefix.

mod command;
mod deadline;
mod failures;
mod files;
mod logging;
mod parallel;
mod rollback;
mod scratch;
mod system_service;

pub use command::{COMMAND_LIMIT, CommandError, CommandOutput, HostCommand};
pub use deadline::{Deadline, Probe, TimedOut, wait_until};
pub use failures::{BoxError, Failures, error_chain};
pub use files::{
    FileError, PRIVATE_MODE, create_dir, read_json, read_text, write_file, write_json,
};
pub(crate) use files::{is_at, let_through};
pub use logging::{LOG_FILE, LOG_SIZE, LineWriter, LoggingError, PrefixLog, setup_logging};
pub use parallel::{MAX_THREADS, parallel};
pub use rollback::{RollbackContext, UndoError, with_rollback};
pub(crate) use scratch::{ScratchDir, sweep};
pub use system_service::service_is_enabled;
