//! `/clusters/{id}`.

use super::super::service::{Collection, Resource};
use super::super::types::{Cluster, Network};

impl Resource<Cluster> {
    /// The networks that its hosts have.
    pub fn networks(&self) -> Collection<Network> {
        self.below("networks")
    }
}
