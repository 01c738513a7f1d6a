//! Repositories of packages, with the real tools on both sides of a web server.

mod apt;
mod packages;
mod site;
mod yum;
