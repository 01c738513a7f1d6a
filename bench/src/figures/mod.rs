//! The figures by their names.

mod cached_start;
mod capsule;
mod exec;
mod harness;
mod init;
mod rss;
mod shell;
mod snapshot;
mod ssh_client;
mod start;

use anyhow::Result;

pub(crate) use snapshot::Shared;

use crate::figure::Figure;
use crate::lab::Lab;

/// How a figure is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measurement {
    /// The figure's name.
    pub(crate) name: &'static str,
    /// Measures it; the number says how often VMs are started for it.
    pub(crate) measure: fn(&Lab, u32) -> Result<Figure>,
}

/// All figures, in the order in which they are measured.
pub(crate) const ALL: [Measurement; 22] = [
    Measurement { name: "init", measure: init::init },
    Measurement { name: "start", measure: start::start_mini },
    Measurement { name: "start_debian", measure: start::start_debian },
    Measurement { name: "start_four", measure: start::start_four },
    Measurement { name: "snapshot", measure: snapshot::total },
    Measurement { name: "snapshot_pause", measure: snapshot::pause },
    Measurement { name: "revert_agent", measure: snapshot::revert_agent },
    Measurement { name: "revert_ssh", measure: snapshot::revert_ssh },
    Measurement { name: "fork_first", measure: snapshot::fork_first },
    Measurement { name: "fork_fourth", measure: snapshot::fork_fourth },
    Measurement { name: "cached_start", measure: cached_start::cached_start },
    Measurement { name: "memory_file", measure: snapshot::memory_file },
    Measurement { name: "capsule", measure: capsule::save },
    Measurement { name: "capsule_size", measure: capsule::size },
    Measurement { name: "capsule_open", measure: capsule::open },
    Measurement { name: "exec", measure: exec::exec },
    Measurement { name: "shell", measure: shell::shell },
    Measurement { name: "rss", measure: rss::rss },
    Measurement { name: "scenario_overhead", measure: harness::scenario_overhead },
    Measurement { name: "attach", measure: harness::attach },
    Measurement { name: "coordinator_rss", measure: harness::coordinator_rss },
    Measurement { name: "large_output", measure: harness::large_output },
];

/// The measurement of this name; the error lists those that there are.
pub(crate) fn by_name(name: &str) -> Result<Measurement, String> {
    ALL.into_iter().find(|measurement| measurement.name == name).ok_or_else(|| {
        let names: Vec<_> = ALL.iter().map(|measurement| measurement.name).collect();
        format!("there is no such figure; there are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::{ALL, by_name};

    #[test]
    fn every_figure_is_found_by_its_name() {
        for measurement in ALL {
            assert_eq!(by_name(measurement.name).unwrap().name, measurement.name);
        }
    }

    #[test]
    fn an_unknown_name_lists_those_that_there_are() {
        let error = by_name("strat").unwrap_err();
        assert!(error.contains("init, start, start_debian"), "{error}");
    }
}
