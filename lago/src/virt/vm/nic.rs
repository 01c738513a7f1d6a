//! One network card of a VM that runs.

use std::net::{Ipv4Addr, Ipv6Addr};

use virt::domain::Domain;
use virt::sys;
use xmltree::Element;

use super::Vm;
use crate::Result;
use crate::host::Host;
use crate::spec::PlannedNic;
use crate::virt::connection::QUESTION_LIMIT;
use crate::virt::faults::{self, Impairment};
use crate::virt::{VirtError, live_xml, tap};

/// A network card of a VM. From [`Vm::nic`].
///
/// ```no_run
/// fn pull_the_cable(vm: &lago::Vm) -> lago::Result<()> {
///     vm.nic(0)?.set_link(false)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Nic {
    vm: Vm,
    number: usize,
    planned: PlannedNic,
}

impl Vm {
    /// The network card of this number: those of the init file count from 0, in its order; those that were attached later
    /// follow.
    pub fn nic(&self, number: usize) -> Result<Nic> {
        let nics = self.all_nics()?;
        let known = nics.len();
        nics.into_iter().find(|nic| nic.number == number).ok_or_else(|| {
            VirtError::UnknownNic { vm: self.name().to_owned(), number, known }.into()
        })
    }

    /// All network cards, those of the init file first.
    pub fn all_nics(&self) -> Result<Vec<Nic>> {
        let planned = self.nics().iter().cloned().enumerate();
        let attached = self.inner.devices.attached_nics()?;
        let attached = attached.into_iter().map(|nic| (nic.number, nic.planned));
        let nics = planned.chain(attached);
        Ok(nics.map(|(number, planned)| Nic { vm: self.clone(), number, planned }).collect())
    }

    /// How the names of the VM's tap devices begin.
    pub(in crate::virt) fn tap_stem(&self) -> String {
        tap::stem(self.name(), self.inner.description.uuid)
    }

    /// Where the VM runs.
    pub(crate) fn host(&self) -> &Host {
        self.inner.connection.host()
    }

    /// The domain as libvirt has it now.
    pub(super) fn live_description(&self) -> Result<String, VirtError> {
        let described = self.ask(QUESTION_LIMIT, |domain: &Domain| domain.xml_desc(0))?;
        described.map_err(|error| self.gone_or("look at", &error))
    }

    pub(super) fn not_understood(&self, reason: String) -> VirtError {
        VirtError::Description { vm: self.name().to_owned(), reason }
    }
}

impl Nic {
    /// The network that it is connected to.
    pub fn net(&self) -> &str {
        &self.planned.net
    }

    /// Its address.
    pub fn ip(&self) -> Ipv4Addr {
        self.planned.ip
    }

    /// Its IPv6 address, where its network has IPv6. A card that was attached later has the one that its guest makes of its
    /// hardware address and of what the network announces, as Linux does by itself once the card is up.
    pub fn ip6(&self) -> Option<Ipv6Addr> {
        self.planned.ip6
    }

    /// Its hardware address.
    pub fn mac(&self) -> &str {
        &self.planned.mac
    }

    /// What was planned for it.
    pub fn planned(&self) -> &PlannedNic {
        &self.planned
    }

    /// The number by which [`Vm::nic`] knows it.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Whether its cable is plugged in.
    pub fn link(&self) -> Result<bool> {
        Ok(live_xml::link_is_up(&self.live()?))
    }

    /// Plugs its cable in, or pulls it. The guest notices.
    pub fn set_link(&self, up: bool) -> Result<()> {
        let live = self.live()?;
        if live_xml::link_is_up(&live) == up {
            return Ok(());
        }
        tracing::info!(vm = self.vm.name(), nic = self.mac(), up, "setting the link");
        let xml = live_xml::with_link(live, up).map_err(|reason| self.vm.not_understood(reason))?;
        let flags = sys::VIR_DOMAIN_AFFECT_LIVE;
        Ok(self
            .vm
            .change("set a link of", move |domain| domain.update_device_flags(&xml, flags))?)
    }

    /// Makes what comes to it late or lost, in place of how it was impaired before.
    ///
    /// # Errors
    /// [`VirtError::NoNetem`] when a delay is asked for and the kernel cannot make one; nothing has changed then.
    pub fn impair(&self, impairment: &Impairment) -> Result<()> {
        // The device is there as long as the VM is.
        self.live()?;
        tracing::info!(vm = self.vm.name(), nic = self.mac(), ?impairment, "impairing");
        faults::impair(&self.vm, &self.tap(), impairment)
    }

    /// Ends what [`Self::impair`] did.
    pub fn clear(&self) -> Result<()> {
        faults::impair(&self.vm, &self.tap(), &Impairment::default())
    }

    pub(super) fn tap(&self) -> String {
        tap::name(self.vm.name(), self.vm.inner.description.uuid, self.number)
    }

    fn live(&self) -> Result<Element> {
        let description = self.vm.live_description()?;
        let found = live_xml::interface(&description, self.mac());
        let found = found.map_err(|reason| self.vm.not_understood(reason))?;
        let missing = || format!("it has no card {}", self.mac());
        Ok(found.ok_or_else(|| self.vm.not_understood(missing()))?)
    }
}
