use super::*;
use crate::api::types::{
    Cluster, Disk, DiskAttachment, DiskFormat, Host, HostStatus, List, Nic, Secret, StorageDomain,
    Vm, VmStatus,
};

fn answer(status: u16, content_type: &str, body: &str) -> Answer {
    Answer {
        request: "GET https://engine/ovirt-engine/api/vms".to_owned(),
        status: StatusCode::from_u16(status).unwrap(),
        content_type: content_type.to_owned(),
        body: body.as_bytes().to_vec(),
    }
}

fn xml(body: &str) -> Answer {
    answer(200, "application/xml;charset=UTF-8", body)
}

fn text(object: &impl Model) -> String {
    String::from_utf8(write(object).unwrap()).unwrap()
}

const VM: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<vm href="/ovirt-engine/api/vms/123" id="123">
    <actions><link href="/ovirt-engine/api/vms/123/start" rel="start"/></actions>
    <name>vm0 &amp; more</name>
    <description></description>
    <link href="/ovirt-engine/api/vms/123/nics" rel="nics"/>
    <link href="/ovirt-engine/api/vms/123/snapshots" rel="snapshots"/>
    <memory>268435456</memory>
    <status>up</status>
    <stateless>false</stateless>
    <cluster href="/ovirt-engine/api/clusters/c" id="c"/>
    <nics><nic id="n0"><name>eth0</name></nic><link rel="x"/><nic id="n1"><name>eth1</name></nic></nics>
    <usb><enabled>false</enabled></usb>
</vm>"#;

#[test]
fn an_object_has_what_the_engine_says_and_ignores_what_is_unknown() {
    let vm: Vm = read(xml(VM), "vm").unwrap();
    assert_eq!(vm.id().unwrap().as_str(), "123");
    assert_eq!(vm.name.as_deref(), Some("vm0 & more"));
    assert_eq!(vm.memory, Some(256 << 20));
    assert_eq!(vm.status, Some(VmStatus::Up));
    assert_eq!(vm.stateless, Some(false));
    assert_eq!(vm.cluster.unwrap().id().unwrap().as_str(), "c");
    let names: Vec<_> = vm.nics.unwrap().items.into_iter().map(|nic: Nic| nic.name).collect();
    assert_eq!(names, [Some("eth0".to_owned()), Some("eth1".to_owned())]);
    assert!(vm.snapshots.is_none());
}

#[test]
fn lists_are_empty_or_have_what_is_in_them() {
    let hosts: List<Host> = read(xml("<hosts/>"), "hosts").unwrap();
    assert!(hosts.items.is_empty());
    let body = r#"<hosts><actions/><host id="a"><status>up</status></host>
        <host id="b"><status>levitating</status></host></hosts>"#;
    let hosts: List<Host> = read(xml(body), "hosts").unwrap();
    let statuses: Vec<_> = hosts.items.into_iter().map(|host| host.status.unwrap()).collect();
    assert_eq!(statuses, [HostStatus::Up, HostStatus::Other("levitating".to_owned())]);
}

#[test]
fn a_request_has_what_is_set_and_nothing_else() {
    let host = Host {
        address: Some("192.168.200.3".to_owned()),
        root_password: Some(Secret::from("<123456>")),
        cluster: Some(Box::new(Cluster::named("test-cluster"))),
        override_iptables: Some(true),
        ..Host::named("host-0")
    };
    assert_eq!(
        text(&host),
        "<host><name>host-0</name><address>192.168.200.3</address><cluster><name>test-cluster</name></cluster>\
         <root_password>&lt;123456&gt;</root_password><override_iptables>true</override_iptables></host>"
    );
    assert!(!format!("{host:?}").contains("123456"));
}

#[test]
fn a_list_in_a_request_is_a_list() {
    let disk = Disk {
        format: Some(DiskFormat::Cow),
        storage_domains: Some(vec![StorageDomain::named("a"), StorageDomain::named("b")].into()),
        ..Disk::named("disk0")
    };
    let attachment = DiskAttachment { disk: Some(disk), ..DiskAttachment::default() };
    assert_eq!(
        text(&attachment),
        "<disk_attachment><disk><name>disk0</name><format>cow</format><storage_domains>\
         <storage_domain><name>a</name></storage_domain><storage_domain><name>b</name></storage_domain>\
         </storage_domains></disk></disk_attachment>"
    );
    let again: DiskAttachment = quick_xml::de::from_str(&text(&attachment)).unwrap();
    assert_eq!(again, attachment);
}

