//! Networks of one environment with real guests: IPv6, names, what keeps networks apart, the way out.

mod machine;

use std::fs;

use lago::{Prefix, Vm, cmd};
use lago_system_tests::{Environment, in_guest, lago, run, wait_until};
use machine::Machine;
use serde_json::json;

const INIT_FILE: &str = "
domains:
  server:
    memory: 128
    vcpu: 1
    nics: [{net: lan}, {net: storage, ip6: 'fd00:91::80'}]
    disks: [{type: template, template_name: mini}]
  client:
    memory: 128
    vcpu: 1
    nics: [{net: lan}]
    disks: [{type: template, template_name: mini}]
nets:
  lan:
    gw: 192.168.90.1
    management: true
    ipv6: true
    uplink: host
    mapping: {registry.example: [192.168.90.1, 'fd00:9::9']}
  storage: {gw: 192.168.91.1, ipv6: 'fd00:91::/64', mtu: 1400, dhcp: {start: 100, end: 120}}
";

/// One environment for all of it: booting it is what takes the time.
#[test]
fn networks() {
    let machine = Machine::new();
    let prefix = machine.environment(INIT_FILE);
    guests_have_their_ipv6_addresses_and_one_default_route(&prefix);
    names_have_an_address_of_each_family(&prefix);
    guests_reach_each_other_by_name_over_ipv6(&prefix);
    a_largest_packet_is_that_of_its_net(&prefix);
    nets_are_kept_apart(&prefix);
    guests_get_out_where_their_net_does(&prefix);
    status_shows_addresses_of_both_families(&prefix);
    a_card_that_is_attached_gets_its_ipv6_address(&prefix);
    names_are_added_while_guests_run(&prefix);
    names_that_a_network_cannot_be_told_are_not_added(&prefix);
    names_whose_adding_was_interrupted_are_learnt(&prefix);
    let fork = a_revert_takes_names_away_and_a_fork_has_them(&prefix, &machine);
    a_guest_that_nobody_knows_gets_addresses_of_its_net(&fork);
    drop(fork);
    a_vm_comes_up_with_its_own_networks(&prefix, &machine);
}

fn vm<'a>(prefix: &'a Prefix, name: &str) -> &'a Vm {
    prefix.vm(name).expect("it is in the init file")
}

fn reaches(prefix: &Prefix, name: &str, address: &str) -> bool {
    let ping = cmd!("ping", "-c", "1", "-W", "2", address);
    vm(prefix, name).output(&ping).expect("it runs").success()
}

/// The addresses that the guest's name server gives for a name.
fn looked_up(prefix: &Prefix, name: &str) -> Vec<String> {
    looked_up_at(prefix, "client", name, None)
}

