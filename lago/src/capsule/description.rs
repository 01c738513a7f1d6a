//! The description of a VM whose memory comes from elsewhere: <https://libvirt.org/formatdomain.html>.
//!
//! libvirt starts what a description says, with the rights of the user: any program as the emulator, any file as a disk.
//! So only what lago itself puts into one is taken over, by a list.

use xmltree::{Element, EmitterConfig, XMLNode};

use crate::prefix::{DiskImage, Record};
use crate::spec::{Graphics, PlannedVm};

/// What a domain may have.
const DOMAIN: [&str; 19] = [
    "name",
    "uuid",
    "genid",
    "metadata",
    "memory",
    "currentMemory",
    "vcpu",
    "iothreads",
    "iothreadids",
    "resource",
    "os",
    "features",
    "cpu",
    "clock",
    "on_poweroff",
    "on_reboot",
    "on_crash",
    "pm",
    "devices",
];

/// What the part that says how it boots may have: no file of the host.
const OS: [&str; 3] = ["type", "boot", "firmware"];

/// The files of UEFI firmware. Each machine has its own, and what it has held of them is in the VM's memory.
const FIRMWARE_FILES: [&str; 2] = ["loader", "nvram"];

/// What the part that says which firmware may have.
const FIRMWARE: [&str; 1] = ["feature"];

/// A kind of device.
struct Device {
    name: &'static str,
    /// The values that its `type` may have; any, or none, if the list is empty.
    types: &'static [&'static str],
    /// What it may have. An address and an alias are everybody's.
    children: &'static [&'static str],
}

const fn device(
    name: &'static str,
    types: &'static [&'static str],
    children: &'static [&'static str],
) -> Device {
    Device { name, types, children }
}

/// The devices that lago gives VMs, and those that libvirt adds.
const DEVICES: [Device; 12] = [
    device(
        "disk",
        &["file"],
        &["driver", "source", "target", "readonly", "backingStore", "boot", "serial"],
    ),
    device(
        "controller",
        &["usb", "pci", "virtio-serial", "sata", "scsi", "ide"],
        &["model", "target", "driver"],
    ),
    device("interface", &["network"], &["mac", "source", "model", "mtu", "rom", "target", "link"]),
    device("serial", &["pty"], &["log", "target"]),
    device("console", &["pty"], &["log", "target"]),
    device("channel", &["unix"], &["target"]),
    device("input", &["mouse", "keyboard", "tablet"], &[]),
    device("video", &[], &["model"]),
    device("audio", &["none"], &[]),
    device("watchdog", &[], &[]),
    device("memballoon", &[], &["stats"]),
    device("rng", &[], &["backend"]),
];

/// The attributes that parts of devices may have which could otherwise name a file or a program of the host.
const ATTRIBUTES: [(&str, &str, &[&str]); 4] = [
    ("interface", "source", &["network"]),
    ("interface", "rom", &["enabled", "bar"]),
    ("video", "model", &["type", "vram", "vram64", "ram", "vgamem", "heads", "primary"]),
    ("rng", "backend", &["model"]),
];

/// The models of video cards that are in the emulator itself.
const VIDEO_MODELS: [&str; 5] = ["vga", "virtio", "bochs", "cirrus", "none"];

/// Where a display is.
const LOOPBACK: &str = "127.0.0.1";

/// Where a guest's random numbers come from.
const RANDOM: &str = "/dev/urandom";

/// The machine type that a description names.
pub(super) fn machine_type(description: &str) -> Option<String> {
    let domain = Element::parse(description.as_bytes()).ok()?;
    domain.get_child("os")?.get_child("type")?.attributes.get("machine").cloned()
}

/// The description of a VM as it can be used on any machine.
///
/// # Errors
/// What is in it that lago puts into none.
pub(super) fn adopted(
    description: &str,
    record: &Record,
    disks: &[DiskImage],
    vm: &PlannedVm,
) -> Result<String, String> {
    let mut domain = Element::parse(description.as_bytes()).map_err(|error| error.to_string())?;
    if domain.name != "domain" {
        return Err(format!("it is no domain, but a {}", domain.name));
    }
    // A security label is the host's, and libvirt makes another one.
    while domain.take_child("seclabel").is_some() {}
    require_children(&domain, &DOMAIN)?;
    adopt_boot(domain.get_mut_child("os").ok_or("it has no `os`")?, record.has_uefi(&vm.name))?;
    let name = domain.get_child("name").and_then(Element::get_text);
    if name.as_deref() != Some(&record.libvirt_name(&vm.name)) {
        return Err(format!("it is called {}", name.as_deref().unwrap_or("nothing")));
    }
    let devices = domain.get_mut_child("devices").ok_or("it has no devices")?;
    // Where the emulator is, each machine knows itself.
    while devices.take_child("emulator").is_some() {}
    let has_display = take_display(devices, record, &vm.name);
    for device in devices.children.iter().filter_map(XMLNode::as_element) {
        check_device(device)?;
        match device.name.as_str() {
            "disk" => check_disk(device, disks)?,
            "interface" => check_card(device, record, vm)?,
            _ => {}
        }
    }
    if has_display {
        devices.children.push(XMLNode::Element(display()));
    }
    let mut text = Vec::new();
    domain
        .write_with_config(&mut text, EmitterConfig::new().write_document_declaration(false))
        .map_err(|error| error.to_string())?;
    String::from_utf8(text).map_err(|error| error.to_string())
}

