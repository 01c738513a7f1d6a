//! What a plan promises, whatever the init file says.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;

use ipnet::Ipv4Net;
use lago::spec::{InitFile, Plan, PlanInput, SpecError, plan};
use proptest::prelude::*;
use uuid::Uuid;

const ID: Uuid = Uuid::from_u128(0x1a60_0000_0000_4000_8000_0000_0000_0001);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_same_input_gives_the_same_plan(text in init_file(), id in any::<u128>()) {
        let input = PlanInput::new(Uuid::from_u128(id));
        prop_assert_eq!(planned(&text, &input).unwrap(), planned(&text, &input).unwrap());
    }

    #[test]
    fn a_plan_survives_being_stored(text in init_file()) {
        let plan = private(&text).unwrap();
        let stored = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&stored).unwrap(), plan);
    }

    #[test]
    fn nothing_is_given_twice(text in init_file()) {
        let plan = private(&text).unwrap();
        let nics: Vec<_> = plan.vms.iter().flat_map(|vm| &vm.nics).collect();
        prop_assert!(all_different(nics.iter().map(|nic| nic.ip)));
        prop_assert!(all_different(nics.iter().map(|nic| &nic.mac)));
        prop_assert!(all_different(plan.nets.iter().map(|net| &net.bridge)));
        for (index, net) in plan.nets.iter().enumerate() {
            for other in &plan.nets[index + 1..] {
                prop_assert!(!net.subnet.contains(&other.subnet.network()), "{net:?} {other:?}");
                prop_assert!(!other.subnet.contains(&net.subnet.network()), "{net:?} {other:?}");
            }
        }
    }

    #[test]
    fn addresses_are_fit_for_machines(text in init_file()) {
        let plan = private(&text).unwrap();
        for nic in plan.vms.iter().flat_map(|vm| &vm.nics) {
            let net = plan.net(&nic.net).unwrap();
            prop_assert!(net.subnet.contains(&nic.ip));
            prop_assert_ne!(nic.ip, net.subnet.network());
            prop_assert_ne!(nic.ip, net.subnet.broadcast());
            prop_assert_ne!(nic.ip, net.gateway);
            prop_assert!(!net.dhcp.is_some_and(|range| range.contains(nic.ip)));
        }
    }

    #[test]
    fn ipv6_addresses_are_those_of_their_nets_and_nobody_elses(text in init_file(), id in any::<u128>()) {
        let file = parsed(&text);
        let plan = planned(&text, &PlanInput::new(Uuid::from_u128(id))).unwrap();
        let subnets: Vec<_> = plan.nets.iter().filter_map(|net| net.ipv6).collect();
        prop_assert!(all_different(subnets.iter().map(|ipv6| ipv6.subnet)));
        let nics: Vec<_> = plan.vms.iter().flat_map(|vm| &vm.nics).collect();
        let gateways = subnets.iter().map(|ipv6| ipv6.gateway);
        prop_assert!(all_different(nics.iter().filter_map(|nic| nic.ip6).chain(gateways)));
        for net in &plan.nets {
            prop_assert_eq!(net.ipv6.is_some(), file.nets[&net.name].ipv6.is_some());
        }
        for ipv6 in &subnets {
            prop_assert_eq!(ipv6.subnet.prefix_len(), 64);
            prop_assert!(ipv6.subnet.network().is_unique_local(), "{ipv6:?}");
            prop_assert!(ipv6.subnet.contains(&ipv6.gateway));
            prop_assert_ne!(ipv6.gateway, ipv6.subnet.network());
        }
        for nic in nics {
            let net = plan.net(&nic.net).unwrap();
            prop_assert_eq!(nic.ip6.is_some(), net.ipv6.is_some());
            let (Some(ip6), Some(ipv6)) = (nic.ip6, net.ipv6) else { continue };
            prop_assert!(ipv6.subnet.contains(&ip6), "{ip6} {ipv6:?}");
            prop_assert_ne!(ip6, ipv6.subnet.network());
        }
    }

    #[test]
    fn every_name_with_an_ipv6_address_is_one_with_an_ipv4_address_of_the_same_nic(text in init_file()) {
        let plan = private(&text).unwrap();
        let (hosts, hosts6) = (plan.hosts(), plan.hosts6());
        for vm in &plan.vms {
            for (index, nic) in vm.nics.iter().enumerate() {
                let name = format!("{}-eth{index}", vm.name);
                prop_assert_eq!(hosts[name.as_str()], nic.ip);
                prop_assert_eq!(hosts6.get(name.as_str()).copied(), nic.ip6);
            }
            let own = vm.management_nic().and_then(|nic| nic.ip6);
            prop_assert_eq!(hosts6.get(vm.name.as_str()).copied(), own);
        }
    }

    #[test]
    fn hardware_addresses_and_bridges_are_what_the_kernel_takes(text in init_file()) {
        let plan = private(&text).unwrap();
        for nic in plan.vms.iter().flat_map(|vm| &vm.nics) {
            let [a, b, c, d] = nic.ip.octets();
            prop_assert_eq!(&nic.mac, &format!("54:52:{a:02x}:{b:02x}:{c:02x}:{d:02x}"));
        }
        for net in &plan.nets {
            prop_assert!((1..=15).contains(&net.bridge.len()), "{}", net.bridge);
            prop_assert!(net.bridge.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        }
    }

    #[test]
    fn what_the_file_fixes_stays(text in init_file()) {
        let file = parsed(&text);
        let plan = private(&text).unwrap();
        for (name, domain) in &file.domains {
            let nics = &plan.vm(name).unwrap().nics;
            prop_assert_eq!(nics.len(), domain.nics.len());
            for (planned, written) in nics.iter().zip(&domain.nics) {
                prop_assert!(written.ip.is_none_or(|ip| ip == planned.ip));
                prop_assert!(written.ip6.is_none_or(|ip6| Some(ip6) == planned.ip6));
            }
        }
        for (name, net) in &file.nets {
            let planned = plan.net(name).unwrap();
            prop_assert!(net.gateway.is_none_or(|gateway| gateway == planned.gateway));
        }
    }

    #[test]
    fn every_machine_has_a_name_and_one_way_in(text in init_file()) {
        let plan = private(&text).unwrap();
        for vm in &plan.vms {
            prop_assert_eq!(plan.hosts().get(vm.name.as_str()).copied(), vm.management_ip());
            prop_assert_eq!(vm.nics.iter().filter(|nic| nic.management).count(), usize::from(!vm.nics.is_empty()));
            for (index, nic) in vm.nics.iter().enumerate() {
                let name = format!("{}-eth{index}", vm.name);
                prop_assert_eq!(plan.net(&nic.net).unwrap().mapping[&name], nic.ip);
            }
        }
    }

    #[test]
    fn subnets_that_are_taken_are_left_alone(text in init_file(), thirds in prop::collection::vec(200..=255_u8, 0..20)) {
        let taken: Vec<Ipv4Net> = thirds.iter().map(|third| subnet(*third)).collect();
        let plan = planned(&text, &PlanInput { taken: &taken, ..PlanInput::new(ID) }).unwrap();
        for net in &plan.nets {
            prop_assert!(!taken.contains(&net.subnet), "{net:?}");
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[ \\-\\[\\]{}:,&*a-z0-9./$\"'\n\t]{0,80}") {
        let _ = InitFile::parse(&text, Path::new("LagoInitFile"));
    }

    #[test]
    fn no_field_makes_the_parser_panic(
        section in prop::sample::select(vec!["memory", "nics", "disks", "based-on", "groups", "vcpu", "cpu_custom"]),
        value in "[ \\-\\[\\]{}:,a-z0-9./$]{0,30}",
    ) {
        let text = format!("domains:\n  web:\n    {section}: {value}\nnets:\n  lago: {value}\n");
        if let Ok(file) = InitFile::parse(&text, Path::new("LagoInitFile")) {
            let _ = plan(&file, &PlanInput::new(ID));
        }
    }
}

proptest! {
    #[test]
    fn no_address_makes_the_planner_panic(
        gw in "(0|1|10|127|192|224|255)\\.(0|255)\\.(0|255)\\.(0|1|255)(/(0|1|7|8|24|29|30|31|32))?",
        ip in "(0|10|192|255)\\.(0|255)\\.(0|255)\\.(0|1|2|254|255)",
        start in "0|1|5|255|4294967295|10\\.0\\.0\\.1|255\\.255\\.255\\.255|0\\.0\\.0\\.0",
        end in "0|1|6|255|4294967295|10\\.0\\.0\\.1|255\\.255\\.255\\.255|0\\.0\\.0\\.0",
    ) {
        let nets = [format!("gw: {gw}"), format!("gw: {gw}, dhcp: {{start: {start}, end: {end}}}"), format!("dhcp: {{start: {start}, end: {end}}}")];
        for net in nets {
            let text = format!("domains: {{web: {{nics: [{{net: lago, ip: {ip}}}, {{net: lago}}]}}}}\nnets: {{lago: {{{net}}}}}");
            if let Ok(file) = InitFile::parse(&text, Path::new("LagoInitFile")) {
                let _ = plan(&file, &PlanInput::new(ID));
            }
        }
    }
}

#[test]
fn different_prefixes_have_different_bridges() {
    let text = "domains: {web: {nics: [{net: lago}]}}\nnets: {lago: }";
    let bridge = |id| planned(text, &PlanInput::new(id)).unwrap().nets[0].bridge.clone();
    assert_ne!(bridge(ID), bridge(Uuid::from_u128(7)));
}

#[test]
fn addresses_run_out_with_a_message() {
    let nics = "{net: lago}, ".repeat(4);
    let text = format!(
        "domains: {{web: {{nics: [{nics}]}}}}\nnets: {{lago: {{gw: 10.0.0.1/29, dhcp: {{start: 4, end: 6}}}}}}"
    );
    let error = private(&text).unwrap_err();
    assert_eq!(
        first_line(&error),
        "LagoInitFile:1:50: the net \"lago\" (10.0.0.0/29) has no free address left for \"web\"; make its `dhcp` range \
         smaller: addresses in it are never planned"
    );
    assert_eq!(error.diagnostics().len(), 2);
}

#[test]
fn subnets_run_out_with_a_message() {
    let mut text =
        "domains: {web: {nics: [{net: n0}]}}\nnets:\n  n0: {management: true}\n".to_owned();
    for index in 1..57 {
        writeln!(text, "  n{index}: {{type: nat}}").unwrap();
    }
    let error = private(&text).unwrap_err();
    assert_eq!(
        first_line(&error),
        "LagoInitFile:59:3: there is no free subnet left for the net \"n56\": all 56 of \
         192.168.200.0/24-192.168.255.0/24 are in use; write `gw` with an address in another subnet, such as 10.0.0.1, \
         or set `subnet_range` to a larger range"
    );
}

#[test]
fn a_fixed_subnet_that_is_taken_is_a_mistake() {
    let text = "domains: {web: {nics: [{net: lago}]}}\nnets:\n  lago:\n    gw: 192.168.210.1\n";
    let error =
        planned(text, &PlanInput { taken: &[subnet(210)], ..PlanInput::new(ID) }).unwrap_err();
    assert_eq!(
        first_line(&error),
        "LagoInitFile:4:9: the net \"lago\" needs 192.168.210.0/24, but 192.168.210.0/24 is in use on this host; write \
         addresses in another subnet, or run the prefix on a private host"
    );
}

#[test]
fn names_that_mean_two_machines_are_a_mistake() {
    let text = "\
domains:
  web: {nics: [{net: lago}]}
  web-lago: {nics: [{net: lago}]}
nets:
  lago:
    mapping: {web-eth0: 10.0.0.1, web-lago-0: 192.168.200.2}
";
    let error = private(text).unwrap_err().to_string();
    let lines: Vec<_> = error.lines().filter(|line| line.starts_with("LagoInitFile")).collect();
    assert_eq!(
        lines,
        [
            "LagoInitFile:2:16: the name \"web-lago\" would belong to the domain \"web-lago\" and to a NIC of \"web\" on \
             \"lago\"; rename one of the two",
            "LagoInitFile:6:25: the name \"web-eth0\" would belong to a NIC of \"web\" on \"lago\" and to the mapping of \
             \"lago\"; rename one of the two",
        ]
    );
}

#[test]
fn names_that_no_name_server_can_hold_are_left_out() {
    let (vm, net) = ("m".repeat(40), "n".repeat(30));
    let text = format!("domains: {{{vm}: {{nics: [{{net: {net}}}]}}}}\nnets: {{{net}: }}");
    let plan = private(&text).unwrap();
    let names: Vec<_> = plan.hosts().into_keys().map(str::to_owned).collect();
    assert_eq!(names, [vm.clone(), format!("{vm}-eth0")]);
}

#[test]
fn a_large_subnet_is_planned_at_once() {
    let text = "domains: {web: {nics: [{net: lago}]}}\n\
                nets: {lago: {gw: 10.0.0.1/8, dhcp: {start: 10.0.0.2, end: 10.255.255.253}}}";
    let plan = private(text).unwrap();
    assert_eq!(plan.vms[0].management_ip(), Some(Ipv4Addr::new(10, 255, 255, 254)));
}

/// Init files without mistakes: up to six networks of every sort, up to five machines on them.
fn init_file() -> impl Strategy<Value = String> {
    let net = (
        any::<bool>(),
        any::<bool>(),
        prop::option::of(50..80_u32),
        prop::option::of(16..=24_u8),
        0..4_u8,
    );
    let machine = prop::collection::vec((0..6_usize, any::<bool>()), 0..4);
    (prop::collection::vec(net, 1..=6), prop::collection::vec(machine, 1..=5))
        .prop_map(|(nets, machines)| written(&nets, &machines))
}

/// Whether it is a bridge, whether its range is short, where that begins, the length of its prefix, and its IPv6.
type NetChoice = (bool, bool, Option<u32>, Option<u8>, u8);

fn written(nets: &[NetChoice], machines: &[Vec<(usize, bool)>]) -> String {
    let mut text = "nets:\n".to_owned();
    for (index, (is_bridge, short_range, dhcp, prefix, ipv6)) in nets.iter().enumerate() {
        writeln!(text, "  net-{index}:\n    management: {}", index == 0).unwrap();
        if let Some(prefix) = prefix {
            writeln!(text, "    gw: 10.{index}.0.4/{prefix}").unwrap();
        }
        match ipv6 {
            0 => {}
            1 => writeln!(text, "    ipv6: true").unwrap(),
            2 => writeln!(text, "    ipv6: fd00:{index}::/64").unwrap(),
            // The number that the IPv4 address of a NIC may have too.
            _ => writeln!(text, "    ipv6: fd00:{index}::5/64").unwrap(),
        }
        match dhcp {
            _ if *is_bridge => writeln!(text, "    type: bridge").unwrap(),
            Some(start) => {
                let end = if *short_range { start + 3 } else { 254 };
                writeln!(text, "    dhcp: {{start: {start}, end: {end}}}").unwrap();
            }
            None => {}
        }
    }
    text.push_str("domains:\n");
    let mut host = 10;
    for (index, nics) in machines.iter().enumerate() {
        writeln!(text, "  machine-{index}:\n    nics:").unwrap();
        // The first NIC is on the network for management, which each machine needs once.
        let nics = nics.iter().enumerate().map(|(position, (net, fixed))| match position {
            0 => (0, *fixed),
            _ => (net % nets.len(), *fixed),
        });
        for (net, fixed) in nics {
            write!(text, "      - {{net: net-{net}").unwrap();
            if fixed && nets[net].3.is_some() {
                write!(text, ", ip: 10.{net}.0.{host}").unwrap();
                host += 1;
            }
            if fixed && nets[net].4 >= 2 {
                write!(text, ", ip6: \"fd00:{net}::{host:x}\"").unwrap();
                host += 1;
            }
            text.push_str("}\n");
        }
    }
    text
}

fn parsed(text: &str) -> InitFile {
    InitFile::parse(text, Path::new("LagoInitFile"))
        .unwrap_or_else(|error| panic!("{error}\nin\n{text}"))
}

fn planned(text: &str, input: &PlanInput<'_>) -> Result<Plan, SpecError> {
    plan(&parsed(text), input)
}

fn private(text: &str) -> Result<Plan, SpecError> {
    planned(text, &PlanInput::new(ID))
}

fn subnet(third: u8) -> Ipv4Net {
    Ipv4Net::new(Ipv4Addr::new(192, 168, third, 0), 24).unwrap()
}

fn all_different<T: Eq + std::hash::Hash>(items: impl IntoIterator<Item = T>) -> bool {
    let mut seen = HashSet::new();
    items.into_iter().all(|item| seen.insert(item))
}

fn first_line(error: &SpecError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