#[test]
fn a_fault_is_an_error_with_reason_and_detail() {
    let body = "<fault><detail>[Cannot add VM. The VM name is already in use.]</detail><reason>Operation Failed</reason></fault>";
    let error = read::<Vm>(answer(409, "application/xml", body), "vm").unwrap_err();
    assert!(error.is_conflict());
    assert_eq!(
        error.to_string(),
        "GET https://engine/ovirt-engine/api/vms: Operation Failed: [Cannot add VM. The VM name is already in use.]"
    );
}

#[test]
fn the_fault_of_an_action_is_inside_of_it() {
    let body =
        "<action><fault><reason>Operation Failed</reason></fault><status>failed</status></action>";
    for status in [200, 400] {
        let error = read_action(answer(status, "application/xml", body)).unwrap_err();
        let ApiError::Fault { reason, detail, .. } = error else { panic!("{error}") };
        assert_eq!((reason.as_str(), detail.as_str()), ("Operation Failed", ""));
    }
}

#[test]
fn an_action_that_went_well_need_not_say_anything() {
    read_action(answer(200, "without a content type", "")).unwrap();
    let done = read_action(xml("<action><status>complete</status></action>")).unwrap();
    assert_eq!(done.status.as_deref(), Some("complete"));
}

#[test]
fn a_page_is_quoted_by_its_title() {
    let page =
        "<!DOCTYPE html><html><head><TITLE>\n 503 Service\n Unavailable</TITLE></head></html>";
    let error = read::<Vm>(answer(503, "text/html", page), "vm").unwrap_err();
    let ApiError::NotTheApi { excerpt, .. } = &error else { panic!("{error}") };
    assert_eq!(excerpt, "503 Service Unavailable");
    assert!(error.is_worth_waiting_for());
}

#[test]
fn another_object_a_broken_one_and_none_are_told_apart_from_the_right_one() {
    let wrong = read::<Vm>(xml("<host/>"), "vm").unwrap_err().to_string();
    assert!(wrong.contains("it is a `host` instead of a `vm`"), "{wrong}");
    for broken in ["<vm><name>x</name>", "<vm><memory>much</memory></vm>", "", "<vm"] {
        let error = read::<Vm>(xml(broken), "vm").unwrap_err();
        assert!(matches!(error, ApiError::Malformed { .. }), "{broken}: {error}");
    }
    let odd = read::<Vm>(answer(500, "application/xml", "<vm/>"), "vm").unwrap_err().to_string();
    assert!(odd.contains("its status is 500"), "{odd}");
}

#[test]
fn no_title_is_longer_than_what_is_quoted() {
    let page = format!("<html><title>{}</title></html>", "é".repeat(1000));
    let error = read::<Vm>(answer(200, "text/html", &page), "vm").unwrap_err();
    let ApiError::NotTheApi { excerpt, .. } = error else { panic!("{error}") };
    assert_eq!(excerpt.chars().count(), EXCERPT + "...".len());
}

#[test]
fn an_object_that_is_not_there_is_answered_without_a_word() {
    let missing = read::<Vm>(answer(404, "application/xml;charset=UTF-8", ""), "vm");
    assert!(missing.unwrap_err().is_not_found());
    let page = read::<Vm>(answer(404, "text/html", "<html><title>Not Found</title></html>"), "vm");
    assert!(!page.unwrap_err().is_not_found(), "a proxy knows nothing of objects");
}

#[test]
fn an_api_that_is_not_there_is_no_missing_object() {
    let error = read_api(answer(404, "application/xml;charset=UTF-8", "")).unwrap_err();
    assert!(matches!(error, ApiError::NotTheApi { .. }), "{error}");
    assert!(error.is_worth_waiting_for() && !error.is_not_found());
}
