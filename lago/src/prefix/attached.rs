//! Disks and cards that VMs are given after they were made.
//!
//! A disk's file lies in the layer that the VMs write to, or among the images while there is no layer: so what a snapshot
//! froze of it stays with that snapshot, and the rest goes with its layer, as that of any disk.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disks::{Content, DiskImage, create_image, letters_to_number, number_to_letters};
use super::layers::disks_at;
use super::mappings::PrefixMappings;
use super::state::{AttachedDevices, AttachedNic, Device, Pending, State};
use super::{Prefix, PrefixError, Record, lock_settled};
use crate::paths::Paths;
use crate::spec::{DiskFormat, NetKind, PlannedNic, autoconfigured, free_address, mac};
use crate::templates::ImageFormat;
use crate::utils::{FileError, create_dir, error_chain};
use crate::virt::domain_xml::DiskDevice;
use crate::virt::network_xml::Lease;
use crate::virt::{AttachedCard, Devices, NewDisk, NewDiskSource, VirtError, Vm};
use crate::{Error, Result};

/// The devices of one VM of a prefix.
#[derive(Debug)]
pub(super) struct VmDevices {
    pub(super) paths: Paths,
    pub(super) record: Arc<Record>,
    pub(super) vm: String,
}

impl Devices for VmDevices {
    fn disks(&self) -> Result<Vec<DiskDevice>> {
        let state = State::read(&self.paths)?;
        if state.active.is_none() && self.record.origin.is_some() {
            // Without a layer of its own a fork would write to the disks of the prefix that it stands on.
            let source = io::ErrorKind::NotFound.into();
            return Err(PrefixError::Io { action: "read", path: self.paths.state(), source }.into());
        }
        let made = self.record.disks[&self.vm].len();
        let disks = disks_at(&self.record, &state.attached, state.active);
        let disks = disks[&self.vm].iter().enumerate();
        Ok(disks.map(|(position, disk)| disk.device(&self.paths, position >= made)).collect())
    }

    fn attached_nics(&self) -> Result<Vec<AttachedCard>> {
        let state = State::read(&self.paths)?;
        let nics = state.attached.get(&self.vm).into_iter().flat_map(|attached| &attached.nics);
        Ok(nics.map(|nic| self.card(nic)).collect())
    }

    fn attach_disk(&self, vm: &Vm, disk: &NewDisk) -> Result<String> {
        let _lock = lock_settled(&self.paths)?;
        let mut state = State::read(&self.paths)?;
        let dev = self.device_name(&state, disk.dev.as_deref())?;
        // No name in an init file has a plus in it.
        let name = format!("{}+{dev}.qcow2", self.vm);
        let path = self.paths.images().join(name);
        let image = DiskImage {
            path: path.strip_prefix(self.paths.prefix()).unwrap_or(&path).to_owned(),
            format: DiskFormat::Qcow2,
            dev: dev.clone(),
            read_only: false,
        };
        state.attached.entry(self.vm.clone()).or_default().disks.push(image);
        self.make(&self.file(&state, &dev), disk, &dev)?;
        self.attach(vm, state, &Device::Disk(dev.clone()))?;
        Ok(dev)
    }

    fn detach_disk(&self, vm: &Vm, dev: &str) -> Result<()> {
        let _lock = lock_settled(&self.paths)?;
        let state = State::read(&self.paths)?;
        let attached =
            state.attached.get(&self.vm).into_iter().flat_map(|attached| &attached.disks);
        if !attached.into_iter().any(|disk| disk.dev == dev) {
            let known = self.disks_of(&state).iter().any(|disk| disk.dev == dev);
            return Err(self.cannot(format!("give disk {dev} away"), not_attached(known)).into());
        }
        self.detach(vm, state, &Device::Disk(dev.to_owned()))
    }

