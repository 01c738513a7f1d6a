//! What follows a failure: a capsule, a shell, an end by hand.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use lago::capsule::{self, OpenOptions};
use lago_system_tests::{
    Environment, Place, Ran, Terminal, Traces, in_guest, lago, run, store, wait_until,
};
use lago_test::events::{self, What};
use rustix::process::{Pid, Signal, kill_process};

use crate::run::{fixture, outcomes};

const OUTCOMES: [&str; 3] = ["writes passed", "fails failed", "goes_on passed"];

fn capsules(place: &Place) -> Vec<What> {
    let events = events::read(&place.join("default/events.jsonl")).expect("there are events");
    let told = events.into_iter().map(|event| event.what);
    told.filter(|what| matches!(what, What::CapsuleSaved { .. } | What::CapsuleNotSaved { .. }))
        .collect()
}

#[track_caller]
fn assert_failed(place: &Place, ran: &Ran) {
    assert_eq!(ran.code, Some(101), "{ran:#?}");
    assert_eq!(outcomes(place), OUTCOMES, "{ran:#?}");
}

pub(crate) fn a_capsule() {
    let place = Place::new("harness-capsule");
    let file = place.join("default/capsules/first.fails.lago-capsule");
    let ran = run(fixture(&place, "failing").env("LAGO_CAPSULE", "on-failure"));
    assert_failed(&place, &ran);
    let [What::CapsuleSaved { scenario, path, bytes, .. }] = &*capsules(&place) else {
        panic!("{:?}", capsules(&place));
    };
    assert_eq!((&**scenario, place.join("default").join(path)), ("fails", file.clone()));
    let saved = fs::metadata(&file).expect("it is there");
    assert_eq!((saved.len(), saved.permissions().mode() & 0o7777), (*bytes, 0o600));
    let junit = fs::read_to_string(place.join("default/fixture.junit.xml")).expect("it is there");
    assert!(junit.contains(&format!("[[ATTACHMENT|{}]]", file.display())), "{junit}");
    assert!(ran.stdout.contains("lago capsule open"), "{}", ran.stdout);
    opens(&place, &file);

    // Another run leaves it where it is, also when it makes a new environment.
    let passes = run(&mut fixture(&place, "passing"));
    assert_eq!(passes.code, Some(0), "{passes:#?}");
    assert_eq!(fs::metadata(&file).expect("it is there").len(), saved.len());
    one_that_cannot_be_saved_changes_nothing(&place, &file);
}

fn opens(place: &Place, file: &std::path::Path) {
    let told = capsule::manifest(file).expect("it is whole");
    let reason = told.reason.expect("it says why");
    assert!(
        reason.starts_with("first::fails of the suite fixture: it fails on purpose"),
        "{reason}"
    );
    let options = OpenOptions { store: Some(store()), ..OpenOptions::new(place.join("opened")) };
    let opened = Environment::from(capsule::open(file, &options).expect("it opens"));
    opened.resume(&[]).expect("they run on");
    let count = || in_guest(&opened, "vm0", "cat /dev/shm/count").trim().parse().unwrap_or(0);
    let before: u64 = count();
    wait_until("the program that was in memory", || count() > before);
    let log = opened.paths().prefix().join("scenarios/first.fails.log");
    assert_eq!(fs::read_to_string(log).expect("it is in it"), "about to fail\n");
    assert!(opened.paths().prefix().join("evidence/first.fails").is_dir());
}

/// A directory is in its place.
fn one_that_cannot_be_saved_changes_nothing(place: &Place, file: &std::path::Path) {
    fs::remove_file(file).expect("it is there");
    fs::create_dir(file).expect("it can be made");
    let ran = run(fixture(place, "failing").env("LAGO_CAPSULE", "on-failure"));
    assert_failed(place, &ran);
    let [What::CapsuleNotSaved { reason, .. }] = &*capsules(place) else {
        panic!("{:?}", capsules(place));
    };
    assert!(reason.contains("first.fails.lago-capsule"), "{reason}");
    let left = fs::read_dir(place.join("default/capsules")).expect("it is there");
    assert_eq!(left.count(), 1, "nothing half written");
}

