//! The states of an environment that have been saved: which there are, what made them, and since when.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use lago::cache::Key;
use lago::utils::{read_json, write_json};
use serde::{Deserialize, Serialize};

use super::plan::{ScenarioId, Shape, State};
use super::selection::full_name;
use crate::result::Failure;
use crate::suite::Suite;

/// The name of the state right after bring-up.
///
/// An environment that comes from the cache, or goes into it, has its snapshot already.
pub(super) const START: &str = lago::cache::STARTED;

/// The longest name that a snapshot can have.
const LONGEST_NAME: usize = 100;

/// How much of a longer name is kept.
const LONGEST_START: usize = 80;

/// What is known about a saved state beside its snapshot. A snapshot alone does not tell whether the suite is still the
/// one that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedState {
    /// All scenarios that ran on the way to it, as `stage::scenario`.
    made_of: Vec<String>,
    saved_at: DateTime<Utc>,
}

/// The saved states of one environment, by name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Table {
    /// What the environment was made from.
    #[serde(default)]
    key: Option<Key>,
    states: HashMap<String, SavedState>,
}

/// The saved states of one environment that the suite, as it is now, can use.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    states: HashMap<State, SavedState>,
    /// Those that are there, by name, and of no use to this run.
    others: HashMap<String, SavedState>,
    names: HashMap<State, String>,
    /// Where they are written down for later runs, if they are.
    path: Option<PathBuf>,
    /// What the environment was made from.
    key: Option<Key>,
}

impl Saved {
    /// None, and none will be written down.
    pub(super) fn nothing(suite: &Suite, shape: &Shape) -> Self {
        let names = shape.states().into_iter().map(|state| (state, name(suite, state))).collect();
        Self { states: HashMap::new(), others: HashMap::new(), names, path: None, key: None }
    }

    /// None yet; those that come are written down in the prefix, whose environment was made from what has this key.
    pub(super) fn in_prefix(self, prefix: &Path, key: Option<&Key>) -> Self {
        Self { path: Some(table_path(prefix)), key: key.cloned(), ..self }
    }

    /// What the environment was made from.
    pub(super) fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// Those that an earlier run has saved in the prefix, that still have a snapshot, and that were made by the same
    /// scenarios as they would be now.
    pub(super) fn of_earlier_run(
        suite: &Suite,
        shape: &Shape,
        prefix: &Path,
        snapshots: &[String],
    ) -> Self {
        // A table that is not there or cannot be read has no states to offer.
        let table: Table = read_json(&table_path(prefix)).unwrap_or_default();
        let mut saved = Self::nothing(suite, shape).in_prefix(prefix, table.key.as_ref());
        let there = table.states.into_iter().filter(|(name, _)| snapshots.contains(name));
        for (name, found) in there {
            let same = |state: &State| found.made_of == full_names(suite, &shape.made_of(*state));
            match saved.by_name(&name).filter(same) {
                Some(state) => saved.states.insert(state, found),
                None => saved.others.insert(name, found),
            };
        }
        saved
    }

    /// Offers only those for which a condition holds; what is written down about the others stays.
    pub(super) fn retain(&mut self, keep: impl Fn(State) -> bool) {
        let (kept, others) = self.states.drain().partition(|&(state, _)| keep(state));
        self.states = kept;
        let others: HashMap<State, SavedState> = others;
        self.others.extend(others.into_iter().map(|(state, saved)| {
            let name = self.names.get(&state).cloned().unwrap_or_default();
            (name, saved)
        }));
    }

    /// Takes note that the snapshots of these names are going to be removed. What is written down must not describe
    /// another snapshot that gets one of the names.
    pub(super) fn remove(&mut self, names: &[String]) -> Result<(), Failure> {
        let before = self.others.len();
        self.others.retain(|name, _| !names.contains(name));
        if self.others.len() == before { Ok(()) } else { self.write_down() }
    }

    /// Whether a state can be put back.
    pub(super) fn has(&self, state: State) -> bool {
        self.states.contains_key(&state)
    }

    /// The name of a state, which is also that of its snapshot.
    pub(super) fn name(&self, state: State) -> &str {
        self.names.get(&state).map_or(START, String::as_str)
    }

    /// The names of those that are there, in the order of the suite.
    pub(super) fn there(&self) -> Vec<&str> {
        let mut states: Vec<_> = self.states.keys().copied().collect();
        states.sort_unstable();
        states.into_iter().map(|state| self.name(state)).collect()
    }

    /// As [`Self::there`], for whoever outlives this.
    pub(super) fn names_there(&self) -> Vec<String> {
        self.there().into_iter().map(ToOwned::to_owned).collect()
    }

    /// The state that has this name, if it is one of the suite's.
    pub(super) fn by_name(&self, name: &str) -> Option<State> {
        self.names.iter().find(|(_, known)| *known == name).map(|(&state, _)| state)
    }

    /// How old a state is.
    pub(super) fn age(&self, state: State) -> Option<Duration> {
        Some((Utc::now() - self.states.get(&state)?.saved_at).to_std().unwrap_or_default())
    }

    /// Takes note of a state that has been saved just now.
    pub(super) fn add(&mut self, state: State, made_of: Vec<String>) -> Result<(), Failure> {
        self.states.insert(state, SavedState { made_of, saved_at: Utc::now() });
        self.write_down()
    }

    /// Takes note that the snapshot of a state is going to be removed.
    pub(super) fn take_back(&mut self, state: State) -> Result<(), Failure> {
        self.states.remove(&state);
        self.write_down()
    }

    /// All scenarios that ran on the way to a state.
    pub(super) fn made_of(&self, state: State) -> Vec<String> {
        self.states.get(&state).map(|saved| saved.made_of.clone()).unwrap_or_default()
    }

