//! Which scenarios the command line asks for, and what libtest-mimic is told about them.
//!
//! libtest-mimic filters by name only. What runs as a prerequisite was not asked for by name, so the choice is made
//! here and every trial is marked by its kind; libtest-mimic is then asked to leave out those of one kind.

use std::collections::HashMap;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use super::plan::{Choice, Plan, Role, ScenarioId, Shape, StageShape, State, Step};
use crate::suite::Suite;

/// The kind of a trial that runs only because a selected one stands on it. Shown in front of its name.
const PREREQUISITE: &str = "prerequisite";

/// The kind of a trial that does not run. Never shown.
const FILTERED_OUT: &str = "filtered out";

/// The choice that the command line makes among a suite's scenarios.
#[derive(Debug)]
pub(super) struct Selection {
    arguments: Arguments,
    shape: Shape,
    /// Every scenario with its name, in declared order.
    named: Vec<(ScenarioId, String)>,
    choices: HashMap<ScenarioId, Choice>,
}

impl Selection {
    pub(super) fn new(suite: &Suite, arguments: &Arguments) -> Self {
        let shape = shape(suite);
        let named: Vec<_> = shape.ids().map(|id| (id, full_name(suite, id))).collect();
        let choices = named.iter().map(|(id, name)| (*id, choice(arguments, name))).collect();
        Self { arguments: arguments.clone(), shape, named, choices }
    }

    /// Asks for nothing up to the end of a stage, also of what was to be left out there.
    pub(super) fn begin_after(&mut self, stage: usize) {
        for (id, choice) in &mut self.choices {
            if id.stage <= stage {
                *choice = Choice::Unasked;
            }
        }
    }

    /// Whether every scenario is asked for.
    pub(super) fn is_whole(&self) -> bool {
        self.choices.values().all(|&choice| choice == Choice::Selected)
    }

    /// Whether no scenario is asked for.
    pub(super) fn is_empty(&self) -> bool {
        !self.choices.values().any(|&choice| choice == Choice::Selected)
    }

    /// What runs when these states are there to start from.
    pub(super) fn plan(&self, saved: impl Fn(State) -> bool) -> Plan {
        self.shape.plan(|id| self.choices[&id], saved)
    }

    /// The command line for libtest-mimic, to which the trials' kinds say what is filtered out. One thread, so that
    /// trials are shown in declared order; what runs at the same time is not its business.
    pub(super) fn arguments(&self) -> Arguments {
        Arguments {
            filter: None,
            exact: false,
            ignored: false,
            skip: vec![format!("[{FILTERED_OUT}] ")],
            test_threads: Some(1),
            ..self.arguments.clone()
        }
    }

    /// A trial for every scenario. A list shows what is selected, and no prerequisites.
    pub(super) fn trials<R>(&self, plan: &Plan, mut runner: impl FnMut(Step) -> R) -> Vec<Trial>
    where
        R: FnOnce() -> Result<Completion, Failed> + Send + 'static,
    {
        let steps: HashMap<_, _> = plan.steps().iter().map(|step| (step.id, step)).collect();
        self.named
            .iter()
            .map(|(id, name)| match steps.get(id).copied() {
                Some(step) if step.role == Role::Selected => {
                    Trial::ignorable_test(name, runner(*step))
                }
                Some(step) if !self.arguments.list => {
                    Trial::ignorable_test(name, runner(*step)).with_kind(PREREQUISITE)
                }
                _ => Trial::test(name, || Ok(())).with_kind(FILTERED_OUT),
            })
            .collect()
    }
}

fn choice(arguments: &Arguments, name: &str) -> Choice {
    let trial = Trial::test(name, || Ok(()));
    let without_filter = Arguments { filter: None, ..arguments.clone() };
    if without_filter.is_filtered_out(&trial) {
        Choice::LeftOut
    } else if arguments.is_filtered_out(&trial) {
        Choice::Unasked
    } else {
        Choice::Selected
    }
}

/// A suite as planning sees it. What is wrong with its stages' bases has been found before.
pub(super) fn shape(suite: &Suite) -> Shape {
    let stages = suite.stages().iter().enumerate().map(|(number, stage)| StageShape {
        base: suite.base(number),
        blocks: stage.list().iter().map(crate::Scenario::blocks_others).collect(),
    });
    Shape { stages: stages.collect() }
}

/// `stage::scenario`.
pub(super) fn full_name(suite: &Suite, id: ScenarioId) -> String {
    let stage = &suite.stages()[id.stage];
    format!("{}::{}", stage.name(), stage.list()[id.scenario].name())
}
