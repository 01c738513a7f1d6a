//! Waiting for an engine whose service or API is not there, with a limit that has to hold.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lago::guest::ServiceState;
use ovirt_suite::api::{ApiError, Connection, Waiting};
use ovirt_suite::utils::Interrupt;
use ovirt_suite::virt::{self, EngineProbe};
use ovirt_suite::{Error, Result};

use crate::authority::Authority;
use crate::fixture::{NAME, builder};
use crate::server::{Reply, Server, TOKEN};

const API: &str = "/ovirt-engine/api";

/// As long as it takes to be sure that nothing comes any more, and no longer.
const BRIEF: Duration = Duration::from_secs(1);

/// So long that a call comes to a limit of its own before this one on a busy machine too.
const AMPLE: Duration = BRIEF.saturating_mul(10);

/// So long that a test which waits for it does not end.
const LONG: Duration = Duration::from_secs(3600);

/// An engine of which a test says what it does.
#[derive(Clone)]
struct Probe {
    connection: Connection,
    service: Arc<Mutex<Service>>,
}

enum Service {
    /// One state after the other; the last one for ever.
    Says(Vec<ServiceState>),
    /// It answers when the test has ended, and not before.
    Hangs(Receiver<()>),
}

impl EngineProbe for Probe {
    type Api = Connection;

    fn vm_name(&self) -> &'static str {
        "engine"
    }

    fn service_state(&self) -> Result<ServiceState> {
        match &mut *self.service.lock().unwrap() {
            Service::Says(states) if states.len() > 1 => Ok(states.remove(0)),
            Service::Says(states) => Ok(states[0]),
            Service::Hangs(end) => {
                // Its other end is gone with the test.
                let _ = end.recv();
                Ok(ServiceState::Inactive)
            }
        }
    }

    fn answering_api(&self, limit: Duration) -> Result<Connection> {
        self.connection.api_within(limit)?;
        Ok(self.connection.clone())
    }
}

/// An engine whose service is in these states, and whose API answers so.
fn engine(states: &[ServiceState], replies: impl IntoIterator<Item = Reply>) -> (Server, Probe) {
    let authority = Authority::new();
    let server = Server::start(authority.certify(&format!("DNS:{NAME}")));
    server.reply(API, replies);
    let connection = builder(&authority, &server).build().unwrap();
    let service = Arc::new(Mutex::new(Service::Says(states.to_vec())));
    (server, Probe { connection, service })
}

fn wait_for(probe: &Probe, limit: Duration) -> Result<Connection, Box<Error>> {
    virt::wait_for(probe, limit, &Interrupt::new()).map_err(Box::new)
}

fn answer() -> Reply {
    Reply::xml("<api><product_info><name>oVirt Engine</name></product_info></api>")
}

#[test]
fn a_machine_that_does_not_say_anything_is_the_culprit_and_is_not_waited_for() {
    let (_server, mut probe) = engine(&[ServiceState::Active], [answer()]);
    let (_end, ended): (Sender<()>, _) = mpsc::channel();
    probe.service = Arc::new(Mutex::new(Service::Hangs(ended)));
    let error = wait_for(&probe, BRIEF).unwrap_err();
    assert!(matches!(&*error, Error::EngineMachine { limit: BRIEF, .. }), "{error}");
}

#[test]
fn a_service_that_does_not_run_is_the_culprit() {
    let (server, probe) = engine(&[ServiceState::Inactive], [answer()]);
    let error = wait_for(&probe, BRIEF).unwrap_err();
    let Error::EngineService { state, limit: BRIEF, .. } = &*error else { panic!("{error}") };
    assert_eq!(state, "it is inactive");
    assert!(server.all_requests().is_empty(), "the API was asked all the same");
}

