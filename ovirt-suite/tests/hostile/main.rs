//! The client of the API against servers that misbehave, each in its own way.

mod authority;
mod certificates;
mod connections;
mod fixture;
mod pages;
mod server;
mod tokens;
