//! Devices that a VM is given while it runs.

use lago_test::limits::SHORT;
use lago_test::{Failure, TestResult, assert_equals_within, ensure};
use ovirt_suite::api::types::{
    Disk, DiskAttachment, DiskFormat, DiskInterface, Nic, NicInterface, StorageDomain, VmStatus,
};
use ovirt_suite::testlib::OvirtApi;

use super::vm;
use super::vms::management_profile;
use crate::machines::Machines;
use crate::names::{ISCSI, VM0};
use crate::wait;

const DISK_SIZE: u64 = 1 << 30;

pub(crate) fn hotplug_nic(engine: OvirtApi, machines: Machines) -> TestResult {
    let vm = vm(&engine, VM0)?;
    ensure!(vm.get()?.status == Some(VmStatus::Up), "the VM does not run");
    let nic = Nic {
        interface: Some(NicInterface::Virtio),
        vnic_profile: Some(management_profile(&engine)?),
        ..Nic::named("eth1")
    };
    let added = vm.nics().add(&nic)?;
    let nic = vm.nics().of(&added)?;
    let address = added.mac.and_then(|mac| mac.address);
    let address = address.ok_or_else(|| Failure::new("the card has no address"))?;
    let is_plugged = |expected| {
        assert_equals_within(SHORT, Some(expected), || Ok(nic.get()?.plugged))?;
        machines.assert_device(&vm.get()?, "macAddr", &address, expected)
    };
    is_plugged(true)?;
    nic.deactivate()?;
    is_plugged(false)?;
    nic.activate()?;
    is_plugged(true)?;
    ensure!(vm.get()?.status == Some(VmStatus::Up), "the VM has gone down meanwhile");
    Ok(())
}

/// A disk on the iSCSI domain.
pub(crate) fn hotplug_disk(engine: OvirtApi, machines: Machines) -> TestResult {
    let vm = vm(&engine, VM0)?;
    ensure!(vm.get()?.status == Some(VmStatus::Up), "the VM does not run");
    let disk = Disk {
        format: Some(DiskFormat::Cow),
        sparse: Some(true),
        provisioned_size: Some(DISK_SIZE),
        storage_domains: Some(vec![StorageDomain::named(ISCSI)].into()),
        ..Disk::named("vm0_disk1")
    };
    let attachment = DiskAttachment {
        interface: Some(DiskInterface::Virtio),
        bootable: Some(false),
        active: Some(true),
        disk: Some(disk),
        ..DiskAttachment::default()
    };
    let added = vm.disk_attachments().add(&attachment)?;
    wait::for_disk(&engine.disks().id(added.id()?))?;
    let attachment = vm.disk_attachments().of(&added)?;
    let is_active = |expected| {
        assert_equals_within(SHORT, Some(expected), || Ok(attachment.get()?.active))?;
        machines.assert_device(&vm.get()?, "imageID", added.id()?.as_str(), expected)
    };
    is_active(true)?;
    attachment.set_active(false)?;
    is_active(false)?;
    attachment.set_active(true)?;
    is_active(true)?;
    ensure!(vm.get()?.status == Some(VmStatus::Up), "the VM has gone down meanwhile");
    Ok(())
}
