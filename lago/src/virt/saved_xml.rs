//! The description of a domain as libvirt wrote it, changed to other files.

use std::path::Path;

use xmltree::{Element, EmitterConfig, XMLNode};

use super::domain_xml::{DiskDevice, DomainDescription, VncDisplay};
use crate::host::Executable;

/// The description with the files of this machine: its disks, its UEFI variables, the log of its console, and the password
/// of its display. All else stays, because a guest's memory fits only the machine that it was taken from.
pub(super) fn with_files(
    description: &str,
    machine: &DomainDescription,
    firmware: Option<&Executable>,
) -> Result<String, String> {
    let mut domain = Element::parse(description.as_bytes()).map_err(|error| error.to_string())?;
    if let Some(nvram) = &machine.nvram {
        let os = domain.get_mut_child("os").ok_or("it does not say how it boots")?;
        set_nvram(os, nvram, firmware);
    }
    let devices = domain.get_mut_child("devices").ok_or("it has no devices")?;
    for device in devices.children.iter_mut().filter_map(XMLNode::as_mut_element) {
        match device.name.as_str() {
            "disk" => set_files(device, &machine.disks)?,
            "serial" | "console" => set_log(device, &machine.console_log),
            "graphics" => set_password(device, machine.vnc.as_ref()),
            _ => {}
        }
    }
    let mut text = Vec::new();
    domain
        .write_with_config(&mut text, EmitterConfig::new().write_document_declaration(false))
        .map_err(|error| error.to_string())?;
    String::from_utf8(text).map_err(|error| error.to_string())
}

fn set_files(element: &mut Element, disks: &[DiskDevice]) -> Result<(), String> {
    let dev = element.get_child("target").and_then(|target| target.attributes.get("dev"));
    let dev = dev.ok_or("a disk has no target")?.clone();
    // A disk that was plugged in later is not ours.
    let Some(disk) = disks.iter().find(|disk| disk.dev == dev) else { return Ok(()) };
    // libvirt finds out what is below the new file by itself.
    while element.take_child("backingStore").is_some() {}
    let source =
        element.get_mut_child("source").ok_or_else(|| format!("disk {dev} has no file"))?;
    source.children.clear();
    source.attributes.insert("file".into(), disk.path.to_string_lossy().into_owned());
    let driver =
        element.get_mut_child("driver").ok_or_else(|| format!("disk {dev} has no driver"))?;
    driver.attributes.insert("type".into(), disk.format.to_owned());
    Ok(())
}

/// The file is there already, so it is not made from a template. libvirt looks for firmware only when it starts a VM anew; a
/// description that comes from another machine names none.
fn set_nvram(os: &mut Element, path: &Path, firmware: Option<&Executable>) {
    if os.get_child("loader").is_none()
        && let Some(Executable { filename, format }) = firmware
    {
        // Either libvirt looks for it, or it is named.
        os.attributes.remove("firmware");
        while os.take_child("firmware").is_some() {}
        os.children.push(XMLNode::Element(flash("loader", filename, format)));
        os.children.push(XMLNode::Element(flash("nvram", "", format)));
        let Some(loader) = os.get_mut_child("loader") else { return };
        loader.attributes.insert("readonly".into(), "yes".into());
        loader.attributes.insert("type".into(), "pflash".into());
    }
    let Some(nvram) = os.get_mut_child("nvram") else { return };
    nvram.children = vec![XMLNode::Text(path.to_string_lossy().into_owned())];
}

/// A file of the firmware's. Older versions of libvirt know one format, and no name for it.
fn flash(name: &str, path: &str, format: &str) -> Element {
    let mut element = Element::new(name);
    element.children.push(XMLNode::Text(path.to_owned()));
    if format != "raw" {
        element.attributes.insert("format".into(), format.to_owned());
    }
    element
}

fn set_password(graphics: &mut Element, vnc: Option<&VncDisplay>) {
    let Some(VncDisplay { password }) = vnc else { return };
    graphics.attributes.insert("passwd".into(), password.clone());
}

