//! A run in which everything happens that a report has to show, for the tests of reports.

use std::path::{Path, PathBuf};

use chrono::DateTime;

use crate::events::{
    EnvironmentFacts, Event, Machine, OutputFile, OutputPart, Planned, RunResult, SCHEMA,
    TemplateFacts, VmFacts, What,
};
use crate::outcome::Outcome;
use crate::result::Failure;

/// When the sample run began, in milliseconds since 1970.
const BEGAN: i64 = 1_700_000_000_000;

/// An event so many milliseconds after the run began.
pub(super) fn at(millisecond: i64, what: What) -> Event {
    Event { at: DateTime::from_timestamp_millis(BEGAN + millisecond).unwrap(), what }
}

pub(super) fn planned(stage: &str, scenario: &str) -> Planned {
    Planned { stage: stage.into(), scenario: scenario.into(), prerequisite: false }
}

pub(super) fn run_started(planned: Vec<Planned>) -> What {
    What::RunStarted {
        schema: SCHEMA,
        suite: "web".into(),
        version: "0.1.0".into(),
        pid: 7,
        arguments: vec!["target/debug/deps/web".into(), "--test-threads".into(), "2".into()],
        part_of: None,
        machine: Machine { hostname: "ci".into(), kernel: "Linux 6.1.0 x86_64".into() },
        planned,
    }
}

pub(super) fn worker_started(worker: u32, fork: Option<&str>) -> What {
    What::WorkerStarted { worker, pid: 100 + worker, fork: fork.map(Into::into) }
}

pub(super) fn started(stage: &str, scenario: &str, worker: u32) -> What {
    What::ScenarioStarted {
        stage: stage.into(),
        scenario: scenario.into(),
        worker,
        log: log(stage, scenario),
        vms: vec!["client".into(), "server".into()],
        limit_ms: Some(600_000),
    }
}

pub(super) fn finished(stage: &str, scenario: &str, outcome: Outcome, took_ms: u64) -> What {
    let output = (took_ms > 0).then(|| OutputFile { path: log(stage, scenario), bytes: 1 });
    What::ScenarioFinished {
        stage: stage.into(),
        scenario: scenario.into(),
        outcome,
        took_ms,
        output,
    }
}

fn log(stage: &str, scenario: &str) -> PathBuf {
    PathBuf::from(format!("scenarios/{stage}.{scenario}.log"))
}

pub(super) fn failed(message: &str) -> Outcome {
    let failure = serde_json::json!({
        "kind": "failed", "message": message, "location": "tests/web.rs:86:5",
    });
    Outcome::Failed { failure: serde_json::from_value::<Failure>(failure).unwrap() }
}

fn work(began: i64, took_ms: u64, work: &str, vm: Option<&str>, subject: Option<&str>) -> What {
    What::WorkEnded {
        work: work.into(),
        vm: vm.map(Into::into),
        subject: subject.map(Into::into),
        began: DateTime::from_timestamp_millis(BEGAN + began).unwrap(),
        took_ms,
        fork: None,
    }
}

fn on_fork(fork: &str, what: What) -> What {
    match what {
        What::WorkEnded { work, vm, subject, began, took_ms, .. } => {
            What::WorkEnded { work, vm, subject, began, took_ms, fork: Some(fork.into()) }
        }
        other => other,
    }
}

fn console(stage: &str, scenario: &str, vm: &str, from: u64, to: u64, fork: Option<&str>) -> What {
    What::ConsoleOutput {
        stage: stage.into(),
        scenario: scenario.into(),
        vm: vm.into(),
        log: format!("logs/console/{vm}.log").into(),
        from,
        to,
        fork: fork.map(Into::into),
    }
}

