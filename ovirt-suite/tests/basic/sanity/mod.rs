//! VMs: made, run, moved, and changed while they run.

pub(crate) mod hotplug;
pub(crate) mod life;
pub(crate) mod snapshots;
pub(crate) mod vms;

use ovirt_suite::api::types::Vm;
use ovirt_suite::api::{ApiError, Connection, Resource};

/// A VM by its name.
fn vm(engine: &Connection, name: &str) -> Result<Resource<Vm>, ApiError> {
    engine.vms().of(&engine.vms().named(name)?)
}