    fn attach_nic(&self, vm: &Vm, net: &str) -> Result<usize> {
        let _lock = lock_settled(&self.paths)?;
        let mut state = State::read(&self.paths)?;
        let made = self.record.plan.vm(&self.vm).map_or(0, |vm| vm.nics.len());
        let attached = state.attached.entry(self.vm.clone()).or_default();
        let number = attached.nics.iter().map(|nic| nic.number + 1).max().unwrap_or(made);
        let planned = self.plan_nic(&state.attached, net)?;
        let nic = AttachedNic { number, planned };
        let card = self.card(&nic);
        let device = Device::Nic(nic.planned.mac.clone());
        state.attached.entry(self.vm.clone()).or_default().nics.push(nic);
        if vm.host().is_running() {
            // The guest may ask for its address at once.
            vm.put_lease(&card)?;
        }
        self.attach(vm, state, &device)?;
        self.renew_names(vm);
        Ok(number)
    }

    fn detach_nic(&self, vm: &Vm, number: usize) -> Result<()> {
        let _lock = lock_settled(&self.paths)?;
        let state = State::read(&self.paths)?;
        let attached = state.attached.get(&self.vm).into_iter().flat_map(|attached| &attached.nics);
        let Some(nic) = attached.into_iter().find(|nic| nic.number == number) else {
            let known = self.record.plan.vm(&self.vm).is_some_and(|vm| number < vm.nics.len());
            return Err(self.cannot(format!("give NIC {number} away"), not_attached(known)).into());
        };
        let card = self.card(nic);
        self.detach(vm, state, &Device::Nic(card.planned.mac.clone()))?;
        if vm.host().is_running()
            && let Err(error) = vm.remove_lease(&card)
        {
            tracing::warn!("the address of the card is still handed out: {}", error_chain(&error));
        }
        self.renew_names(vm);
        Ok(())
    }
}

impl VmDevices {
    fn of(prefix: &Prefix, vm: &str) -> Self {
        let (paths, record) = (prefix.paths().clone(), Arc::clone(prefix.shared_record()));
        Self { paths, record, vm: vm.to_owned() }
    }

    /// Has the networks answer for the names of the cards that there are now. They are tried again at the next start.
    fn renew_names(&self, vm: &Vm) {
        let (paths, record) = (self.paths.clone(), Arc::clone(&self.record));
        let mappings = PrefixMappings { paths, record, connection: Arc::clone(vm.connection()) };
        let renewed = State::read(&self.paths).and_then(|state| mappings.teach(&state));
        if let Err(error) = renewed {
            tracing::warn!("the names of the card are not known yet: {}", error_chain(&error));
        }
    }

    /// Plugs in what `state` has already, if the VM runs. What goes wrong leaves the state as it was.
    fn attach(&self, vm: &Vm, mut state: State, device: &Device) -> Result<()> {
        if !is_running(vm)? {
            return state.write(&self.paths);
        }
        state.pending = Some(Pending::Attach { vm: self.vm.clone(), device: device.clone() });
        state.write(&self.paths)?;
        self.plug(vm, state, device)
    }

    fn plug(&self, vm: &Vm, mut state: State, device: &Device) -> Result<()> {
        let plugged = vm.plug(self.description(&state, device)?);
        let is_there = plugged.is_ok() || vm.has_device(device)?;
        let unused = (!is_there).then(|| self.forget(&mut state, device)).flatten();
        state.pending = None;
        state.write(&self.paths)?;
        remove_unused(unused);
        if is_there { Ok(()) } else { Ok(plugged?) }
    }

    /// Unplugs a device, if the VM runs, and forgets it.
    fn detach(&self, vm: &Vm, mut state: State, device: &Device) -> Result<()> {
        if is_running(vm)? {
            state.pending = Some(Pending::Detach { vm: self.vm.clone(), device: device.clone() });
            state.write(&self.paths)?;
        }
        self.unplug(vm, state, device)
    }