fn facts() -> What {
    let vm = |name: &str, last: u8, template: &str| VmFacts {
        name: name.into(),
        ip: Some([192, 168, 200, last].into()),
        processors: 2,
        memory_mib: 512,
        templates: vec![TemplateFacts {
            dev: "vda".into(),
            version: format!("fixtures:{template}:31b5d0a7ee99"),
            digest: Some(format!("SHA-256:{}", "ab".repeat(32))),
        }],
    };
    What::EnvironmentFacts(EnvironmentFacts {
        lago: "0.1.0".into(),
        qemu: Some("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)".into()),
        libvirt: Some("libvirtd (libvirt) 9.0.0".into()),
        host: "private".into(),
        acceleration: "tcg".into(),
        processor: Some("AMD EPYC 7B13".into()),
        processors: Some(2),
        memory_mib: Some(24_000),
        vms: vec![vm("server", 2, "debian"), vm("client", 3, "mini")],
    })
}

/// What there is to plan in [`events`].
fn plan() -> Vec<Planned> {
    let mut plan: Vec<_> = [
        ("deploy", "install_web_server"),
        ("deploy", "publish_pages"),
        ("serve", "fetch_page_by_name"),
        ("serve", "fetch_large_file"),
        ("serve", "serves_under_load"),
        ("serve", "fetch_from_every_client_that_the_environment_has"),
        ("failover", "server_goes_away"),
        ("failover", "names_are_found"),
        ("failover", "server_comes_back"),
        ("failover", "clients_reconnect"),
        ("upgrade", "upgrade_packages"),
        ("upgrade", "still_serves"),
    ]
    .map(|(stage, scenario)| planned(stage, scenario))
    .into();
    plan[0].prerequisite = true;
    plan
}

/// A run in which everything happens.
pub(super) fn events() -> Vec<Event> {
    let mut events = vec![at(0, run_started(plan()))];
    events.extend(bring_up());
    events.extend(on_the_prefix());
    events.extend(upgrade());
    events.extend(on_the_fork());
    events.extend([
        at(61_000, What::WorkerEnded { worker: 1, how: "exited with code 0".into() }),
        at(61_800, What::EnvironmentStopped { states: vec!["start".into(), "deploy".into()] }),
        at(61_801, What::RunFinished { result: RunResult::Failed, exit_code: 101 }),
    ]);
    events.sort_by_key(|event| event.at);
    events
}

fn bring_up() -> Vec<Event> {
    vec![
        at(1, What::EnvironmentStarting),
        at(150, facts()),
        at(600, work(100, 500, "start host", None, None)),
        at(1100, work(700, 400, "start", Some("client"), None)),
        at(1300, work(700, 600, "start", Some("server"), None)),
        at(5000, work(1300, 3700, "wait for ssh", Some("client"), None)),
        at(22_000, work(1300, 20_700, "wait for ssh", Some("server"), None)),
        at(22_000, What::EnvironmentUp { took_ms: 22_100, from_cache: false }),
        at(22_500, What::StateSaved { state: "start".into(), took_ms: 500, fork: None }),
    ]
}

