//! A client of the oVirt REST API, version 4, in the words of the API's own model.
//!
//! ```no_run
//! use ovirt_suite::api::{Connection, Query, types::Vm};
//!
//! # fn main() -> Result<(), ovirt_suite::api::ApiError> {
//! # let authority: Vec<u8> = Vec::new();
//! let engine = Connection::builder("https://engine.example.com/ovirt-engine/api")
//!     .user("admin@internal", "the password")
//!     .ca_pem(authority) // the engine's own authority; no other one is trusted
//!     .build()?;
//! for host in engine.hosts().list(&Query::new().search("status=up").max(10))? {
//!     println!("{}", host.name.unwrap_or_default());
//! }
//! let vm = engine.vms().add(&Vm::named("vm0"))?;
//! engine.vms().of(&vm)?.start()?;
//! engine.sign_out()
//! # }
//! ```
//!
//! A [`Collection`] is what the API calls the service of a collection (`/vms`), a [`Resource`] that of one object (`/vms/123`).
//! What both send and give are the [types] of the model, in which everything is optional: an answer has what the engine
//! says, a request what is to be set. The model is documented at <https://ovirt.github.io/ovirt-engine-api-model/4.5/>.
//!
//! # What is kept to
//!
//! - TLS is verified against the authority that the caller names, and against no other.
//! - Every request has a limit ([`Limits`]), from the name's resolution to the last byte of the answer, whatever the pace at
//!   which the other side sends. An answer has a largest size.
//! - The token that signing in gives is renewed once when the engine refuses it.
//! - Only what changes nothing is sent again when a connection breaks. After anything else that broke,
//!   [`ApiError::may_have_happened`] says whether the engine may have done it.
//! - What is no answer of the API (a proxy's page, a server that is starting) is an error that quotes it.

mod connection;
mod error;
mod limits;
mod query;
mod service;
mod services;
mod sign_in;
mod transport;
pub mod types;
mod xml;

pub use connection::{Connection, ConnectionBuilder};
pub use error::{ApiError, Waiting};
pub use limits::Limits;
pub use query::Query;
pub use service::{Collection, Resource};
