//! Names that are added to networks after the prefix was made. They are in `state.json`, and a network that is up learns
//! them at once.

use std::net::IpAddr;
use std::sync::Arc;

use super::state::State;
use super::{Record, lock_settled};
use crate::Result;
use crate::paths::Paths;
use crate::spec::{NetKind, names as spelling};
use crate::virt::VirtError;
use crate::virt::connection::Connection;
use crate::virt::names::{Mapping, Mappings, Update, all};

/// The names of one prefix.
#[derive(Debug)]
pub(super) struct PrefixMappings {
    pub(super) paths: Paths,
    pub(super) record: Arc<Record>,
    pub(super) connection: Arc<Connection>,
}

impl Mappings for PrefixMappings {
    fn added(&self) -> Result<Vec<Mapping>> {
        Ok(State::read(&self.paths)?.mappings)
    }

    fn add(&self, net: &str, names: &[(String, IpAddr)]) -> Result<()> {
        for (name, address) in names {
            self.check(name, *address).map_err(|reason| refused(net, name, reason))?;
        }
        let _lock = lock_settled(&self.paths)?;
        let mut state = State::read(&self.paths)?;
        for (name, address) in names {
            replace(
                &mut state.mappings,
                Mapping { net: net.to_owned(), name: name.clone(), address: *address },
            );
        }
        let updates = self.updates(&state.mappings)?;
        if let Some(name) = updates.iter().find_map(|(_, update)| update.impossible.first()) {
            return Err(refused(net, name, BOTH_FAMILIES.to_owned()).into());
        }
        state.write(&self.paths)?;
        for (net, update) in updates {
            update.apply(&self.connection, &net)?;
        }
        Ok(())
    }
}

/// Why a name stays as it is.
const BOTH_FAMILIES: &str = "it would have an IPv4 and an IPv6 address, and libvirt gives such a name to no network that is \
                             up; add it after `lago stop`, or write it into `mapping` of the init file";

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

    /// What the networks that are up have to learn, by the names under which libvirt knows them.
    fn updates(&self, added: &[Mapping]) -> Result<Vec<(String, Update)>> {
        if !self.connection.host().is_running() {
            return Ok(Vec::new());
        }
        let wanted = all(&self.record.plan, added);
        let mut updates = Vec::new();
        for net in self.record.plan.nets.iter().filter(|net| net.kind == NetKind::Nat) {
            let name = self.record.libvirt_name(&net.name);
            if let Some(update) = Update::find(&self.connection, &name, &wanted)? {
                updates.push((name, update));
            }
        }
        Ok(updates)
    }
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
