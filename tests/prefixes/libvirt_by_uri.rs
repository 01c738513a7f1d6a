//! Prefixes on a libvirt that runs already.

use std::fs;

use lago_system_tests::{init_file, lago, run};

use crate::shared_libvirt::SharedLibvirt;

#[test]
fn a_prefix_on_a_libvirt_that_runs_already() {
    let shared = SharedLibvirt::new("libvirt-by-uri");
    shared.others_network("10.9.9.1");
    shared.init("prefix", init_file("one-vm.yaml"));
    shared.lago("prefix", &["start"]);
    let short = shared.status("prefix", "UUID")[..8].to_owned();
    assert_eq!(shared.names("list"), [format!("{short}-vm0")]);
    assert_eq!(shared.names("net-list"), [format!("{short}-lan"), "theirs".to_owned()]);
    assert_eq!(shared.lago("prefix", &["shell", "vm0", "-c", "hostname"]), "vm0\n");
    a_capsule_of_it_opens_on_a_private_host(&shared);

    shared.lago("prefix", &["stop"]);
    assert_eq!(shared.names("net-list"), ["theirs"]);
    shared.lago("prefix", &["start", "--no-wait"]);
    shared.lago("prefix", &["destroy", "--yes"]);
    assert_eq!(shared.names("list"), Vec::<String>::new());
    assert_eq!(shared.names("net-list"), ["theirs"]);
    assert!(!shared.prefix("prefix").exists());
}

const OPEN_NET: &str = "
domains:
  vm0: {memory: 128, nics: [{net: lan}], disks: [{type: template, template_name: mini}]}
nets: {lan: {type: nat}}
";

const FIXED_NET: &str = "
domains:
  vm0: {memory: 128, nics: [{net: lan}], disks: [{type: template, template_name: mini}]}
nets: {lan: {type: nat, gw: 10.7.0.1}}
";

#[test]
fn prefixes_on_one_libvirt_have_different_subnets() {
    let shared = SharedLibvirt::new("leases");
    let (open, fixed) = (shared.file("open.yaml", OPEN_NET), shared.file("fixed.yaml", FIXED_NET));
    let gateway = |prefix: &str| shared.status(prefix, "Networks/lan/gateway");
    shared.others_network("192.168.200.1");
    shared.init("left", &open);
    shared.init("right", &open);
    assert_eq!(
        (gateway("left"), gateway("right")),
        ("192.168.201.1".into(), "192.168.202.1".into())
    );

    shared.init("fixed", &fixed);
    let again = ["init", "--host", "qemu:///system", &fixed];
    let message = shared.run_lago("again", &again).failed(1);
    let holder =
        format!("10.7.0.0/24 is leased to the prefix {}", shared.prefix("fixed").display());
    assert!(message.contains("needs 10.7.0.0/24") && message.contains(&holder), "{message}");
    assert!(!shared.prefix("again").exists());

    // Removed without a word to lago.
    fs::remove_dir_all(shared.prefix("right")).expect("it can be removed");
    shared.init("third", &open);
    assert_eq!(gateway("third"), "192.168.202.1");

    // A lease that was lost is taken again, unless somebody else has it meanwhile.
    fs::remove_dir_all(shared.leases()).expect("it can be removed");
    shared.init("thief", &open);
    assert_eq!(gateway("thief"), "192.168.201.1");
    let message = shared.run_lago("left", &["start", "--no-wait"]).failed(1);
    let holder = format!("leased to the prefix {}", shared.prefix("thief").display());
    assert!(message.contains(&holder), "{message}");
    shared.lago("thief", &["cleanup"]);
    shared.lago("left", &["start", "--no-wait"]);

    for prefix in ["left", "fixed", "third", "thief"] {
        shared.lago(prefix, &["destroy", "--yes"]);
    }
    let left = fs::read_dir(shared.leases()).expect("it is there").flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).filter(|name| name != "lock").collect();
    assert!(left.is_empty(), "{left:?}");
}

/// There its VM and its network keep their names.
fn a_capsule_of_it_opens_on_a_private_host(shared: &SharedLibvirt) {
    let file = shared.prefix("vm.lago-capsule");
    shared.lago("prefix", &["shell", "vm0", "-c", "echo memory > /dev/shm/mark"]);
    shared.lago("prefix", &["capsule", "save", &file.to_string_lossy()]);
    let opened = shared.prefix("opened");
    run(lago(["capsule", "open", "--run"]).arg(&file).arg(&opened)).ok();
    let in_opened = |args: &[&str]| {
        let mut command = lago(["--prefix-path".as_ref(), opened.as_os_str()]);
        run(command.args(args)).ok()
    };
    assert_eq!(in_opened(&["shell", "vm0", "-c", "cat /dev/shm/mark"]), "memory\n");
    assert!(in_opened(&["-f", "flat", "status", "--details"]).contains("\nHost: private\n"));
    in_opened(&["destroy", "--yes"]);
}

const JOINED: &str = "
domains:
  vm0: {memory: 128, nics: [{net: lan}, {net: wire}], disks: [{type: template, template_name: mini}]}
nets:
  lan: {management: true, ipv6: true}
  alone: {uplink: none}
  wire: {type: bridge, bridge: br0}
";

#[test]
fn a_net_joins_a_bridge_of_the_machine() {
    let shared = SharedLibvirt::new("joined-bridge");
    let file = shared.file("joined.yaml", JOINED);
    let private = shared.run_lago("private", &["init", &file]).failed(1);
    assert!(private.contains("net wire joins the bridge br0"), "{private}");

    shared.init("prefix", &file);
    let missing = shared.run_lago("prefix", &["start", "--no-wait"]).failed(1);
    assert!(missing.contains("there is no bridge br0"), "{missing}");
    shared.bridges().create("br0", false).expect("it can be made");
    shared.lago("prefix", &["start", "--no-wait"]);
    let short = shared.status("prefix", "UUID")[..8].to_owned();
    let description = |net| shared.virsh(&["net-dumpxml", &format!("{short}-{net}")]).concat();
    let lan = description("lan");
    assert!(lan.contains("<nat ipv6='yes'>") && lan.contains("<hostname>vm0.</hostname>"), "{lan}");
    assert!(!description("alone").contains("<forward"));
    let plugged_in =
        || shared.inside(&["ip", "-o", "link", "show", "master", "br0"]).lines().count();
    assert_eq!(plugged_in(), 1);
    shared.lago("prefix", &["destroy", "--yes"]);
    assert_eq!(plugged_in(), 0);
    assert!(shared.bridges().exists("br0").expect("it can be seen"), "it is not the prefix's");
}
