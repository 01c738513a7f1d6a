//! oVirt on lago: what its users called `ovirtlago`.
//!
//! | module | holds |
//! |---|---|
//! | [`api`] | a typed client of oVirt's REST API, version 4 |
//! | [`prefix`] | [`OvirtPrefix`]: a prefix with an engine and hosts in it; its snapshots |
//! | [`virt`] | the VMs by what they are: [`EngineVm`](virt::EngineVm), [`HostVm`](virt::HostVm), [`TestVm`](virt::TestVm) |
//! | [`metadata`] | what an init file says about them |
//! | [`maintenance`] | storage and hosts, brought to rest and back |
//! | [`repos`] | repositories of packages for the guests: synced, verified, merged, served |
//! | [`testlib`] | what scenarios need: parameters, requirements, an engine that exists already |
//! | [`constants`], [`limits`], [`paths`], [`utils`] | names, limits, places, and what several rooms need |

pub mod api;
pub mod constants;
mod error;
pub mod limits;
pub mod maintenance;
pub mod metadata;
pub mod paths;
pub mod prefix;
pub mod repos;
pub mod testlib;
pub mod utils;
pub mod virt;

pub use error::{Error, Result};
pub use prefix::OvirtPrefix;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
