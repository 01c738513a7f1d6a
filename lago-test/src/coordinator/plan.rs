//! What to run, in which order, from which state, and what a failure blocks. Pure.

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
    /// The stage whose end state must be put back before it.
    pub(crate) restore: Option<usize>,
}

impl Shape {
    /// Every scenario, in declared order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ScenarioId> {
        self.stages.iter().enumerate().flat_map(|(stage, shape)| {
            (0..shape.blocks.len()).map(move |scenario| ScenarioId { stage, scenario })
        })
    }

    /// The stages that `stage` stands on, the nearest first.
    fn ancestors(&self, stage: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(self.stages[stage].base, |&base| self.stages[base].base)
    }

    /// The nearest stage whose scenarios made the state that `stage` starts from: an empty stage makes none.
    fn origin(&self, stage: usize) -> Option<usize> {
        self.ancestors(stage).find(|&base| !self.stages[base].blocks.is_empty())
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

    /// What to run, in order: the selected scenarios, and what they stand on back to the last state that can be
    /// restored.
    pub(crate) fn steps(
        &self,
        choice: impl Fn(ScenarioId) -> Choice,
        restorable: impl Fn(usize) -> bool,
    ) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let mut restored = vec![None; self.stages.len()];
        let mut needed = vec![0; self.stages.len()];
        self.mark_needed(&choice, &restorable, &mut needed, &mut restored);
        for id in self.ids().filter(|id| id.scenario < needed[id.stage]) {
            let role = match choice(id) {
                Choice::Selected => Role::Selected,
                Choice::Unasked => Role::Prerequisite,
                Choice::LeftOut => continue,
            };
            steps.push(Step { id, role, restore: restored[id.stage].take() });
        }
        steps
    }

    /// For each stage, how many of its scenarios must run, and from which restored state it starts.
    fn mark_needed(
        &self,
        choice: &impl Fn(ScenarioId) -> Choice,
        restorable: &impl Fn(usize) -> bool,
        needed: &mut [usize],
        restored: &mut [Option<usize>],
    ) {
        for id in self.ids().filter(|&id| choice(id) == Choice::Selected) {
            needed[id.stage] = needed[id.stage].max(id.scenario + 1);
        }
        // A base is declared before the stages that stand on it, so going backwards sees every stage complete.
        for stage in (0..self.stages.len()).rev() {
            let Some(base) = self.origin(stage).filter(|_| needed[stage] > 0) else {
                continue;
            };
            let whole = self.stages[base].blocks.len();
            if needed[base] < whole && restorable(base) {
                restored[stage] = Some(base);
            } else {
                needed[base] = whole;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(stage: usize, scenario: usize) -> ScenarioId {
        ScenarioId { stage, scenario }
    }

    /// Three stages in a row: two scenarios, one that blocks nothing and one more, one.
    fn chain() -> Shape {
        Shape {
            stages: vec![
                StageShape { base: None, blocks: vec![true, true] },
                StageShape { base: Some(0), blocks: vec![false, true] },
                StageShape { base: Some(1), blocks: vec![true] },
            ],
        }
    }

    fn only(wanted: ScenarioId) -> impl Fn(ScenarioId) -> Choice {
        move |id| if id == wanted { Choice::Selected } else { Choice::Unasked }
    }

    fn places(steps: &[Step]) -> Vec<ScenarioId> {
        steps.iter().map(|step| step.id).collect()
    }

    #[test]
    fn a_scenario_alone_brings_what_it_stands_on() {
        let steps = chain().steps(only(id(1, 0)), |_| false);
        assert_eq!(places(&steps), [id(0, 0), id(0, 1), id(1, 0)]);
        assert_eq!(steps[0].role, Role::Prerequisite);
        assert_eq!(steps[2].role, Role::Selected);
    }

    #[test]
    fn a_restorable_state_saves_what_led_to_it() {
        let steps = chain().steps(only(id(2, 0)), |stage| stage == 0);
        assert_eq!(places(&steps), [id(1, 0), id(1, 1), id(2, 0)]);
        assert_eq!(
            steps.iter().map(|step| step.restore).collect::<Vec<_>>(),
            [Some(0), None, None]
        );
    }

    #[test]
    fn what_is_left_out_is_no_prerequisite_either() {
        let choice = |at| match at {
            at if at == id(1, 0) => Choice::Selected,
            at if at == id(0, 1) => Choice::LeftOut,
            _ => Choice::Unasked,
        };
        assert_eq!(places(&chain().steps(choice, |_| false)), [id(0, 0), id(1, 0)]);
    }

    #[test]
    fn an_empty_stage_does_not_cut_the_chain() {
        let mut shape = chain();
        shape.stages[1].blocks.clear();
        let steps = shape.steps(only(id(2, 0)), |_| false);
        assert_eq!(places(&steps), [id(0, 0), id(0, 1), id(2, 0)]);
    }

    #[test]
    fn a_failure_blocks_its_stage_and_what_stands_on_it() {
        let shape = chain();
        assert_eq!(shape.blocker(id(0, 1), &[id(0, 0)]), Some(id(0, 0)));
        assert_eq!(shape.blocker(id(2, 0), &[id(0, 1)]), Some(id(0, 1)));
        assert_eq!(
            shape.blocker(id(1, 1), &[id(1, 0)]),
            None,
            "continue_on_failure blocks nothing"
        );
        assert_eq!(shape.blocker(id(0, 0), &[id(0, 1)]), None, "what came before is not blocked");
    }

    fn shapes() -> impl Strategy<Value = Shape> {
        let stage = (any::<prop::sample::Index>(), prop::collection::vec(any::<bool>(), 0..5));
        prop::collection::vec(stage, 1..6).prop_map(|stages| Shape {
            stages: stages
                .into_iter()
                .enumerate()
                .map(|(number, (base, blocks))| StageShape {
                    // Any earlier stage, or none.
                    base: base.index(number + 1).checked_sub(1),
                    blocks,
                })
                .collect(),
        })
    }

    proptest! {
        #[test]
        fn steps_are_whole_and_in_order(
            shape in shapes(),
            selected in prop::collection::hash_set((0..6_usize, 0..5_usize), 0..6),
            restorable in prop::collection::hash_set(0..6_usize, 0..6),
        ) {
            let is_selected =
                |at: ScenarioId| selected.contains(&(at.stage, at.scenario));
            let choice = |at| if is_selected(at) { Choice::Selected } else { Choice::Unasked };
            let steps = shape.steps(choice, |stage| restorable.contains(&stage));
            let places = places(&steps);

            prop_assert!(places.is_sorted_by(|a, b| a < b), "in declared order, each once");
            for at in shape.ids().filter(|&at| is_selected(at)) {
                prop_assert!(places.contains(&at), "{at:?} is selected and does not run");
            }
            let restored: Vec<_> =
                steps.iter().filter_map(|step| Some((step.id.stage, step.restore?))).collect();
            for &at in &places {
                // Whatever it stands on has run too, back to a state that is restored.
                let mut stage = at.stage;
                let mut from = at.scenario;
                loop {
                    for scenario in 0..from {
                        prop_assert!(places.contains(&id(stage, scenario)));
                    }
                    if restored.iter().any(|&(start, _)| start == stage) {
                        break;
                    }
                    let Some(base) = shape.stages[stage].base else { break };
                    stage = base;
                    from = shape.stages[base].blocks.len();
                }
            }
            for (stage, base) in restored {
                prop_assert!(restorable.contains(&base));
                prop_assert_eq!(shape.origin(stage), Some(base));
            }
        }

        #[test]
        fn only_what_stands_on_a_blocking_failure_is_blocked(
            shape in shapes(),
            failed in any::<prop::sample::Index>(),
        ) {
            let ids: Vec<_> = shape.ids().collect();
            prop_assume!(!ids.is_empty());
            let failed = ids[failed.index(ids.len())];
            let blocks = shape.stages[failed.stage].blocks[failed.scenario];
            for at in ids {
                let blocked = shape.blocker(at, &[failed]).is_some();
                let same_stage_later = at.stage == failed.stage && at.scenario > failed.scenario;
                let mut stage = at.stage;
                let mut descends = false;
                while let Some(base) = shape.stages[stage].base {
                    descends |= base == failed.stage;
                    stage = base;
                }
                prop_assert_eq!(blocked, blocks && (same_stage_later || descends));
            }
        }
    }
}
