//! Which scenarios the command line asks for, as libtest does it: one of several filters must match, no `--skip` may,
//! and ignored ones run only when that is wanted.
//!
//! An ignored scenario that does not run is no part of the suite for this run: it is no prerequisite, and no state is made
//! of it.

use std::collections::HashMap;

use super::arguments::Arguments;
use super::plan::{Choice, Plan, ScenarioId, Shape, StageShape, State, Step};
use super::show::{Listed, Program, Shown, Turn};
use crate::suite::Suite;

/// The choice that the command line makes among a suite's scenarios.
#[derive(Debug)]
pub(super) struct Selection {
    shape: Shape,
    /// Every scenario, in declared order.
    entries: Vec<Entry>,
    choices: HashMap<ScenarioId, Choice>,
}

#[derive(Debug)]
struct Entry {
    stage: usize,
    stage_name: String,
    scenario_name: String,
    /// Why it is ignored unless that is asked for.
    ignored: Option<String>,
    part: Part,
}

/// What a scenario is in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// One of those that can run.
    Runs(ScenarioId),
    /// Shown, and does not run: the reason.
    Ignored(String),
    /// Not shown either.
    Absent,
}

/// What the command line says about one scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    TakesPart(Choice),
    Ignored(String),
    Absent,
}

impl Selection {
    /// Chooses among a suite's scenarios, and takes those out of it that are no part of this run.
    pub(super) fn new(suite: &mut Suite, arguments: &Arguments) -> Self {
        let mut entries = Vec::new();
        let mut choices = HashMap::new();
        let mut next = ScenarioId { stage: 0, scenario: 0 };
        suite.retain_scenarios(|stage, stage_name, scenario| {
            if next.stage != stage {
                next = ScenarioId { stage, scenario: 0 };
            }
            let name = format!("{stage_name}::{}", scenario.name());
            let part = match asked(arguments, &name, scenario.ignore_reason()) {
                Asked::TakesPart(choice) => {
                    choices.insert(next, choice);
                    let id = next;
                    next.scenario += 1;
                    Part::Runs(id)
                }
                Asked::Ignored(reason) => Part::Ignored(reason),
                Asked::Absent => Part::Absent,
            };
            let runs = matches!(part, Part::Runs(_));
            entries.push(Entry {
                stage,
                stage_name: stage_name.to_owned(),
                scenario_name: scenario.name().to_owned(),
                ignored: scenario.ignore_reason().map(ToOwned::to_owned),
                part,
            });
            runs
        });
        Self { shape: shape(suite), entries, choices }
    }

    /// Asks for nothing up to the end of a stage, also of what was to be left out there.
    pub(super) fn begin_after(&mut self, stage: usize) {
        for (id, choice) in &mut self.choices {
            if id.stage <= stage {
                *choice = Choice::Unasked;
            }
        }
        let before = self.entries.iter_mut().filter(|entry| entry.stage <= stage);
        for entry in before.filter(|entry| matches!(entry.part, Part::Ignored(_))) {
            entry.part = Part::Absent;
        }
    }

    /// Whether every scenario is asked for, of those that are part of the run.
    pub(super) fn is_whole(&self) -> bool {
        self.choices.values().all(|&choice| choice == Choice::Selected)
    }

    /// Whether nothing is to run.
    pub(super) fn is_empty(&self) -> bool {
        !self.choices.values().any(|&choice| choice == Choice::Selected)
    }

    /// What runs when these states are there to start from.
    pub(super) fn plan(&self, saved: impl Fn(State) -> bool) -> Plan {
        self.shape.plan(|id| self.choices[&id], saved)
    }

    /// What `--list` prints: what is asked for, without what would run as a prerequisite.
    pub(super) fn list(&self) -> Vec<Listed> {
        let is_asked_for = |entry: &&Entry| match &entry.part {
            Part::Runs(id) => self.choices[id] == Choice::Selected,
            Part::Ignored(_) => true,
            Part::Absent => false,
        };
        let listed = self.entries.iter().filter(is_asked_for).map(|entry| Listed {
            name: format!("{}::{}", entry.stage_name, entry.scenario_name),
            ignored: entry.ignored.clone(),
        });
        listed.collect()
    }

