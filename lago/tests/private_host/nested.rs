//! A host that is started where another libvirtd runs already: inside another host.

use std::path::Path;
use std::process::Command;

use lago::host::Host;
use virt::connect::Connect;

use crate::fixture::{Fixture, printed};

/// With this variable the program is no test: it starts the host in the directory that it names, lists the networks of its
/// libvirt, and stops it.
pub(crate) const DIRECTORY_VARIABLE: &str = "LAGO_TEST_NESTED";

const NETWORK: &str = "<network><name>of-the-outer-host</name><bridge name='outer0'/></network>";

pub(crate) fn start_and_list_networks(dir: &Path) {
    let host = Host::private(dir);
    host.start().unwrap();
    for network in networks(&host) {
        println!("{network}");
    }
    host.stop().unwrap();
}

fn networks(host: &Host) -> Vec<String> {
    let connect = Connect::open(Some(&host.libvirt_uri().unwrap())).unwrap();
    let networks = connect.list_all_networks(0).unwrap();
    networks.iter().map(|network| network.name().unwrap()).collect()
}

pub(crate) fn a_host_within_a_host_is_its_own() {
    let outer = Fixture::started();
    outer.libvirt().create_network_xml(NETWORK).unwrap();
    assert_eq!(networks(&outer.host), ["of-the-outer-host"]);
    // It hits a moment right after the start, so it is tried several times.
    for attempt in 0..5 {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(DIRECTORY_VARIABLE, directory.path().join("host"));
        outer.host.enter(&mut command).unwrap();
        assert_eq!(printed(&command.output().unwrap()), "", "attempt {attempt}");
    }
    assert_eq!(networks(&outer.host), ["of-the-outer-host"]);
}
