//! Machines that lago only reaches over ssh, beside a VM.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use lago::guest::keys::KeyPair;
use lago::utils::error_chain;
use lago::virt::VmState;
use lago::{Prefix, cmd};
use lago_system_tests::fixture_suite::FIXTURE;
use lago_system_tests::{Environment, Place, lago, run, store};

use crate::scenarios::PLACE;
use crate::server::Server;

pub(crate) fn a_machine_that_exists_is_part_of_a_suite() {
    let place = Place::new("machines-remote");
    let server = Server::start(&place.join("server"));
    fs::write(place.join("server/artifact"), "evidence").unwrap();
    let known_by = format!("host-key: \"{}\"", server.host_key);
    fs::write(place.join("LagoInitFile.yaml"), server.init_file(&known_by)).unwrap();
    let mut suite = Command::new(env::current_exe().unwrap());
    suite.env(FIXTURE, "machines").env(PLACE, place.path()).env("LAGO_STORE", store());
    suite.env("LAGO_CACHE", "off").env("LAGO_KEEP", "never").env_remove("NEXTEST");
    let ran = run(suite.stdin(Stdio::null()));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.stdout.contains("6 passed; 0 failed; 0 ignored"), "{ran:#?}");
}

pub(crate) fn a_machine_is_known_by_its_host_key_alone() {
    let place = Place::new("machines-host-key");
    let server = Server::start(&place.join("server"));
    let init = |known_by: &str| {
        let text = server.init_file(known_by);
        let file = lago::InitFile::parse(&text, Path::new("LagoInitFile.yaml")).unwrap();
        Environment::of(&place.join("prefix"), file)
    };
    let known_hosts = place.join("known_hosts");
    fs::write(&known_hosts, "").unwrap();
    let in_file = format!("known-hosts: {}", known_hosts.display());
    let error = error_chain(&init(&in_file).unwrap_err());
    assert!(
        error.contains("no host key of localhost") && !place.join("prefix").exists(),
        "{error}"
    );

    let other = KeyPair::generate("other").unwrap().public_line().unwrap();
    let prefix = init(&format!("host-key: \"{other}\"")).unwrap();
    let error = prefix.vm("storage").unwrap().run(cmd!("true")).unwrap_err().to_string();
    assert!(error.contains("another host key"), "{error}");
    drop(prefix);

    fs::write(&known_hosts, format!("[localhost]:{} {}\n", server.address.port(), server.host_key))
        .unwrap();
    run(Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&known_hosts)).ok();
    let prefix = init(&in_file).unwrap();
    prefix.vm("storage").unwrap().run(cmd!("true")).unwrap();
    is_reached_by_other_programs(&prefix, &place, &server);
    stays_up_until_somebody_else_stops_it(&prefix, server);
}

fn is_reached_by_other_programs(prefix: &Prefix, place: &Place, server: &Server) {
    let config = place.join("ssh_config");
    fs::write(&config, run(lago_at(prefix).args(["ssh-config", "storage"])).ok()).unwrap();
    let ssh = run(Command::new("ssh").arg("-F").arg(&config).args(["storage", "echo", "by ssh"]));
    assert_eq!(ssh.ok(), "by ssh\n");
    let inventory = run(lago_at(prefix).arg("ansible_hosts")).ok();
    let line = inventory.lines().find(|line| line.starts_with("storage ")).expect("it is there");
    let identity = server.identity.display();
    assert!(line.contains(&format!("ansible_ssh_private_key_file={identity} ")), "{line}");
    assert!(line.contains(&format!("ansible_port={} ", server.address.port())), "{line}");
    assert!(!line.contains("ProxyCommand"), "{line}");
}

fn lago_at(prefix: &Prefix) -> Command {
    lago(["-p".as_ref(), prefix.paths().prefix().as_os_str()])
}

fn stays_up_until_somebody_else_stops_it(prefix: &Prefix, server: Server) {
    let storage = prefix.vm("storage").unwrap();
    prefix.start_vms(&["storage".to_owned()], lago::prefix::START_LIMIT).unwrap();
    prefix.reboot(&[], lago::prefix::START_LIMIT).expect("those that lago starts are meant");
    let error = prefix.reboot(&["storage".to_owned()], lago::prefix::START_LIMIT).unwrap_err();
    assert!(error.to_string().ends_with("cannot be started anew"), "{error}");
    let error = prefix.partition(&[storage], &[prefix.vm("vm0").unwrap()]).unwrap_err();
    assert!(error.to_string().ends_with("cannot be parted from others"), "{error}");
    prefix.stop().unwrap();
    assert_eq!(storage.state().unwrap(), VmState::Running);
    drop(server);
    assert_eq!(storage.state().unwrap(), VmState::Down);
}