fn set_log(element: &mut Element, console_log: &Path) {
    if let Some(log) = element.get_mut_child("log") {
        log.attributes.insert("file".into(), console_log.to_string_lossy().into_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVED: &str = r#"<domain type="qemu"><name>server</name>
        <os firmware="efi"><loader>/OVMF_CODE.fd</loader><nvram template="/OVMF_VARS.fd">/p/nvram/x.fd</nvram></os><devices>
        <disk type="file" device="disk"><driver name="qemu" type="raw" cache="unsafe"/>
          <source file="/p/images/a.img"><slice/></source>
          <backingStore type="file"><source file="/store/x"/></backingStore>
          <target dev="vda" bus="virtio"/><address type="pci" slot="0x01"/></disk>
        <disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="/elsewhere"/>
          <target dev="vdz"/></disk>
        <serial type="pty"><log file="/p/logs/console/server.log" append="on"/></serial>
        <graphics type="vnc" port="-1" autoport="yes" listen="127.0.0.1" passwd="older123"/>
      </devices></domain>"#;

    fn machine(console_log: &str) -> DomainDescription {
        DomainDescription {
            nvram: Some("/fork/nvram/server.fd".into()),
            vnc: Some(VncDisplay { password: "geheim12".into() }),
            disks: vec![disk()],
            console_log: console_log.into(),
            ..crate::virt::domain_xml::tests::description()
        }
    }

    fn disk() -> DiskDevice {
        DiskDevice {
            path: "/fork & co/layers/1/server/vda.qcow2".into(),
            format: "qcow2",
            dev: "vda".into(),
            read_only: false,
            cdrom: false,
            detachable: false,
        }
    }

    #[test]
    fn files_change_and_the_machine_does_not() {
        let text = with_files(SAVED, &machine("/fork/server.log"), None).unwrap();
        assert!(text.contains(r#"file="/fork &amp; co/layers/1/server/vda.qcow2""#), "{text}");
        assert!(text.contains(r#"slot="0x01""#), "{text}");
        assert!(text.contains(r#"file="/elsewhere""#), "{text}");
        assert!(text.contains(r#"file="/fork/server.log""#), "{text}");
        assert!(text.contains("/OVMF_CODE.fd</loader>"), "{text}");
        assert!(
            text.contains(r#"<nvram template="/OVMF_VARS.fd">/fork/nvram/server.fd</nvram>"#),
            "{text}"
        );
        assert!(text.contains(r#"passwd="geheim12""#) && !text.contains("older123"), "{text}");
        for gone in ["backingStore", "slice", "/p/", r#"type="raw""#] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
    }

    #[test]
    fn firmware_is_named_where_the_description_names_none() {
        let adopted = SAVED.replace("<loader>/OVMF_CODE.fd</loader>", "");
        let adopted =
            adopted.replace(r#"<nvram template="/OVMF_VARS.fd">/p/nvram/x.fd</nvram>"#, "");
        let named = |format: &str| {
            let firmware = Executable { filename: "/HERE.fd".into(), format: format.into() };
            with_files(&adopted, &machine("/log"), Some(&firmware)).unwrap()
        };
        let raw = named("raw");
        assert!(raw.contains(">/HERE.fd</loader>") && raw.contains(r#"type="pflash""#), "{raw}");
        assert!(raw.contains("<nvram>/fork/nvram/server.fd</nvram>"), "{raw}");
        let qcow2 = named("qcow2");
        assert!(
            qcow2.contains(r#"<nvram format="qcow2">/fork/nvram/server.fd</nvram>"#),
            "{qcow2}"
        );
    }

    #[test]
    fn what_is_no_description_is_said() {
        let reason =
            |description: &str| with_files(description, &machine("/log"), None).unwrap_err();
        assert!(reason("<domain><os/></domain>").contains("devices"));
        assert!(reason("<domain/>").contains("boots"));
        reason("oops");
    }
}
