//! Connections that break, and answers that do not end.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use ovirt_suite::api::types::Vm;
use ovirt_suite::api::{ApiError, Limits, Waiting};

use crate::authority::Authority;
use crate::fixture::{BRIEF, VMS, builder, engine, engine_with};
use crate::server::{Reply, Server};

fn brief() -> Limits {
    Limits { request: BRIEF, ..Limits::default() }
}

#[test]
fn a_connection_that_breaks_once_costs_nothing() {
    let (server, engine) = engine([Reply::Close, Reply::xml("<vms/>")]);
    assert_eq!(engine.vms().all().unwrap(), []);
    assert_eq!(server.requests(VMS).len(), 2);
}

#[test]
fn one_that_always_breaks_is_an_error_after_three_times() {
    let (server, engine) = engine([Reply::Close]);
    let error = engine.vms().all().unwrap_err();
    assert!(matches!(error, ApiError::Closed { .. }), "{error:?}");
    assert_eq!(server.requests(VMS).len(), 3);
}

#[test]
fn what_changes_something_is_not_sent_again() {
    let (server, engine) = engine([Reply::Close]);
    let error = engine.vms().add(&Vm::named("vm0")).unwrap_err();
    assert!(matches!(error, ApiError::Closed { .. }), "{error:?}");
    assert!(error.may_have_happened());
    assert_eq!(server.requests(VMS).len(), 1);
}

#[test]
fn an_answer_that_breaks_off_is_no_short_answer() {
    let body = "<vms><vm/></vms>".to_owned();
    for cut in [Reply::Cut { claimed: 1000, body: body.clone() }, Reply::CutChunks(body)] {
        let (_server, engine) = engine([cut]);
        let error = engine.vms().all().unwrap_err();
        assert!(matches!(error, ApiError::Truncated { received: 16, .. }), "{error:?}");
    }
}

#[test]
fn a_silent_server_is_given_up() {
    let (_server, engine) = engine_with([Reply::Silence], brief());
    let error = engine.vms().all().unwrap_err();
    let ApiError::TimedOut { waiting, limit, .. } = error else { panic!("{error:?}") };
    assert_eq!((waiting, limit), (Waiting::Answer, BRIEF));
}

#[test]
fn a_server_that_sends_a_byte_now_and_then_is_given_up_too() {
    let (_server, engine) = engine_with([Reply::Drip], brief());
    let error = engine.vms().all().unwrap_err();
    let ApiError::TimedOut { waiting: Waiting::Body(received), limit: BRIEF, .. } = error else {
        panic!("{error:?}")
    };
    assert!(received > 1, "it did not drip: {received} bytes");
}

#[test]
fn nobody_who_takes_a_connection_and_says_nothing_is_waited_for() {
    let (authority, deaf) =
        (Authority::new(), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let server = Server::start(authority.certify("DNS:engine.test"));
    let limits = Limits { connect: Duration::from_millis(300), ..Limits::default() };
    let builder = builder(&authority, &server).at(deaf.local_addr().unwrap()).limits(limits);
    let error = builder.build().unwrap().vms().all().unwrap_err();
    assert!(matches!(error, ApiError::TimedOut { waiting: Waiting::Connection, .. }), "{error:?}");
    assert!(!error.may_have_happened());
}

#[test]
fn an_engine_that_is_gone_cannot_be_reached() {
    let authority = Authority::new();
    let server = Server::start(authority.certify("DNS:engine.test"));
    // A port that is given to nobody who asks for any.
    let gone = (Ipv4Addr::LOCALHOST, 1).into();
    let connection = builder(&authority, &server).at(gone).build().unwrap();
    let error = connection.vms().all().unwrap_err();
    assert!(matches!(error, ApiError::Unreachable { .. }), "{error:?}");
    assert!(error.is_worth_waiting_for() && !error.may_have_happened());
}

#[test]
fn an_answer_has_a_largest_size() {
    let (_server, engine) = engine_with(
        [Reply::xml(&format!("<vms>{}</vms>", " ".repeat(2000)))],
        Limits { body: 1000, ..Limits::default() },
    );
    let error = engine.vms().all().unwrap_err();
    assert!(matches!(error, ApiError::TooLarge { limit: 1000, .. }), "{error:?}");
}
