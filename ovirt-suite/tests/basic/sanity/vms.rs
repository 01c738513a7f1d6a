//! VMs that do not run yet.

use lago_test::limits::LONG;
use lago_test::{Failure, TestResult, ensure};
use ovirt_suite::api::Connection;
use ovirt_suite::api::types::{
    Cluster, Disk, DiskAttachment, DiskFormat, DiskInterface, Id, MemoryPolicy, Model as _,
    Network, Nic, NicInterface, OperatingSystem, StorageDomain, Template, Vm, VmStatus, VmType,
    VnicProfile,
};
use ovirt_suite::testlib::OvirtApi;

use super::vm;
use crate::machines::Machines;
use crate::names::{
    BLANK, CLUSTER, DATA_CENTER, MANAGEMENT_NETWORK, NFS, TEMPLATE, VM0, VM0_DISK, VM0_NIC, VM1,
};
use crate::wait;

const MEMORY: u64 = 256 << 20;
const DISK_SIZE: u64 = 10 << 30;

/// What both VMs have in common.
fn new_vm(name: &str, template: &str) -> Vm {
    let memory_policy = MemoryPolicy { guaranteed: Some(MEMORY / 2), ..MemoryPolicy::default() };
    Vm {
        memory: Some(MEMORY),
        memory_policy: Some(memory_policy),
        r#type: Some(VmType::Server),
        os: Some(OperatingSystem {
            r#type: Some("other_linux".to_owned()),
            ..OperatingSystem::default()
        }),
        cluster: Some(Box::new(Cluster::named(CLUSTER))),
        template: Some(Box::new(Template::named(template))),
        ..Vm::named(name)
    }
}

pub(crate) fn add_vm_blank(engine: OvirtApi) -> TestResult {
    let blank = engine.templates().named(BLANK)?;
    let added = engine.vms().of(&engine.vms().add(&new_vm(VM0, BLANK))?)?;
    wait::for_vm(&added, VmStatus::Down, LONG)?;
    let now = added.get()?;
    ensure!(now.name() == Some(VM0) && now.memory == Some(MEMORY), "another VM was made: {now:?}");
    ensure!(template_of(&now) == blank.id.as_ref(), "it was made from another template: {now:?}");
    ensure!(added.disk_attachments().all()?.is_empty(), "a blank VM has a disk");
    Ok(())
}

fn template_of(vm: &Vm) -> Option<&Id> {
    vm.template.as_deref().and_then(|template| template.id.as_ref())
}

/// How a card gets onto the management network of the data center.
pub(crate) fn management_profile(engine: &Connection) -> Result<VnicProfile, Failure> {
    let data_center = engine.data_centers().named(DATA_CENTER)?;
    let networks = engine.data_centers().of(&data_center)?.networks();
    let network = networks.named(MANAGEMENT_NETWORK)?;
    let leads_there = |profile: &VnicProfile| {
        let of = profile.network.as_deref().and_then(|of: &Network| of.id.as_ref());
        of.is_some() && of == network.id.as_ref()
    };
    let profile = engine.vnic_profiles().all()?.into_iter().find(leads_there);
    let profile = profile.ok_or_else(|| {
        Failure::new(format!("no vNIC profile leads to the network {MANAGEMENT_NETWORK}"))
    })?;
    Ok(VnicProfile::with_id(profile.id()?))
}

pub(crate) fn add_nic(engine: OvirtApi) -> TestResult {
    let profile = management_profile(&engine)?;
    let nic = Nic {
        interface: Some(NicInterface::Virtio),
        vnic_profile: Some(profile.clone()),
        ..Nic::named(VM0_NIC)
    };
    let nics = vm(&engine, VM0)?.nics();
    nics.add(&nic)?;
    let now = nics.named(VM0_NIC)?;
    ensure!(now.interface == Some(NicInterface::Virtio), "another card was added: {now:?}");
    let leads_to = now.vnic_profile.as_ref().and_then(|profile| profile.id.as_ref());
    ensure!(leads_to == profile.id.as_ref(), "it is on another network: {leads_to:?}");
    let address = now.mac.and_then(|mac| mac.address).unwrap_or_default();
    ensure!(address.split(':').count() == 6, "the card has no address: {address:?}");
    Ok(())
}

pub(crate) fn add_disk(engine: OvirtApi, machines: Machines) -> TestResult {
    let disk = Disk {
        format: Some(DiskFormat::Cow),
        sparse: Some(true),
        provisioned_size: Some(DISK_SIZE),
        storage_domains: Some(vec![StorageDomain::named(NFS)].into()),
        ..Disk::named(VM0_DISK)
    };
    let attachment = DiskAttachment {
        interface: Some(DiskInterface::Virtio),
        bootable: Some(true),
        active: Some(true),
        disk: Some(disk),
        ..DiskAttachment::default()
    };
    let attachments = vm(&engine, VM0)?.disk_attachments();
    let added = attachments.add(&attachment)?;
    wait::for_disk(&engine.disks().id(added.id()?))?;
    let disk = engine.disks().id(added.id()?).get()?;
    ensure!(disk.provisioned_size == Some(DISK_SIZE), "its size is {:?}", disk.provisioned_size);
    ensure!(disk.sparse == Some(true), "it takes all of its space at once");
    let taken = disk.actual_size.unwrap_or_default();
    ensure!(taken < DISK_SIZE / 10, "an empty disk takes {taken} bytes");
    let now = attachments.id(added.id()?).get()?;
    ensure!(
        now.bootable == Some(true) && now.active == Some(true),
        "it was attached otherwise: {now:?}"
    );
    let volumes = machines.volumes(added.id()?)?;
    ensure!(volumes.is_none_or(|count| count == 1), "it has {volumes:?} volumes on the server");
    Ok(())
}

pub(crate) fn add_vm_template(engine: OvirtApi, machines: Machines) -> TestResult {
    let template = engine.templates().named(TEMPLATE)?;
    let added = engine.vms().of(&engine.vms().add(&new_vm(VM1, TEMPLATE))?)?;
    wait::for_vm(&added, VmStatus::Down, LONG)?;
    let now = added.get()?;
    ensure!(template_of(&now) == template.id.as_ref(), "it has another template: {now:?}");
    let of_template = engine.templates().of(&template)?.disk_attachments().all()?;
    let attachments = added.disk_attachments().all()?;
    let is_shared = |disk: &DiskAttachment| of_template.iter().any(|other| other.id == disk.id);
    ensure!(!attachments.iter().any(is_shared), "it has disks of its template: {attachments:?}");
    for attachment in &attachments {
        let id = attachment.id()?;
        wait::for_disk(&engine.disks().id(id))?;
        ensure!(machines.volumes(id)? != Some(0), "its disk {id} is not on the server");
    }
    let (sizes, expected) = (sizes(&engine, &attachments)?, sizes(&engine, &of_template)?);
    ensure!(
        sizes == expected,
        "its disks have {sizes:?} bytes, those of its template {expected:?}"
    );
    Ok(())
}

/// How large disks are, the smallest first.
fn sizes(engine: &Connection, disks: &[DiskAttachment]) -> Result<Vec<u64>, Failure> {
    let size = |disk: &DiskAttachment| -> Result<u64, Failure> {
        let disk = engine.disks().id(disk.id()?).get()?;
        disk.provisioned_size.ok_or_else(|| Failure::new(format!("a disk has no size: {disk:?}")))
    };
    let mut sizes = disks.iter().map(size).collect::<Result<Vec<_>, _>>()?;
    sizes.sort_unstable();
    Ok(sizes)
}
