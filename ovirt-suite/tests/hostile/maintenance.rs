//! The order in which storage and hosts come to rest and back.

use ovirt_suite::Error;
use ovirt_suite::api::Connection;
use ovirt_suite::maintenance::{self, AtRest};
use ovirt_suite::utils::Interrupt;

use crate::fixture::engine;
use crate::server::{Reply, Server};

const API: &str = "/ovirt-engine/api";

/// An engine with a data center, two storage domains and a host, which are first in one state and then in another.
fn environment(server: &Server, domain: [&str; 2], host: [&str; 2]) {
    let reply = |path: &str, replies: Vec<String>| {
        server.reply(&format!("{API}{path}"), replies.iter().map(|body| Reply::xml(body)));
    };
    let done = || vec!["<action><status>complete</status></action>".to_owned()];
    let one = |id: &str, master: bool, status: &str| {
        format!(
            "<storage_domain id='{id}'><name>{id}</name><type>data</type><master>{master}</master>\
             <status>{status}</status></storage_domain>"
        )
    };
    let host_is =
        |status: &str| format!("<host id='h'><name>h</name><status>{status}</status></host>");
    let attached = "/datacenters/d/storagedomains";
    reply("/datacenters", vec!["<data_centers><data_center id='d'/></data_centers>".to_owned()]);
    let domains = one("master", true, domain[0]) + &one("other", false, domain[0]);
    reply(attached, vec![format!("<storage_domains>{domains}</storage_domains>")]);
    for (id, master) in [("master", true), ("other", false)] {
        let states = domain.map(|status| one(id, master, status)).to_vec();
        reply(&format!("{attached}/{id}"), states);
        reply(&format!("{attached}/{id}/activate"), done());
        reply(&format!("{attached}/{id}/deactivate"), done());
    }
    reply("/hosts", vec![format!("<hosts>{}</hosts>", host_is(host[0]))]);
    reply("/hosts/h", host.map(host_is).to_vec());
    reply("/hosts/h/activate", done());
    reply("/hosts/h/deactivate", done());
}

/// The actions that were asked for, in their order.
fn actions(server: &Server) -> Vec<String> {
    let lines = server.all_requests().into_iter().map(|request| request.line);
    let posts = lines.filter_map(|line| {
        let target = line.strip_prefix("POST ")?.split(' ').next()?.to_owned();
        let parts: Vec<&str> = target.rsplit('/').take(2).collect();
        target.starts_with(API).then(|| format!("{} {}", parts[0], parts[1]))
    });
    posts.collect()
}

fn deactivate(engine: &Connection) -> Result<(), Box<Error>> {
    maintenance::deactivate(engine, &Interrupt::new()).map_err(Box::new)
}

fn activate(engine: &Connection, at_rest: &AtRest) -> Result<(), Box<Error>> {
    maintenance::activate(engine, Some(at_rest), &Interrupt::new()).map_err(Box::new)
}

/// What was up when all of it was.
fn everything(server: &Server, engine: &Connection) -> AtRest {
    environment(server, ["active"; 2], ["up"; 2]);
    AtRest::what_is_up(engine).unwrap()
}

#[test]
fn the_master_is_deactivated_after_other_storage_and_before_hosts() {
    let (server, engine) = engine([Reply::Close]);
    environment(&server, ["active", "maintenance"], ["up", "maintenance"]);
    deactivate(&engine).unwrap();
    assert_eq!(actions(&server), ["deactivate other", "deactivate master", "deactivate h"]);
}

#[test]
fn hosts_are_activated_before_the_master_and_that_before_other_storage() {
    let (server, engine) = engine([Reply::Close]);
    let at_rest = everything(&server, &engine);
    environment(&server, ["maintenance", "active"], ["maintenance", "up"]);
    activate(&engine, &at_rest).unwrap();
    assert_eq!(actions(&server), ["activate h", "activate master", "activate other"]);
}

#[test]
fn what_is_in_its_state_already_is_left_alone() {
    let (server, engine) = engine([Reply::Close]);
    let at_rest = everything(&server, &engine);
    activate(&engine, &at_rest).unwrap();
    environment(&server, ["maintenance"; 2], ["maintenance"; 2]);
    deactivate(&engine).unwrap();
    assert_eq!(actions(&server), Vec::<String>::new());
}

#[test]
fn what_was_at_rest_before_stays_so() {
    let (server, engine) = engine([Reply::Close]);
    environment(&server, ["maintenance"; 2], ["maintenance"; 2]);
    let at_rest = AtRest::what_is_up(&engine).unwrap();
    assert_eq!(at_rest, AtRest::default());
    for known in [Some(&at_rest), None] {
        maintenance::activate(&engine, known, &Interrupt::new()).unwrap();
    }
    assert_eq!(actions(&server), Vec::<String>::new());
}

#[test]
fn what_was_on_its_way_up_before_comes_up_again() {
    let (server, engine) = engine([Reply::Close]);
    environment(&server, ["inactive"; 2], ["connecting"; 2]);
    let at_rest = AtRest::what_is_up(&engine).unwrap();
    environment(&server, ["maintenance", "active"], ["maintenance", "up"]);
    activate(&engine, &at_rest).unwrap();
    assert_eq!(actions(&server), ["activate h", "activate master", "activate other"]);
}

#[test]
fn storage_that_is_on_its_way_to_maintenance_is_not_sent_again() {
    let (server, engine) = engine([Reply::Close]);
    environment(&server, ["preparing_for_maintenance", "maintenance"], ["maintenance"; 2]);
    deactivate(&engine).unwrap();
    assert_eq!(actions(&server), Vec::<String>::new());
}

#[test]
fn a_host_that_could_not_be_installed_is_not_waited_for() {
    let (server, engine) = engine([Reply::Close]);
    let at_rest = everything(&server, &engine);
    environment(&server, ["maintenance", "active"], ["install_failed"; 2]);
    let error = activate(&engine, &at_rest).unwrap_err().to_string();
    assert!(error.contains("host h is install_failed, and so does not become up"), "{error}");
    // It was not up before, so nobody wants it up.
    maintenance::activate(&engine, None, &Interrupt::new()).unwrap();
}

#[test]
fn nor_is_it_when_the_engine_does_not_put_it_into_maintenance() {
    let (server, engine) = engine([Reply::Close]);
    environment(&server, ["maintenance"; 2], ["install_failed"; 2]);
    let fault =
        "<fault><reason>Operation Failed</reason><detail>[Cannot switch Host]</detail></fault>";
    let refused = Reply::Whole(409, "application/xml", fault.to_owned());
    server.reply(&format!("{API}/hosts/h/deactivate"), [refused]);
    let error = deactivate(&engine).unwrap_err();
    let Error::DeadEnd { what, state, wanted } = &*error else { panic!("{error}") };
    assert_eq!((what.as_str(), *wanted), ("host h", "in maintenance"));
    assert!(state.contains("install_failed") && state.contains("Cannot switch Host"), "{state}");
}

#[test]
fn a_wait_is_interrupted() {
    let (server, engine) = engine([Reply::Close]);
    environment(&server, ["active"; 2], ["up"; 2]);
    let interrupt = Interrupt::new();
    interrupt.give();
    let error = maintenance::deactivate(&engine, &interrupt).unwrap_err();
    assert!(matches!(error, Error::Several(_) | Error::Interrupted), "{error}");
    assert!(error.to_string().contains("interrupted"), "{error}");
    assert_eq!(actions(&server), Vec::<String>::new());
}
