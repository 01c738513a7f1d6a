//! Disks and network cards that a VM is given after it was made, while it runs or is down.

use std::path::{Path, PathBuf};
use std::time::Duration;

use virt::domain::Domain;
use virt::sys;

use super::{Nic, Vm};
use crate::Result;
use crate::prefix::state::Device;
use crate::spec::PlannedNic;
use crate::utils::{Probe, parallel, wait_until};
use crate::virt::domain_xml::{DiskDevice, NicDevice};
use crate::virt::network_xml::Lease;
use crate::virt::{Network, VirtError, leases, live_xml};

/// How long a guest may take to let go of a device. Linux takes well under a second; one that is still booting does not
/// listen yet.
const DETACH_LIMIT: Duration = Duration::from_secs(30);

/// How long to wait between two looks whether it has.
const DETACH_INTERVAL: Duration = Duration::from_millis(100);

/// The devices that a VM has. They change, so they are asked for when they are needed.
pub(crate) trait Devices: Send + Sync {
    /// All disks to start with now.
    fn disks(&self) -> Result<Vec<DiskDevice>>;

    /// The cards that the VM has besides those of the init file.
    fn attached_nics(&self) -> Result<Vec<AttachedCard>>;

    /// Gives the VM a disk, and returns its device name.
    fn attach_disk(&self, vm: &Vm, disk: &NewDisk) -> Result<String>;

    /// Takes a disk away and removes what is on it since the last snapshot.
    fn detach_disk(&self, vm: &Vm, dev: &str) -> Result<()>;

    /// Gives the VM a card on a network, and returns its number.
    fn attach_nic(&self, vm: &Vm, net: &str) -> Result<usize>;

    /// Takes the card of this number away.
    fn detach_nic(&self, vm: &Vm, number: usize) -> Result<()>;
}

/// A card that a VM was given.
#[derive(Debug, Clone)]
pub(crate) struct AttachedCard {
    pub(crate) number: usize,
    pub(crate) planned: PlannedNic,
    pub(crate) device: NicDevice,
    /// What the network's server is told; nothing where there is none.
    pub(crate) lease: Option<Lease>,
}

/// A disk to be given to a VM.
///
/// ```
/// # use lago::virt::NewDisk;
/// let data = NewDisk::empty(1 << 30);
/// let tools = NewDisk::on_image("/images/tools.qcow2").dev("vdz");
/// # let _ = (data, tools);
/// ```
#[derive(Debug, Clone)]
pub struct NewDisk {
    pub(crate) source: NewDiskSource,
    pub(crate) dev: Option<String>,
}

/// What is on a new disk.
#[derive(Debug, Clone)]
pub(crate) enum NewDiskSource {
    Empty(u64),
    Image(PathBuf),
}

impl NewDisk {
    /// An empty disk of so many bytes, rounded up to whole sectors.
    pub fn empty(size: u64) -> Self {
        Self { source: NewDiskSource::Empty(size.max(1).next_multiple_of(512)), dev: None }
    }

    /// A disk with the content of an image, which is not written to and has to stay as it is.
    pub fn on_image(path: impl AsRef<Path>) -> Self {
        Self { source: NewDiskSource::Image(path.as_ref().to_owned()), dev: None }
    }

    /// The device name, whose letters choose the bus, instead of the next one on virtio: `vdX`, or `sdX` for a VM that
    /// has a SCSI disk.
    pub fn dev(self, dev: impl Into<String>) -> Self {
        Self { dev: Some(dev.into()), ..self }
    }
}

impl Vm {
    /// Gives the VM a disk, at once if it runs, and returns its device name, which the guest finds as the disk's serial number
    /// too. It belongs to the environment from then on: it is there after a restart, snapshots and forks have it, and a
    /// revert brings it back or takes it away.
    ///
    /// A VM that runs has room for two devices at least; one that is down for as many as you like.
    pub fn attach_disk(&self, disk: &NewDisk) -> Result<String> {
        self.require_virtual("be given a disk")?;
        let _span = tracing::info_span!("attach disk", vm = self.name()).entered();
        self.inner.devices.attach_disk(self, disk)
    }

    /// Takes a disk away that was [attached](Self::attach_disk). What was written to it stays in snapshots only.
    ///
    /// # Errors
    /// When the guest does not let go of it within half a minute, and for a disk of the init file: such a disk has no port of
    /// its own.
    pub fn detach_disk(&self, dev: &str) -> Result<()> {
        self.require_virtual("give a disk away")?;
        let _span = tracing::info_span!("detach disk", vm = self.name(), dev).entered();
        self.inner.devices.detach_disk(self, dev)
    }

    /// Gives the VM a network card, at once if it runs. Its address is planned, and handed out by the network's DHCP server
    /// where there is one; the guest has to ask for it. Its IPv6 address is the one that a guest makes of what the network
    /// announces. As with [disks](Self::attach_disk), it belongs to the environment.
    pub fn attach_nic(&self, net: &str) -> Result<Nic> {
        self.require_virtual("be given a NIC")?;
        let _span = tracing::info_span!("attach NIC", vm = self.name(), net).entered();
        let number = self.inner.devices.attach_nic(self, net)?;
        self.nic(number)
    }