/// The addresses that a name server gives for a name, the guest's own or another one.
fn looked_up_at(prefix: &Prefix, guest: &str, name: &str, server: Option<&str>) -> Vec<String> {
    let lookup = |kind| {
        let command = cmd!("nslookup", format!("-type={kind}"), name).args(server);
        let answer = vm(prefix, guest).output(&command).expect("it runs").stdout().into_owned();
        let found = answer.split_once("Name:").map_or("", |(_, found)| found);
        let lines = found.lines().filter_map(|line| line.strip_prefix("Address:"));
        lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    [lookup("a"), lookup("aaaa")].concat()
}

fn guests_have_their_ipv6_addresses_and_one_default_route(prefix: &Prefix) {
    for vm in prefix.vms() {
        for nic in vm.all_nics().expect("they are known") {
            let address = nic.ip6().expect("its net has IPv6");
            let show = format!("ip -6 -o addr show dev eth{}", nic.number());
            let shown = || in_guest(prefix, vm.name(), &show);
            // The guest answers before all of its cards are set up.
            wait_until(&format!("{vm:?} has {address}"), || {
                shown().contains(&format!(" {address}/64 "))
            });
            let shown = shown();
            let global = shown.lines().filter(|line| line.contains("scope global"));
            assert_eq!(global.count(), 1, "{shown}");
        }
        let gateway = lan(prefix).gateway6().expect("it has IPv6");
        let routes = || in_guest(prefix, vm.name(), "ip -6 route show default");
        wait_until(&format!("{vm:?} has a default route"), || !routes().is_empty());
        let routes = routes();
        assert!(routes.contains(&format!("via {gateway} dev eth0")), "{routes}");
        assert_eq!(routes.lines().count(), 1, "{routes}");
    }
    let storage = vm(prefix, "server").nic(1).expect("it has two").ip6();
    assert_eq!(storage.map(|ip6| ip6.to_string()).as_deref(), Some("fd00:91::80"));
}

fn lan(prefix: &Prefix) -> &lago::virt::Network {
    prefix.virt_env().network("lan").expect("it is in the init file")
}

fn names_have_an_address_of_each_family(prefix: &Prefix) {
    for vm in prefix.vms() {
        for nic in vm.all_nics().expect("they are known") {
            let expected = [nic.ip().to_string(), nic.ip6().expect("IPv6").to_string()];
            let (name, number, net) = (vm.name(), nic.number(), nic.net());
            for known_as in [format!("{name}-eth{number}"), format!("{name}-{net}")] {
                assert_eq!(looked_up(prefix, &known_as), expected, "{known_as}");
            }
        }
        let own = vm.nic(0).expect("it has one");
        let expected = [own.ip().to_string(), own.ip6().expect("IPv6").to_string()];
        for known_as in [vm.name().to_owned(), format!("{}.lago.local", vm.name())] {
            assert_eq!(looked_up(prefix, &known_as), expected, "{known_as}");
        }
    }
    assert_eq!(looked_up(prefix, "registry.example"), ["192.168.90.1", "fd00:9::9"]);
    let resolved = lan(prefix).resolve6("server").expect("it is known");
    assert_eq!(resolved, vm(prefix, "server").nic(0).expect("it has two").ip6());
}

fn guests_reach_each_other_by_name_over_ipv6(prefix: &Prefix) {
    for (from, to) in [("client", "server"), ("server", "client")] {
        in_guest(prefix, from, &format!("ping -6 -c 1 -W 5 {to}"));
    }
}

fn a_largest_packet_is_that_of_its_net(prefix: &Prefix) {
    let mtu = |device| in_guest(prefix, "server", &format!("cat /sys/class/net/{device}/mtu"));
    assert_eq!((mtu("eth0").trim(), mtu("eth1").trim()), ("1500", "1400"));
}

/// The gateway of both nets is the same host, which passes nothing on.
fn nets_are_kept_apart(prefix: &Prefix) {
    let storage = vm(prefix, "server").nic(1).expect("it has two");
    let addresses = [storage.ip().to_string(), storage.ip6().expect("IPv6").to_string()];
    for address in &addresses {
        wait_until("the server has its second address", || reaches(prefix, "server", address));
        assert!(!reaches(prefix, "client", address), "{address} is reached from another net");
    }
    for gateway in ["192.168.90.1", "192.168.91.1", "fd00:91::1"] {
        assert!(reaches(prefix, "client", gateway), "{gateway} is an address of the host");
    }
}

fn guests_get_out_where_their_net_does(prefix: &Prefix) {
    for address in [machine::ADDRESS, machine::ADDRESS6] {
        assert_eq!(page(prefix, "client", address), Some("outside\n".to_owned()));
    }
    assert_eq!(looked_up(prefix, "somebody.example")[..1], [machine::ANYWHERE]);

    // The server's other card is on a net without a way out, not even for a question.
    let at = |name| looked_up_at(prefix, "server", name, Some("192.168.91.1"));
    assert_eq!(at("somebody.example"), [""; 0]);
    assert!(!at("client").is_empty(), "it knows the names here");
    let other_way = format!("{} via 192.168.91.1 dev eth1", machine::ADDRESS);
    in_guest(prefix, "server", &format!("ip route add {other_way}"));
    assert_eq!(page(prefix, "server", machine::ADDRESS), None, "its other net has no way out");
    in_guest(prefix, "server", &format!("ip route del {other_way}"));
    assert!(page(prefix, "server", machine::ADDRESS).is_some());
}

/// The page of the machine's web server, as a guest gets it.
fn page(prefix: &Prefix, name: &str, address: &str) -> Option<String> {
    // It keeps its end of the connection open until the server has closed the other.
    let script = format!(
        "(printf 'GET / HTTP/1.0\\r\\n\\r\\n'; sleep 1) | nc -w 5 {address} {}",
        machine::PORT
    );
    let output = vm(prefix, name).output(&cmd!("sh", "-c", script)).expect("it runs");
    output.stdout().split_once("\r\n\r\n").map(|(_, page)| page.to_owned())
}

fn status_shows_addresses_of_both_families(prefix: &Prefix) {
    let path = prefix.paths().prefix().as_os_str();
    for details in [&[][..], &["--details"]] {
        let mut status = lago(["--prefix-path".as_ref(), path, "-f".as_ref(), "json".as_ref()]);
        let status = run(status.arg("status").args(details)).ok();
        let status: serde_json::Value = serde_json::from_str(&status).expect("it is JSON");
        let (nets, vms) = (&status["Prefix"]["Networks"], &status["Prefix"]["VMs"]);
        assert_eq!(nets["storage"]["gateway6"], "fd00:91::1", "{status:#}");
        assert_eq!(vms["server"]["NICs"]["eth1"]["ip6"], "fd00:91::80", "{status:#}");
    }
}

fn a_card_that_is_attached_gets_its_ipv6_address(prefix: &Prefix) {
    let client = vm(prefix, "client");
    let nic = client.attach_nic("storage").expect("it is attached");
    let address = nic.ip6().expect("its net has IPv6");
    let find = format!("grep -l '^{}' /sys/class/net/*/address | cut -d/ -f5", nic.mac());
    wait_until("the guest has the card", || !in_guest(prefix, "client", &find).is_empty());
    in_guest(prefix, "client", &format!("ip link set $({find}) up"));
    let show = format!("ip -6 -o addr show dev $({find}) scope global");
    wait_until(&format!("the card has {address}"), || {
        in_guest(prefix, "client", &show).contains(&format!(" {address}/64 "))
    });
    let expected = [nic.ip().to_string(), address.to_string()];
    for name in ["client-eth1", "client-storage"] {
        assert_eq!(looked_up(prefix, name), expected, "{name}");
    }
    client.detach_nic(nic.number()).expect("it is detached");
    assert_eq!(looked_up(prefix, "client-eth1"), [""; 0]);
}

fn names_are_added_while_guests_run(prefix: &Prefix) {
    let (lan, server) = (lan(prefix), vm(prefix, "server"));
    prefix.snapshot("before").expect("it is taken");
    lan.add_mapping("www.example", server.ip()).expect("an address of its own is not needed");
    lan.add_mappings([("six.example", "fd00:9::6".parse::<std::net::IpAddr>().expect("one"))])
        .expect("it is added");
    assert_eq!(looked_up(prefix, "www.example"), [server.ip().to_string()]);
    assert_eq!(looked_up(prefix, "six.example"), ["fd00:9::6"]);
    assert_eq!(looked_up(prefix, "server").len(), 2, "what was known before is known");
    in_guest(prefix, "client", "ping -c 1 -W 5 www.example");
    assert_eq!(lan.resolve("www.example").expect("it is known").map(Into::into), Some(server.ip()));

    lan.add_mapping("www.example", [192, 168, 90, 99]).expect("it is replaced");
    assert_eq!(looked_up(prefix, "www.example"), ["192.168.90.99"]);
    let taken = lan.add_mapping("client", [192, 168, 90, 99]).expect_err("that is the client's");
    assert!(taken.to_string().contains("the name of 192.168.90."), "{taken}");
    lan.add_mapping("www.example", [0xfd00, 9, 0, 0, 0, 0, 0, 7]).expect("the other family");
    assert_eq!(looked_up(prefix, "www.example"), ["192.168.90.99", "fd00:9::7"]);
}

/// The network that is told last cannot write down what it is told.
fn names_that_a_network_cannot_be_told_are_not_added(prefix: &Prefix) {
    let file = prefix.paths().host().join("lib/dnsmasq/storage.addnhosts");
    let aside = file.with_extension("aside");
    fs::rename(&file, &aside).expect("the network has this file");
    fs::create_dir(&file).expect("nothing is there");
    let lan = lan(prefix);
    let error = lan
        .add_mappings([("www.example", [192, 168, 90, 98]), ("new.example", [192, 168, 90, 98])])
        .expect_err("it cannot be told");
    let error = error.to_string();
    assert!(error.starts_with("cannot change the names of network storage"), "{error}");
    assert_eq!(looked_up(prefix, "new.example"), [""; 0]);
    assert_eq!(looked_up(prefix, "www.example"), ["192.168.90.99", "fd00:9::7"]);
    assert_eq!(lan.resolve("new.example").expect("it is known"), None);

    fs::remove_dir(&file).expect("it is empty");
    fs::rename(&aside, &file).expect("nothing is there");
    lan.add_mapping("new.example", [192, 168, 90, 98]).expect("it can be told again");
    let at = |server| looked_up_at(prefix, "server", "new.example", Some(server));
    assert_eq!(at("192.168.91.1"), ["192.168.90.98"]);
    assert_eq!(at("192.168.90.1"), ["192.168.90.98"]);
}

/// As a process leaves it that is killed before the networks know the name.
fn names_whose_adding_was_interrupted_are_learnt(prefix: &Prefix) {
    let file = prefix.paths().state();
    let text = fs::read_to_string(&file).expect("there is a state");
    let mut state: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    state["pending"] = "names".into();
    let mapping = json!({ "net": "lan", "name": "late.example", "address": "fd00:9::10" });
    state["mappings"].as_array_mut().expect("names were added").push(mapping);
    fs::write(&file, state.to_string()).expect("it writes");
    assert_eq!(looked_up(prefix, "late.example"), [""; 0]);
    Prefix::open(prefix.paths().prefix()).expect("it opens");
    assert_eq!(looked_up(prefix, "late.example"), ["fd00:9::10"]);
}

fn a_revert_takes_names_away_and_a_fork_has_them(
    prefix: &Prefix,
    machine: &Machine,
) -> Environment {
    prefix.snapshot("after").expect("it is taken");
    prefix.revert("before").expect("it is put back");
    assert_eq!(looked_up(prefix, "www.example"), Vec::<String>::new());
    assert_eq!(looked_up(prefix, "six.example"), Vec::<String>::new());
    assert_eq!(lan(prefix).resolve("www.example").expect("it is known"), None);
    assert_eq!(looked_up(prefix, "server").len(), 2);

    let fork = machine.fork("after");
    assert_eq!(looked_up(&fork, "www.example"), ["192.168.90.99", "fd00:9::7"]);
    // One with which the networks came up.
    assert_eq!(looked_up(&fork, "six.example"), ["fd00:9::6"]);
    lan(&fork).add_mapping("six.example", [0xfd00, 9, 0, 0, 0, 0, 0, 66]).expect("it is replaced");
    assert_eq!(looked_up(&fork, "six.example"), ["fd00:9::42"]);
    in_guest(&fork, "client", "ping -6 -c 1 -W 5 server");
    assert!(page(&fork, "client", machine::ADDRESS).is_some());
    fork
}

/// A card with another hardware address is one that no lease is for.
fn a_guest_that_nobody_knows_gets_addresses_of_its_net(prefix: &Prefix) {
    let stranger = "ip link set eth1 down && ip link set eth1 address 02:00:00:00:91:99 &&
        cd /proc/sys/net/ipv6/conf/eth1 && echo 1 >accept_ra && echo 1 >autoconf &&
        ip addr flush dev eth1 && ip link set eth1 up &&
        ROUTES=no udhcpc -n -q -t 5 -T 1 -i eth1 -s /usr/share/udhcpc/default.script";
    in_guest(prefix, "server", stranger);
    let addresses = || in_guest(prefix, "server", "ip -o addr show dev eth1 scope global");
    let is_in_range = |address: &str| {
        let last = address.strip_prefix("inet 192.168.91.")?.split('/').next()?;
        last.parse::<u8>().ok().filter(|last| (100..=120).contains(last))
    };
    let shown = addresses();
    let found = shown.split("eth1    ").find_map(is_in_range);
    assert!(found.is_some(), "{shown}");
    wait_until("an address that the guest has made itself", || {
        addresses().contains("inet6 fd00:91::ff:fe00:9199/64")
    });
}

fn a_vm_comes_up_with_its_own_networks(prefix: &Prefix, machine: &Machine) {
    let up = || {
        let is_up = |net: &&lago::virt::Network| net.alive().expect("libvirt answers");
        prefix.networks().filter(is_up).map(lago::virt::Network::name).collect::<Vec<_>>()
    };
    prefix.stop().expect("it stops");
    machine.lago(&["start", "--no-wait", "client"]);
    assert_eq!(up(), ["lan"]);
    for error in [
        vm(prefix, "server").start().expect_err("one of its networks is down"),
        vm(prefix, "client").attach_nic("storage").map(drop).expect_err("the network is down"),
    ] {
        let error = error.to_string();
        assert!(error.ends_with("`lago start` brings up all networks"), "{error}");
    }
    machine.lago(&["start", "--no-wait", "server"]);
    assert_eq!(up(), ["lan", "storage"]);
    machine.lago(&["stop", "server"]);
    assert_eq!(up(), ["lan"]);
    machine.lago(&["stop", "client"]);
    assert!(!prefix.host().is_running());
}
