//! A server that is the engine, and a client that knows it.

use std::time::Duration;

use ovirt_suite::api::{Connection, ConnectionBuilder, Limits};

use crate::authority::Authority;
use crate::server::{Reply, Server};

/// The name in the address and in the certificate.
pub(crate) const NAME: &str = "engine.test";

pub(crate) const VMS: &str = "/ovirt-engine/api/vms";

/// As long as it takes to be sure that nothing comes any more, and no longer.
pub(crate) const BRIEF: Duration = Duration::from_secs(2);

/// A builder for the engine at this server, in the eyes of whoever trusts this authority.
pub(crate) fn builder(authority: &Authority, server: &Server) -> ConnectionBuilder {
    Connection::builder(format!("https://{NAME}/ovirt-engine/api"))
        .at(server.address())
        .user("admin@internal", "p&ss=wörd")
        .ca_pem(authority.pem())
}

/// A server whose `/vms` answers so, and a connection to it.
pub(crate) fn engine(replies: impl IntoIterator<Item = Reply>) -> (Server, Connection) {
    engine_with(replies, Limits::default())
}

pub(crate) fn engine_with(
    replies: impl IntoIterator<Item = Reply>,
    limits: Limits,
) -> (Server, Connection) {
    let authority = Authority::new();
    let server = Server::start(authority.certify(&format!("DNS:{NAME}")));
    server.reply(VMS, replies);
    let connection = builder(&authority, &server).limits(limits).build().unwrap();
    (server, connection)
}
