//! Snapshots, reverts, forks and capsules, all on one pair of running guests, as these take long to boot.

mod forks;
mod pair;
mod reverts;
mod takes;

use std::cell::RefCell;

use anyhow::Result;
use once_cell::unsync::OnceCell;

pub(super) use forks::{first as fork_first, fourth as fork_fourth};
pub(super) use pair::{GUESTS, Pair};
pub(super) use reverts::{agent as revert_agent, ssh as revert_ssh};
pub(super) use takes::{memory_file, pause, total};

use super::capsule::Capsules;
use crate::lab::Lab;
use forks::Forks;
use reverts::Reverts;
use takes::Takes;

/// The snapshot that is put back and forked.
const NAME: &str = "bench";

/// What several figures share. Each part is measured once, when the first of its figures is wanted.
#[derive(Default)]
pub(crate) struct Shared {
    forks: OnceCell<Forks>,
    reverts: OnceCell<Reverts>,
    takes: OnceCell<Takes>,
    capsules: OnceCell<Capsules>,
    pair: OnceCell<RefCell<Pair>>,
}

impl Shared {
    fn pair(&self, lab: &Lab) -> Result<&RefCell<Pair>> {
        self.pair.get_or_try_init(|| Pair::boot(lab).map(Into::into))
    }

    fn takes(&self, lab: &Lab, runs: u32) -> Result<&Takes> {
        self.takes.get_or_try_init(|| Takes::measure(&mut self.pair(lab)?.borrow_mut(), runs))
    }

    fn reverts(&self, lab: &Lab, runs: u32) -> Result<&Reverts> {
        self.reverts.get_or_try_init(|| Reverts::measure(&mut self.pair(lab)?.borrow_mut(), runs))
    }

    pub(super) fn capsules(&self, lab: &Lab, runs: u32) -> Result<&Capsules> {
        self.capsules.get_or_try_init(|| Capsules::measure(lab, &self.pair(lab)?.borrow(), runs))
    }

    fn forks(&self, lab: &Lab) -> Result<&Forks> {
        self.forks.get_or_try_init(|| Forks::measure(&mut self.pair(lab)?.borrow_mut()))
    }
}
