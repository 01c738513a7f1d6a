use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use uuid::Uuid;

use super::*;
use crate::host::Acceleration;
use crate::prefix::HostKind;
use crate::spec::{DiskKind, InitFile, PlanInput, TemplateBase, plan};
use crate::templates::{ImageFormat, Metadata, StoredImage};

use super::super::plan::Base;

const EVERY_FIELD: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/good-init-files/every-field.yaml"));

const NETWORKS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/good-init-files/networks.yaml"));

fn record() -> Record {
    record_of(EVERY_FIELD)
}

fn record_of(text: &str) -> Record {
    let file = InitFile::parse(text, Path::new("/suite/LagoInitFile.yaml")).unwrap();
    let id = Uuid::from_u128(7);
    let plan = plan(&file, &PlanInput::new(id)).unwrap();
    Record::new(id, HostKind::Private, Acceleration::Tcg, file, plan, IndexMap::new())
}

fn exported(record: &Record, vm: &str, disk: usize, form: Form) -> DiskExport {
    let spec = record.init_file.domains[vm].disks[disk].clone();
    DiskExport {
        vm: vm.to_owned(),
        dev: spec.dev.clone(),
        metadata: spec.metadata.clone(),
        source: PathBuf::new(),
        source_format: "qcow2",
        spec: Some(spec),
        form,
        compressed: false,
    }
}

fn base() -> Base {
    let digest = "ab".repeat(32).parse().unwrap();
    let image = StoredImage {
        path: "/store/x".into(),
        format: ImageFormat::Qcow2,
        digest,
        metadata: Metadata::new(),
    };
    Base { template: "debian".into(), version: "v2".into(), image }
}

#[test]
fn what_was_exported_is_the_same_environment_with_other_disks() {
    let record = record();
    let vms = record.init_file.domains.keys().cloned().collect();
    let disks = vec![
        exported(&record, "engine", 0, Form::Layered(base())),
        exported(&record, "engine", 2, Form::Standalone),
        exported(&record, "engine", 3, Form::Cd),
        exported(&record, "host", 1, Form::Raw),
    ];
    let plan = Plan { vms, disks, nvram: IndexMap::new() };
    for format in [InitFileFormat::Yaml, InitFileFormat::Json] {
        let text = write(&record, &plan, format);
        let file = InitFile::parse(&text, Path::new("/elsewhere/LagoInitFile")).unwrap();
        assert_eq!(file.nets, record.init_file.nets);
        let mut without_disks = (file.domains.clone(), record.init_file.domains.clone());
        for domain in without_disks.0.values_mut().chain(without_disks.1.values_mut()) {
            domain.disks.clear();
            domain.nvram = None;
        }
        assert_eq!(without_disks.0, without_disks.1);

        let disks = &file.domains["engine"].disks;
        assert_eq!(disks[0].metadata["arch"], "x86_64");
        let base = TemplateBase {
            name: "debian".into(),
            version: Some("v2".into()),
            digest: Some("ab".repeat(32)),
        };
        let path = "/elsewhere/engine_root.qcow2".into();
        assert_eq!(disks[0].kind, DiskKind::Image { path, size: None, base: Some(base) });
        let path = "/elsewhere/engine_data.qcow2".into();
        assert_eq!(disks[1].kind, DiskKind::Image { path, size: None, base: None });
        assert_eq!((disks[2].name.as_str(), disks[2].dev.as_str()), ("tools", "hda"));
    }
}

#[test]
fn what_only_the_template_said_is_carried_on_where_it_decides_something() {
    let record = record();
    let known = serde_json::json!({ "sysprep": "libguestfs", "distro": "el7", "packages": ["a"] });
    let metadata = |form| {
        let disk = DiskExport {
            metadata: known.as_object().cloned().unwrap(),
            ..exported(&record, "engine", 2, form)
        };
        let plan = Plan { vms: vec!["engine".into()], disks: vec![disk], nvram: IndexMap::new() };
        let text = write(&record, &plan, InitFileFormat::Yaml);
        let file = InitFile::parse(&text, Path::new("/elsewhere/LagoInitFile")).unwrap();
        file.domains["engine"].disks[0].metadata.clone()
    };
    let carried = metadata(Form::Standalone);
    assert_eq!((&carried["sysprep"], &carried["distro"]), (&json!("libguestfs"), &json!("el7")));
    assert!(!carried.contains_key("packages"));
    assert!(!metadata(Form::Layered(base())).contains_key("sysprep"));
}

#[test]
fn a_vm_begins_with_the_variables_of_its_firmware() {
    let record = record();
    let uefi = record.init_file.domains.keys().find(|vm| record.has_uefi(vm)).unwrap().clone();
    let nvram = IndexMap::from([(uefi.clone(), PathBuf::from("/prefix/nvram/x.fd"))]);
    let plan = Plan { vms: vec![uefi.clone()], disks: Vec::new(), nvram };
    let text = write(&record, &plan, InitFileFormat::Yaml);
    let file = InitFile::parse(&text, Path::new("/elsewhere/LagoInitFile")).unwrap();
    let path = Path::new("/elsewhere").join(format!("{uefi}.nvram"));
    assert_eq!(file.domains[&uefi].nvram, Some(path));
}

#[test]
fn networks_are_what_they_were() {
    let record = record_of(NETWORKS);
    let vms = record.init_file.domains.keys().cloned().collect();
    let text = write(
        &record,
        &Plan { vms, disks: Vec::new(), nvram: IndexMap::new() },
        InitFileFormat::Yaml,
    );
    let file = InitFile::parse(&text, Path::new("/elsewhere/LagoInitFile")).unwrap();
    assert_eq!(file.nets, record.init_file.nets);
    assert_eq!(file.domains, record.init_file.domains);
}

#[test]
fn the_init_file_is_written_for_people() {
    let file = "domains: {web: {memory: 512, nics: [{net: lan}], disks: [{type: template, template_name: debian, name: root}]}}\n\
                nets: {lan: {gw: 10.1.0.1/16, dhcp: {start: 100, end: 10.1.1.200}}}";
    let init_file = InitFile::parse(file, Path::new("LagoInitFile.yaml")).unwrap();
    let mut record = record();
    record.init_file = init_file;
    let disks = vec![exported(&record, "web", 0, Form::Layered(base()))];
    let plan = Plan { vms: vec!["web".into()], disks, nvram: IndexMap::new() };
    let text = write(&record, &plan, InitFileFormat::Yaml);
    insta::assert_snapshot!(text);
}

#[test]
fn a_name_is_that_of_a_file() {
    for name in ["LagoInitFile", "init.yaml", ".hidden"] {
        check_name(name).unwrap();
    }
    for name in ["", ".", "..", "a/b", "/a", "a/"] {
        check_name(name).unwrap_err();
    }
}
