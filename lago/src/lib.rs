#![doc = include_str!("../README.md")]
//! The fields of the init file are described in [`spec`], the settings in [`config`].

mod artifacts;
mod error;

pub mod brctl;
pub mod cache;
pub mod capsule;
pub mod cli;
pub mod collect;
pub mod config;
pub mod constants;
pub mod deploy;
pub mod dirlock;
pub mod export;
pub mod guest;
pub mod host;
pub mod inventory;
pub mod paths;
pub mod prefix;
pub mod snapshot;
pub mod spec;
pub mod subnet_lease;
pub mod sysprep;
pub mod templates;
pub mod utils;
pub mod virt;
pub mod workdir;

pub use error::{Error, Result};
pub use guest::{Cmd, Output};
pub use prefix::{HostKind, InitOptions, Prefix};
pub use spec::InitFile;
pub use virt::Vm;
