//! What is said when there is no lease.

use std::fmt::Write as _;
use std::path::PathBuf;

use indexmap::IndexMap;
use ipnet::Ipv4Net;

use super::Lease;
use crate::dirlock::LockError;
use crate::spec::SubnetRange;
use crate::utils::FileError;

/// How many owners or subnets a message names before it counts the others.
const NAMED: usize = 5;

/// Why a subnet is not leased.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// Too few subnets are left.
    #[error(
        "there is no free subnet for {}: {} of the {} of {range} are taken ({}); destroy a prefix that is not needed, or set \
         `subnet_range` to a larger range",
        networks(*wanted), taken(holders, in_use, *range), range.len(), by_whom(holders, in_use, dir)
    )]
    Full {
        /// For how many networks subnets are wanted.
        wanted: usize,
        /// The subnets that there are.
        range: SubnetRange,
        /// Where the leases are.
        dir: PathBuf,
        /// The leases in the range.
        holders: Vec<Lease>,
        /// What others use in the range without a lease.
        in_use: Vec<Ipv4Net>,
    },
    /// Another prefix has it.
    #[error(
        "{subnet} cannot be used: {} is leased to the prefix {}; destroy that prefix, or write addresses of another \
         subnet into the init file", holder.subnet, holder.owner
    )]
    Held {
        /// The subnet that is wanted.
        subnet: Ipv4Net,
        /// The lease in its way.
        holder: Box<Lease>,
    },
    /// A directory that is no prefix cannot own a lease.
    #[error("{} is no prefix, and cannot lease a subnet: {reason}", path.display())]
    NoOwner {
        /// The directory.
        path: PathBuf,
        /// What it lacks.
        reason: String,
    },
    /// There is no place for leases.
    #[error(
        "there is no place for the leases of subnets, as the user has no home directory; set `lease_dir`"
    )]
    NoDirectory,
    /// The leases are locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A lease could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

fn networks(count: usize) -> String {
    if count == 1 { "the network".to_owned() } else { format!("{count} networks") }
}

fn taken(holders: &[Lease], in_use: &[Ipv4Net], range: SubnetRange) -> usize {
    let subnets = || holders.iter().map(|lease| lease.subnet).chain(in_use.iter().copied());
    range.iter().filter(|one| subnets().any(|other| crate::spec::overlap(*one, other))).count()
}

fn by_whom(holders: &[Lease], in_use: &[Ipv4Net], dir: &std::path::Path) -> String {
    let mut owners: IndexMap<String, usize> = IndexMap::new();
    for lease in holders {
        *owners.entry(lease.owner.to_string()).or_default() += 1;
    }
    let leased = owners.into_iter().map(|(owner, count)| format!("{count} by {owner}"));
    let mut text = listed(leased);
    if !text.is_empty() {
        write!(text, ", as {} says", dir.display()).expect("writing to a string cannot fail");
    }
    if in_use.is_empty() {
        return text;
    }
    let separator = if text.is_empty() { "" } else { "; " };
    let subnets = listed(in_use.iter().map(Ipv4Net::to_string));
    format!("{text}{separator}{subnets} by others on the host")
}

fn listed(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(NAMED);
    let mut named: Vec<String> = items.take(NAMED).collect();
    if more > 0 {
        named.push(format!("{more} more"));
    }
    named.join(", ")
}
