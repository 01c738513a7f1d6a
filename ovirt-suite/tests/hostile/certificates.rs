//! Servers that cannot prove that they are the engine.

use ovirt_suite::api::{ApiError, Connection};

use crate::authority::Authority;
use crate::fixture::{NAME, VMS, builder};
use crate::server::{Reply, Server, TOKEN};

fn list(connection: &Connection) -> Result<usize, ApiError> {
    connection.vms().all().map(|vms| vms.len())
}

#[test]
fn an_engine_by_the_authority_that_was_given_is_believed() {
    let authority = Authority::new();
    let server = Server::start(authority.certify(&format!("DNS:{NAME}")));
    server.reply(VMS, [Reply::xml("<vms><vm/></vms>")]);
    assert_eq!(list(&builder(&authority, &server).build().unwrap()).unwrap(), 1);
}

#[test]
fn one_by_another_authority_is_not_and_gets_no_password() {
    let (known, unknown) = (Authority::new(), Authority::new());
    let server = Server::start(unknown.certify(&format!("DNS:{NAME}")));
    let error = list(&builder(&known, &server).build().unwrap()).unwrap_err();
    assert!(matches!(error, ApiError::Untrusted { .. }), "{error:?}");
    assert!(server.requests(TOKEN).is_empty());
    assert!(!error.may_have_happened() && !error.is_worth_waiting_for());
}

#[test]
fn one_with_a_certificate_for_another_name_is_not_either() {
    let authority = Authority::new();
    let server = Server::start(authority.certify("DNS:another.test"));
    let error = list(&builder(&authority, &server).build().unwrap()).unwrap_err();
    assert!(matches!(error, ApiError::Untrusted { .. }), "{error:?}");
    assert!(server.requests(TOKEN).is_empty());
}

#[test]
fn what_cannot_be_verified_is_no_connection() {
    let authority = Authority::new();
    let complete = |url: &str| {
        Connection::builder(url).user("admin@internal", "x").ca_pem(authority.pem()).build()
    };
    complete("https://engine/ovirt-engine/api").unwrap();
    for url in ["http://engine/ovirt-engine/api", "engine", "unix:/run/engine", ""] {
        let error = complete(url).unwrap_err();
        assert!(matches!(error, ApiError::Setup { .. }), "{url}: {error:?}");
    }
    for pem in ["", "no certificate"] {
        let without =
            Connection::builder("https://engine/").user("admin@internal", "x").ca_pem(pem);
        assert!(matches!(without.build().unwrap_err(), ApiError::Setup { .. }), "{pem:?}");
    }
}

#[test]
fn a_connection_to_elsewhere_needs_a_name_to_verify() {
    let authority = Authority::new();
    for url in ["https://127.0.0.1/ovirt-engine/api", "https://engine:8443/ovirt-engine/api"] {
        let builder = Connection::builder(url)
            .user("admin@internal", "x")
            .ca_pem(authority.pem())
            .at(([127, 0, 0, 1], 1).into());
        assert!(matches!(builder.build().unwrap_err(), ApiError::Setup { .. }), "{url}");
    }
}
