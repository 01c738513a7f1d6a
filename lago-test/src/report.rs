//! Reports: functions of the events of a run.

pub(crate) mod console;
pub(crate) mod junit;
mod text;