    /// One that the guest does not let go of stays.
    fn unplug(&self, vm: &Vm, mut state: State, device: &Device) -> Result<()> {
        let unplugged = if is_running(vm)? { vm.unplug(device) } else { Ok(()) };
        state.pending = None;
        let unused = unplugged.is_ok().then(|| self.forget(&mut state, device)).flatten();
        state.write(&self.paths)?;
        remove_unused(unused);
        unplugged
    }

    /// Forgets a device. Returns the file that a disk has in the layer that is written to: it is of no use once the state
    /// is written that does not name it.
    fn forget(&self, state: &mut State, device: &Device) -> Option<PathBuf> {
        let file = match device {
            Device::Disk(dev) => Some(self.file(state, dev)),
            Device::Nic(_) => None,
        };
        state.forget_device(&self.vm, device);
        file
    }

    /// A device as libvirt is told of it.
    fn description(&self, state: &State, device: &Device) -> Result<String> {
        let disk = |dev: &String| {
            let disk = self.disks_of(state).into_iter().find(|disk| disk.dev == *dev)?;
            Some(disk.device(&self.paths, true).to_xml())
        };
        let nic = |mac: &String| {
            let nic =
                state.attached.get(&self.vm)?.nics.iter().find(|nic| nic.planned.mac == *mac)?;
            Some(self.card(nic).device.to_xml())
        };
        let description = match device {
            Device::Disk(dev) => disk(dev),
            Device::Nic(mac) => nic(mac),
        };
        let unknown = || self.cannot(format!("have {device:?}"), "nothing is known of it");
        Ok(description.ok_or_else(unknown)?)
    }

    fn disks_of(&self, state: &State) -> Vec<DiskImage> {
        let mut disks = disks_at(&self.record, &state.attached, state.active);
        disks.swap_remove(&self.vm).unwrap_or_default()
    }

    /// The file that the VM writes to for one of its disks.
    fn file(&self, state: &State, dev: &str) -> PathBuf {
        let disk = self.disks_of(state).into_iter().find(|disk| disk.dev == dev);
        self.paths.prefix().join(disk.map(|disk| disk.path).unwrap_or_default())
    }

    /// The name that was asked for, or the first one on virtio after those that are taken.
    fn device_name(&self, state: &State, wanted: Option<&str>) -> Result<String, VirtError> {
        let taken: Vec<String> = self.disks_of(state).into_iter().map(|disk| disk.dev).collect();
        let Some(wanted) = wanted else {
            let numbers = taken.iter().filter_map(|dev| letters_to_number(dev.strip_prefix("vd")?));
            let next = numbers.max().map_or(0, |last| last + 1);
            return Ok(format!("vd{}", number_to_letters(next)));
        };
        let has_scsi = taken.iter().any(|dev| dev.starts_with("sd"));
        let reason = match wanted.split_at_checked(2) {
            Some((_, letters)) if letters_to_number(letters).is_none() || letters.len() > 2 => {
                "that is no device; write vda, vdb, ... or sda, sdb, ..."
            }
            _ if taken.iter().any(|dev| dev == wanted) => "there is one by that name already",
            Some(("vd", _)) => return Ok(wanted.to_owned()),
            Some(("sd", _)) if has_scsi => return Ok(wanted.to_owned()),
            Some(("sd", _)) => {
                "it has no SCSI disk in the init file, and so no controller for more"
            }
            Some(("hd", _)) => "SATA disks cannot be attached; use virtio (vdX) or SCSI (sdX)",
            _ => "that is no device; write vda, vdb, ... or sda, sdb, ...",
        };
        Err(self.cannot(format!("have a disk {wanted}"), reason))
    }

