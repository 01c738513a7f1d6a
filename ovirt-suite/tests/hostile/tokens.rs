//! Signing in and out.

use std::time::Duration;

use ovirt_suite::api::{ApiError, Limits};

use crate::fixture::{VMS, engine, engine_with};
use crate::server::{Reply, Request, TOKEN};

const LOGOUT: &str = "/ovirt-engine/services/sso-logout";

fn bearer(request: &Request) -> &str {
    &request.headers["authorization"]
}

#[test]
fn one_signs_in_once_with_a_form_and_shows_the_token() {
    let (server, engine) = engine([Reply::xml("<vms/>")]);
    engine.vms().all().unwrap();
    engine.vms().all().unwrap();
    let [token] = &server.requests(TOKEN)[..] else { panic!("not one sign-in") };
    assert_eq!(token.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(token.headers["accept"], "application/json");
    assert_eq!(
        token.body,
        "grant_type=password&scope=ovirt-app-api&username=admin%40internal&password=p%26ss%3Dw%C3%B6rd"
    );
    for request in server.requests(VMS) {
        assert_eq!(bearer(&request), "Bearer token-1");
        assert_eq!(request.headers["version"], "4");
        assert_eq!(request.headers["accept"], "application/xml");
    }
}

#[test]
fn a_refused_token_is_renewed() {
    let (server, engine) = engine([Reply::unauthorized(), Reply::xml("<vms/>")]);
    engine.vms().all().unwrap();
    let requests = server.requests(VMS);
    let shown: Vec<_> = requests.iter().map(bearer).collect();
    assert_eq!(shown, ["Bearer token-1", "Bearer token-2"]);
}

#[test]
fn but_only_once() {
    let (server, engine) = engine([Reply::unauthorized()]);
    let error = engine.vms().all().unwrap_err();
    assert!(matches!(error, ApiError::TokenRefused { .. }), "{error:?}");
    assert_eq!((server.requests(VMS).len(), server.requests(TOKEN).len()), (2, 2));
}

#[test]
fn a_user_who_is_refused_reads_why() {
    let answers = [
        r#"{"error_code":"access_denied","error":"Cannot authenticate user 'admin@internal'."}"#,
        r#"{"error":"access_denied","error_description":"Cannot authenticate user 'admin@internal'."}"#,
        r#"[{"error":"access_denied","error_description":"Cannot authenticate user 'admin@internal'."}]"#,
    ];
    for answer in answers {
        let (server, engine) = engine([Reply::xml("<vms/>")]);
        server.reply(TOKEN, [Reply::Whole(400, "application/json", answer.to_owned())]);
        let error = engine.vms().all().unwrap_err();
        let ApiError::SignIn { code, description, .. } = &error else { panic!("{error:?}") };
        assert_eq!(code, "access_denied");
        assert_eq!(description, "Cannot authenticate user 'admin@internal'.");
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("wörd") && !shown.contains("B6rd"),
            "it holds the password: {shown}"
        );
    }
}

#[test]
fn an_answer_without_a_token_is_no_sign_in() {
    for answer in ["{}", "[]", "null", "{"] {
        let (server, engine) = engine([Reply::xml("<vms/>")]);
        server.reply(TOKEN, [Reply::Whole(200, "application/json", answer.to_owned())]);
        let error = engine.vms().all().unwrap_err();
        assert!(matches!(error, ApiError::Malformed { .. }), "{answer}: {error:?}");
    }
}

#[test]
fn signing_out_gives_the_token_back() {
    let (server, engine) = engine([Reply::xml("<vms/>")]);
    server.reply(LOGOUT, [Reply::Whole(200, "application/json", "{}".to_owned())]);
    engine.sign_out().unwrap();
    assert!(server.requests(LOGOUT).is_empty(), "nobody was signed in");
    engine.vms().all().unwrap();
    engine.sign_out().unwrap();
    let [logout] = &server.requests(LOGOUT)[..] else { panic!("not one sign-out") };
    assert_eq!(logout.body, "scope=&token=token-1");
    engine.vms().all().unwrap();
    assert_eq!(bearer(&server.requests(VMS)[1]), "Bearer token-2");
}

#[test]
fn the_last_connection_that_goes_ends_the_session() {
    let (server, engine) = engine([Reply::xml("<vms/>")]);
    server.reply(LOGOUT, [Reply::Whole(200, "application/json", "{}".to_owned())]);
    let (clone, vms) = (engine.clone(), engine.vms());
    vms.all().unwrap();
    drop(engine);
    drop(clone);
    assert!(server.requests(LOGOUT).is_empty(), "somebody still has what was made of it");
    drop(vms);
    let [logout] = &server.requests(LOGOUT)[..] else { panic!("not one sign-out") };
    assert_eq!(logout.body, "scope=&token=token-1");
}

#[test]
fn nobody_signs_out_who_has_not_signed_in_or_has_signed_out_already() {
    let (server, never) = engine([Reply::xml("<vms/>")]);
    drop(never);
    assert!(server.all_requests().is_empty());
    let (server, engine) = engine([Reply::xml("<vms/>")]);
    server.reply(LOGOUT, [Reply::Whole(200, "application/json", "{}".to_owned())]);
    engine.vms().all().unwrap();
    engine.sign_out().unwrap();
    drop(engine);
    assert_eq!(server.requests(LOGOUT).len(), 1);
}

#[test]
fn an_engine_that_is_silent_does_not_keep_anybody_who_lets_go_of_it() {
    let limits = Limits { sign_out: Duration::from_secs(5), ..Limits::default() };
    let (server, engine) = engine_with([Reply::xml("<vms/>")], limits);
    server.reply(LOGOUT, [Reply::Silence]);
    engine.vms().all().unwrap();
    drop(engine);
    assert_eq!(server.requests(LOGOUT).len(), 1);
}

#[test]
fn threads_that_begin_together_sign_in_once() {
    let (server, engine) = engine([Reply::xml("<vms/>")]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| engine.vms().all().unwrap());
        }
    });
    assert_eq!((server.requests(VMS).len(), server.requests(TOKEN).len()), (8, 1));
}
