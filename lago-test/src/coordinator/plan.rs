//! What to run, in which order, from which state, and what a failure blocks. Pure.

mod outline;

use std::collections::HashSet;

use outline::Begin;
pub(crate) use outline::Plan;

/// A suite, as far as planning goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) stages: Vec<StageShape>,
}

/// A stage, as far as planning goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StageShape {
    /// The stage on whose end state it stands: one that is declared before it, or none.
    pub(crate) base: Option<usize>,
    /// For each scenario, whether its failure blocks what follows.
    pub(crate) blocks: Vec<bool>,
}

/// A scenario's place in its suite. Ordered as declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ScenarioId {
    pub(crate) stage: usize,
    pub(crate) scenario: usize,
}

/// A state of the environment that can be saved and put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum State {
    /// Right after bring-up.
    Start,
    /// At the end of a stage.
    After(usize),
    /// Within a stage, right before a scenario.
    Before(ScenarioId),
}

/// What the command line says about a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Run it.
    Selected,
    /// Not asked for.
    Unasked,
    /// Asked to be left out, also as a prerequisite: `--skip`.
    LeftOut,
}

/// Why a scenario runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The command line selects it.
    Selected,
    /// A selected one stands on it.
    Prerequisite,
}

/// One scenario to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) id: ScenarioId,
    pub(crate) role: Role,
}

