//! A prefix that Lago made can be looked at.

use std::fs;

use lago_system_tests::run;

use crate::Session;

const VM: &str = r#"{
    "name": "web", "memory": 512, "root-password": "123456", "metadata": {}, "snapshots": {"clean": []},
    "nics": [{"net": "front", "ip": "192.168.210.2"}, {"net": "a-very-long-network"}],
    "disks": [{"dev": "vda", "format": "qcow2", "metadata": {"distro": "el7"}}]
}"#;

const FRONT: &str =
    r#"{"name": "front", "type": "nat", "gw": "192.168.210.1", "management": true}"#;

const BACK: &str = r#"{"name": "a-very-long-network", "type": "bridge"}"#;

const STATUS: &str = "\
[Prefix]:
    Base directory: [DIR]/old
    [Networks]:
        [a-very-long-network]:
            management: False
            status: down
        [front]:
            gateway: 192.168.210.1
            management: True
            status: down
    UUID: [UUID]
    [VMs]:
        [web]:
            [NICs]:
                [eth0]:
                    ip: 192.168.210.2
                    network: front
                [eth1]:
                    ip: N/A
                    network: a-very-long-network
            distro: el7
            root password: 123456
            snapshots: clean
            status: down
";

#[test]
fn the_status_of_a_prefix_that_lago_made() {
    let session = Session::new("cli-lago-prefix");
    let prefix = session.path().join("old");
    fs::create_dir_all(prefix.join("virt")).expect("a directory can be made");
    for (name, content) in [
        ("initialized", ""),
        ("uuid", "5a6d3f0c39d011e5b22b54ee755a00ca"),
        ("virt/env", r#"{"nets": ["front", "a-very-long-network"], "vms": ["web"]}"#),
        ("virt/net-front", FRONT),
        ("virt/net-a-very-long-network", BACK),
        ("virt/vm-web", VM),
    ] {
        fs::write(prefix.join(name), content).expect("it writes");
    }
    // There may be a libvirt on this machine.
    let mut inside = session.command(&["status"]);
    inside.current_dir(&prefix).env("LAGO_LIBVIRT_URI", "qemu:///system?socket=/nonexistent");
    let ran = run(&mut inside);
    assert_eq!((session.redacted(&ran.stdout), &*ran.stderr), (STATUS.to_owned(), ""));
    let mut named = session.command(&["--prefix-path", "old", "-f", "flat", "status"]);
    named.env("LAGO_LIBVIRT_URI", "qemu:///system?socket=/nonexistent");
    assert!(run(&mut named).ok().contains("VMs/web/NICs/eth0/ip: 192.168.210.2\n"));
}