fn on_the_prefix() -> Vec<Event> {
    let repeated = |repetition, outcome, took_ms| What::ScenarioRepeated {
        stage: "serve".into(),
        scenario: "serves_under_load".into(),
        repetition,
        of: 3,
        outcome,
        took_ms,
    };
    let page = "unexpected page: <h1>it <b>works</b></h1>\ncaused by: the answer has status 503 & no body\n";
    vec![
        at(22_600, worker_started(1, None)),
        at(22_610, started("deploy", "install_web_server", 1)),
        at(31_600, finished("deploy", "install_web_server", Outcome::Passed, 8_990)),
        at(31_610, started("deploy", "publish_pages", 1)),
        at(33_100, finished("deploy", "publish_pages", Outcome::Passed, 1490)),
        at(
            33_700,
            What::StageFinished { stage: "deploy".into(), not_kept: None, saving_ms: Some(580) },
        ),
        at(36_000, work(33_700, 2300, "compress", None, Some("deploy"))),
        at(33_750, started("serve", "fetch_page_by_name", 1)),
        at(34_000, console("serve", "fetch_page_by_name", "server", 58, 126, None)),
        at(34_050, finished("serve", "fetch_page_by_name", failed(page), 300)),
        at(34_060, started("serve", "fetch_large_file", 1)),
        at(
            36_060,
            finished(
                "serve",
                "fetch_large_file",
                Outcome::TimedOut { limit_ms: 2000, note: None },
                2000,
            ),
        ),
        at(36_061, What::WorkerEnded { worker: 1, how: "killed by signal 9 (SIGKILL)".into() }),
        at(36_200, worker_started(3, None)),
        at(36_210, started("serve", "serves_under_load", 3)),
        at(37_200, repeated(1, Outcome::Passed, 990)),
        at(39_300, What::StateRestored { state: "deploy".into(), took_ms: 2100, fork: None }),
        at(39_310, started("serve", "serves_under_load", 3)),
        at(40_300, repeated(2, failed("connection refused"), 990)),
        at(42_400, What::StateRestored { state: "deploy".into(), took_ms: 2100, fork: None }),
        at(42_410, started("serve", "serves_under_load", 3)),
        at(43_400, repeated(3, Outcome::Passed, 990)),
        at(
            43_401,
            finished(
                "serve",
                "serves_under_load",
                failed("failed 1 of 3 times; repetition 2"),
                2970,
            ),
        ),
        at(43_410, started("serve", "fetch_from_every_client_that_the_environment_has", 3)),
        at(
            43_420,
            finished(
                "serve",
                "fetch_from_every_client_that_the_environment_has",
                Outcome::Skipped { reason: "only one client, two are needed".into() },
                10,
            ),
        ),
        at(
            43_430,
            What::StageFinished {
                stage: "serve".into(),
                not_kept: Some("not all of it has run and passed".into()),
                saving_ms: None,
            },
        ),
    ]
}

fn upgrade() -> Vec<Event> {
    vec![
        at(46_000, What::StateRestored { state: "deploy".into(), took_ms: 2500, fork: None }),
        at(46_010, started("upgrade", "upgrade_packages", 3)),
        at(
            60_010,
            finished(
                "upgrade",
                "upgrade_packages",
                Outcome::Errored {
                    message: "the worker died in this scenario: killed by signal 11 (SIGSEGV)"
                        .into(),
                },
                14_000,
            ),
        ),
        at(
            60_020,
            finished(
                "upgrade",
                "still_serves",
                Outcome::Blocked { by: "upgrade::upgrade_packages".into() },
                0,
            ),
        ),
        at(
            60_030,
            What::StateNotSaved {
                state: "before.upgrade.still_serves".into(),
                reason: "no space left on device".into(),
            },
        ),
    ]
}

