//! The networks of a prefix: planned alone on a host that is its own, and with regard for others on one that is shared.

use std::path::Path;
use std::sync::Arc;

use ipnet::Ipv4Net;
use uuid::Uuid;

use super::{HostKind, InitOptions, PrefixError, Record};
use crate::Result;
use crate::host::Host;
use crate::paths::Paths;
use crate::spec::{InitFile, NetKind, Plan, PlanInput, PlannedNet, SpecError, overlap, plan};
use crate::subnet_lease::{Lease, LeaseBook, LeaseError, Owner, SubnetLeases};
use crate::utils::{BoxError, Failures, error_chain};
use crate::virt::connection::Connection;
use crate::virt::subnets_in_use;

/// Plans the networks. On a shared host their subnets are leased to the prefix, which has its UUID already.
pub(super) fn make_plan(paths: &Paths, id: Uuid, options: &InitOptions) -> Result<Plan> {
    let input = PlanInput { range: options.subnet_range, ..PlanInput::new(id) };
    let HostKind::Uri(uri) = &options.host else {
        require_no_bridge(&options.init_file)?;
        return Ok(plan(&options.init_file, &input)?);
    };
    let connection = Arc::new(Connection::new(Host::uri(uri)));
    let in_use = subnets_in_use(&connection)?;
    let dir = options.lease_dir.as_ref().ok_or(LeaseError::NoDirectory)?;
    let leases = SubnetLeases::new(dir, options.subnet_range);
    let mut book = leases.open()?;
    require_room(&book, &options.init_file, &in_use)?;
    let taken: Vec<Ipv4Net> = book.leased().chain(in_use).collect();
    let plan = plan(&options.init_file, &PlanInput { taken: &taken, ..input })
        .map_err(|error| with_holders(error, &options.init_file, book.leases()))?;
    let owner = Owner::of(paths.prefix())?;
    for net in leased(&plan) {
        book.take(&owner, net.subnet)?;
    }
    Ok(plan)
}

fn require_no_bridge(file: &InitFile) -> Result<(), PrefixError> {
    let joins = file.nets.iter().find_map(|(name, net)| Some((name, net.bridge.as_ref()?)));
    match joins {
        None => Ok(()),
        Some((net, bridge)) => {
            Err(PrefixError::NoBridge { net: net.clone(), bridge: bridge.clone() })
        }
    }
}

/// The networks whose subnet others on the host must leave alone. On a bridge network nobody has the planned addresses
/// but the guests, which nobody else sees.
fn leased(plan: &Plan) -> impl Iterator<Item = &PlannedNet> {
    plan.nets.iter().filter(|net| net.kind == NetKind::Nat)
}

/// Says who has the subnets when there are too few.
fn require_room(
    book: &LeaseBook<'_>,
    file: &InitFile,
    in_use: &[Ipv4Net],
) -> Result<(), LeaseError> {
    let fixed: Vec<Ipv4Net> = file.nets.values().filter_map(|net| net.subnet).collect();
    let wanted = file.nets.len() - fixed.len();
    let taken: Vec<Ipv4Net> = in_use.iter().copied().chain(fixed).collect();
    if book.free(&taken).take(wanted).count() < wanted {
        return Err(book.full(wanted, &taken));
    }
    Ok(())
}

/// The mistakes of the file, and whose the subnets are that it names.
fn with_holders(error: SpecError, file: &InitFile, leases: &[Lease]) -> Failures<SpecError> {
    let fixed = file.nets.values().filter_map(|net| net.subnet);
    let held = |subnet: Ipv4Net| {
        let holder = leases.iter().find(|lease| overlap(lease.subnet, subnet))?;
        Some(BoxError::from(LeaseError::Held { subnet, holder: Box::new(holder.clone()) }))
    };
    Failures { first: error, others: fixed.filter_map(held).collect() }
}

impl Record {
    /// Leases the subnets again, should the leases have been lost, before the networks come up.
    pub(crate) fn confirm_leases(&self, prefix: &Path) -> Result<(), LeaseError> {
        let Some(leases) = self.leases() else { return Ok(()) };
        let owner = Owner::of(prefix)?;
        leased(&self.plan).try_for_each(|net| leases.acquire_subnet(&owner, net.subnet))
    }

    /// Gives the subnets back. What cannot be given back is free for others once the prefix is gone, too.
    pub(super) fn give_leases_back(&self, prefix: &Path) {
        let Some(leases) = self.leases() else { return };
        let given_back = Owner::of(prefix).and_then(|owner| leases.release_all(&owner));
        if let Err(error) = given_back {
            tracing::warn!("{}", error_chain(&error));
        }
    }

    /// The leases of the host, if it is a shared one.
    fn leases(&self) -> Option<SubnetLeases> {
        let dir = self.lease_dir.as_ref()?;
        // Subnets that are known already come from no range.
        Some(SubnetLeases::new(dir, crate::spec::SubnetRange::default()))
    }
}
