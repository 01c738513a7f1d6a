//! An engine that hangs, and one that goes away while it is asked.

use std::thread;
use std::time::{Duration, Instant};

use lago_test::lago::cmd;
use lago_test::limits::SHORT;
use lago_test::{Failure, TestResult, assert_true_within, ensure};
use ovirt_suite::api::types::{Cluster, Template, Vm};
use ovirt_suite::api::{ApiError, Connection, Limits, Waiting};
use ovirt_suite::constants::{API_PATH, ENGINE_PORT, ENGINE_SERVICE, ENGINE_USER};
use ovirt_suite::testlib::OvirtApi;
use ovirt_suite::virt::EngineVm;
use ovirt_suite::{Error, OvirtPrefix};

use super::BRIEF;
use super::evidence::Evidence;
use crate::names::{BLANK, CLUSTER};

/// The engine stands still: a call is given up at its limit, and the next one is answered when it goes on.
pub(crate) fn engine_hangs(prefix: OvirtPrefix) -> TestResult {
    let engine = prefix.virt_env().engine_vm()?;
    let port = engine.forward(ENGINE_PORT)?;
    let impatient = Connection::builder(format!("https://{}{API_PATH}", engine.fqdn()))
        .at(port.address())
        .user(ENGINE_USER, engine.password()?)
        .ca_pem(engine.ca_pem()?)
        .limits(Limits { request: BRIEF, ..Limits::default() })
        .build()?;
    // It signs in while the engine still answers.
    assert_true_within(SHORT, || Ok(impatient.hosts().all().is_ok()))?;
    signal(engine, "STOP")?;
    let (error, took) = timed(|| impatient.hosts().all());
    signal(engine, "CONT")?;
    let limit = match error {
        Some(ApiError::TimedOut {
            waiting: Waiting::Answer | Waiting::Connection, limit, ..
        }) => limit,
        other => return Err(Failure::new(format!("an engine that stands still gave {other:?}"))),
    };
    ensure!(limit == BRIEF && took >= limit, "it was given up after {took:?}, at {limit:?}");
    assert_true_within(SHORT, || Ok(impatient.hosts().all().is_ok()))
}

/// The engine goes away with a call that it has not answered yet: who called is told that it may have happened, who calls then
/// that nobody is there, and who waits for the engine that its service is what is missing.
pub(crate) fn engine_goes_away(prefix: OvirtPrefix, api: OvirtApi) -> TestResult {
    api.hosts().all()?;
    let engine = prefix.virt_env().engine_vm()?;
    let service = engine.service(ENGINE_SERVICE)?;
    let vm = Vm {
        cluster: Some(Box::new(Cluster::named(CLUSTER))),
        template: Some(Box::new(Template::named(BLANK))),
        ..Vm::named("unanswered")
    };
    signal(engine, "STOP")?;
    let error = thread::scope(|scope| {
        let call = scope.spawn(|| api.vms().add(&vm));
        // Stopped all the same if the call does not come: nothing else ends it.
        let came = assert_true_within(SHORT, || has_unread_request(engine));
        let stopped = service.stop();
        let answer = call.join().map_err(|_| Failure::new("the call panicked"))?;
        came?;
        stopped?;
        answer.err().ok_or_else(|| Failure::new("an engine that is gone has answered"))
    })?;
    ensure!(matches!(error, ApiError::Closed { .. }), "the call was told {error:?}");
    ensure!(error.may_have_happened() && error.is_worth_waiting_for(), "{error:?}");

    let error = api.hosts().all().expect_err("the engine has stopped");
    ensure!(error.is_worth_waiting_for(), "the next call was told {error:?}");
    let error = engine.get_api_now().expect_err("the engine has stopped");
    ensure!(matches!(error, Error::EngineService { .. }), "who waits was told {error}");
    let evidence = Evidence::collect(&prefix, "the engine has gone away")?;
    evidence.assert_says("engine/services.txt", &["ovirt-engine.service", "inactive"])?;
    evidence.assert_says("engine/journal.txt", &["Stopped", "ovirt-engine.service"])?;
    evidence.assert_engine_says(&["Status of host", "was set to Up"])?;

    service.start()?;
    engine.get_api_within(SHORT)?.hosts().all()?;
    Ok(())
}

/// Sends a signal to the engine's process.
fn signal(engine: &EngineVm, signal: &str) -> TestResult {
    let unit = format!("{ENGINE_SERVICE}.service");
    engine.run(cmd!("systemctl", "kill", format!("--signal={signal}"), unit))?;
    Ok(())
}

/// Whether a request lies at the engine's port that it has not read.
fn has_unread_request(engine: &EngineVm) -> Result<bool, Failure> {
    let port = format!(":{ENGINE_PORT}");
    let sockets = engine.run(cmd!("ss", "-Htn", "state", "established", "sport", "=", port))?;
    // The first column is what was received and not read.
    let unread = |line: &str| line.split_whitespace().next().is_some_and(|bytes| bytes != "0");
    Ok(sockets.stdout().lines().any(unread))
}

fn timed<T>(call: impl FnOnce() -> Result<T, ApiError>) -> (Option<ApiError>, Duration) {
    let began = Instant::now();
    let error = call().err();
    (error, began.elapsed())
}
