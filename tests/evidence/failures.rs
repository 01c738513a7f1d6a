//! A suite whose guests get into trouble.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use lago_system_tests::{Place, init_file, run, store};
use lago_test::Outcome;
use lago_test::events::{self, Event, What};

use crate::suite::WORKDIR;
use lago_system_tests::fixture_suite::FIXTURE;

const INIT_FILE: &str = "
domains:
  vm0:
    memory: 128
    vcpu: 1
    nics: [{net: lan}]
    artifacts: [/var/log/artifact]
    disks:
      - {name: root, type: template, template_name: mini, dev: vda, format: qcow2}
nets:
  lan: {type: nat, gw: 192.168.90.1, management: true}
";

/// The scenarios that wait for something else sleep for ten minutes.
const AT_ONCE: Duration = Duration::from_secs(300);

pub(crate) fn never_up() {
    let place = Place::new("evidence-never-up");
    let nothing_to_boot =
        fs::read_to_string(init_file("nothing-to-boot.yaml")).expect("it is there");
    let run = Run::of(&place, "never_up", &nothing_to_boot, 3);
    run.ended("first", "is_never_reached", "errored");
    let title = "right after it had not come up:\nit is not up after 6 s";
    run.has_evidence("first", "is_never_reached", "README.txt", title);
    run.has_evidence("first", "is_never_reached", "vm0/state.txt", "running (");
    run.has_evidence("first", "is_never_reached", "vm0/screenshot.png", "PNG");
}

pub(crate) fn broken_kernels() {
    let place = Place::new("evidence-consoles");
    let run = Run::of(&place, "trouble", INIT_FILE, 101);

    run.failed("asserts", "fails", "as the test wants it");
    run.ended("asserts", "goes_on", "passed");
    run.failed("panic", "panics", "a kernel panic on the console of VM vm0: ");
    run.failed("panic", "panics", "Kernel panic - not syncing: sysrq triggered crash");
    run.failed("memory", "runs_out_of_memory", "an out-of-memory kill on the console of VM vm0: ");
    run.failed("memory", "runs_out_of_memory", "Killed process");
    run.ended("allowed", "panics_on_purpose", "passed");
    run.failed("own", "is_sad", "a sad line on the console of VM vm0: it is so sad");
    run.ended("own", "is_never_reached", "blocked");

    run.has_evidence("asserts", "fails", "vm0/artifacts/var/log/artifact", "before the failure");
    run.has_evidence("asserts", "fails", "output.log", "this is printed");
    run.has_evidence("asserts", "fails", "vm0/console.scenario.log", "it is here");
    run.has_evidence("asserts", "fails", "vm0/console.log", "mini: up after");
    run.has_evidence("asserts", "fails", "README.txt", "asserts::fails had failed:\nas the test");
    run.has_evidence("panic", "panics", "vm0/console.scenario.log", "Kernel panic");
    run.has_evidence("panic", "panics", "vm0/logs/var/log/messages", "syslogd started");
    run.has_evidence("memory", "runs_out_of_memory", "vm0/dmesg.txt", "Out of memory: Killed");
    for (stage, scenario) in [("asserts", "goes_on"), ("allowed", "panics_on_purpose")] {
        assert!(!run.prefix.join(format!("evidence/{stage}.{scenario}")).exists());
    }
    run.is_attached();
}

fn read(prefix: &Path) -> Vec<Event> {
    events::read(&prefix.join("events.jsonl")).expect("there are events")
}

struct Run {
    prefix: std::path::PathBuf,
    events: Vec<Event>,
}

impl Run {
    /// Runs a fixture suite to its end.
    #[track_caller]
    fn of(place: &Place, fixture: &str, init_file: &str, code: i32) -> Self {
        fs::write(place.join("LagoInitFile.yaml"), init_file).expect("it writes");
        let mut command = Command::new(env::current_exe().expect("the program's path is known"));
        command
            .env(FIXTURE, fixture)
            .env(WORKDIR, place.path())
            .env("LAGO_STORE", store())
            .env("LAGO_CACHE", "off")
            .env("LAGO_KEEP", "never")
            .env_remove("NEXTEST")
            .env_remove("LAGO_EVIDENCE")
            .stdin(Stdio::null());
        let ran = run(&mut command);
        assert_eq!(ran.code, Some(code), "{ran:#?}");
        let prefix = place.join("default");
        Self { events: read(&prefix), prefix }
    }

    #[track_caller]
    fn outcome(&self, wanted: (&str, &str)) -> (&Outcome, Duration) {
        let found = self.events.iter().find_map(|event| match &event.what {
            What::ScenarioFinished { stage, scenario, outcome, took_ms, .. }
                if (stage.as_str(), scenario.as_str()) == wanted =>
            {
                Some((outcome, Duration::from_millis(*took_ms)))
            }
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{wanted:?} has not ended"))
    }

    #[track_caller]
    fn ended(&self, stage: &str, scenario: &str, word: &str) {
        let (outcome, _) = self.outcome((stage, scenario));
        assert_eq!(outcome.word(), word, "{stage}::{scenario}: {outcome}");
    }

    #[track_caller]
    fn failed(&self, stage: &str, scenario: &str, text: &str) {
        let (outcome, took) = self.outcome((stage, scenario));
        assert_eq!(outcome.word(), "failed", "{stage}::{scenario}: {outcome}");
        assert!(outcome.to_string().contains(text), "{stage}::{scenario}: {outcome}");
        assert!(took < AT_ONCE, "{stage}::{scenario} took {took:?}");
    }

    /// The event names the file, and the file has this text.
    #[track_caller]
    fn has_evidence(&self, stage: &str, scenario: &str, file: &str, text: &str) {
        let path = Path::new("evidence").join(format!("{stage}.{scenario}")).join(file);
        let collected = self.events.iter().any(|event| match &event.what {
            What::EvidenceCollected { stage: s, scenario: n, files, .. } => {
                s == stage && n == scenario && files.contains(&path)
            }
            _ => false,
        });
        assert!(collected, "no event names {}: {:#?}", path.display(), self.events);
        let content = fs::read(self.prefix.join(&path)).expect("it is there");
        let content = String::from_utf8_lossy(&content);
        assert!(content.contains(text), "{}: {content}", path.display());
    }

    /// The JUnit file links files that are there.
    #[track_caller]
    fn is_attached(&self) {
        let junit = fs::read_to_string(self.prefix.join("fixture.junit.xml")).expect("it is there");
        let attached: Vec<_> = junit
            .lines()
            .filter_map(|line| line.strip_prefix("[[ATTACHMENT|")?.split("]]").next())
            .collect();
        for file in &attached {
            assert!(Path::new(file).is_absolute() && Path::new(file).is_file(), "{file}");
        }
        let shots = attached.iter().filter(|file| file.ends_with("screenshot.png")).count();
        assert_eq!(shots, 4, "{attached:#?}");
    }
}