/// Of firmware only its kind is taken over: which files that are, libvirt finds out.
fn adopt_boot(os: &mut Element, has_uefi: bool) -> Result<(), String> {
    if has_uefi {
        for file in FIRMWARE_FILES {
            while os.take_child(file).is_some() {}
        }
        os.attributes.insert("firmware".into(), "efi".into());
    }
    require_children(os, &OS)?;
    os.get_child("firmware").map_or(Ok(()), |firmware| require_children(firmware, &FIRMWARE))
}

/// Takes the display away that can be looked at, where the VM is to have one.
fn take_display(devices: &mut Element, record: &Record, vm: &str) -> bool {
    let spec = record.init_file.domains.get(vm);
    let has_display = spec.is_some_and(|domain| domain.graphics == Graphics::Vnc);
    while has_display && devices.take_child("graphics").is_some() {}
    has_display
}

/// A display as lago makes it. Its password comes when the VM is brought back.
fn display() -> Element {
    let mut display = Element::new("graphics");
    let attributes = [("type", "vnc"), ("port", "-1"), ("autoport", "yes"), ("listen", LOOPBACK)];
    for (name, value) in attributes {
        display.attributes.insert(name.into(), value.to_owned());
    }
    display
}

fn require_children(element: &Element, allowed: &[&str]) -> Result<(), String> {
    let mut children = element.children.iter().filter_map(XMLNode::as_element);
    match children.find(|child| child.prefix.is_some() || !allowed.contains(&&*child.name)) {
        None => Ok(()),
        Some(child) => {
            let (name, of) = (&child.name, &element.name);
            Err(format!("its {of} has `{name}`, which lago gives none"))
        }
    }
}

fn check_device(device: &Element) -> Result<(), String> {
    let name = &device.name;
    let known = DEVICES
        .iter()
        .find(|known| known.name == name)
        .ok_or_else(|| format!("it has the device `{name}`, which lago gives none"))?;
    let kind = device.attributes.get("type").map_or("", String::as_str);
    if !known.types.is_empty() && !known.types.contains(&kind) {
        return Err(format!("it has the device `{name}` of type `{kind}`, which lago gives none"));
    }
    let allowed = [known.children, &["address", "alias"]].concat();
    require_children(device, &allowed)?;
    for (_, part, attributes) in ATTRIBUTES.iter().filter(|(owner, ..)| owner == name) {
        let Some(part) = device.get_child(*part) else { continue };
        if let Some((other, _)) =
            part.attributes.iter().find(|(name, _)| !attributes.contains(&&***name))
        {
            let part = &part.name;
            return Err(format!("its {name} has a {part} with `{other}`, which lago gives none"));
        }
    }
    match name.as_str() {
        "rng"
            if device.get_child("backend").and_then(Element::get_text).as_deref()
                != Some(RANDOM) =>
        {
            Err(format!("its random numbers do not come from {RANDOM}"))
        }
        "video" => {
            let model = device.get_child("model").and_then(|model| model.attributes.get("type"));
            match model.map(String::as_str) {
                Some(model) if VIDEO_MODELS.contains(&model) => Ok(()),
                _ => Err("its video card is one that lago gives none".to_owned()),
            }
        }
        _ => Ok(()),
    }
}

/// A disk's file is replaced when the VM is brought back, if it is one of ours.
fn check_disk(device: &Element, disks: &[DiskImage]) -> Result<(), String> {
    let dev = device.get_child("target").and_then(|target| target.attributes.get("dev"));
    match dev {
        Some(dev) if disks.iter().any(|disk| disk.dev == *dev) => Ok(()),
        dev => Err(format!(
            "it has a disk {} that its init file does not have",
            dev.map_or("without a name", String::as_str)
        )),
    }
}

