//! What is done after a scenario has failed, while the environment is still as the scenario left it.

use super::super::plan::ScenarioId;
use super::Lane;

impl Lane {
    /// Looks at the environment of a scenario that has just failed. Its outcome is settled: nothing here changes it.
    ///
    /// Evidence comes first, as all that comes after it touches the environment more.
    pub(super) fn aftermath(&mut self, id: ScenarioId) {
        // Who has asked the run to end does not wait for this.
        if self.run.interrupts.signal().is_some() {
            return;
        }
        tracing::debug!(?id, fork = ?self.fork_name(), "a scenario has failed");
    }
}
