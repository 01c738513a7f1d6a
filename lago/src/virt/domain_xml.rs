//! The description of a domain, as libvirt wants it: <https://libvirt.org/formatdomain.html>.

use std::fmt;
use std::iter;
use std::path::PathBuf;

use uuid::Uuid;

use super::xml::Element;
use crate::host::Acceleration;
use crate::spec::JsonMap;

/// The thread of QEMU's that serves all disks. Without it QEMU's main thread does, which shares a lock with the
/// processors: while firmware and boot loader wait for each block that they read, the two take turns at that lock, and on
/// a machine whose processors are all taken by guests a second or two of each start went there.
const IO_THREAD: u32 = 1;

/// How many devices can be plugged in while the domain runs. Guests look for devices behind each port as they start.
const FREE_PORTS: u32 = 2;

/// The slots of the first PCI bus that are still free. A device there needs no root port of its own, which firmware and
/// guest would have to set up; such a device cannot be unplugged.
struct Slots(std::ops::Range<u8>);

/// Everything that a domain's description is made of. A pure value: [`DomainDescription::to_xml`] does no I/O.
#[derive(Debug, Clone)]
pub struct DomainDescription {
    /// The name under which libvirt knows the domain.
    pub name: String,
    /// The identity of the domain, which a snapshot and a fork keep.
    pub uuid: Uuid,
    /// Guest memory in MiB.
    pub memory: u64,
    /// Number of virtual CPUs.
    pub cpus: u32,
    /// Over how many sockets the virtual CPUs are spread; each has one of its own if absent.
    pub sockets: Option<u32>,
    /// What the guest sees as its processor.
    pub cpu: Processor,
    /// Hardware virtualization or emulation.
    pub acceleration: Acceleration,
    /// The file with the variables of UEFI firmware; a BIOS starts the guest without one.
    pub nvram: Option<PathBuf>,
    /// A display that can be looked at over VNC.
    pub vnc: Option<VncDisplay>,
    /// The disks, the boot disk first.
    pub disks: Vec<DiskDevice>,
    /// The network cards, in the order in which the guest finds them.
    pub nics: Vec<NicDevice>,
    /// The file that records everything which the guest writes to its serial console.
    pub console_log: PathBuf,
}

/// A display over VNC, on the loopback interface of where the domain runs and with a port that libvirt chooses.
#[derive(Clone, PartialEq, Eq)]
pub struct VncDisplay {
    /// What has to be known to look at it; VNC takes eight letters.
    pub password: String,
}

impl fmt::Debug for VncDisplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VncDisplay").finish_non_exhaustive()
    }
}

/// What the guest sees as its processor.
#[derive(Debug, Clone, PartialEq)]
pub enum Processor {
    /// The best that the host gives: the host's own processor, or all that emulation can do.
    Best,
    /// A model by the name that libvirt gives it.
    Model(String),
    /// libvirt's `<cpu>` element: `@name` is an attribute, `#text` the text, anything else a child.
    Custom(JsonMap),
}

/// A disk as the domain has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskDevice {
    /// The image on the host.
    pub path: PathBuf,
    /// The format of the image: `qcow2` or `raw`.
    pub format: &'static str,
    /// The name of the device, such as `vda`; its letters choose the bus. It is the disk's serial number in the guest.
    pub dev: String,
    /// A disk that the guest may not write to.
    pub read_only: bool,
    /// A CD-ROM rather than a disk.
    pub cdrom: bool,
    /// One that can be detached while the domain runs, for which it has a port of its own.
    pub detachable: bool,
}

/// A network card as the domain has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicDevice {
    /// The libvirt network that the card is plugged into.
    pub network: String,
    /// The hardware address.
    pub mac: String,
    /// The name of its tap device on the host.
    pub tap: String,
    /// The largest packet, in bytes; the network's if absent.
    pub mtu: Option<u32>,
    /// One that can be detached while the domain runs, for which it has a port of its own.
    pub detachable: bool,
}

