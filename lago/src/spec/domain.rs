//! Reads one domain.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::diagnostic::{Mark, Report};
use super::disk;
use super::fields::{Fields, Known, Marked, suggest};
use super::names;
use super::ssh_access;
use super::tree::{Entry, Node};
use super::types::{
    Domain, Firmware, Graphics, Net, Nic, SelinuxMode, ServiceProvider, SysprepBackend, VmProvider,
};

/// Memory of a domain that does not say, in MiB. Lago gave 16 GiB, more than most machines that run tests can spare,
/// and a snapshot has to write all that the guest touches.
const DEFAULT_MEMORY: u64 = 2048;
/// As in Lago.
const DEFAULT_VCPU: u64 = 2;
/// As in Lago, whose suites rely on it.
const DEFAULT_PASSWORD: &str = "123456";
/// In MiB: 16 TiB, above which x86 hosts do not go.
const MOST_MEMORY: u64 = 16 * 1024 * 1024;
/// What QEMU's q35 machine can have at most.
const MOST_VCPU: u64 = 4096;
/// In seconds: a day.
const LONGEST_BOOT: u64 = 24 * 60 * 60;
/// What Ethernet cards take.
pub(super) const MTU: std::ops::RangeInclusive<u64> = 68..=65535;

const FIELDS: Known = Known {
    documented: &[
        "based-on",
        "memory",
        "vcpu",
        "cpu",
        "cpu_model",
        "cpu_custom",
        "firmware",
        "nvram",
        "graphics",
        "nics",
        "disks",
        "metadata",
        "root-password",
        "ssh-user",
        "ssh-password",
        "groups",
        "artifacts",
        "service_provider",
        "vm-type",
        "vm-provider",
        "ssh",
        "bootstrap",
        "sysprep",
        "selinux",
        "distro",
        "guest-agent",
        "boot_time_sec",
        "skip-export",
        "comment",
    ],
    tolerated: &["name", "type", "url", "service_class", "snapshots", "mgmt_net"],
};
const NIC_FIELDS: Known =
    Known { documented: &["net", "ip", "ip6", "mtu", "comment"], tolerated: &[] };

/// Reads the domain `name`, or a prototype, which has no name of a VM.
pub(super) fn read(
    name: Option<&str>,
    entry: &Entry,
    nets: &IndexMap<String, Net>,
    directory: &Path,
    report: &Report<'_>,
) -> Domain {
    let fields = Fields::open(report, &entry.node, entry.key, "a domain", &FIELDS);
    check_name(&fields, name);
    refuse_ova(&fields);
    let password = |field| fields.string(field).map(|password| checked(&fields, field, password));
    let root_password = password("root-password");
    let ssh_password = password("ssh-password").or_else(|| root_password.clone());
    let (vcpu, cpu) = cpus(&fields);
    let (bootstrap, sysprep) = sysprep(&fields);
    Domain {
        memory: fields.number("memory", "MiB", 1..=MOST_MEMORY).map_or(DEFAULT_MEMORY, |n| n.value),
        vcpu,
        cpu,
        cpu_model: cpu_model(&fields),
        cpu_custom: fields.json("cpu_custom"),
        firmware: fields.word("firmware", FIRMWARES).unwrap_or_default(),
        nvram: nvram(&fields, directory),
        graphics: fields.word("graphics", GRAPHICS).unwrap_or_default(),
        nics: fields.list("nics").iter().map(|node| read_nic(node, nets, report)).collect(),
        disks: disk::read_all(fields.list("disks"), directory, report),
        metadata: fields.json("metadata").unwrap_or_default(),
        root_password: root_password.unwrap_or_else(|| DEFAULT_PASSWORD.to_owned()),
        ssh_user: ssh_user(&fields),
        ssh_password: ssh_password.unwrap_or_else(|| DEFAULT_PASSWORD.to_owned()),
        groups: fields.strings("groups"),
        artifacts: fields.strings("artifacts"),
        service_provider: service_provider(&fields),
        vm_type: fields
            .string("vm-type")
            .map_or_else(|| "default".to_owned(), |vm_type| vm_type.value),
        ssh: ssh_access::read(&fields, directory),
        vm_provider: fields.word("vm-provider", VM_PROVIDERS).unwrap_or(VmProvider::LocalLibvirt),
        bootstrap,
        sysprep,
        selinux: fields.word("selinux", SELINUX_MODES),
        distro: fields.string("distro").map(|distro| distro.value),
        guest_agent: fields.string("guest-agent").map(|agent| agent.value),
        boot_time_sec: fields.number("boot_time_sec", "seconds", 1..=LONGEST_BOOT).map(|n| n.value),
        skip_export: fields.bool("skip-export").unwrap_or(false),
    }
}

