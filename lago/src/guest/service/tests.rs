use std::sync::Mutex;

use super::*;
use crate::guest::GuestStatus;

/// A guest that answers each command in turn, and remembers what it was asked.
#[derive(Default)]
struct Guest {
    answers: Mutex<Vec<(i32, &'static str)>>,
    asked: Mutex<Vec<String>>,
}

impl Guest {
    fn answering(answers: impl IntoIterator<Item = (i32, &'static str)>) -> Arc<Self> {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        Arc::new(Self { answers: Mutex::new(answers), asked: Mutex::default() })
    }

    fn last(&self) -> String {
        self.asked.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

impl Runner for Guest {
    fn vm(&self) -> &'static str {
        "server"
    }

    fn output(&self, command: &Cmd) -> Result<Output> {
        self.asked.lock().unwrap().push(command.to_string());
        let (code, stdout) = self.answers.lock().unwrap().pop().expect("an answer is left");
        let status = GuestStatus::Code(code);
        Ok(Output { status, stdout: stdout.as_bytes().to_vec(), stderr: Vec::new() })
    }
}

const LOADED: &str = "LoadState=loaded\nActiveState=inactive\n";
const RUNNING: &str = "LoadState=loaded\nActiveState=active\n";
const NOT_FOUND: &str = "LoadState=not-found\nActiveState=inactive\n";

fn service(guest: &Arc<Guest>) -> Service {
    Service::find(guest.clone(), "web", None).unwrap()
}

#[test]
fn a_guest_that_merely_has_docker_is_controlled_by_its_systemd() {
    let guest = Guest::answering([(0, "systemd\n"), (0, RUNNING), (0, RUNNING)]);
    let web = service(&guest);
    assert_eq!(web.state().unwrap(), ServiceState::Active);
    assert_eq!(web.provider().unwrap(), ServiceProvider::Systemd);
    assert!(guest.last().starts_with("systemctl show"), "{}", guest.last());
}

#[test]
fn a_service_is_looked_for_in_containers_first_and_then_in_the_guest() {
    let found = "container one\ncontainer two\nsystemd\n";
    let guest = Guest::answering([(0, found), (0, NOT_FOUND), (0, LOADED), (0, "")]);
    service(&guest).start().unwrap();
    assert_eq!(guest.last(), "docker exec two systemctl start -- web");
    let guest =
        Guest::answering([(0, found), (0, NOT_FOUND), (0, NOT_FOUND), (0, RUNNING), (0, "")]);
    service(&guest).stop().unwrap();
    assert_eq!(guest.last(), "systemctl stop -- web");
}

#[test]
fn a_service_that_does_it_already_is_left_alone() {
    let guest = Guest::answering([(0, "systemd\n"), (0, RUNNING), (0, LOADED)]);
    let web = service(&guest);
    web.start().unwrap();
    web.stop().unwrap();
}

#[test]
fn a_missing_service_can_neither_start_nor_stop() {
    let guest = Guest::answering([(0, "sysvinit\n"), (100, ""), (100, ""), (100, "")]);
    let web = service(&guest);
    assert!(!web.exists().unwrap());
    for error in [web.start(), web.stop()].map(Result::unwrap_err) {
        assert!(error.to_string().contains("no such service"), "{error}");
    }
}

#[test]
fn what_a_failed_start_said_is_in_the_error() {
    let guest = Guest::answering([(0, "openrc\n"), (3, ""), (1, "web: cannot bind\n")]);
    let error = service(&guest).start().unwrap_err().to_string();
    assert!(error.contains("exit code 1") && error.contains("cannot bind"), "{error}");
}

#[test]
fn codes_of_scripts_are_read_as_their_standards_say() {
    let state = |manager: &dyn Manager, code| {
        let status = GuestStatus::Code(code);
        manager.state(&Output { status, stdout: Vec::new(), stderr: Vec::new() })
    };
    for code in 1..=3 {
        assert_eq!(state(&sysvinit::SysVInit, code), Ok(ServiceState::Inactive));
    }
    assert_eq!(state(&sysvinit::SysVInit, 0), Ok(ServiceState::Active));
    assert!(state(&sysvinit::SysVInit, 4).unwrap_err().contains("exit code 4"));
    assert_eq!(state(&openrc::OpenRc, 32), Ok(ServiceState::Inactive));
    assert!(state(&openrc::OpenRc, 1).is_err());
}

#[test]
fn the_init_file_wins_over_what_is_found() {
    let guest = Guest::answering([(3, "")]);
    let web = Service::find(guest, "web", Some(ServiceProvider::SysVInit)).unwrap();
    assert_eq!(web.state().unwrap(), ServiceState::Inactive);
    let guest = Guest::answering([(0, "systemd\n")]);
    let error = Service::find(guest, "web", Some(ServiceProvider::SystemdContainer)).unwrap_err();
    assert!(error.to_string().contains("no running docker container"), "{error}");
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in ["", "-x", "../../bin/sh", "a b", "a/b", "a\nb", "."] {
        let guest = Guest::answering([]);
        Service::find(guest, name, None).unwrap_err();
    }
    for name in ["sshd", "getty@tty1.service", "a:b_c", "systemd-fsck@dev-disk-by\\x2duuid"] {
        check_name("server", name).unwrap();
    }
}
