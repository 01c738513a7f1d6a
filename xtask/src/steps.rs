//! A row of steps, each run whatever became of the one before, with a table of all at the end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::command::seconds;

/// What has been run so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: &'static str,
    duration: Duration,
    error: Option<String>,
}

impl Steps {
    /// Runs one step, and says at once when it fails.
    pub(crate) fn run(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) {
        println!("\n== {name}");
        let started = Instant::now();
        let error = work().err().map(|error| format!("{error:#}"));
        if let Some(error) = &error {
            eprintln!("{name} failed: {error}");
        }
        self.done.push(Step { name, duration: started.elapsed(), error });
    }

    /// Prints the table, and fails when any step did.
    pub(crate) fn finish(self) -> Result<()> {
        println!("\n{}", self.table());
        let failed = self.failed();
        if failed.is_empty() {
            return Ok(());
        }
        bail!("{} of {} steps failed: {}", failed.len(), self.done.len(), failed.join(", "));
    }

    fn failed(&self) -> Vec<&'static str> {
        self.done.iter().filter(|step| step.error.is_some()).map(|step| step.name).collect()
    }

    fn table(&self) -> String {
        let width = self.done.iter().map(|step| step.name.len()).max().unwrap_or_default();
        let row = |step: &Step| {
            let outcome = step.error.as_deref().map_or("ok".into(), |e| format!("FAILED  {e}"));
            format!("{:width$}  {:>12}  {outcome}", step.name, seconds(step.duration))
        };
        self.done.iter().map(row).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_neither_stops_the_others_nor_is_lost() {
        let mut steps = Steps::default();
        let mut ran = false;
        steps.run("first", || bail!("broken"));
        steps.run("second", || {
            ran = true;
            Ok(())
        });
        assert!(ran);
        assert!(steps.table().contains("FAILED  broken"), "{}", steps.table());
        assert_eq!(steps.finish().unwrap_err().to_string(), "1 of 2 steps failed: first");
    }

    #[test]
    fn all_well_is_no_error() {
        let mut steps = Steps::default();
        steps.run("only", || Ok(()));
        steps.finish().unwrap();
    }
}
