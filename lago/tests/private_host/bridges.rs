//! Bridges, made from outside of a host and from inside.

use std::path::Path;
use std::process::Command;

use lago::brctl::{self, Bridge, BridgeError, Bridges};

use crate::fixture::{Fixture, printed};

/// With this variable the program is no test, but makes bridges where it is.
pub(crate) const INSIDE_VARIABLE: &str = "LAGO_TEST_BRIDGES";

pub(crate) fn bridges_of_a_host() {
    let fixture = Fixture::started();
    let bridges = Bridges::of(&fixture.host);
    assert_eq!(bridges.list().unwrap(), []);
    bridges.create("lab", false).unwrap();
    bridges.create("with-stp", true).unwrap();
    let bridge = |name: &str, stp, up| Bridge { name: name.to_owned(), stp, up };
    assert_eq!(
        bridges.list().unwrap(),
        [bridge("lab", false, true), bridge("with-stp", true, true)]
    );
    assert_eq!(fixture.say("cat /sys/class/net/with-stp/bridge/stp_state"), "1");
    assert!(!Path::new("/sys/class/net/with-stp").exists());

    bridges.set_link("lab", false).unwrap();
    assert_eq!(bridges.find("lab").unwrap(), bridge("lab", false, false));
    bridges.set_link("lab", true).unwrap();
    assert!(bridges.find("lab").unwrap().up);
    bridges.destroy("lab").unwrap();
    assert!(!bridges.exists("lab").unwrap());
    assert!(bridges.exists("with-stp").unwrap());
    what_cannot_be_is_said(&fixture);
    fixture.host.stop().unwrap();
    assert!(matches!(bridges.list(), Err(BridgeError::Host(_))));
}

fn what_cannot_be_is_said(fixture: &Fixture) {
    let bridges = Bridges::of(&fixture.host);
    let error = bridges.destroy("lab").unwrap_err().to_string();
    assert_eq!(error, "there is no bridge lab; there are with-stp");
    let error = bridges.create("with-stp", false).unwrap_err();
    assert!(matches!(error, BridgeError::Exists { .. }), "{error}");
    fixture.say("ip link add name cable7 type veth peer name cable8");
    assert!(matches!(bridges.create("cable7", false), Err(BridgeError::Exists { .. })));
    assert!(matches!(bridges.destroy("cable7"), Err(BridgeError::Missing { .. })));
    assert!(!bridges.exists("cable7").unwrap());
    for name in ["", "sixteen-letters-", "a b", "-x", "../x", "a/b"] {
        let error = bridges.create(name, false).unwrap_err();
        assert!(matches!(error, BridgeError::Name { .. }), "{name:?}: {error}");
    }
    let names: Vec<String> =
        (0..3).map(|_| bridges.unused_name("Storage Network").unwrap()).collect();
    for name in &names {
        assert!(name.starts_with("Storag-") && name.len() == 15, "{name}");
        bridges.create(name, false).unwrap();
    }
}

pub(crate) fn bridges_around_this_process() {
    let fixture = Fixture::started();
    let mut inside = Command::new(std::env::current_exe().unwrap());
    fixture.host.enter(inside.env(INSIDE_VARIABLE, "1")).unwrap();
    printed(&inside.output().unwrap());
    assert!(Bridges::of(&fixture.host).exists("from-inside").unwrap());
}

pub(crate) fn are_made_where_this_process_is() {
    assert!(!brctl::exists("from-inside").unwrap());
    brctl::create("from-inside", false).unwrap();
    brctl::create("gone-again", false).unwrap();
    assert!(brctl::exists("from-inside").unwrap());
    brctl::destroy("gone-again").unwrap();
    assert!(!brctl::exists("gone-again").unwrap());
}
