//! How far the consoles of an environment's VMs have got, so that a report can show what they said while a scenario ran:
//! their logs have no times.

use std::fs;
use std::path::PathBuf;

use crate::environment::Environment;

/// The consoles of an environment at one instant.
#[derive(Debug, Default)]
pub(super) struct Consoles {
    logs: Vec<Log>,
}

#[derive(Debug)]
struct Log {
    vm: String,
    path: PathBuf,
    length: u64,
}

/// What a console has said since.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) vm: String,
    /// The log, from the environment's directory.
    pub(super) log: PathBuf,
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Consoles {
    /// As they are now.
    pub(super) fn now(environment: &Environment) -> Self {
        Self::of(environment.consoles())
    }

    fn of(logs: impl IntoIterator<Item = (String, PathBuf)>) -> Self {
        let logs = logs.into_iter().map(|(vm, path)| Log { vm, length: length(&path), path });
        Self { logs: logs.collect() }
    }

    /// What they have said since, as far as they have said anything. `directory` is the environment's.
    pub(super) fn said_since(self, directory: &std::path::Path) -> Vec<Said> {
        let said = self.logs.into_iter().filter_map(|log| {
            let to = length(&log.path);
            // One that is shorter was begun anew.
            let from = if to < log.length { 0 } else { log.length };
            let path = log.path.strip_prefix(directory).unwrap_or(&log.path).to_owned();
            (from < to).then_some(Said { vm: log.vm, log: path, from, to })
        });
        said.collect()
    }
}

/// Nothing for a log that is not there yet.
fn length(log: &std::path::Path) -> u64 {
    fs::metadata(log).map_or(0, |file| file.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_said_since_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = |vm: &str| directory.path().join(format!("{vm}.log"));
        let logs = ["quiet", "loud", "new", "anew"].map(|vm| (vm.to_owned(), path(vm)));
        for vm in ["quiet", "loud", "anew"] {
            fs::write(path(vm), "before").unwrap();
        }
        let before = Consoles::of(logs);
        fs::write(path("loud"), "before and after").unwrap();
        fs::write(path("new"), "1").unwrap();
        fs::write(path("anew"), "2").unwrap();

        let said: Vec<_> = before
            .said_since(directory.path())
            .into_iter()
            .map(|said| (said.log.display().to_string(), said.from, said.to))
            .collect();
        let expected = [("loud.log", 6, 16), ("new.log", 0, 1), ("anew.log", 0, 1)]
            .map(|(log, from, to)| (log.to_owned(), from, to));
        assert_eq!(said, expected);
    }
}
