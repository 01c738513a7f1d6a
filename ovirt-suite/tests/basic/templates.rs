//! Templates in the export domain.

use lago_test::limits::LONG;
use lago_test::{Failure, TestResult, assert_equals_within, assert_true_within, ensure};
use ovirt_suite::api::Connection;
use ovirt_suite::api::types::{
    Cluster, Disk, DiskAttachment, DiskFormat, DiskInterface, DiskStatus, ExportedTemplate,
    Model as _, StorageDomain, Template, TemplateStatus, Vm, VmStatus,
};
use ovirt_suite::testlib::OvirtApi;

use crate::names::{BLANK, CLUSTER, EXPORT, NFS, TEMPLATE};
use crate::wait;

/// The disk of the template.
const DISK_SIZE: u64 = 1 << 30;

/// Imports all templates that the export domain has. A new one has none, so one is made and exported first.
pub(crate) fn import_templates(engine: OvirtApi) -> TestResult {
    let domain = engine.storage_domains().named(EXPORT)?;
    let exported = engine.storage_domains().of(&domain)?.templates();
    if exported.all()?.is_empty() {
        export_a_template(&engine, &domain)?;
        assert_true_within(LONG, || Ok(exported.find(TEMPLATE)?.is_some()))?;
    }
    let (to, cluster) = (engine.storage_domains().named(NFS)?, engine.clusters().named(CLUSTER)?);
    for template in exported.all()? {
        exported.of(&template)?.import(&to, &cluster, None)?;
        assert_is_there(&engine, &template, &to)?;
    }
    Ok(())
}

fn assert_is_there(
    engine: &Connection,
    exported: &ExportedTemplate,
    on: &StorageDomain,
) -> TestResult {
    let name = exported.name().ok_or_else(|| Failure::new("an exported template has no name"))?;
    assert_equals_within(LONG, Some(TemplateStatus::Ok), || {
        Ok(engine.templates().named(name)?.status)
    })?;
    let template = engine.templates().named(name)?;
    let attachments = engine.templates().of(&template)?.disk_attachments().all()?;
    ensure!(!attachments.is_empty(), "template {name} has no disk");
    for attachment in attachments {
        let disk = engine.disks().id(attachment.id()?).get()?;
        ensure!(
            disk.status == Some(DiskStatus::Ok),
            "a disk of template {name} is {:?}",
            disk.status
        );
        let domains = disk.storage_domains.unwrap_or_default().items;
        let is_on = domains.iter().any(|domain| domain.id == on.id);
        ensure!(is_on, "a disk of template {name} is on {domains:?}");
    }
    Ok(())
}

/// A VM with a disk becomes a template, which goes to the export domain; neither stays.
fn export_a_template(engine: &Connection, to: &StorageDomain) -> TestResult {
    let vm = Vm {
        cluster: Some(Box::new(Cluster::named(CLUSTER))),
        template: Some(Box::new(Template::named(BLANK))),
        ..Vm::named("template-source")
    };
    let vm = engine.vms().add(&vm)?;
    let source = engine.vms().of(&vm)?;
    wait::for_vm(&source, VmStatus::Down, LONG)?;
    let disk = Disk {
        format: Some(DiskFormat::Cow),
        sparse: Some(true),
        provisioned_size: Some(DISK_SIZE),
        storage_domains: Some(vec![StorageDomain::named(NFS)].into()),
        ..Disk::named("template-source_disk0")
    };
    let attachment = DiskAttachment {
        interface: Some(DiskInterface::Virtio),
        bootable: Some(true),
        active: Some(true),
        disk: Some(disk),
        ..DiskAttachment::default()
    };
    let attachment = source.disk_attachments().add(&attachment)?;
    wait::for_disk(&engine.disks().id(attachment.id()?))?;
    let template =
        Template { vm: Some(Box::new(Vm::with_id(vm.id()?))), ..Template::named(TEMPLATE) };
    let template = engine.templates().of(&engine.templates().add(&template)?)?;
    assert_equals_within(LONG, Some(TemplateStatus::Ok), || Ok(template.get()?.status))?;
    template.export(to)?;
    // It is locked while it is copied.
    assert_true_within(LONG, || {
        let domain = engine.storage_domains().of(to)?;
        let arrived = domain.templates().find(TEMPLATE)?.is_some();
        Ok(arrived && template.get()?.status == Some(TemplateStatus::Ok))
    })?;
    template.remove()?;
    assert_true_within(LONG, || Ok(engine.templates().find(TEMPLATE)?.is_none()))?;
    wait::for_vm(&source, VmStatus::Down, LONG)?;
    source.remove()?;
    assert_true_within(LONG, || Ok(engine.vms().find("template-source")?.is_none()))
}