    fn write_down(&self) -> Result<(), Failure> {
        let Some(path) = &self.path else { return Ok(()) };
        let states = self.states.iter();
        let states = states.map(|(&state, saved)| (self.name(state).to_owned(), saved.clone()));
        let states = self.others.clone().into_iter().chain(states).collect();
        Ok(write_json(path, &Table { key: self.key.clone(), states })?)
    }

    /// A table of its own for a fork, which begins with one of these states.
    pub(super) fn for_fork(&self, base: State) -> Self {
        let mut fork = Self { path: None, ..self.clone() };
        fork.retain(|state| state == base);
        fork
    }
}

/// Removes what is written down about a prefix's states.
pub(super) fn forget(prefix: &Path) {
    // A table without snapshots offers nothing, so one that stays does no harm.
    let _ = std::fs::remove_file(table_path(prefix));
}

fn table_path(prefix: &Path) -> PathBuf {
    prefix.join("states.json")
}

/// A state's name.
fn name(suite: &Suite, state: State) -> String {
    let stage = |stage: usize| suite.stages()[stage].name();
    match state {
        State::Start => START.to_owned(),
        State::After(made_by) => snapshot_name(stage(made_by)),
        State::Before(id) => {
            let scenario = suite.stages()[id.stage].list()[id.scenario].name();
            snapshot_name(&format!("before.{}.{scenario}", stage(id.stage)))
        }
    }
}

/// A text as the name of a snapshot, which cannot be as long, nor have all the letters that the name of a stage or a
/// scenario can have.
fn snapshot_name(text: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.len() <= LONGEST_NAME && !text.starts_with('-') && text.chars().all(is_allowed) {
        return text.to_owned();
    }
    let start = text.chars().map(|c| if is_allowed(c) { c } else { '_' }).take(LONGEST_START);
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("_{}.{:016x}", start.collect::<String>(), hasher.finish())
}

/// Scenarios as `stage::scenario`.
pub(super) fn full_names(suite: &Suite, ids: &[ScenarioId]) -> Vec<String> {
    ids.iter().map(|&id| full_name(suite, id)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::selection::shape;
    use super::*;
    use crate::{Stage, scenarios};

    fn install() {}
    fn configure() {}
    fn fetch() {}

    fn suite() -> Suite {
        Suite::new("web")
            .stage(Stage::new("deploy").scenarios(scenarios![install, configure]))
            .stage(Stage::new("serve").scenarios(scenarios![fetch]))
    }

    fn of_earlier_run(suite: &Suite, prefix: &Path, snapshots: &[&str]) -> Saved {
        let snapshots: Vec<_> = snapshots.iter().map(|&name| name.to_owned()).collect();
        Saved::of_earlier_run(suite, &shape(suite), prefix, &snapshots)
    }

    #[test]
    fn a_later_run_finds_the_states_that_its_own_suite_made() {
        let prefix = tempfile::tempdir().unwrap();
        let suite = suite();
        let shape = shape(&suite);
        let mut saved = Saved::nothing(&suite, &shape).in_prefix(prefix.path(), None);
        let deploy = State::After(0);
        let within = State::Before(ScenarioId { stage: 0, scenario: 1 });
        for state in [State::Start, deploy, within] {
            saved.add(state, full_names(&suite, &shape.made_of(state))).unwrap();
        }

        let snapshots = ["start", "deploy", "before.deploy.configure", "mine"];
        let found = of_earlier_run(&suite, prefix.path(), &snapshots);
        assert_eq!(found.there(), ["start", "deploy", "before.deploy.configure"]);
        assert!(found.age(deploy).unwrap() < Duration::from_secs(60));

        let gone = of_earlier_run(&suite, prefix.path(), &["start"]);
        assert_eq!(gone.there(), ["start"]);

        let other = Suite::new("web")
            .stage(Stage::new("deploy").scenarios(scenarios![install, fetch, configure]));
        let changed = of_earlier_run(&other, prefix.path(), &snapshots);
        assert_eq!(changed.there(), ["start"], "another scenario is on the way to the rest");
        forget(prefix.path());
        assert!(of_earlier_run(&suite, prefix.path(), &snapshots).there().is_empty());
    }

    #[test]
    fn a_state_that_is_of_no_use_now_is_not_forgotten() {
        let prefix = tempfile::tempdir().unwrap();
        let suite = suite();
        let shape = shape(&suite);
        let mut saved = Saved::nothing(&suite, &shape).in_prefix(prefix.path(), None);
        let full = |state| full_names(&suite, &shape.made_of(state));
        saved.add(State::After(0), full(State::After(0))).unwrap();

        saved.retain(|_| false);
        assert!(!saved.has(State::After(0)));
        saved.add(State::Start, Vec::new()).unwrap();
        let found = of_earlier_run(&suite, prefix.path(), &["start", "deploy"]);
        assert_eq!(found.there(), ["start", "deploy"]);

        saved.remove(&["deploy".to_owned()]).unwrap();
        let found = of_earlier_run(&suite, prefix.path(), &["start", "deploy"]);
        assert_eq!(found.there(), ["start"]);
    }

    #[test]
    fn any_name_makes_a_name_of_a_snapshot() {
        assert_eq!(snapshot_name("before.serve.fetch_page"), "before.serve.fetch_page");
        let long = "x".repeat(200);
        let odd = ["größe", "-x", &long];
        for text in odd {
            let name = snapshot_name(text);
            assert!(name.len() <= LONGEST_NAME && name.is_ascii(), "{name}");
            assert!(name.starts_with('_'), "{name}");
        }
        assert_ne!(snapshot_name("größe"), snapshot_name("grüße"));
    }
}