fn on_the_fork() -> Vec<Event> {
    let path = PathBuf::from("/ci/target/lago/web/default/forks/failover");
    let restored = What::StateRestored {
        state: "deploy".into(),
        took_ms: 1500,
        fork: Some("failover".into()),
    };
    let tried = |attempt: u32, outcome, took_ms| What::ScenarioTried {
        stage: "failover".into(),
        scenario: "server_goes_away".into(),
        attempt,
        of: 2,
        outcome,
        took_ms,
        output: Some(OutputPart {
            path: log("failover", "server_goes_away"),
            offset: 0,
            bytes: 12,
        }),
    };
    let flaky = Outcome::Flaky {
        attempt: 2,
        failure: "a page was served by a server that is stopped".into(),
    };
    let known = Outcome::KnownFailure {
        reason: "the resolver of the image caches for too long".into(),
        failure: "no address".into(),
    };
    let not_true = "it is not true that: the page is served\nlast: connection refused";
    let blocked = Outcome::Blocked { by: "failover::server_comes_back".into() };
    vec![
        at(35_600, on_fork("failover", work(34_400, 1200, "load memory", Some("client"), None))),
        at(35_900, on_fork("failover", work(34_400, 1500, "load memory", Some("server"), None))),
        at(
            36_000,
            What::ForkStarted {
                fork: "failover".into(),
                state: "deploy".into(),
                path,
                took_ms: 1900,
            },
        ),
        at(36_190, worker_started(2, Some("failover"))),
        at(36_195, started("failover", "server_goes_away", 2)),
        at(36_995, tried(1, failed("a page was served by a server that is stopped"), 800)),
        at(38_500, restored),
        at(38_510, started("failover", "server_goes_away", 2)),
        at(39_010, tried(2, Outcome::Passed, 500)),
        at(39_011, finished("failover", "server_goes_away", flaky, 1300)),
        at(39_020, started("failover", "names_are_found", 2)),
        at(39_220, finished("failover", "names_are_found", known, 200)),
        at(39_230, started("failover", "server_comes_back", 2)),
        at(51_100, console("failover", "server_comes_back", "server", 0, 95, Some("failover"))),
        at(52_900, evidence()),
        at(52_910, finished("failover", "server_comes_back", failed(not_true), 12_000)),
        at(52_920, finished("failover", "clients_reconnect", blocked, 0)),
        at(
            52_930,
            What::StageFinished {
                stage: "failover".into(),
                not_kept: Some("not all of it has run and passed".into()),
                saving_ms: None,
            },
        ),
        at(52_940, What::WorkerEnded { worker: 2, how: "exited with code 0".into() }),
        at(53_600, What::ForkEnded { fork: "failover".into(), kept: None }),
    ]
}

/// What was collected after a failure on the fork.
fn evidence() -> What {
    let file = |name: &str| PathBuf::from(EVIDENCE).join(name);
    What::EvidenceCollected {
        stage: "failover".into(),
        scenario: "server_comes_back".into(),
        took_ms: 1650,
        files: ["README.txt", "server/screenshot.png", "server/journal.txt", "server/memory.dump"]
            .map(file)
            .into(),
        problems: vec!["client: nobody answers within 15 s <in the guest>".into()],
    }
}

/// Where that is, from the prefix.
const EVIDENCE: &str = "evidence/failover.server_comes_back";

/// The files that [`events`] names, in a directory.
pub(super) fn write_files(prefix: &Path) {
    let write = |path: &str, content: &[u8]| {
        let path = prefix.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    for Planned { stage, scenario, .. } in plan() {
        let output = format!("{stage}::{scenario} says hello\n");
        write(&log(&stage, &scenario).to_string_lossy(), output.as_bytes());
    }
    write(
        "scenarios/serve.fetch_page_by_name.log",
        b"GET http://server/\n\x1b[31mHTTP/1.1 503 Service Unavailable\x1b[0m\n</pre><script>alert(1)</script>\0\xff\xfe]]>\n",
    );
    write(
        "logs/console/server.log",
        b"SeaBIOS\r\n\r\n[   12.345678] systemd[1]: Started lighttpd.\r\n[   34.567890] lighttpd[412]: (mod_fastcgi.c.421) FATAL: no backend\r\nlogin: ",
    );
    write(
        "logs/forks/failover/console/server.log",
        b"[   51.000000] Out of memory: Killed process 412 (lighttpd)\r\n[   51.100000] lighttpd is gone\r\n",
    );
    let evidence = |name: &str| format!("{EVIDENCE}/{name}");
    write(&evidence("README.txt"), b"What there is\n");
    write(&evidence("server/screenshot.png"), include_bytes!("sample.png"));
    write(&evidence("server/journal.txt"), b"lighttpd.service: Failed with result 'oom-kill'.\n");
    write(&evidence("server/memory.dump"), b"\0\0");
    write("prefix.json", b"{}");
    let lines = events().iter().fold(String::new(), |mut lines, event| {
        lines.push_str(&serde_json::to_string(event).unwrap());
        lines.push('\n');
        lines
    });
    write("events.jsonl", lines.as_bytes());
}
