//! Checks whether the parts of an init file fit together.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use indexmap::IndexMap;
use ipnet::Ipv4Net;

use super::InitFile;
use super::diagnostic::Report;
use super::net::{PREFIX_LENGTH, first_host, gateway_of, hosts_outside, overlap, unusable};
use super::types::{Disk, Domain, HostAddress, Net, Nic, VmProvider};

/// Reports everything that does not fit.
pub(super) fn all(file: &InitFile, report: &Report<'_>) {
    let check = Check { file, report };
    check.names("domains", file.domains.keys());
    check.names("nets", file.nets.keys());
    for (name, domain) in &file.domains {
        check.disks(name, domain, "dev", |disk| &disk.dev);
        check.disks(name, domain, "name", |disk| &disk.name);
        check.provider(name, domain);
    }
    check.disk_files();
    for (name, net) in &file.nets {
        check.dhcp(name, net);
    }
    check.subnets();
    check.addresses();
    super::ipv6::check(file, report);
    // A net that could not be read may be the one that is missed here.
    if report.is_clean() {
        check.management();
    }
}

struct Check<'a> {
    file: &'a InitFile,
    report: &'a Report<'a>,
}

impl Check<'_> {
    fn mistake(&self, path: &[&str], message: String, help: impl Into<String>) {
        self.report.mistake(self.file.origin.mark(path), message, help);
    }

    fn line(&self, path: &[&str]) -> usize {
        self.file.origin.mark(path).line
    }

    /// Names become host names, in which the case makes no difference.
    fn names<'n>(&self, section: &str, names: impl Iterator<Item = &'n String>) {
        let mut seen: HashMap<String, &str> = HashMap::new();
        for name in names {
            if let Some(first) = seen.insert(name.to_lowercase(), name) {
                self.mistake(
                    &[section, name],
                    format!("{name:?} and {first:?} differ only in upper and lower case"),
                    "choose another name: host names do not know the difference",
                );
            }
        }
    }

    /// No two disks of a domain have the same `field`.
    fn disks(&self, name: &str, domain: &Domain, field: &str, value: fn(&Disk) -> &String) {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (index, disk) in domain.disks.iter().enumerate() {
            let value = value(disk).as_str();
            let Some(first) = seen.insert(value, index).filter(|_| !value.is_empty()) else {
                continue;
            };
            let line = self.line(&["domains", name, "disks", &first.to_string(), field]);
            self.mistake(
                &["domains", name, "disks", &index.to_string(), field],
                format!("two disks of {name:?} have the {field} {value}, the other on line {line}"),
                format!("give each disk a `{field}` of its own"),
            );
        }
    }

    /// The file of a disk has the names of its domain and of itself, with a line between them that both may have in them too.
    fn disk_files(&self) {
        let mut seen: HashMap<String, (&str, &str)> = HashMap::new();
        for (name, domain) in &self.file.domains {
            for (index, disk) in domain.disks.iter().enumerate() {
                let this = (name.as_str(), disk.name.as_str());
                let Some((other, other_disk)) = seen.insert(format!("{name}_{}", disk.name), this)
                else {
                    continue;
                };
                if other != name {
                    self.mistake(
                        &["domains", name, "disks", &index.to_string(), "name"],
                        format!(
                            "the disk {:?} of {name:?} and the disk {other_disk:?} of {other:?} would be one file",
                            disk.name
                        ),
                        "give one of them another `name`",
                    );
                }
            }
        }
    }

    /// A machine that lago does not start does not get its address from lago either.
    fn provider(&self, domain_name: &str, domain: &Domain) {
        let has_address = domain.ssh.as_ref().is_some_and(|ssh| !ssh.address.is_empty());
        let path = |field| ["domains", domain_name, field];
        if domain.vm_provider != VmProvider::Ssh {
            if domain.ssh.is_some() {
                self.mistake(
                    &path("ssh"),
                    format!("{domain_name:?} is a VM, and lago knows how it is reached"),
                    "remove `ssh`, or write `vm-provider: ssh` for a machine that exists already",
                );
            }
            return;
        }
        if !has_address && domain.nics.iter().all(|nic| nic.ip.is_none()) {
            self.mistake(
                &path("vm_provider"),
                format!("nothing says at which address {domain_name:?} is reached"),
                "write `ssh: {address: ...}`, or the `ip` of one of its `nics`: lago does not start this machine",
            );
        }
        if !domain.disks.is_empty() {
            self.mistake(
                &path("disks"),
                format!("{domain_name:?} is a machine that exists already, with disks of its own"),
                "remove `disks`, or write `disks: []` where a prototype has some",
            );
        }
    }

    fn dhcp(&self, net_name: &str, net: &Net) {
        let Some(dhcp) = net.dhcp else { return };
        let path = |field| ["nets", net_name, "dhcp", field];
        // Any subnet of the usual size will do to judge numbers.
        let subnet =
            net.subnet.unwrap_or(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, PREFIX_LENGTH));
        let mut ends = Vec::new();
        for (field, bound) in [("start", dhcp.start), ("end", dhcp.end)] {
            match bound.within(subnet).filter(|address| is_host(*address, subnet)) {
                Some(address) => ends.push(address),
                None => self.mistake(
                    &path(field),
                    outside(bound, net_name, net),
                    host_help(subnet, net),
                ),
            }
        }
        let [start, end] = ends[..] else { return };
        if start > end {
            self.mistake(
                &path("start"),
                format!("the DHCP range of {net_name:?} begins after its end"),
                "write the lower address as `start`",
            );
        } else if (start..=end).contains(&gateway_of(net, subnet)) {
            let gateway = match net.subnet {
                Some(subnet) => format!("its gateway {}", gateway_of(net, subnet)),
                None => "the first address, which is its gateway".to_owned(),
            };
            self.mistake(
                &path("start"),
                format!("the DHCP range of {net_name:?} contains {gateway}"),
                "begin the range behind it, or end it before",
            );
        }
    }

    fn subnets(&self) {
        let fixed: Vec<(&String, Ipv4Net)> =
            self.file.nets.iter().filter_map(|(name, net)| Some((name, net.subnet?))).collect();
        for (index, (name, subnet)) in fixed.iter().enumerate() {
            let earlier = fixed[..index].iter().find(|(_, other)| overlap(*subnet, *other));
            if let Some((other_name, other)) = earlier {
                self.mistake(
                    &["nets", name, "gw"],
                    format!(
                        "the nets {other_name:?} ({other}) and {name:?} ({subnet}) share addresses"
                    ),
                    "write addresses of another subnet into one of the two",
                );
            }
        }
    }

    fn addresses(&self) {
        let mut owners: HashMap<Ipv4Addr, (&str, usize)> = HashMap::new();
        for (domain_name, domain) in &self.file.domains {
            for (index, nic) in domain.nics.iter().enumerate() {
                let Some(ip) = nic.ip else { continue };
                let position = index.to_string();
                let path = ["domains", domain_name, "nics", &position, "ip"];
                if let Some((owner, owner_nic)) = owners.insert(ip, (domain_name, index)) {
                    let line = self.line(&["domains", owner, "nics", &owner_nic.to_string(), "ip"]);
                    self.mistake(
                        &path,
                        format!(
                            "{ip} is the address of a NIC of {owner:?} already, on line {line}"
                        ),
                        "write another address, or remove `ip` to have one planned",
                    );
                } else {
                    self.address(&path, ip, nic);
                }
            }
        }
    }

    fn address(&self, path: &[&str], ip: Ipv4Addr, nic: &Nic) {
        let Some(net) = self.file.nets.get(&nic.net) else { return };
        let Some(subnet) = net.subnet else { return };
        if let Some(reason) = unusable(ip) {
            let message = format!("{ip} is {reason}, which guests cannot use");
            let help = "write an address of a private network, or remove `ip` to have one planned";
            return self.mistake(path, message, help);
        }
        let message = if !subnet.contains(&ip) {
            format!("{ip} is outside of the net {:?}, which is {subnet}", nic.net)
        } else if !is_host(ip, subnet) {
            format!("{ip} is an address that the net {:?} ({subnet}) keeps for itself", nic.net)
        } else if gateway_of(net, subnet) == ip {
            format!("{ip} is the gateway of the net {:?}", nic.net)
        } else if let Some(range) = net.dhcp.and_then(|dhcp| dhcp.within(subnet))
            && range.contains(ip)
        {
            format!(
                "{ip} is in the DHCP range of the net {:?}, {} to {}",
                nic.net, range.start, range.end
            )
        } else {
            return;
        };
        self.mistake(path, message, self.address_help(net, subnet));
    }

    /// Where an address may be, in words.
    fn address_help(&self, net: &Net, subnet: Ipv4Net) -> String {
        let range = net.dhcp.and_then(|dhcp| dhcp.within(subnet));
        let nics = self.file.domains.values().flat_map(|domain| &domain.nics);
        let free = hosts_outside(subnet, range).find(|ip| {
            gateway_of(net, subnet) != *ip && nics.clone().all(|nic| nic.ip != Some(*ip))
        });
        match free {
            Some(ip) => {
                format!("write a free address such as {ip}, or remove `ip` to have one planned")
            }
            None => "remove `ip`, and make room in the subnet".to_owned(),
        }
    }

    fn management(&self) {
        let nets = &self.file.nets;
        let connected = self.file.domains.values().any(|domain| !domain.nics.is_empty());
        if connected && !nets.values().any(|net| net.management) {
            self.mistake(
                &["nets"],
                format!("none of the nets {} is for management", join(nets.keys())),
                "write `management: true` into the one through which the domains are reached",
            );
            return;
        }
        for (name, domain) in &self.file.domains {
            self.management_of(name, domain, nets);
        }
    }

    fn management_of(&self, name: &str, domain: &Domain, nets: &IndexMap<String, Net>) {
        let mut used: Vec<&String> = domain
            .nics
            .iter()
            .map(|nic| &nic.net)
            .filter(|net| nets.get(*net).is_some_and(|net| net.management))
            .collect();
        used.dedup();
        let path = ["domains", name, "nics"];
        if domain.nics.is_empty() {
            return;
        }
        if used.is_empty() {
            let all = nets.iter().filter(|(_, net)| net.management).map(|(name, _)| name);
            self.mistake(
                &path,
                format!("the domain {name:?} has no NIC on a net for management"),
                format!("add a NIC on one of: {}", join(all)),
            );
        } else if used.iter().any(|net| *net != used[0]) {
            self.mistake(
                &path,
                format!("the domain {name:?} is on several nets for management: {}", join(used)),
                "keep one of them: it decides the address at which the domain is reached",
            );
        }
    }
}

fn join<'n>(names: impl IntoIterator<Item = &'n String>) -> String {
    names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// Whether a machine can have this address.
fn is_host(address: Ipv4Addr, subnet: Ipv4Net) -> bool {
    address != subnet.network() && address != subnet.broadcast()
}

fn outside(bound: HostAddress, net_name: &str, net: &Net) -> String {
    let bound = match bound {
        HostAddress::Number(number) => number.to_string(),
        HostAddress::Address(address) => address.to_string(),
    };
    match net.subnet {
        Some(subnet) => {
            format!("{bound} is no address of a machine in the net {net_name:?}, which is {subnet}")
        }
        None => format!("{bound} is no address of a machine in the net {net_name:?}"),
    }
}

fn host_help(subnet: Ipv4Net, net: &Net) -> String {
    let last = u32::from(subnet.broadcast()) - u32::from(subnet.network()) - 1;
    match net.subnet {
        Some(_) => {
            let last = Ipv4Addr::from(u32::from(subnet.broadcast()) - 1);
            format!("write an address from {} to {last}", first_host(subnet))
        }
        None => format!("write a number from 1 to {last}"),
    }
}