    /// Takes the network card of this number away, which was [attached](Self::attach_nic).
    ///
    /// # Errors
    /// As [`Self::detach_disk`].
    pub fn detach_nic(&self, number: usize) -> Result<()> {
        self.require_virtual("give a NIC away")?;
        let _span = tracing::info_span!("detach NIC", vm = self.name(), number).entered();
        self.inner.devices.detach_nic(self, number)
    }

    /// The disks that the VM uses when it starts now.
    pub(crate) fn current_disks(&self) -> Result<Vec<DiskDevice>> {
        self.inner.devices.disks()
    }

    /// Has these networks hand out the addresses of cards that were attached. A network that was made anew does not know
    /// them.
    pub(in crate::virt) fn renew_leases(&self, networks: &[&Network]) -> Result<()> {
        let mut cards = self.inner.devices.attached_nics()?;
        cards.retain(|card| networks.iter().any(|network| network.name() == card.planned.net));
        parallel(cards, |card| self.put_lease(&card))?;
        Ok(())
    }

    /// Has a card's network hand out its address.
    pub(crate) fn put_lease(&self, card: &AttachedCard) -> Result<(), VirtError> {
        match &card.lease {
            Some(lease) => leases::put(self.connection(), &card.device.network, lease),
            None => Ok(()),
        }
    }

    /// Has a card's network forget its address.
    pub(crate) fn remove_lease(&self, card: &AttachedCard) -> Result<(), VirtError> {
        match &card.lease {
            Some(lease) => leases::remove(self.connection(), &card.device.network, lease),
            None => Ok(()),
        }
    }

    /// Plugs a device in, by its description.
    pub(crate) fn plug(&self, xml: String) -> Result<(), VirtError> {
        const HINT: &str =
            "; a VM that runs has room for few devices: detach one, or stop the VM first";
        let flags = sys::VIR_DOMAIN_AFFECT_LIVE;
        let plugged = self.change("attach a device to", move |domain: &Domain| {
            domain.attach_device_flags(&xml, flags)
        });
        plugged.map_err(|error| match error {
            VirtError::Vm { vm, action, message, .. } if message.contains("PCI slots") => {
                VirtError::Vm { vm, action, message, hint: HINT.to_owned() }
            }
            error => error,
        })
    }

    /// Asks the guest to let go of a device, and waits until it has.
    pub(crate) fn unplug(&self, device: &Device) -> Result<()> {
        let Some(xml) = self.live_device(device)? else { return Ok(()) };
        let flags = sys::VIR_DOMAIN_AFFECT_LIVE;
        let asked = self.change("detach a device from", move |domain: &Domain| {
            domain.detach_device_flags(&xml, flags)
        });
        match asked {
            // Somebody else has asked before, and the guest lets go of it now or has just done so.
            Err(VirtError::Vm { message, .. }) if message.contains("in the process of unplug") => {}
            Err(error) if self.has_device(device)? => return Err(error.into()),
            _ => {}
        }
        let what = format!("the guest of VM {} to let go of a device", self.name());
        wait_until(what, DETACH_LIMIT, DETACH_INTERVAL, || match self.live_device(device)? {
            None => Ok(Probe::Done(())),
            Some(_) => Ok(Probe::NotYet(
                "it has not; a system that is booting does not listen yet: try again".to_owned(),
            )),
        })
    }

    /// Whether a VM that runs has a device.
    pub(crate) fn has_device(&self, device: &Device) -> Result<bool> {
        Ok(self.live_device(device)?.is_some())
    }

    /// The description of a device as the domain has it.
    fn live_device(&self, device: &Device) -> Result<Option<String>, VirtError> {
        let description = self.live_description()?;
        let found = match device {
            Device::Disk(dev) => live_xml::disk(&description, dev),
            Device::Nic(mac) => live_xml::interface(&description, mac),
        };
        found
            .and_then(|element| element.as_ref().map(live_xml::text_of).transpose())
            .map_err(|reason| self.not_understood(reason))
    }
}

/// A VM that has no devices at all.
#[cfg(test)]
pub(in crate::virt) struct NoDevices;

#[cfg(test)]
impl Devices for NoDevices {
    fn disks(&self) -> Result<Vec<DiskDevice>> {
        Ok(Vec::new())
    }

    fn attached_nics(&self) -> Result<Vec<AttachedCard>> {
        Ok(Vec::new())
    }

    fn attach_disk(&self, _: &Vm, _: &NewDisk) -> Result<String> {
        unreachable!("no test attaches to it")
    }

    fn detach_disk(&self, _: &Vm, _: &str) -> Result<()> {
        unreachable!("no test attaches to it")
    }

    fn attach_nic(&self, _: &Vm, _: &str) -> Result<usize> {
        unreachable!("no test attaches to it")
    }

    fn detach_nic(&self, _: &Vm, _: usize) -> Result<()> {
        unreachable!("no test attaches to it")
    }
}