#[test]
fn an_api_that_is_silent_or_drips_is_the_culprit_however_long_its_calls_may_take() {
    let is_given_up = |reply| {
        let (_server, probe) = engine(&[ServiceState::Active], [reply]);
        let error = wait_for(&probe, AMPLE).unwrap_err();
        let Error::EngineApi { last, limit: AMPLE, .. } = &*error else { panic!("{error}") };
        let Some(ApiError::TimedOut { waiting, limit, .. }) = last.as_deref() else {
            panic!("{last:?}")
        };
        assert!(*limit < AMPLE && *waiting != Waiting::Connection, "{waiting:?} in {limit:?}");
    };
    std::thread::scope(|scope| {
        for reply in [Reply::Silence, Reply::Drip] {
            scope.spawn(move || is_given_up(reply));
        }
    });
}

#[test]
fn an_api_that_is_absent_is_the_culprit() {
    let (server, probe) = engine(&[ServiceState::Active], [answer()]);
    drop(server);
    let error = wait_for(&probe, BRIEF).unwrap_err();
    let Error::EngineApi { last, .. } = &*error else { panic!("{error}") };
    let gone = matches!(
        last.as_deref(),
        Some(ApiError::Unreachable { .. } | ApiError::Closed { .. } | ApiError::TimedOut { .. })
    );
    assert!(gone, "{last:?}");
}

#[test]
fn a_service_that_stops_while_the_api_is_waited_for_is_the_culprit() {
    let page = Reply::Whole(503, "text/html", "<html><title>Stopping</title></html>".to_owned());
    let (_server, probe) = engine(&[ServiceState::Active, ServiceState::Inactive], [page]);
    // So long that it is looked at a second time on a busy machine too.
    let error = wait_for(&probe, 6 * BRIEF).unwrap_err();
    assert!(matches!(&*error, Error::EngineService { .. }), "{error}");
}

#[test]
fn an_engine_that_starts_is_waited_for() {
    let states = [ServiceState::Missing, ServiceState::Inactive, ServiceState::Active];
    let page = Reply::Whole(503, "text/html", "<html><title>Starting</title></html>".to_owned());
    let (_server, probe) = engine(&states, [page, answer()]);
    wait_for(&probe, LONG).unwrap();
}

#[test]
fn an_engine_that_is_being_deployed_is_waited_for() {
    // Its server runs already, and has nothing at the API's address yet.
    let nothing = Reply::Whole(404, "application/xml", String::new());
    let (_server, probe) = engine(&[ServiceState::Active], [nothing, answer()]);
    wait_for(&probe, LONG).unwrap();
}

#[test]
fn a_wrong_password_is_not_waited_for() {
    let (server, probe) = engine(&[ServiceState::Active], [answer()]);
    let refused = r#"{"error":"access_denied","error_description":"no"}"#;
    server.reply(TOKEN, [Reply::Whole(400, "application/json", refused.to_owned())]);
    let error = wait_for(&probe, LONG).unwrap_err();
    assert!(matches!(&*error, Error::Api(ApiError::SignIn { .. })), "{error}");
}

#[test]
fn a_wait_is_interrupted() {
    let (_server, probe) = engine(&[ServiceState::Inactive], [answer()]);
    let interrupt = Interrupt::new();
    interrupt.give();
    let error = virt::wait_for(&probe, LONG, &interrupt).unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error}");
}

#[test]
fn one_look_is_no_wait() {
    let (server, probe) = engine(&[ServiceState::Inactive, ServiceState::Active], [answer()]);
    let error = virt::look_at(&probe, LONG).unwrap_err();
    assert!(matches!(&error, Error::EngineService { .. }), "{error}");
    assert!(error.to_string().starts_with("the engine on VM engine is not there: "), "{error}");
    virt::look_at(&probe, LONG).unwrap();
    server.reply(API, [Reply::Whole(503, "text/html", String::new())]);
    let error = virt::look_at(&probe, LONG).unwrap_err();
    assert!(matches!(&error, Error::EngineApi { last: Some(_), .. }), "{error}");
}