/// The variables that a machine with UEFI firmware begins with.
fn nvram(fields: &Fields<'_>, directory: &Path) -> Option<PathBuf> {
    let path = fields.string("nvram")?;
    if fields.word("firmware", FIRMWARES) != Some(Firmware::Uefi) {
        fields.mistake(
            path.at,
            "`nvram` has the variables of UEFI firmware, and this domain has none",
            "write `firmware: uefi`, or remove `nvram`",
        );
    }
    Some(disk::absolute(directory, &path.value))
}

const FIRMWARES: &[(&str, Firmware)] = &[("bios", Firmware::Bios), ("uefi", Firmware::Uefi)];

const GRAPHICS: &[(&str, Graphics)] = &[("none", Graphics::None), ("vnc", Graphics::Vnc)];

const VM_PROVIDERS: &[(&str, VmProvider)] =
    &[("local-libvirt", VmProvider::LocalLibvirt), ("ssh", VmProvider::Ssh)];

/// `none` is what `bootstrap: false` says.
const SYSPREP_BACKENDS: &[(&str, Option<SysprepBackend>)] = &[
    ("seed", Some(SysprepBackend::Seed)),
    ("libguestfs", Some(SysprepBackend::Libguestfs)),
    ("none", None),
];

const SELINUX_MODES: &[(&str, SelinuxMode)] = &[
    ("enforcing", SelinuxMode::Enforcing),
    ("permissive", SelinuxMode::Permissive),
    ("disabled", SelinuxMode::Disabled),
];

/// Whether the guest is given its identity, and how.
fn sysprep(fields: &Fields<'_>) -> (bool, Option<SysprepBackend>) {
    let bootstrap = fields.bool("bootstrap");
    let backend = fields.word("sysprep", SYSPREP_BACKENDS);
    if let (Some(bootstrap), Some(backend), Some(written)) =
        (bootstrap, backend, fields.get("sysprep"))
        && bootstrap != backend.is_some()
    {
        fields.mistake(
            written.node.at,
            format!("`sysprep` and `bootstrap: {bootstrap}` do not go together"),
            "remove `bootstrap`: `sysprep: none` is the same as `bootstrap: false`",
        );
    }
    match backend {
        Some(backend) => (backend.is_some(), backend),
        None => (bootstrap.unwrap_or(true), None),
    }
}

const SERVICE_PROVIDERS: &[(&str, ServiceProvider)] = &[
    ("systemd", ServiceProvider::Systemd),
    ("sysvinit", ServiceProvider::SysVInit),
    ("openrc", ServiceProvider::OpenRc),
    ("systemdcontainer", ServiceProvider::SystemdContainer),
    ("systemd_container", ServiceProvider::SystemdContainer),
];

/// `service_class` is how Lago 0.3 spelled it.
fn service_provider(fields: &Fields<'_>) -> Option<ServiceProvider> {
    fields
        .word("service_provider", SERVICE_PROVIDERS)
        .or_else(|| fields.word("service_class", SERVICE_PROVIDERS))
}

/// Exported init files repeat the name inside of the domain.
fn check_name(fields: &Fields<'_>, name: Option<&str>) {
    if let (Some(name), Some(written)) = (name, fields.string("name"))
        && written.value != name
    {
        fields.mistake(
            written.at,
            format!("the domain {name:?} calls itself {:?}", written.value),
            "remove `name`: the key is the name",
        );
    }
}

