//! Which prefix uses which subnet, on a host that several share.
//!
//! A private host has networks of its own, and needs none of this. On a libvirt by its URI two networks with the same
//! subnet are in each other's way, so each prefix leases the subnets of its networks, and gives them back when it is
//! destroyed.
//!
//! A lease is a file, in a directory that all prefixes on the host share. It names the prefix that owns it, by its
//! directory and its UUID. It holds as long as its owner is there: the directory has that UUID, and is a whole prefix or
//! one that a living process is making. No process has to give a lease back for that: when a prefix is destroyed, removed
//! by hand or was left half made by a process that was killed, the next one that wants a lease finds the stale one and
//! removes it.
//!
//! The directory is the user's own, unless the setting `lease_dir` names one for several. They need to be able to write
//! to it and to the lock in it, as after `install -d -m 2775 -g GROUP DIR` and
//! `install -m 660 -g GROUP /dev/null DIR/lock`.

mod error;
mod file;
mod owner;

use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::Ipv4Net;

use crate::dirlock::{self, DirLock, Mode};
use crate::spec::{SubnetRange, overlap};
use crate::utils::create_dir;

pub use error::LeaseError;
pub use owner::Owner;

/// How long to wait for others who take or give back leases. Each needs milliseconds, and some more for a libvirt that
/// is asked which subnets it uses.
const LOCK_LIMIT: Duration = Duration::from_secs(60);

/// A subnet, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The subnet.
    pub subnet: Ipv4Net,
    /// The prefix that uses it.
    pub owner: Owner,
}

/// The leases of one host.
///
/// ```
/// use lago::spec::SubnetRange;
/// use lago::subnet_lease::{Owner, SubnetLeases};
/// # let dir = tempfile::tempdir().unwrap();
/// # let prefix = dir.path().join("prefix");
/// # std::fs::create_dir(&prefix).unwrap();
/// # std::fs::write(prefix.join("uuid"), uuid::Uuid::new_v4().to_string()).unwrap();
/// # std::fs::write(prefix.join("prefix.json"), "{}").unwrap();
/// let leases = SubnetLeases::new(dir.path().join("leases"), SubnetRange::default());
/// let owner = Owner::of(&prefix).unwrap();
/// assert_eq!(leases.acquire(&owner, &[]).unwrap().to_string(), "192.168.200.0/24");
/// assert_eq!(leases.acquire(&owner, &[]).unwrap().to_string(), "192.168.201.0/24");
/// leases.release_all(&owner).unwrap();
/// assert!(leases.list().unwrap().is_empty());
/// ```
#[derive(Debug, Clone)]
pub struct SubnetLeases {
    dir: PathBuf,
    range: SubnetRange,
}

