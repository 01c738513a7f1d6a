//! Answers that are none of the API, and those that say no.

use ovirt_suite::api::types::Vm;
use ovirt_suite::api::{ApiError, Query};

use crate::fixture::{VMS, engine};
use crate::server::{Reply, TOKEN};

#[test]
fn a_fault_is_an_error_in_the_engines_words() {
    let fault = "<fault><detail>[Cannot add VM. The VM name is already in use.]</detail><reason>Operation Failed</reason></fault>";
    let (_server, engine) = engine([Reply::Whole(409, "application/xml", fault.to_owned())]);
    let error = engine.vms().add(&Vm::named("vm0")).unwrap_err();
    assert!(error.is_conflict() && !error.may_have_happened(), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("POST https://engine.test/ovirt-engine/api/vms: "), "{text}");
    assert!(
        text.ends_with("Operation Failed: [Cannot add VM. The VM name is already in use.]"),
        "{text}"
    );
}

#[test]
fn a_page_is_told_from_an_answer() {
    let page = "<html><head><title>Proxy login</title></head><body><vms/></body></html>";
    for status in [200, 503] {
        let (_server, engine) = engine([Reply::Whole(status, "text/html", page.to_owned())]);
        let error = engine.vms().all().unwrap_err();
        let ApiError::NotTheApi { excerpt, status: found, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!((excerpt.as_str(), found.as_u16()), ("Proxy login", status));
    }
}

#[test]
fn a_page_in_place_of_a_token_is_told_as_well() {
    let (server, engine) = engine([Reply::xml("<vms/>")]);
    server.reply(TOKEN, [Reply::Whole(200, "text/html", "<title>Welcome</title>".to_owned())]);
    let error = engine.vms().all().unwrap_err();
    assert!(matches!(error, ApiError::NotTheApi { .. }), "{error:?}");
}

#[test]
fn nobody_is_sent_elsewhere() {
    let (server, engine) = engine([Reply::Elsewhere("https://engine.test/elsewhere".to_owned())]);
    let error = engine.vms().all().unwrap_err();
    let ApiError::NotTheApi { status, .. } = &error else { panic!("{error:?}") };
    assert_eq!(status.as_u16(), 302);
    assert!(server.requests("/elsewhere").is_empty());
}

#[test]
fn a_broken_document_is_an_error() {
    for body in ["<vms><vm></vms>", "<vms", "nothing"] {
        let (_server, engine) = engine([Reply::xml(body)]);
        let error = engine.vms().all().unwrap_err();
        assert!(matches!(error, ApiError::Malformed { .. }), "{body}: {error:?}");
    }
}

#[test]
fn names_that_the_search_would_take_for_more_are_looked_for_here() {
    let list = "<vms><vm id='1'><name>a b</name></vm><vm id='2'><name>a</name></vm></vms>";
    let (server, engine) = engine([Reply::xml(list)]);
    let id = |name: &str| engine.vms().named(name).unwrap().id.unwrap();
    assert_eq!((id("a").as_str(), id("a b").as_str()), ("2", "1"));
    let lines: Vec<String> = server.requests(VMS).into_iter().map(|request| request.line).collect();
    let expected = ["/ovirt-engine/api/vms?search=name%3Da", "/ovirt-engine/api/vms"];
    assert_eq!(lines, expected.map(|target| format!("GET {target} HTTP/1.1")));
    assert!(engine.vms().named("b").unwrap_err().is_not_found());
}

#[test]
fn identifiers_and_parameters_cannot_lead_elsewhere() {
    let (server, engine) = engine([Reply::xml("<vms/>")]);
    let query = Query::new().search("name=a&b max=1").max(3).follow("nics");
    engine.vms().list(&query).unwrap();
    let target = "/ovirt-engine/api/vms?search=name%3Da%26b+max%3D1&max=3&follow=nics";
    assert_eq!(server.requests(VMS)[0].line, format!("GET {target} HTTP/1.1"));
    let error = engine.vms().id(&"../hosts?x/y".into()).get().unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    assert_eq!(server.requests("/ovirt-engine/api/vms/..%2Fhosts%3Fx%2Fy").len(), 1);
}
