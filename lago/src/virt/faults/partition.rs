//! VMs that do not reach each other.

use std::fmt::Write as _;

use uuid::Uuid;

use super::nft;
use crate::Result;
use crate::host::Host;
use crate::prefix::Prefix;
use crate::utils::error_chain;
use crate::virt::{VirtError, Vm};

/// Two groups of VMs between which no frame passes. It is healed when this is dropped.
///
/// When the process is killed, it stays until [`Prefix::heal_all`], `lago heal`, or a revert.
#[derive(Debug)]
#[must_use = "the partition is healed at once when nothing holds it"]
pub struct Partition {
    host: Host,
    table: String,
    lasts: bool,
}

impl Prefix {
    /// Parts VMs: nothing comes from one group to the other over any of their networks, in either direction. Each of them
    /// still reaches the VMs of its own group, all others, and the host. It holds for VMs that start meanwhile, and for
    /// cards that are attached.
    ///
    /// ```no_run
    /// # fn main() -> lago::Result<()> {
    /// let prefix = lago::Prefix::open("my-prefix")?;
    /// let (leader, others) = (prefix.vm("db-0")?, [prefix.vm("db-1")?, prefix.vm("db-2")?]);
    /// let partition = prefix.partition(&[leader], &others)?;
    /// // ... another one is elected ...
    /// partition.heal()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When a VM is in both groups, or is a machine that lago only reaches over ssh, or nftables cannot be used.
    pub fn partition(&self, one: &[&Vm], other: &[&Vm]) -> Result<Partition> {
        if let Some(vm) = one.iter().find(|vm| other.iter().any(|twin| twin.name() == vm.name())) {
            let reason =
                format!("VM {} cannot be parted from itself: name it in one group only", vm.name());
            return Err(VirtError::Faults { reason }.into());
        }
        // Nothing that comes to it or from it passes the host's bridges.
        one.iter().chain(other).try_for_each(|vm| vm.require_virtual("be parted from others"))?;
        let number = Uuid::new_v4().simple().to_string();
        let table = format!("{}partition-{}", nft::stem(self.record().id), &number[..8]);
        nft::put(self.host(), &table, &chain(&stems(one), &stems(other)))?;
        tracing::info!("parting {} from {}", names(one), names(other));
        Ok(Partition { host: self.host().clone(), table, lasts: false })
    }
}

impl Partition {
    /// Ends it.
    pub fn heal(mut self) -> Result<()> {
        // A failure is told here rather than when it is dropped.
        self.lasts = true;
        nft::remove(&self.host, &self.table)
    }

    /// Leaves it in place, for another scenario or process, which ends it by [`Prefix::heal_all`].
    pub fn leave(mut self) {
        self.lasts = true;
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        if self.lasts || !self.host.is_running() {
            return;
        }
        if let Err(error) = nft::remove(&self.host, &self.table) {
            let reason = error_chain(&error);
            tracing::warn!("a partition between VMs stays: {reason}; `lago heal` ends it");
        }
    }
}

fn stems(vms: &[&Vm]) -> Vec<String> {
    vms.iter().map(|vm| vm.tap_stem()).collect()
}

fn names(vms: &[&Vm]) -> String {
    vms.iter().map(|vm| vm.name()).collect::<Vec<_>>().join(", ")
}

/// A chain that drops what goes from the devices of one group to those of the other. Devices are known by how their names
/// begin.
fn chain(one: &[String], other: &[String]) -> String {
    let mut text = String::from(
        "  chain forward {\n    type filter hook forward priority 0; policy accept;\n",
    );
    for (from, to) in one.iter().flat_map(|from| other.iter().map(move |to| (from, to))) {
        for (from, to) in [(from, to), (to, from)] {
            writeln!(text, "    iifname \"{from}*\" oifname \"{to}*\" drop")
                .expect("writing to a string cannot fail");
        }
    }
    text + "  }\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_is_parted_in_both_directions() {
        let stems =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        insta::assert_snapshot!(chain(&stems(&["a-1-"]), &stems(&["b-2-", "c-3-"])), @r#"
          chain forward {
            type filter hook forward priority 0; policy accept;
            iifname "a-1-*" oifname "b-2-*" drop
            iifname "b-2-*" oifname "a-1-*" drop
            iifname "a-1-*" oifname "c-3-*" drop
            iifname "c-3-*" oifname "a-1-*" drop
          }
        "#);
    }
}
