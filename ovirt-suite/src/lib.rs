//! oVirt on lago: what its users called `ovirtlago`.
//!
//! [`api`] is a typed client of oVirt's REST API, version 4.

pub mod api;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