fn refuse_ova(fields: &Fields<'_>) {
    const HELP: &str = "unpack the archive with tar, convert its disk with `qemu-img convert -O qcow2`, and write that \
                        as a disk of `type: file`";
    if let Some(kind) = fields.string("type").filter(|kind| kind.value != "template") {
        fields.mistake(kind.at, format!("a domain cannot be made from {:?}", kind.value), HELP);
    } else if let Some(url) = fields.string("url") {
        fields.mistake(url.at, "`url` belongs to a disk, not to a domain", HELP);
    }
}

/// Passwords end up in files of lines.
fn checked(fields: &Fields<'_>, name: &str, password: Marked<String>) -> String {
    if password.value.is_empty() || password.value.contains(char::is_control) {
        fields.mistake(
            password.at,
            format!("`{name}` is empty or has control characters in it"),
            "write a password of printable characters",
        );
    }
    password.value
}

/// How many virtual CPUs, and over how many sockets.
fn cpus(fields: &Fields<'_>) -> (u32, Option<u32>) {
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let vcpu = fields.number("vcpu", "CPUs", 1..=MOST_VCPU);
    let cpu = fields.number("cpu", "sockets", 1..=MOST_VCPU);
    match (vcpu, cpu) {
        (vcpu, None) => (narrow(vcpu.map_or(DEFAULT_VCPU, |vcpu| vcpu.value)), None),
        (None, Some(cpu)) => (narrow(cpu.value), Some(narrow(cpu.value))),
        (Some(vcpu), Some(cpu)) => {
            if vcpu.value % cpu.value != 0 {
                fields.mistake(
                    cpu.at,
                    format!("{} virtual CPUs do not fit into {} sockets", vcpu.value, cpu.value),
                    "write a `cpu` that divides `vcpu`, or remove `cpu`",
                );
            }
            (narrow(vcpu.value), Some(narrow(cpu.value)))
        }
    }
}

fn ssh_user(fields: &Fields<'_>) -> String {
    let Some(user) = fields.string("ssh-user") else { return "root".to_owned() };
    if !names::is_user(&user.value) {
        fields.mistake(
            user.at,
            format!("`{}` is no name of a user", user.value.escape_debug()),
            "write at most 32 letters, digits, `.`, `_` and `-`, with no `-` first",
        );
    }
    user.value
}

fn cpu_model(fields: &Fields<'_>) -> Option<String> {
    let model = fields.string("cpu_model")?;
    if fields.get("cpu_custom").is_some() {
        fields.mistake(
            model.at,
            "`cpu_model` and `cpu_custom` are both written",
            "write the model into `cpu_custom`, or remove `cpu_custom`",
        );
    }
    Some(model.value)
}

fn read_nic(node: &Node, nets: &IndexMap<String, Net>, report: &Report<'_>) -> Nic {
    let fields = Fields::open(report, node, node.at, "a NIC", &NIC_FIELDS);
    let net = fields.required("net", "write the name of a network of `nets`");
    if let Some(net) = &net {
        check_net_exists(&net.value, net.at, nets, report);
    }
    let mtu = fields.number("mtu", "bytes", MTU);
    Nic {
        net: net.map_or_else(String::new, |net| net.value),
        ip: fields.address("ip", "192.168.200.10").map(|ip| ip.value),
        ip6: fields.address6("ip6", "fd00:1::10").map(|ip| ip.value),
        mtu: mtu.and_then(|mtu| u32::try_from(mtu.value).ok()),
    }
}

fn check_net_exists(net: &str, at: Mark, nets: &IndexMap<String, Net>, report: &Report<'_>) {
    if nets.contains_key(net) {
        return;
    }
    let help = if nets.is_empty() {
        "describe it under `nets`, which has no network yet".to_owned()
    } else {
        suggest(net, nets.keys().map(String::as_str))
    };
    report.mistake(at, format!("the net {net:?} does not exist"), help);
}