/// A network card is in one of the environment's own networks.
fn check_card(device: &Element, record: &Record, vm: &PlannedVm) -> Result<(), String> {
    let of = |part: &str, attribute: &str| device.get_child(part)?.attributes.get(attribute);
    let (mac, network) = (of("mac", "address"), of("source", "network"));
    let is_planned = vm
        .nics
        .iter()
        .any(|nic| Some(&nic.mac) == mac && Some(&record.libvirt_name(&nic.net)) == network);
    if is_planned {
        Ok(())
    } else {
        Err("it has a network card that its init file does not have".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capsule::manifest::tests::manifest;
    use crate::spec::Firmware;

    const DESCRIPTION: &str = r"<domain type='qemu'>
  <name>server</name>
  <uuid>cdeceaa6-7c40-50d7-a891-eab819441ca0</uuid>
  <memory unit='KiB'>131072</memory>
  <vcpu placement='static'>1</vcpu>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><boot dev='hd'/></os>
  <cpu mode='maximum' check='none'/>
  <devices>
    <emulator>/tmp/anything</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='/elsewhere'/><target dev='vda' bus='virtio'/>
    </disk>
    <interface type='network'>
      <mac address='MAC'/><source network='lan'/><model type='virtio'/><rom enabled='no'/>
    </interface>
    <serial type='pty'><log file='/elsewhere.log' append='on'/><target port='0'/></serial>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
  <seclabel type='dynamic' model='dac' relabel='yes'/>
</domain>";

    fn adopt(description: &str) -> Result<String, String> {
        let record = manifest().record;
        let vm = &record.plan.vms[0];
        adopted(&description.replace("MAC", &vm.nics[0].mac), &record, &record.disks[&vm.name], vm)
    }

    #[test]
    fn what_is_of_one_host_is_of_none_then() {
        let text = adopt(DESCRIPTION).unwrap();
        assert!(
            text.contains("<name>server</name>") && text.contains(r#"network="lan""#),
            "{text}"
        );
        assert!(!text.contains("emulator") && !text.contains("seclabel"), "{text}");
        assert!(text.contains(r#"machine="pc-q35-7.2""#), "{text}");
        assert_eq!(machine_type(DESCRIPTION).as_deref(), Some("pc-q35-7.2"));
    }

    #[test]
    fn of_firmware_and_display_only_the_kind_is_taken_over() {
        let firmware = "<os firmware='efi'><firmware><feature enabled='no' name='secure-boot'/></firmware>\
                        <loader readonly='yes' type='pflash'>/etc/shadow</loader>\
                        <nvram template='/etc/shadow'>/etc/passwd</nvram>";
        let description = DESCRIPTION.replace("<os>", firmware).replace(
            "</devices>",
            "<graphics type='vnc' listen='0.0.0.0' socket='/tmp/x'><listen type='socket'/></graphics></devices>",
        );
        adopt(&description).unwrap_err();
        let mut record = manifest().record;
        let vm = record.plan.vms[0].clone();
        let domain = &mut record.init_file.domains["server"];
        (domain.firmware, domain.graphics) = (Firmware::Uefi, Graphics::Vnc);
        let description = description.replace("MAC", &vm.nics[0].mac);
        let text = adopted(&description, &record, &record.disks["server"], &vm).unwrap();
        assert!(!text.contains("/etc/") && !text.contains("/tmp/x"), "{text}");
        assert!(text.contains(r#"<os firmware="efi">"#) && text.contains("secure-boot"), "{text}");
        assert!(text.contains(r#"listen="127.0.0.1""#) && !text.contains("0.0.0.0"), "{text}");
    }

    #[test]
    fn what_could_do_harm_is_refused() {
        let changes = [
            (
                "<cpu mode",
                "<sysinfo type='fwcfg'><entry name='x' file='/etc/shadow'/></sysinfo><cpu mode",
            ),
            ("</devices>", "<graphics type='vnc' listen='0.0.0.0'/></devices>"),
            (
                "</devices>",
                "</devices><q:commandline xmlns:q='urn:x'><q:arg value='x'/></q:commandline>",
            ),
            ("<boot dev='hd'/>", "<boot dev='hd'/><kernel>/etc/shadow</kernel>"),
            ("<boot dev='hd'/>", "<loader type='pflash'>/etc/shadow</loader>"),
            ("</devices>", "<hostdev mode='subsystem' type='pci'/></devices>"),
            ("</devices>", "<filesystem type='mount'><source dir='/'/></filesystem></devices>"),
            ("<rom enabled='no'/>", "<rom file='/etc/shadow'/>"),
            ("<rom enabled='no'/>", "<script path='/tmp/anything'/>"),
            ("<source network='lan'/>", "<source bridge='br0'/>"),
            ("<interface type='network'>", "<interface type='ethernet'>"),
            ("<serial type='pty'>", "<serial type='file'>"),
            ("<channel type='unix'>", "<channel type='unix'><source mode='bind' path='/etc/x'/>"),
            (">/dev/urandom<", ">/dev/mem<"),
            ("dev='vda'", "dev='vdb'"),
            ("<disk type='file' device='disk'>", "<disk type='block' device='disk'>"),
            ("<vcpu", "<memoryBacking><source type='file'/></memoryBacking><vcpu"),
            ("<rng model", "<video><model type='vhostuser'/></video><rng model"),
            ("address='MAC'", "address='52:54:00:00:00:01'"),
            ("network='lan'", "network='default'"),
            ("<name>server<", "<name>other<"),
        ];
        for (part, harmful) in changes {
            assert!(DESCRIPTION.contains(part), "{part}");
            adopt(&DESCRIPTION.replace(part, harmful)).expect_err(harmful);
        }
        adopt("<network/>").unwrap_err();
        adopt("oops").unwrap_err();
    }
}
