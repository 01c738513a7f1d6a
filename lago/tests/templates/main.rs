//! Templates from real servers, which fail in every way that servers fail in.

mod add;
mod command;
mod fixture;
mod http;
mod oci;
mod parallel;
mod registry;
mod repos;
mod resume;
mod server;
mod tls;