impl DomainDescription {
    /// The description as a document for `virDomainCreateXML`.
    pub fn to_xml(&self) -> String {
        let domain_type = match self.acceleration {
            Acceleration::Kvm => "kvm",
            Acceleration::Tcg => "qemu",
        };
        Element::new("domain")
            .attribute("type", domain_type)
            .child(Element::text("name", &self.name))
            .child(Element::text("uuid", self.uuid))
            .child(Element::text("memory", self.memory).attribute("unit", "MiB"))
            .child(Element::text("vcpu", self.cpus))
            .child(Element::text("iothreads", 1))
            .child(self.cpu.to_element(self.acceleration).children(self.topology()))
            .child(self.boot())
            .child(Element::new("features").child(Element::new("acpi")).child(Element::new("apic")))
            .child(Element::new("clock").attribute("offset", "utc"))
            .child(Element::text("on_poweroff", "destroy"))
            .child(Element::text("on_reboot", "restart"))
            .child(Element::text("on_crash", "destroy"))
            .child(self.devices())
            .to_document()
    }

    /// libvirt finds the firmware by its descriptors, and makes the file of its variables from the template that belongs to
    /// it. With Secure Boot the guest would need a system that is signed.
    fn boot(&self) -> Element {
        let kind = Element::text("type", "hvm")
            .attribute("arch", std::env::consts::ARCH)
            .attribute("machine", "q35");
        let Some(nvram) = &self.nvram else { return Element::new("os").child(kind) };
        let secure_boot =
            Element::new("feature").attribute("enabled", "no").attribute("name", "secure-boot");
        Element::new("os")
            .attribute("firmware", "efi")
            .child(kind)
            .child(Element::new("firmware").child(secure_boot))
            .child(Element::text("nvram", nvram.display()))
    }

    fn topology(&self) -> Option<Element> {
        let sockets = self.sockets?;
        Some(
            Element::new("topology")
                .attribute("sockets", sockets)
                .attribute("cores", self.cpus / sockets)
                .attribute("threads", 1),
        )
    }

    fn devices(&self) -> Element {
        let mut slots = Slots::default();
        let serial = Element::new("controller").attribute("type", "virtio-serial");
        let scsi = || {
            Element::new("controller")
                .attribute("type", "scsi")
                .attribute("model", "virtio-scsi")
                .child(Element::new("driver").attribute("iothread", IO_THREAD))
        };
        let rng = Element::new("rng")
            .attribute("model", "virtio")
            .child(Element::text("backend", "/dev/urandom").attribute("model", "random"));
        Element::new("devices")
            .child(Element::new("controller").attribute("type", "usb").attribute("model", "none"))
            .children(root_ports())
            .children(self.disks.iter().enumerate().map(|(position, disk)| {
                let element = disk.to_element().children(self.boot_order(position));
                match disk.bus() {
                    "virtio" if !disk.detachable => slots.place(element),
                    _ => element,
                }
            }))
            .children(
                self.disks.iter().any(|disk| disk.bus() == "scsi").then(|| slots.place(scsi())),
            )
            .children(self.nics.iter().map(|nic| {
                let element = nic.to_element();
                if nic.detachable { element } else { slots.place(element) }
            }))
            .child(slots.place(serial))
            .child(self.console())
            .child(
                Element::new("channel").attribute("type", "unix").child(
                    Element::new("target")
                        .attribute("type", "virtio")
                        .attribute("name", "org.qemu.guest_agent.0"),
                ),
            )
            // A guest without entropy waits for it when its ssh server makes its first key exchange.
            .child(slots.place(rng))
            .child(slots.place(Element::new("memballoon").attribute("model", "virtio")))
            .children(self.vnc.as_ref().map(VncDisplay::to_element))
            .child(slots.place(video()))
    }

    /// The first disk is the one to start from; the first CD is for one that cannot be started from yet. Each is told its
    /// place: left to itself, libvirt takes a SCSI disk for the first one.
    fn boot_order(&self, position: usize) -> Option<Element> {
        let first = |cdrom| self.disks.iter().position(|disk| disk.cdrom == cdrom);
        let order =
            [first(false), first(true)].iter().position(|first| *first == Some(position))?;
        Some(Element::new("boot").attribute("order", order + 1))
    }

    fn console(&self) -> Element {
        Element::new("serial")
            .attribute("type", "pty")
            .child(
                Element::new("log")
                    .attribute("file", self.console_log.display())
                    .attribute("append", "on"),
            )
            .child(Element::new("target").attribute("port", 0))
    }
}

/// What screenshots are taken of: the one card on which firmware, boot loaders and every kernel's text console show
/// something. Nobody looks at it meanwhile, so it costs a boot nothing that could be measured.
fn video() -> Element {
    Element::new("video").child(Element::new("model").attribute("type", "vga"))
}