    fn make(&self, path: &Path, disk: &NewDisk, dev: &str) -> Result<()> {
        let error = |source: Error| PrefixError::Disk {
            vm: self.vm.clone(),
            disk: dev.to_owned(),
            source: Box::new(source),
        };
        create_dir(path.parent().unwrap_or(path))?;
        let made = match &disk.source {
            NewDiskSource::Empty(size) => create_image(path, "qcow2", &Content::Empty(*size)),
            NewDiskSource::Image(image) => ImageFormat::of_file(image)
                .and_then(|format| {
                    Ok((image.canonicalize().map_err(FileError::io("find", image))?, format))
                })
                .map_err(Error::from)
                .and_then(|(image, format)| {
                    let format = format.as_str();
                    create_image(
                        path,
                        "qcow2",
                        &Content::Overlay { path: &image, format, size: None },
                    )
                }),
        };
        Ok(made.map_err(error)?)
    }

    /// The addresses of a new card.
    fn plan_nic(&self, attached: &AttachedDevices, name: &str) -> Result<PlannedNic, VirtError> {
        let plan = &self.record.plan;
        let action = || format!("have a NIC on {name}");
        let Some(net) = plan.net(name) else {
            let known: Vec<&str> = plan.nets.iter().map(|net| net.name.as_str()).collect();
            let reason = format!("there is no such network; there are {}", known.join(", "));
            return Err(self.cannot(action(), reason));
        };
        let planned = plan.vms.iter().flat_map(|vm| &vm.nics);
        let later = attached.values().flat_map(|attached| &attached.nics).map(|nic| &nic.planned);
        let used: HashSet<Ipv4Addr> =
            planned.chain(later).map(|nic| nic.ip).chain(net.mapping.values().copied()).collect();
        let ip = free_address(net, &used).ok_or_else(|| {
            self.cannot(action(), format!("{} has no free address left", net.subnet))
        })?;
        let mac = mac(ip);
        // Its guest got its seed long before, and there is no server that it could ask.
        let ip6 = autoconfigured(net, &mac);
        let net_name = net.name.clone();
        Ok(PlannedNic { net: net_name, ip, ip6, mac, management: false, mtu: net.mtu })
    }

    fn card(&self, nic: &AttachedNic) -> AttachedCard {
        let planned = nic.planned.clone();
        let net = self.record.plan.net(&planned.net);
        let lease = net.filter(|net| net.kind == NetKind::Nat).map(|_| Lease {
            mac: planned.mac.clone(),
            // The guest has its name from its first card.
            name: None,
            ip: planned.ip,
        });
        let device = self.record.attached_nic(&self.vm, nic);
        AttachedCard { number: nic.number, planned, device, lease }
    }

    fn cannot(&self, action: String, reason: impl Into<String>) -> VirtError {
        VirtError::Device { vm: self.vm.clone(), action, reason: reason.into() }
    }
}

fn is_running(vm: &Vm) -> Result<bool> {
    Ok(vm.host().is_running() && vm.alive()?)
}

fn not_attached(known: bool) -> &'static str {
    if known {
        "it is one of the init file, which has no port of its own; only what was attached can be detached"
    } else {
        "it has none of that name"
    }
}

/// Attaches a device whose attaching was cut short, as far as the VM still runs.
pub(crate) fn finish_attach(
    prefix: &Prefix,
    state: State,
    vm: &str,
    device: &Device,
) -> Result<()> {
    let (vm, devices) = (prefix.vm(vm)?, VmDevices::of(prefix, vm));
    if is_running(vm)? {
        // Where it was plugged in already, it is there, and libvirt refuses to do it again.
        return devices.plug(vm, state, device);
    }
    let state = State { pending: None, ..state };
    state.write(prefix.paths())
}

/// Detaches a device whose detaching was cut short.
pub(crate) fn finish_detach(
    prefix: &Prefix,
    state: State,
    vm: &str,
    device: &Device,
) -> Result<()> {
    VmDevices::of(prefix, vm).unplug(prefix.vm(vm)?, state, device)
}

/// Removes the file of a disk that is not used any more.
fn remove_unused(file: Option<PathBuf>) {
    if let Some(Err(error)) = file.map(fs::remove_file) {
        tracing::warn!("a disk that is not used any more could not be removed: {error}");
    }
}
