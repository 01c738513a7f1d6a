//! The description of a domain that runs, as libvirt gives it.

use xmltree::{Element, EmitterConfig, XMLNode};

/// What is wrong with a description.
type Reason = String;

/// The card with this hardware address, if the domain has it.
pub(super) fn interface(description: &str, mac: &str) -> Result<Option<Element>, Reason> {
    let has_mac = |element: &Element| {
        let address = element.get_child("mac").and_then(|mac| mac.attributes.get("address"));
        address.is_some_and(|address| address.eq_ignore_ascii_case(mac))
    };
    Ok(devices(description, "interface")?.into_iter().find(has_mac))
}

/// Whether the cable of a card is plugged in.
pub(super) fn link_is_up(interface: &Element) -> bool {
    let state = interface.get_child("link").and_then(|link| link.attributes.get("state"));
    state.is_none_or(|state| state != "down")
}

/// The card with its cable plugged in or not.
pub(super) fn with_link(mut interface: Element, up: bool) -> Result<String, Reason> {
    while interface.take_child("link").is_some() {}
    let mut link = Element::new("link");
    link.attributes.insert("state".into(), if up { "up" } else { "down" }.to_owned());
    interface.children.push(XMLNode::Element(link));
    text_of(&interface)
}

/// The disk of this device name, if the domain has it.
pub(super) fn disk(description: &str, dev: &str) -> Result<Option<Element>, Reason> {
    let has_name = |element: &Element| {
        let target = element.get_child("target").and_then(|target| target.attributes.get("dev"));
        target.is_some_and(|target| target == dev)
    };
    Ok(devices(description, "disk")?.into_iter().find(has_name))
}

/// The port of the display, if the domain has one over VNC.
pub(super) fn vnc_port(description: &str) -> Result<Option<u16>, Reason> {
    let is_vnc =
        |element: &&Element| element.attributes.get("type").is_some_and(|kind| kind == "vnc");
    let displays = devices(description, "graphics")?;
    let port = displays.iter().find(is_vnc).and_then(|display| display.attributes.get("port"));
    // While a domain is on its way up or down the port is -1.
    Ok(port.and_then(|port| port.parse().ok()))
}

/// An element as a document.
pub(super) fn text_of(element: &Element) -> Result<String, Reason> {
    let mut text = Vec::new();
    element
        .write_with_config(&mut text, EmitterConfig::new().write_document_declaration(false))
        .map_err(|error| error.to_string())?;
    String::from_utf8(text).map_err(|error| error.to_string())
}

fn devices(description: &str, kind: &str) -> Result<Vec<Element>, Reason> {
    let domain = Element::parse(description.as_bytes()).map_err(|error| error.to_string())?;
    let devices = domain.get_child("devices").ok_or("it has no devices")?;
    let elements = devices.children.iter().filter_map(XMLNode::as_element);
    Ok(elements.filter(|element| element.name == kind).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTION: &str = r#"<domain><devices>
        <disk type="file" device="disk"><target dev="vda" bus="virtio"/></disk>
        <interface type="network"><mac address="54:52:c0:a8:c8:02"/><target dev="serv-1f00a2-0"/>
          <link state="down"/></interface>
        <interface type="network"><mac address="54:52:c0:a8:c9:02"/><model type="virtio"/></interface>
        <graphics type="vnc" port="5901" listen="127.0.0.1"/>
      </devices></domain>"#;

    #[test]
    fn a_link_is_up_unless_it_is_said_to_be_down() {
        let link = |mac| link_is_up(&interface(DESCRIPTION, mac).unwrap().unwrap());
        assert!(!link("54:52:C0:A8:C8:02"));
        assert!(link("54:52:c0:a8:c9:02"));
        assert_eq!(interface(DESCRIPTION, "54:52:00:00:00:00"), Ok(None));
        assert!(interface("<domain/>", "54:52:00:00:00:00").unwrap_err().contains("devices"));
    }

    #[test]
    fn a_link_changes_and_the_rest_of_the_card_does_not() {
        for mac in ["54:52:c0:a8:c8:02", "54:52:c0:a8:c9:02"] {
            let card = interface(DESCRIPTION, mac).unwrap().unwrap();
            let up = Element::parse(with_link(card.clone(), true).unwrap().as_bytes()).unwrap();
            assert!(link_is_up(&up));
            let down = with_link(up, false).unwrap();
            assert_eq!(down.matches("<link").count(), 1, "{down}");
            assert!(down.contains(mac) && down.contains(r#"state="down""#), "{down}");
        }
    }

    #[test]
    fn a_display_has_a_port_or_none() {
        assert_eq!(vnc_port(DESCRIPTION), Ok(Some(5901)));
        assert_eq!(vnc_port(&DESCRIPTION.replace("5901", "-1")), Ok(None));
        assert_eq!(vnc_port("<domain><devices/></domain>"), Ok(None));
    }

    #[test]
    fn a_disk_is_found_by_its_name() {
        assert!(disk(DESCRIPTION, "vda").unwrap().is_some());
        assert!(disk(DESCRIPTION, "vdb").unwrap().is_none());
    }
}
