//! `/jobs/{id}`.

use super::super::service::{Collection, Resource};
use super::super::types::{Job, Step};

impl Resource<Job> {
    /// Its parts.
    pub fn steps(&self) -> Collection<Step> {
        self.below("steps")
    }
}
