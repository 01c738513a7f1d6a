//! The description of a domain as libvirt wrote it, changed to other files.

use std::path::Path;

use xmltree::{Element, EmitterConfig, XMLNode};

use super::domain_xml::DiskDevice;

/// The description with these disks' files and this log of the console. All else stays, because a guest's memory fits
/// only the machine that it was taken from.
pub(super) fn with_files(
    description: &str,
    disks: &[DiskDevice],
    console_log: &Path,
) -> Result<String, String> {
    let mut domain = Element::parse(description.as_bytes()).map_err(|error| error.to_string())?;
    let devices = domain.get_mut_child("devices").ok_or("it has no devices")?;
    for device in devices.children.iter_mut().filter_map(XMLNode::as_mut_element) {
        match device.name.as_str() {
            "disk" => set_files(device, disks)?,
            "serial" | "console" => set_log(device, console_log),
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

fn set_log(element: &mut Element, console_log: &Path) {
    if let Some(log) = element.get_mut_child("log") {
        log.attributes.insert("file".into(), console_log.to_string_lossy().into_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVED: &str = r#"<domain type="qemu"><name>server</name><devices>
        <disk type="file" device="disk"><driver name="qemu" type="raw" cache="unsafe"/>
          <source file="/p/images/a.img"><slice/></source>
          <backingStore type="file"><source file="/store/x"/></backingStore>
          <target dev="vda" bus="virtio"/><address type="pci" slot="0x01"/></disk>
        <disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="/elsewhere"/>
          <target dev="vdz"/></disk>
        <serial type="pty"><log file="/p/logs/console/server.log" append="on"/></serial>
      </devices></domain>"#;

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
        let text = with_files(SAVED, &[disk()], Path::new("/fork/server.log")).unwrap();
        assert!(text.contains(r#"file="/fork &amp; co/layers/1/server/vda.qcow2""#), "{text}");
        assert!(text.contains(r#"slot="0x01""#), "{text}");
        assert!(text.contains(r#"file="/elsewhere""#), "{text}");
        assert!(text.contains(r#"file="/fork/server.log""#), "{text}");
        for gone in ["backingStore", "slice", "/p/", r#"type="raw""#] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
    }

    #[test]
    fn what_is_no_description_is_said() {
        assert!(
            with_files("<domain/>", &[disk()], Path::new("/log")).unwrap_err().contains("devices")
        );
        assert!(with_files("oops", &[disk()], Path::new("/log")).is_err());
    }
}