impl SubnetLeases {
    /// The leases in the directory `dir`, of subnets of this range. Nothing is created yet.
    pub fn new(dir: impl Into<PathBuf>, range: SubnetRange) -> Self {
        Self { dir: dir.into(), range }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether a subnet is one that is leased without being asked for by name.
    pub fn is_leasable_subnet(&self, subnet: Ipv4Net) -> bool {
        self.range.contains(subnet)
    }

    /// Leases the first subnet that nobody has. `in_use` are those that others use on the host without a lease.
    ///
    /// # Errors
    /// [`LeaseError::Full`] when there is none: who has them.
    pub fn acquire(&self, owner: &Owner, in_use: &[Ipv4Net]) -> Result<Ipv4Net, LeaseError> {
        let mut book = self.open()?;
        let subnet = book.free(in_use).next().ok_or_else(|| book.full(1, in_use))?;
        book.take(owner, subnet)?;
        Ok(subnet)
    }

    /// Leases this very subnet, unless the owner has it already.
    ///
    /// # Errors
    /// [`LeaseError::Held`] when another prefix has it, or one that has addresses in common with it.
    pub fn acquire_subnet(&self, owner: &Owner, subnet: Ipv4Net) -> Result<(), LeaseError> {
        self.open()?.take(owner, subnet)
    }

    /// Gives a subnet back, if the owner has it.
    pub fn release(&self, owner: &Owner, subnet: Ipv4Net) -> Result<(), LeaseError> {
        self.open()?.give_back(|lease| lease.owner == *owner && lease.subnet == subnet)
    }

    /// Gives back all that the owner has.
    pub fn release_all(&self, owner: &Owner) -> Result<(), LeaseError> {
        if !self.dir.exists() {
            return Ok(());
        }
        self.open()?.give_back(|lease| lease.owner == *owner)
    }

    /// The leases that hold, in the order of their subnets.
    pub fn list(&self) -> Result<Vec<Lease>, LeaseError> {
        if !self.dir.exists() {
            return Ok(Vec::new());
        }
        Ok(self.open()?.leases)
    }

    /// Keeps others out, and removes stale leases.
    pub(crate) fn open(&self) -> Result<LeaseBook<'_>, LeaseError> {
        create_dir(&self.dir)?;
        let lock = dirlock::lock(&self.dir, Mode::Exclusive, LOCK_LIMIT)?;
        let mut leases = Vec::new();
        for lease in file::read_all(&self.dir)? {
            if lease.owner.is_there() {
                leases.push(lease);
            } else {
                tracing::debug!("the lease on {} is stale: {}", lease.subnet, lease.owner);
                file::remove(&self.dir, lease.subnet)?;
            }
        }
        leases.sort_by_key(|lease| lease.subnet);
        Ok(LeaseBook { store: self, leases, _lock: lock })
    }
}

/// The leases of a host while nobody else can change them.
#[derive(Debug)]
pub(crate) struct LeaseBook<'a> {
    store: &'a SubnetLeases,
    /// Those that hold.
    leases: Vec<Lease>,
    _lock: DirLock,
}

impl LeaseBook<'_> {
    /// The leases that hold.
    pub(crate) fn leases(&self) -> &[Lease] {
        &self.leases
    }

    /// The subnets that are leased.
    pub(crate) fn leased(&self) -> impl Iterator<Item = Ipv4Net> {
        self.leases.iter().map(|lease| lease.subnet)
    }

    /// The subnets of the range that are neither leased nor `in_use`.
    pub(crate) fn free(&self, in_use: &[Ipv4Net]) -> impl Iterator<Item = Ipv4Net> {
        let is_taken = |subnet: Ipv4Net| {
            self.leased().chain(in_use.iter().copied()).any(|taken| overlap(subnet, taken))
        };
        self.store.range.iter().filter(move |subnet| !is_taken(*subnet))
    }

    /// Leases a subnet that is free.
    pub(crate) fn take(&mut self, owner: &Owner, subnet: Ipv4Net) -> Result<(), LeaseError> {
        match self.leases.iter().find(|lease| overlap(lease.subnet, subnet)) {
            Some(lease) if lease.owner == *owner && lease.subnet == subnet => return Ok(()),
            Some(lease) => {
                return Err(LeaseError::Held { subnet, holder: lease.clone().into() });
            }
            None => {}
        }
        let lease = Lease { subnet, owner: owner.clone() };
        file::write(&self.store.dir, &lease)?;
        self.leases.push(lease);
        Ok(())
    }

    fn give_back(&mut self, whose: impl Fn(&Lease) -> bool) -> Result<(), LeaseError> {
        for lease in self.leases.iter().filter(|lease| whose(lease)) {
            file::remove(&self.store.dir, lease.subnet)?;
        }
        self.leases.retain(|lease| !whose(lease));
        Ok(())
    }

    /// The error of there being no `wanted` free subnets.
    pub(crate) fn full(&self, wanted: usize, in_use: &[Ipv4Net]) -> LeaseError {
        let range = self.store.range;
        let in_range = |subnet: Ipv4Net| range.iter().any(|one| overlap(one, subnet));
        let holders = self.leases.iter().filter(|lease| in_range(lease.subnet)).cloned();
        LeaseError::Full {
            wanted,
            range,
            dir: self.store.dir.clone(),
            holders: holders.collect(),
            in_use: in_use.iter().copied().filter(|subnet| in_range(*subnet)).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
