//! What a person is told on standard error while a run goes on.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Prints a line. Standard error may be gone with its reader; what is going on must not end for that.
pub(crate) fn tell(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
