//! Chooses the subnet of each network.

use std::net::Ipv4Addr;

use indexmap::IndexMap;
use ipnet::Ipv4Net;

use crate::spec::diagnostic::Report;
use crate::spec::net::{gateway_of, overlap};
use crate::spec::types::{DhcpRange, Net};
use crate::spec::{InitFile, SubnetRange};

use super::PlanInput;

/// The addresses of one network.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses {
    pub(super) subnet: Ipv4Net,
    pub(super) gateway: Ipv4Addr,
    pub(super) dhcp: Option<DhcpRange>,
}

/// The subnets that the file fixes stay; the other networks get the first ones that are free, in the order of the file.
pub(super) fn choose<'a>(
    file: &'a InitFile,
    input: &PlanInput<'_>,
    report: &Report<'_>,
) -> IndexMap<&'a str, Addresses> {
    let fixed: Vec<Ipv4Net> = file.nets.values().filter_map(|net| net.subnet).collect();
    let taken = || fixed.iter().chain(input.taken);
    let mut free =
        input.range.iter().filter(|subnet| !taken().any(|taken| overlap(*subnet, *taken)));
    let mut chosen = IndexMap::new();
    for (name, net) in &file.nets {
        let subnet = match net.subnet {
            Some(subnet) => {
                report_taken(file, name, subnet, input.taken, report);
                Some(subnet)
            }
            None => free.next(),
        };
        match subnet {
            Some(subnet) => _ = chosen.insert(name.as_str(), addresses(net, subnet)),
            None => report_exhausted(file, name, input.range, report),
        }
    }
    chosen
}

fn addresses(net: &Net, subnet: Ipv4Net) -> Addresses {
    Addresses {
        subnet,
        gateway: gateway_of(net, subnet),
        dhcp: net.dhcp.and_then(|dhcp| dhcp.within(subnet)),
    }
}

fn report_taken(
    file: &InitFile,
    name: &str,
    subnet: Ipv4Net,
    taken: &[Ipv4Net],
    report: &Report<'_>,
) {
    if let Some(other) = taken.iter().find(|other| overlap(subnet, **other)) {
        report.mistake(
            file.origin.mark(&["nets", name, "gw"]),
            format!("the net {name:?} needs {subnet}, but {other} is in use on this host"),
            "write addresses in another subnet, or run the prefix on a private host",
        );
    }
}

fn report_exhausted(file: &InitFile, name: &str, range: SubnetRange, report: &Report<'_>) {
    report.mistake(
        file.origin.mark(&["nets", name]),
        format!(
            "there is no free subnet left for the net {name:?}: all {} of {range} are in use",
            range.len()
        ),
        "write `gw` with an address in another subnet, such as 10.0.0.1, or set `subnet_range` to a larger range",
    );
}
