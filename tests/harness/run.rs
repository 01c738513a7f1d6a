use std::env;
use std::fs;
use std::process::{Command, Stdio};

use lago_system_tests::{Place, Ran, Traces, run, store, wait_until};
use lago_test::events::{self, What};

use crate::suite::WORKDIR;
use lago_system_tests::fixture_suite::FIXTURE;

pub(crate) fn fixture(place: &Place, name: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("the program's path is known"));
    command
        .env(FIXTURE, name)
        .env(WORKDIR, place.path())
        .env("LAGO_STORE", store())
        .env("LAGO_CACHE", "on")
        .env("LAGO_CACHE_DIR", place.join("cache"))
        .env_remove("NEXTEST")
        .env("LAGO_KEEP", "never")
        .stdin(Stdio::null());
    command
}

/// How the scenarios of the last run ended.
pub(crate) fn outcomes(place: &Place) -> Vec<String> {
    let events = events::read(&place.join("default/events.jsonl")).expect("there are events");
    let ended = events.into_iter().filter_map(|event| match event.what {
        What::ScenarioFinished { scenario, outcome, .. } => {
            Some(format!("{scenario} {}", outcome.word()))
        }
        _ => None,
    });
    ended.collect()
}

#[track_caller]
fn assert_passed(place: &Place, ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(outcomes(place), ["writes passed", "reads passed", "is_alone passed"]);
}

/// Nothing runs; what is left of the prefix are its logs and reports.
#[track_caller]
fn assert_down(place: &Place, traces: &Traces) {
    let left = traces.left();
    assert_eq!(left, [place.join("default").display().to_string()]);
    assert!(!place.join("default/images").exists());
    assert!(place.join("default/fixture.junit.xml").is_file());
}

pub(crate) fn a_suite_passes() {
    let place = Place::new("harness-passes");
    let traces = Traces::before(&place.join("default"));
    let ran = run(fixture(&place, "passing").env("LAGO_CACHE", "off"));
    assert_passed(&place, &ran);
    assert!(!place.join("cache").exists(), "nothing is kept when the cache is off");
    assert!(ran.stdout.contains("test result: ok. 3 passed"), "{}", ran.stdout);
    assert_down(&place, &traces);
    assert_told(&place);
}

/// The events and the report say what the environment was made of, what was done to its VM, and what that said meanwhile.
#[track_caller]
fn assert_told(place: &Place) {
    let events = events::read(&place.join("default/events.jsonl")).expect("there are events");
    let facts = events.iter().find_map(|event| match &event.what {
        What::EnvironmentFacts(facts) => Some(facts),
        _ => None,
    });
    let facts = facts.expect("the facts are there");
    assert!(facts.qemu.as_ref().is_some_and(|qemu| qemu.contains("QEMU")), "{facts:?}");
    let template = &facts.vms[0].templates[0];
    assert!(template.version.contains(":mini:"), "{facts:?}");
    let digest = template.digest.as_ref().expect("it is in the store");
    assert!(digest.starts_with("SHA-256:"), "{facts:?}");
    let work = events.iter().filter_map(|event| match &event.what {
        What::WorkEnded { work, vm, .. } => Some((work.as_str(), vm.as_deref())),
        _ => None,
    });
    let work: Vec<_> = work.collect();
    for expected in [("start host", None), ("start", Some("vm0")), ("wait for ssh", Some("vm0"))] {
        assert!(work.contains(&expected), "{expected:?}: {work:?}");
    }
    let html = fs::read_to_string(place.join("default/fixture.report.html")).expect("it is there");
    for told in
        [digest, "by a boot", "Console of vm0, while it ran", "the note is read", "wait for ssh"]
    {
        assert!(html.contains(told), "{told}");
    }
}

pub(crate) fn a_kept_environment() {
    let place = Place::new("harness-kept");
    let traces = Traces::before(&place.join("default"));
    let ran = run(fixture(&place, "passing").env("LAGO_KEEP", "always"));
    assert_passed(&place, &ran);
    assert!(!ran.stderr.contains(", from the cache"), "{}", ran.stderr);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("lago --prefix") && said.contains("shell vm0"), "{said}");
    let prefix = lago::Prefix::open(place.join("default")).expect("it was kept");
    let vm = prefix.vm("vm0").expect("it is in the init file");
    let note = vm.run(lago::cmd!("cat", "/root/note")).expect("it runs");
    assert_eq!(note.stdout(), "note");

    let again = run(&mut fixture(&place, "passing"));
    assert_passed(&place, &again);
    assert!(again.stderr.contains(", from the cache"), "{}", again.stderr);
    let console = fs::read_to_string(place.join("default/logs/console/vm0.log"));
    assert!(console.expect("it is there").contains("mini: up after"), "the boot is evidence, too");
    assert_down(&place, &traces);
}

pub(crate) fn a_killed_run() {
    let place = Place::new("harness-killed");
    let traces = Traces::before(&place.join("default"));
    let mut slow = fixture(&place, "slow");
    let mut coordinator =
        slow.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    let log = place.join("default/scenarios/first.waits.log");
    wait_until("the second scenario", || {
        fs::read_to_string(&log).is_ok_and(|text| text.contains("waiting in"))
    });
    coordinator.kill().expect("it is a child");
    coordinator.wait().expect("it is a child");
    assert!(traces.left().iter().any(|trace| trace.contains("qemu-system")));

    let ran = run(&mut fixture(&place, "passing"));
    assert_passed(&place, &ran);
    assert_down(&place, &traces);
}

pub(crate) fn an_unknown_vm() {
    let place = Place::new("harness-unknown-vm");
    let message = run(&mut fixture(&place, "unknown_vm")).failed(2);
    let expected = "`first::needs_router` needs the VM `router`; the init file has vm0";
    assert!(message.contains(expected), "{message}");
    assert!(!place.join("default").exists());
}
