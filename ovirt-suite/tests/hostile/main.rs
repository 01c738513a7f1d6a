//! The client of the API, and what is done through it, against servers that do what the tests tell them: answer, lie, hang.

mod authority;
mod certificates;
mod connections;
mod fixture;
mod maintenance;
mod pages;
mod server;
mod tokens;
mod waiting;
