//! A network of the type `bridge`.

use lago::cmd;
use lago_system_tests::{Environment, Place};

const INIT_FILE: &str = "
domains:
  vm0:
    memory: 128
    vcpu: 1
    nics: [{net: lan}, {net: wire}]
    disks:
      - {name: root, type: template, template_name: mini, dev: vda, format: qcow2}
nets:
  lan: {type: nat, gw: 192.168.90.1, management: true}
  wire: {type: bridge}
";

#[test]
fn a_network_of_the_type_bridge_comes_up_on_a_private_host() {
    let place = Place::new("bridge");
    let prefix = Environment::from_text(&place.join("prefix"), INIT_FILE);
    prefix.start().expect("it starts");
    let vm = prefix.vm("vm0").expect("it is in the init file");
    vm.run(cmd!("test", "-e", "/sys/class/net/eth1")).expect("the NIC is there");
}
