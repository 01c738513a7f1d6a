use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of each member so far, in lines as `sha256sum` writes them.
#[derive(Debug, Default)]
pub(super) struct Sums(String);

impl Sums {
    pub(super) fn add(&mut self, path: &str, sum: Sha256) {
        writeln!(self.0, "{:x}  {path}", sum.finalize()).expect("writing to a string cannot fail");
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}
