//! A plan that has been made: what runs, and from where.

use std::collections::HashSet;

use super::{State, Step};

/// What a run does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// What runs, in declared order.
    pub(super) steps: Vec<Step>,
    /// For each stage, how it begins; none when nothing of it runs.
    pub(super) begins: Vec<Option<Begin>>,
    /// States of an earlier run that stay as they are.
    pub(super) kept: HashSet<State>,
}

/// How a stage of a plan begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begin {
    pub(super) state: State,
    /// The stage of this plan that leaves that state; none when it is a saved one, or that of a fresh environment.
    pub(super) parent: Option<usize>,
    /// Whether the stage runs up to its end.
    pub(super) to_its_end: bool,
}

impl Plan {
    /// What runs, in declared order.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What runs of a stage.
    pub(crate) fn steps_of(&self, stage: usize) -> impl DoubleEndedIterator<Item = Step> {
        self.steps.iter().copied().filter(move |step| step.id.stage == stage)
    }

    /// The stages of which something runs, in declared order.
    pub(crate) fn stages(&self) -> impl Iterator<Item = usize> {
        (0..self.begins.len()).filter(|&stage| self.begins[stage].is_some())
    }

    /// The state from which a stage starts.
    pub(crate) fn start(&self, stage: usize) -> Option<State> {
        Some(self.begins[stage]?.state)
    }

    /// The stage of this plan whose end a stage starts from.
    pub(crate) fn parent(&self, stage: usize) -> Option<usize> {
        self.begins[stage]?.parent
    }

    /// Whether a stage runs up to its end.
    pub(crate) fn ends(&self, stage: usize) -> bool {
        self.begins[stage].is_some_and(|begin| begin.to_its_end)
    }

    /// Whether a state of an earlier run is used or at least not made anew.
    pub(crate) fn keeps(&self, state: State) -> bool {
        self.kept.contains(&state)
    }

    /// Whether a stage runs on what another one of this plan has left, or is that stage itself.
    pub(crate) fn goes_through(&self, stage: usize, earlier: usize) -> bool {
        std::iter::successors(Some(stage), |&stage| self.parent(stage)).any(|at| at == earlier)
    }

    /// Keeps no saved state that the plan itself comes to on its way: the run would go on from one of them and come
    /// back to the other.
    pub(super) fn give_up_what_it_passes_through(&mut self) {
        let parents = self.begins.iter().flatten().filter_map(|begin| begin.parent);
        let ends = parents.map(State::After);
        let places = self.steps.iter().map(|step| step.id);
        let within = places.filter(|id| self.start(id.stage) != Some(State::Before(*id)));
        let passed: HashSet<State> = ends.chain(within.map(State::Before)).collect();
        self.kept.retain(|state| !passed.contains(state));
    }

    /// The states that must be there before anything runs.
    pub(crate) fn needs(&self) -> HashSet<State> {
        let roots = self.begins.iter().flatten().filter(|begin| begin.parent.is_none());
        roots.map(|begin| begin.state).collect()
    }

    /// Whether a stage starts from a state after something else has run on it, or beside something else that does.
    pub(crate) fn comes_back_to(&self, state: State) -> bool {
        let is_later = |stage: &usize| match state {
            State::Start => true,
            State::After(made_by) => *stage > made_by,
            State::Before(id) => *stage >= id.stage,
        };
        let next = self.stages().find(is_later);
        self.stages()
            .filter(|&stage| self.start(stage) == Some(state))
            .any(|user| Some(user) != next)
    }
}
