//! Names that are added to networks after the prefix was made. They are in `state.json`, and a network that is up learns
//! them at once. Either all networks that are up know all of them in the end, or nothing has changed.

use std::net::IpAddr;
use std::sync::Arc;

use super::state::{AttachedNic, Pending, State};
use super::{Prefix, Record, lock_settled};
use crate::Result;
use crate::paths::Paths;
use crate::spec::{NetKind, names as spelling, names_of_nic};
use crate::utils::{error_chain, with_rollback};
use crate::virt::VirtError;
use crate::virt::connection::Connection;
use crate::virt::names::{Mapping, Mappings, Update, all, records};

/// The names of one prefix.
#[derive(Debug)]
pub(super) struct PrefixMappings {
    pub(super) paths: Paths,
    pub(super) record: Arc<Record>,
    pub(super) connection: Arc<Connection>,
}

impl Mappings for PrefixMappings {
    fn added(&self) -> Result<Vec<Mapping>> {
        Ok(self.of(&State::read(&self.paths)?))
    }

    fn add(&self, net: &str, names: &[(String, IpAddr)]) -> Result<()> {
        for (name, address) in names {
            self.check(name, *address).map_err(|reason| refused(net, name, reason))?;
        }
        let _lock = lock_settled(&self.paths)?;
        let before = State::read(&self.paths)?;
        let mut after = before.clone();
        for (name, address) in names {
            replace(
                &mut after.mappings,
                Mapping { net: net.to_owned(), name: name.clone(), address: *address },
            );
        }
        let announced = State { pending: Some(Pending::Names), ..after.clone() };
        let added = with_rollback(|rollback| -> Result<()> {
            rollback.defer("write the names of before down", || before.write(&self.paths));
            announced.write(&self.paths)?;
            rollback
                .defer("have the networks answer as before; `lago start` tries it again", || {
                    self.teach(&before)
                });
            self.teach(&after)?;
            after.write(&self.paths)
        });
        Ok(added?)
    }
}

impl PrefixMappings {
    /// Whether it is a name, and nobody's of the plan.
    fn check(&self, name: &str, address: IpAddr) -> Result<(), String> {
        spelling::check(name)?;
        let plan = &self.record.plan;
        let planned = all(plan, &[]);
        let owner = planned.into_iter().find(|(planned, of)| {
            planned.eq_ignore_ascii_case(name)
                && of.is_ipv4() == address.is_ipv4()
                && *of != address
        });
        match owner {
            Some((_, of)) => {
                Err(format!("it is the name of {of} in this environment; add another"))
            }
            None => Ok(()),
        }
    }

    /// The names in this state besides those of the plan: those that were added, and those of cards that were attached.
    fn of(&self, state: &State) -> Vec<Mapping> {
        let attached = state.attached.iter();
        let of_cards = attached.flat_map(|(vm, attached)| self.of_cards(vm, &attached.nics));
        state.mappings.iter().cloned().chain(of_cards).collect()
    }

    fn of_cards(&self, vm: &str, cards: &[AttachedNic]) -> Vec<Mapping> {
        let planned = self.record.plan.vm(vm).map_or(&[][..], |vm| &vm.nics);
        let mut nets: Vec<&str> = planned.iter().map(|nic| nic.net.as_str()).collect();
        let mut names = Vec::new();
        for card in cards {
            let (net, address, address6) =
                (&card.planned.net, card.planned.ip.into(), card.planned.ip6.map(IpAddr::V6));
            let earlier = nets.iter().filter(|other| *other == net).count();
            for name in names_of_nic(vm, card.number, net, earlier) {
                let addresses = [Some(address), address6].into_iter().flatten();
                names.extend(addresses.map(|address| Mapping {
                    net: net.clone(),
                    name: name.clone(),
                    address,
                }));
            }
            nets.push(net);
        }
        names
    }

    /// Has the networks that are up answer for the names in this state.
    pub(super) fn teach(&self, state: &State) -> Result<()> {
        if !self.connection.host().is_running() {
            return Ok(());
        }
        let names = all(&self.record.plan, &self.of(state));
        for net in self.record.plan.nets.iter().filter(|net| net.kind == NetKind::Nat) {
            let name = self.record.libvirt_name(&net.name);
            let wanted = records(&names, net.domain.as_deref());
            if let Some(update) = Update::find(&self.connection, &name, &wanted)? {
                update.apply(&self.connection, &name)?;
            }
        }
        Ok(())
    }
}

/// Tells the networks what a process that was killed had begun to tell them. What they do not learn now they learn at the
/// next start, and nothing else has to wait for it.
pub(crate) fn finish(prefix: &Prefix, state: State) -> Result<()> {
    let mappings = PrefixMappings {
        paths: prefix.paths().clone(),
        record: Arc::clone(prefix.shared_record()),
        connection: Arc::clone(prefix.virt_env().connection()),
    };
    if let Err(error) = mappings.teach(&state) {
        tracing::warn!("the networks do not know all names: {}", error_chain(&error));
    }
    let state = State { pending: None, ..state };
    state.write(prefix.paths())
}

fn refused(net: &str, name: &str, reason: String) -> VirtError {
    VirtError::Mapping { net: net.to_owned(), name: name.to_owned(), reason }
}

/// A name has one address of a family.
fn replace(mappings: &mut Vec<Mapping>, new: Mapping) {
    mappings.retain(|old| {
        !old.name.eq_ignore_ascii_case(&new.name) || old.address.is_ipv4() != new.address.is_ipv4()
    });
    mappings.push(new);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(name: &str, address: &str) -> Mapping {
        Mapping { net: "lan".into(), name: name.into(), address: address.parse().unwrap() }
    }

    #[test]
    fn a_name_has_the_last_address_of_each_family() {
        let mut mappings = Vec::new();
        for (name, address) in
            [("a", "10.0.0.2"), ("b", "10.0.0.3"), ("a", "fd00:1::2"), ("A", "10.0.0.4")]
        {
            replace(&mut mappings, mapping(name, address));
        }
        let expected =
            [mapping("b", "10.0.0.3"), mapping("a", "fd00:1::2"), mapping("A", "10.0.0.4")];
        assert_eq!(mappings, expected);
    }
}