impl Shape {
    /// Every scenario, in declared order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ScenarioId> {
        (0..self.stages.len()).flat_map(|stage| self.ids_of(stage))
    }

    fn ids_of(&self, stage: usize) -> impl Iterator<Item = ScenarioId> + use<> {
        (0..self.stages[stage].blocks.len()).map(move |scenario| ScenarioId { stage, scenario })
    }

    /// The stages that `stage` stands on, the nearest first.
    fn ancestors(&self, stage: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(self.stages[stage].base, |&base| self.stages[base].base)
    }

    /// The nearest stage whose scenarios made the state that `stage` starts from: an empty stage makes none.
    fn origin(&self, stage: usize) -> Option<usize> {
        self.ancestors(stage).find(|&base| !self.stages[base].blocks.is_empty())
    }

    /// Whether a stage starts from the state at the end of this one.
    pub(crate) fn has_dependents(&self, stage: usize) -> bool {
        (0..self.stages.len()).any(|other| self.origin(other) == Some(stage))
    }

    /// Whether `later` runs on the state that `earlier` left.
    fn stands_on(&self, later: ScenarioId, earlier: ScenarioId) -> bool {
        if later.stage == earlier.stage {
            earlier.scenario < later.scenario
        } else {
            self.ancestors(later.stage).any(|stage| stage == earlier.stage)
        }
    }

    /// The first of `failures` that keeps a scenario from running.
    pub(crate) fn blocker(&self, id: ScenarioId, failures: &[ScenarioId]) -> Option<ScenarioId> {
        failures.iter().copied().find(|&failed| {
            self.stages[failed.stage].blocks[failed.scenario] && self.stands_on(id, failed)
        })
    }

    /// Every state that there can be.
    pub(crate) fn states(&self) -> Vec<State> {
        let before = self.ids().filter(|id| id.scenario > 0).map(State::Before);
        let after = (0..self.stages.len())
            .filter(|&stage| !self.stages[stage].blocks.is_empty())
            .map(State::After);
        std::iter::once(State::Start).chain(after).chain(before).collect()
    }

    /// The scenarios that make a state, in the order in which they run.
    pub(crate) fn made_of(&self, state: State) -> Vec<ScenarioId> {
        let (stage, end) = match state {
            State::Start => return Vec::new(),
            State::After(stage) => (stage, self.stages[stage].blocks.len()),
            State::Before(id) => (id.stage, id.scenario),
        };
        let mut stages: Vec<usize> = self.ancestors(stage).collect();
        stages.reverse();
        let below = stages.into_iter().flat_map(|stage| self.ids_of(stage));
        below.chain(self.ids_of(stage).take(end)).collect()
    }

    /// The stages whose scenarios make a state.
    fn stages_of(&self, state: State) -> Vec<usize> {
        let stage = match state {
            State::Start => return Vec::new(),
            State::After(stage) => stage,
            State::Before(id) => id.stage,
        };
        std::iter::once(stage).chain(self.ancestors(stage)).collect()
    }

    /// What to run, in order: the selected scenarios, and what they stand on back to the nearest saved state.
    ///
    /// A saved state is not used when one of the scenarios that made it is left out now, or when a stage that made it
    /// is selected as a whole, and so makes it anew.
    pub(crate) fn plan(
        &self,
        choice: impl Fn(ScenarioId) -> Choice,
        saved: impl Fn(State) -> bool,
    ) -> Plan {
        let is_selected = |id| choice(id) == Choice::Selected;
        let made_anew = |stage: usize| {
            !self.stages[stage].blocks.is_empty() && self.ids_of(stage).all(is_selected)
        };
        let stays = |state: &State| {
            saved(*state)
                && !self.stages_of(*state).into_iter().any(made_anew)
                && self.made_of(*state).into_iter().all(|id| choice(id) != Choice::LeftOut)
        };
        let kept: HashSet<State> = self.states().into_iter().filter(stays).collect();
        let spans = self.spans(&is_selected, &kept);
        let steps = self.steps(&choice, &spans);
        let begins = self.begins(&steps, &spans);
        let mut plan = Plan { steps, begins, kept };
        plan.give_up_what_it_passes_through();
        plan
    }

    /// For each stage, from which state it starts and how many of its scenarios must run or have run.
    fn spans(&self, is_selected: &impl Fn(ScenarioId) -> bool, kept: &HashSet<State>) -> Vec<Span> {
        let mut spans: Vec<Span> = (0..self.stages.len())
            .map(|stage| {
                let selected = self.ids_of(stage).filter(|&id| is_selected(id));
                let end = selected.map(|id| id.scenario + 1).max().unwrap_or(0);
                Span { start: self.origin(stage).map_or(State::Start, State::After), end }
            })
            .collect();
        // A base is declared before the stages that stand on it, so going backwards sees every stage complete.
        for stage in (0..self.stages.len()).rev().collect::<Vec<_>>() {
            if spans[stage].end == 0 {
                continue;
            }
            if let Some(within) = self.start_within(stage, spans[stage].end, is_selected, kept) {
                spans[stage].start = State::Before(within);
            } else if let State::After(base) = spans[stage].start
                && !kept.contains(&State::After(base))
            {
                spans[base].end = self.stages[base].blocks.len();
            }
        }
        spans
    }

    /// The last state within a stage that is saved and from which all that is selected in it can run.
    fn start_within(
        &self,
        stage: usize,
        end: usize,
        is_selected: &impl Fn(ScenarioId) -> bool,
        kept: &HashSet<State>,
    ) -> Option<ScenarioId> {
        let first_selected = self.ids_of(stage).find(|&id| is_selected(id));
        let last = first_selected.map_or(end - 1, |id| id.scenario);
        (1..=last)
            .rev()
            .map(|scenario| ScenarioId { stage, scenario })
            .find(|&id| kept.contains(&State::Before(id)))
    }

    fn steps(&self, choice: &impl Fn(ScenarioId) -> Choice, spans: &[Span]) -> Vec<Step> {
        let runs = |id: &ScenarioId| {
            let span = spans[id.stage];
            let begin = match span.start {
                State::Before(first) => first.scenario,
                State::Start | State::After(_) => 0,
            };
            (begin..span.end).contains(&id.scenario)
        };
        let step = |id| match choice(id) {
            Choice::Selected => Some(Step { id, role: Role::Selected }),
            Choice::Unasked => Some(Step { id, role: Role::Prerequisite }),
            Choice::LeftOut => None,
        };
        self.ids().filter(runs).filter_map(step).collect()
    }

    fn begins(&self, steps: &[Step], spans: &[Span]) -> Vec<Option<Begin>> {
        let mut begins: Vec<Option<Begin>> = Vec::new();
        // For each stage of which all scenarios are left out, what it would have started from.
        let mut passed_on: Vec<Option<(State, Option<usize>)>> = vec![None; spans.len()];
        for (stage, span) in spans.iter().enumerate() {
            let whole = self.stages[stage].blocks.len();
            let from = match span.start {
                State::After(base) if spans[base].end == self.stages[base].blocks.len() => {
                    passed_on[base].unwrap_or((span.start, Some(base)))
                }
                state => (state, None),
            };
            let runs = steps.iter().any(|step| step.id.stage == stage);
            if !runs {
                passed_on[stage] = Some(from);
            }
            let (state, parent) = from;
            let to_its_end = span.end == whole;
            begins.push(runs.then_some(Begin { state, parent, to_its_end }));
        }
        begins
    }
}

/// Where a stage starts, and how many of its scenarios are needed.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: State,
    end: usize,
}

#[cfg(test)]
pub(super) mod tests;