    /// What is shown of a run of a plan.
    pub(super) fn program(&self, plan: &Plan) -> Program {
        let steps: HashMap<ScenarioId, Step> =
            plan.steps().iter().map(|step| (step.id, *step)).collect();
        let shown = self.entries.iter().filter_map(|entry| {
            let turn = match &entry.part {
                Part::Runs(id) => Turn::Runs(*steps.get(id)?),
                Part::Ignored(reason) => Turn::Ignored(reason.clone()),
                Part::Absent => return None,
            };
            let (stage, scenario) = (entry.stage_name.clone(), entry.scenario_name.clone());
            Some(Shown { stage, scenario, turn })
        });
        let shown: Vec<_> = shown.collect();
        let filtered_out = self.entries.len() - shown.len();
        Program { shown, filtered_out }
    }
}

/// What the command line says about a scenario of this full name.
fn asked(arguments: &Arguments, name: &str, ignore_reason: Option<&str>) -> Asked {
    let (wanted, left_out) = (arguments.selects(name), arguments.skips(name));
    let runs_ignored = arguments.ignored || arguments.include_ignored;
    match ignore_reason {
        reason if arguments.only_benchmarks() => {
            let reason = reason.unwrap_or(NO_BENCHMARKS).to_owned();
            if wanted && !left_out { Asked::Ignored(reason) } else { Asked::Absent }
        }
        Some(_) if left_out || !wanted => Asked::Absent,
        Some(reason) if !runs_ignored => Asked::Ignored(reason.to_owned()),
        Some(_) => Asked::TakesPart(Choice::Selected),
        None if left_out => Asked::TakesPart(Choice::LeftOut),
        None if wanted && !arguments.ignored => Asked::TakesPart(Choice::Selected),
        None => Asked::TakesPart(Choice::Unasked),
    }
}

const NO_BENCHMARKS: &str = "--bench asks for benchmarks, and a suite has none";

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IntoScenario as _, Stage, scenarios};

    fn install() {}
    fn repair() {}
    fn fetch() {}

    fn suite() -> Suite {
        let first = scenarios![repair.ignored("not yet"), install];
        Suite::new("web")
            .stage(Stage::new("deploy").scenarios(first))
            .stage(Stage::new("rest").scenarios(scenarios![repair.ignored("never")]))
            .stage(Stage::new("serve").scenarios(scenarios![fetch]))
    }

    fn select(arguments: &Arguments) -> (Suite, Selection) {
        let mut suite = suite();
        let selection = Selection::new(&mut suite, arguments);
        (suite, selection)
    }

    fn shown(selection: &Selection) -> Vec<(String, bool)> {
        let program = selection.program(&selection.plan(|_| false));
        let shown = program.shown.into_iter();
        shown.map(|shown| (shown.name(), matches!(shown.turn, Turn::Runs(_)))).collect()
    }

    #[test]
    fn what_is_ignored_is_no_part_of_the_suite() {
        let (suite, selection) = select(&Arguments::default());
        assert!(selection.is_whole() && !selection.is_empty());
        let expected = [
            ("deploy::repair", false),
            ("deploy::install", true),
            ("rest::repair", false),
            ("serve::fetch", true),
        ];
        assert_eq!(shown(&selection), expected.map(|(name, runs)| (name.to_owned(), runs)));

        let plan = selection.plan(|_| false);
        let names: Vec<_> = plan.steps().iter().map(|step| full_name(&suite, step.id)).collect();
        assert_eq!(names, ["deploy::install", "serve::fetch"]);
        assert_eq!(plan.parent(2), Some(0), "a stage of ignored scenarios makes no state");
    }

    #[test]
    fn what_is_ignored_is_no_prerequisite_of_another_that_is_asked_for() {
        let mut arguments = Arguments::default();
        arguments.ignored = true;
        arguments.filters = vec!["rest".to_owned()];
        let (_, selection) = select(&arguments);
        assert!(!selection.is_whole());
        let expected = [("deploy::install", true), ("rest::repair", true)];
        assert_eq!(shown(&selection), expected.map(|(name, runs)| (name.to_owned(), runs)));
        let listed: Vec<_> = selection.list().into_iter().map(|listed| listed.name).collect();
        assert_eq!(listed, ["rest::repair"]);
    }

    #[test]
    fn nothing_is_asked_for_up_to_the_stage_that_a_run_starts_from() {
        let (_, mut selection) = select(&Arguments::default());
        selection.begin_after(1);
        assert_eq!(shown(&selection).last().unwrap(), &("serve::fetch".to_owned(), true));
        assert!(shown(&selection).iter().all(|(name, _)| !name.contains("repair")));
    }
}
