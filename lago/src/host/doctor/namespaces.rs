//! What a plain user needs for namespaces of their own.

use super::Check;
use super::system::System;

/// How many subordinate ids a private host needs: the ids of a system's own users, up to `nobody`.
const NEEDED_IDS: u64 = 65536;

/// Where the first range of subordinate ids begins by the distributions' habit.
const FIRST_SUBORDINATE_ID: u64 = 100_000;

pub(super) fn checks(system: &System) -> Vec<Check> {
    let mut checks = vec![allowed(system)];
    if !system.privileged {
        checks.push(subordinate_ids(system));
    }
    checks
}

/// Whether the kernel lets this user make the namespaces.
fn allowed(system: &System) -> Check {
    const NAME: &str = "namespaces";
    let setting = |name: &str, forbidding: &str| {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        system.read(&path).trim() == forbidding
    };
    let forbidden = |name: &str, value: u32| {
        let detail = format!("the kernel's setting {name} keeps this user from making namespaces");
        Check::missing(NAME, detail, format!("sudo sysctl -w {name}={value}"))
    };
    if setting("user.max_net_namespaces", "0") {
        return forbidden("user.max_net_namespaces", 65536);
    }
    if system.privileged {
        return Check::ok(NAME, "root makes them without a user namespace");
    }
    if setting("user.max_user_namespaces", "0") {
        return forbidden("user.max_user_namespaces", 65536);
    }
    if setting("kernel.unprivileged_userns_clone", "0") {
        return forbidden("kernel.unprivileged_userns_clone", 1);
    }
    if setting("kernel.apparmor_restrict_unprivileged_userns", "1") {
        return forbidden("kernel.apparmor_restrict_unprivileged_userns", 0);
    }
    Check::ok(NAME, "the kernel lets plain users make them")
}

fn subordinate_ids(system: &System) -> Check {
    const NAME: &str = "subordinate ids";
    let files = [("/etc/subuid", "--add-subuids"), ("/etc/subgid", "--add-subgids")];
    let lacking: Vec<(&str, String)> = files
        .into_iter()
        .filter_map(|(file, option)| {
            let ranges = parse(&system.read(file));
            let own = ranges.iter().filter(|range| range.is_of(system)).map(|range| range.count);
            if own.max().unwrap_or(0) >= NEEDED_IDS {
                return None;
            }
            let first = ranges.iter().map(Range::end).max().unwrap_or(0).max(FIRST_SUBORDINATE_ID);
            Some((file, format!("{option} {first}-{}", first + NEEDED_IDS - 1)))
        })
        .collect();
    if lacking.is_empty() {
        return Check::ok(NAME, format!("{} has {NEEDED_IDS} or more of each kind", system.user));
    }
    let names: Vec<&str> = lacking.iter().map(|(file, _)| *file).collect();
    let options: Vec<&str> = lacking.iter().map(|(_, option)| option.as_str()).collect();
    Check::missing(
        NAME,
        format!(
            "{} has no range of {NEEDED_IDS} in {}; QEMU and dnsmasq change their groups, which takes more than one id",
            system.user,
            names.join(" and ")
        ),
        format!("sudo usermod {} {}", options.join(" "), system.user),
    )
}

/// A line of `/etc/subuid` or `/etc/subgid`.
#[derive(Debug)]
struct Range {
    owner: String,
    first: u64,
    count: u64,
}

impl Range {
    fn is_of(&self, system: &System) -> bool {
        self.owner == system.user || self.owner == system.uid.to_string()
    }

    fn end(&self) -> u64 {
        self.first.saturating_add(self.count)
    }
}

fn parse(text: &str) -> Vec<Range> {
    let range = |line: &str| {
        let mut fields = line.trim().split(':');
        Some(Range {
            owner: fields.next()?.to_owned(),
            first: fields.next()?.parse().ok()?,
            count: fields.next()?.parse().ok()?,
        })
    };
    text.lines().filter_map(range).collect()
}
