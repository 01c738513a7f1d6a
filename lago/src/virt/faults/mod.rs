//! Faults of networks: links that are down, packets that are late or lost, VMs that do not reach each other.
//!
//! | fault | made by | lasts until |
//! |---|---|---|
//! | a link is down | [`Nic::set_link`](crate::virt::Nic::set_link), in QEMU | it is set up again, or the VM starts anew; a snapshot keeps it |
//! | delay and loss | [`Nic::impair`](crate::virt::Nic::impair), on the VM's tap device | [`Nic::clear`](crate::virt::Nic::clear), or the VM is powered off or put back |
//! | a partition | [`Prefix::partition`](crate::Prefix::partition), in nftables | it is healed, or the environment is put back |
//!
//! Nothing about them is stored but in the kernel and in QEMU, so that any process can end them:
//! [`Prefix::heal_all`](crate::Prefix::heal_all), `lago heal`.
//!
//! They work on private hosts, and for a libvirt by its URI where this process may change that machine's network.

mod impairment;
mod nft;
mod partition;

pub use impairment::Impairment;
pub(super) use impairment::apply as impair;
pub use partition::Partition;

use super::VirtError;
use crate::Result;
use crate::host::Host;
use crate::prefix::Prefix;
use crate::utils::parallel;

impl Prefix {
    /// Ends all faults of this environment's networks, whichever process made them: partitions, impairments, links that
    /// are down.
    pub fn heal_all(&self) -> Result<()> {
        self.heal_partitions()?;
        if !self.host().is_running() {
            return Ok(());
        }
        impairment::remove_all(self.host(), self.vms())?;
        parallel(self.vms(), |vm| {
            if vm.is_remote() || !vm.alive()? {
                return Ok(());
            }
            vm.all_nics()?.iter().try_for_each(|nic| nic.set_link(true))
        })?;
        Ok(())
    }

    /// Ends all partitions. What impairs a card ends with its VM.
    pub(crate) fn heal_partitions(&self) -> Result<()> {
        if !self.host().is_running() {
            return Ok(());
        }
        nft::remove_all(self.host(), &nft::stem(self.record().id))
    }
}

/// Whether the domains run on this machine, so that their network can be changed.
pub(super) fn is_here(host: &Host) -> bool {
    host.uri_if_shared().is_none_or(is_local)
}

fn require_here(host: &Host) -> Result<(), VirtError> {
    match host.uri_if_shared().filter(|uri| !is_local(uri)) {
        None => Ok(()),
        Some(uri) => Err(VirtError::Faults {
            reason: format!(
                "the network of {uri} cannot be changed from here; use a private host, or a libvirt of this machine"
            ),
        }),
    }
}

/// Whether a URI names no other machine: <https://libvirt.org/uri.html>.
fn is_local(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once("://") else { return false };
    rest.starts_with('/') && (!scheme.contains('+') || scheme.ends_with("+unix"))
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn a_libvirt_is_here_unless_its_uri_names_a_machine_or_a_way_to_one() {
        for here in ["qemu:///system", "qemu+unix:///system?socket=/x", "qemu:///session"] {
            assert!(is_local(here), "{here}");
        }
        for elsewhere in ["qemu+ssh://root@host/system", "qemu://host/system", "qemu+tls:///system"]
        {
            assert!(!is_local(elsewhere), "{elsewhere}");
        }
    }
}