pub(crate) fn a_shell() {
    let place = Place::new("harness-shell");
    let mut command = fixture(&place, "failing");
    command.env("LAGO_ON_FAILURE", "shell").env("SHELL", "/bin/sh").env_remove("CI");
    let ran = run(&mut command);
    assert_failed(&place, &ran);
    assert!(ran.stderr.contains("no shell is opened: "), "{}", ran.stderr);

    let mut terminal = Terminal::start_session(&command);
    terminal.wait_for("`exit` goes on with the run");
    assert!(terminal.shown().contains("lago shell vm0"), "{}", terminal.shown());
    terminal.type_in("echo in-$LAGO_SCENARIO\r");
    terminal.wait_for("in-first::fails");
    // Ctrl-C is for what runs in the shell.
    terminal.type_in("sh -c 'echo asleep-$((1 + 1)); exec sleep 600'\r");
    terminal.wait_for("asleep-2");
    terminal.type_in("\u{3}");
    terminal.type_in("lago shell vm0 -c 'hostname; cat /dev/shm/count'; echo still-$((40 + 2))\r");
    terminal.wait_for("still-42");
    terminal.wait_for("vm0\r\n");
    // ssh gets in through the same program.
    terminal.type_in(
        "lago ssh-config >ssh.cfg; ssh -F ssh.cfg vm0 echo by-ssh-'$((1 + 1))'; rm ssh.cfg; echo over-$((1 + 2))\r",
    );
    terminal.wait_for("by-ssh-2");
    // As long as ssh runs it reads what is typed.
    terminal.wait_for("over-3");
    terminal.type_in("exit\r");
    terminal.wait_for("the run goes on; test first::fails ...");
    assert_eq!(terminal.code(), Some(101), "{}", terminal.shown());
    assert_eq!(outcomes(&place), OUTCOMES, "{}", terminal.shown());
    a_signal_ends_the_shell_and_the_run(&place, &command);
}

fn a_signal_ends_the_shell_and_the_run(place: &Place, command: &std::process::Command) {
    let mut terminal = Terminal::start_session(command);
    terminal.wait_for("`exit` goes on with the run");
    let events = events::read(&place.join("default/events.jsonl")).expect("there are events");
    let coordinator = events.into_iter().find_map(|event| match event.what {
        What::RunStarted { pid, .. } => Pid::from_raw(pid.cast_signed()),
        _ => None,
    });
    kill_process(coordinator.expect("it has begun"), Signal::TERM).expect("it runs");
    assert_eq!(terminal.code(), Some(143), "{}", terminal.shown());
    assert_eq!(outcomes(place), ["writes passed", "fails failed", "goes_on not_run"]);
}

/// Somebody else has the prefix, so taking the environment down waits.
pub(crate) fn a_second_interrupt() {
    let place = Place::new("harness-interrupts");
    let traces = Traces::before(&place.join("default"));
    let said = place.join("stderr");
    let stderr = File::create(&said).expect("it can be made");
    let mut run_command = fixture(&place, "slow");
    let mut coordinator =
        run_command.stdout(Stdio::null()).stderr(stderr).spawn().expect("it runs");
    let log = place.join("default/scenarios/first.waits.log");
    wait_until("the second scenario", || {
        fs::read_to_string(&log).is_ok_and(|text| text.contains("waiting in"))
    });
    let held = File::options().write(true).open(place.join("default/lock")).expect("it is there");
    held.lock().expect("nobody has it");
    let interrupt = || kill_process(Pid::from_child(&coordinator), Signal::INT).expect("it runs");
    let has_said = |text: &str| fs::read_to_string(&said).is_ok_and(|said| said.contains(text));
    interrupt();
    wait_until("the first one's word", || has_said("once more to leave at once"));
    interrupt();
    assert_eq!(coordinator.wait().expect("it is a child").code(), Some(130));
    assert!(has_said("left at once; the environment in"));
    drop(held);

    assert!(traces.left().iter().any(|trace| trace.contains("qemu-system")));
    let said = fs::read_to_string(&said).expect("it is there");
    let (_, removal) = said.rsplit_once("remove it with `lago ").expect("it says how");
    let removal = removal.split('`').next().unwrap_or_default();
    run(lago(removal.split_whitespace()).arg("--yes")).ok();
    traces.assert_none_left();
}