/// libvirt wants the root itself to be named once a port is.
fn root_ports() -> impl Iterator<Item = Element> {
    let controller = |index: u32, model: &str| {
        Element::new("controller")
            .attribute("type", "pci")
            .attribute("index", index)
            .attribute("model", model)
    };
    iter::once(controller(0, "pcie-root"))
        .chain((1..=FREE_PORTS).map(move |index| controller(index, "pcie-root-port")))
}

impl Slots {
    /// The device on the next free slot. Without one libvirt gives it a root port.
    fn place(&mut self, device: Element) -> Element {
        device.children(self.0.next().map(|slot| {
            Element::new("address")
                .attribute("type", "pci")
                .attribute("bus", "0x00")
                .attribute("slot", format!("{slot:#04x}"))
        }))
    }
}

impl Default for Slots {
    /// Slot 0 is the bridge to the processor, 1 has the free root ports, and 31 the chipset.
    fn default() -> Self {
        Self(2..31)
    }
}

impl Processor {
    fn to_element(&self, acceleration: Acceleration) -> Element {
        match self {
            Self::Best => {
                let mode = match acceleration {
                    Acceleration::Kvm => "host-passthrough",
                    Acceleration::Tcg => "maximum",
                };
                Element::new("cpu").attribute("mode", mode)
            }
            Self::Model(name) => Element::new("cpu")
                .attribute("mode", "custom")
                .attribute("match", "exact")
                .child(Element::text("model", name).attribute("fallback", "forbid")),
            Self::Custom(content) => Element::from_json("cpu", content),
        }
    }
}

impl VncDisplay {
    /// Where anybody may look who knows the password: nobody from outside of the host.
    pub(super) const LISTEN: &str = "127.0.0.1";

    fn to_element(&self) -> Element {
        Element::new("graphics")
            .attribute("type", "vnc")
            .attribute("port", -1)
            .attribute("autoport", "yes")
            .attribute("listen", Self::LISTEN)
            .attribute("passwd", &self.password)
    }
}

impl DiskDevice {
    /// The description of the disk alone, for a domain that runs.
    pub(crate) fn to_xml(&self) -> String {
        self.to_element().to_document()
    }

    fn bus(&self) -> &'static str {
        match &self.dev[..2.min(self.dev.len())] {
            "sd" => "scsi",
            "hd" => "sata",
            _ => "virtio",
        }
    }

    fn to_element(&self) -> Element {
        // A guest's flushes need not reach the host's platter: an environment does not outlive a crash of its host,
        // and QEMU still hands every write to the kernel, so nothing is lost when QEMU is killed.
        let driver = Element::new("driver")
            .attribute("name", "qemu")
            .attribute("type", self.format)
            .attribute("cache", "unsafe")
            .attribute("discard", "unmap");
        let driver = match self.bus() {
            "virtio" => driver.attribute("iothread", IO_THREAD),
            _ => driver,
        };
        Element::new("disk")
            .attribute("type", "file")
            .attribute("device", if self.cdrom { "cdrom" } else { "disk" })
            .child(driver)
            .child(Element::new("source").attribute("file", self.path.display()))
            .child(Element::new("target").attribute("dev", &self.dev).attribute("bus", self.bus()))
            // By this a guest knows it. Its letters follow the order in which drivers find disks.
            .child(Element::text("serial", &self.dev))
            .children(self.read_only.then(|| Element::new("readonly")))
    }
}

impl NicDevice {
    /// The description of the card alone, for a domain that runs.
    pub(crate) fn to_xml(&self) -> String {
        self.to_element().to_document()
    }

    fn to_element(&self) -> Element {
        Element::new("interface")
            .attribute("type", "network")
            .child(Element::new("mac").attribute("address", &self.mac))
            .child(Element::new("source").attribute("network", &self.network))
            .child(Element::new("target").attribute("dev", &self.tap))
            .child(Element::new("model").attribute("type", "virtio"))
            .children(self.mtu.map(|mtu| Element::new("mtu").attribute("size", mtu)))
            // The domain starts from its disk alone, so that firmware to start from the network is only initialised.
            .child(Element::new("rom").attribute("enabled", "no"))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::PathBuf;

    use uuid::Uuid;

    use super::{DiskDevice, DomainDescription, NicDevice, Processor, VncDisplay};
    use crate::host::Acceleration;
    use crate::spec::JsonMap;

    /// Of a VM with a disk, a seed and a card.
    pub(in crate::virt) fn description() -> DomainDescription {
        DomainDescription {
            name: "server".into(),
            uuid: Uuid::from_u128(7),
            memory: 256,
            cpus: 2,
            sockets: None,
            cpu: Processor::Best,
            acceleration: Acceleration::Tcg,
            nvram: None,
            vnc: None,
            disks: vec![
                DiskDevice {
                    path: PathBuf::from("/p/images/server-root.qcow2"),
                    format: "qcow2",
                    dev: "vda".into(),
                    read_only: false,
                    cdrom: false,
                    detachable: false,
                },
                DiskDevice {
                    path: PathBuf::from("/p/images/server-seed.img"),
                    format: "raw",
                    dev: "vdb".into(),
                    read_only: true,
                    cdrom: false,
                    detachable: false,
                },
            ],
            nics: vec![NicDevice {
                network: "lago".into(),
                mac: "54:52:c0:a8:c8:02".into(),
                tap: "serv-1f00a2-0".into(),
                mtu: None,
                detachable: false,
            }],
            console_log: PathBuf::from("/p/logs/console/server.log"),
        }
    }

    #[test]
    fn emulated_domain() {
        insta::assert_snapshot!(description().to_xml());
    }

    #[test]
    fn accelerated_domain_with_a_custom_processor() {
        let description = DomainDescription {
            acceleration: Acceleration::Kvm,
            sockets: Some(1),
            cpu: Processor::Custom(json(serde_json::json!({
                "@mode": "custom",
                "model": { "@fallback": "allow", "#text": "Westmere" },
                "feature": [
                    { "@policy": "disable", "@name": "vmx" },
                    { "@policy": "require", "@name": "aes" },
                ],
            }))),
            ..description()
        };
        insta::assert_snapshot!(description.to_xml());
    }

    #[test]
    fn a_domain_with_uefi_has_its_own_variables() {
        let nvram = Some(PathBuf::from("/p/nvram/server.fd"));
        insta::assert_snapshot!(DomainDescription { nvram, ..description() }.boot().to_document(), @r#"
        <os firmware="efi">
          <type arch="x86_64" machine="q35">hvm</type>
          <firmware>
            <feature enabled="no" name="secure-boot"/>
          </firmware>
          <nvram>/p/nvram/server.fd</nvram>
        </os>
        "#);
    }

    #[test]
    fn a_display_is_on_loopback_and_its_password_in_the_description_alone() {
        let vnc = Some(VncDisplay { password: "geheim12".to_owned() });
        let description = DomainDescription { vnc, ..description() };
        let line = r#"<graphics type="vnc" port="-1" autoport="yes" listen="127.0.0.1" passwd="geheim12"/>"#;
        assert!(description.to_xml().contains(line), "{}", description.to_xml());
        assert!(!format!("{description:?}").contains("geheim12"));
    }

    #[test]
    fn a_model_by_name() {
        let element = Processor::Model("Westmere".into()).to_element(Acceleration::Tcg);
        insta::assert_snapshot!(element.to_document());
    }

    fn json(value: serde_json::Value) -> JsonMap {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_letters_of_a_device_choose_its_bus() {
        let bus =
            |dev: &str| DiskDevice { dev: dev.into(), ..description().disks[0].clone() }.bus();
        assert_eq!([bus("vda"), bus("sda"), bus("hda")], ["virtio", "scsi", "sata"]);
    }

    #[test]
    fn the_first_disk_is_started_from_then_the_first_cd() {
        let disk = description().disks[0].clone();
        let cd = |dev: &str| DiskDevice { dev: dev.into(), cdrom: true, ..disk.clone() };
        let disks = vec![cd("hda"), disk.clone(), cd("hdb"), disk.clone()];
        let description = DomainDescription { disks, ..description() };
        let orders = (0..4).map(|position| description.boot_order(position));
        let orders: Vec<_> = orders.map(|boot| boot.map(|boot| boot.to_document())).collect();
        let order = |number: u8| Some(format!("<boot order=\"{number}\"/>"));
        assert_eq!(orders, [order(2), order(1), None, None]);
    }
}
