use super::*;
use proptest::prelude::*;

fn id(stage: usize, scenario: usize) -> ScenarioId {
    ScenarioId { stage, scenario }
}

fn stage(base: Option<usize>, scenarios: usize) -> StageShape {
    StageShape { base, blocks: vec![true; scenarios] }
}

/// Three stages in a row: two scenarios, one that blocks nothing and one more, one.
fn chain() -> Shape {
    Shape {
        stages: vec![
            stage(None, 2),
            StageShape { base: Some(0), blocks: vec![false, true] },
            stage(Some(1), 1),
        ],
    }
}

/// `deploy`, and two stages that start from its end.
fn fork() -> Shape {
    Shape { stages: vec![stage(None, 2), stage(Some(0), 2), stage(Some(0), 2)] }
}

fn only(wanted: ScenarioId) -> impl Fn(ScenarioId) -> Choice {
    move |id| if id == wanted { Choice::Selected } else { Choice::Unasked }
}

fn all(_: ScenarioId) -> Choice {
    Choice::Selected
}

fn places(plan: &Plan) -> Vec<ScenarioId> {
    plan.steps().iter().map(|step| step.id).collect()
}

#[test]
fn a_scenario_alone_brings_what_it_stands_on() {
    let plan = chain().plan(only(id(1, 0)), |_| false);
    assert_eq!(places(&plan), [id(0, 0), id(0, 1), id(1, 0)]);
    assert_eq!(plan.steps()[0].role, Role::Prerequisite);
    assert_eq!(plan.steps()[2].role, Role::Selected);
    assert_eq!(plan.needs(), HashSet::from([State::Start]));
    assert!(plan.ends(0) && !plan.ends(1));
}

#[test]
fn a_saved_state_spares_what_led_to_it() {
    let plan = chain().plan(only(id(2, 0)), |state| state == State::After(0));
    assert_eq!(places(&plan), [id(1, 0), id(1, 1), id(2, 0)]);
    assert_eq!(plan.needs(), HashSet::from([State::After(0)]));
    assert_eq!((plan.parent(1), plan.parent(2)), (None, Some(1)));
}

#[test]
fn the_nearest_saved_state_within_a_stage_is_used() {
    let shape = Shape { stages: vec![stage(None, 1), stage(Some(0), 4)] };
    let saved = [1, 2, 3].map(|scenario| State::Before(id(1, scenario)));
    let plan = shape.plan(only(id(1, 2)), |state| saved.contains(&state));
    assert_eq!(places(&plan), [id(1, 2)]);
    assert_eq!(plan.start(1), Some(State::Before(id(1, 2))));

    let early = |state| state == State::Before(id(1, 1));
    assert_eq!(places(&shape.plan(only(id(1, 2)), early)), [id(1, 1), id(1, 2)]);
}

#[test]
fn a_stage_that_is_selected_as_a_whole_makes_its_states_anew() {
    let choice = |at: ScenarioId| match at.stage {
        0 | 2 => Choice::Selected,
        _ => Choice::Unasked,
    };
    let plan = chain().plan(choice, |_| true);
    assert_eq!(places(&plan), [id(0, 0), id(0, 1), id(1, 0), id(1, 1), id(2, 0)]);
    assert!(plan.keeps(State::Start) && !plan.keeps(State::After(0)));
    assert!(!plan.keeps(State::After(1)) && !plan.keeps(State::Before(id(0, 1))));
}

#[test]
fn a_state_that_the_plan_passes_through_is_made_anew() {
    // The last of `deploy` is selected, so its end is on the way to the other two stages.
    let selected = [id(0, 1), id(1, 0), id(2, 0)];
    let choice = |at| if selected.contains(&at) { Choice::Selected } else { Choice::Unasked };
    let saved = [State::Start, State::After(0)];
    let plan = fork().plan(choice, |state| saved.contains(&state));
    assert_eq!(places(&plan)[..2], [id(0, 0), id(0, 1)]);
    assert_eq!((plan.parent(1), plan.parent(2)), (Some(0), Some(0)));
    assert!(plan.keeps(State::Start));
    assert!(!plan.keeps(State::After(0)), "both come back to the end that this run makes");
}

#[test]
fn a_stage_that_starts_from_a_state_of_its_own_goes_through_no_other() {
    let own = State::Before(id(2, 1));
    let choice =
        |at| if [id(1, 0), id(2, 1)].contains(&at) { Choice::Selected } else { Choice::Unasked };
    let plan = fork().plan(choice, |state| state == own);
    assert_eq!(plan.start(2), Some(own));
    assert!(plan.goes_through(1, 0) && plan.goes_through(2, 2));
    assert!(!plan.goes_through(2, 0), "what it stands on was made by an earlier run");
}

#[test]
fn a_state_that_holds_what_is_left_out_is_not_used() {
    let choice = |at| if at == id(0, 1) { Choice::LeftOut } else { only(id(2, 0))(at) };
    let plan = chain().plan(choice, |state| matches!(state, State::After(_)));
    assert_eq!(places(&plan), [id(0, 0), id(1, 0), id(1, 1), id(2, 0)]);

    // What is left out is the last of its stage, so the state right before it is the end.
    let plan = chain().plan(choice, |_| true);
    assert_eq!(places(&plan), [id(1, 0), id(1, 1), id(2, 0)]);
    assert_eq!(plan.start(1), Some(State::Before(id(0, 1))));
}

#[test]
fn what_is_left_out_is_no_prerequisite_either() {
    let choice = |at| match at {
        at if at == id(1, 0) => Choice::Selected,
        at if at == id(0, 1) => Choice::LeftOut,
        _ => Choice::Unasked,
    };
    assert_eq!(places(&chain().plan(choice, |_| false)), [id(0, 0), id(1, 0)]);
}

#[test]
fn a_stage_that_is_left_out_as_a_whole_hands_its_start_on() {
    let choice = |at: ScenarioId| if at.stage == 0 { Choice::LeftOut } else { Choice::Selected };
    let plan = chain().plan(choice, |_| false);
    assert_eq!((plan.start(1), plan.parent(1)), (Some(State::Start), None));
    assert_eq!((plan.start(2), plan.parent(2)), (Some(State::After(1)), Some(1)));
}

#[test]
fn an_empty_stage_does_not_cut_the_chain() {
    let mut shape = chain();
    shape.stages[1].blocks.clear();
    let plan = shape.plan(only(id(2, 0)), |_| false);
    assert_eq!(places(&plan), [id(0, 0), id(0, 1), id(2, 0)]);
    assert_eq!(plan.parent(2), Some(0));
}

#[test]
fn a_run_comes_back_to_a_state_that_it_has_moved_on_from() {
    let straight = chain().plan(all, |_| false);
    assert!(straight.stages().all(|stage| !straight.comes_back_to(State::After(stage))));
    assert!(!straight.comes_back_to(State::Start));

    let forked = fork().plan(all, |_| false);
    assert!(forked.comes_back_to(State::After(0)));
    assert!(!forked.comes_back_to(State::After(2)));

    let two_roots = Shape { stages: vec![stage(None, 1), stage(None, 1)] };
    assert!(two_roots.plan(all, |_| false).comes_back_to(State::Start));
}

#[test]
fn a_state_knows_what_made_it() {
    let shape = fork();
    assert_eq!(shape.made_of(State::Start), []);
    assert_eq!(shape.made_of(State::Before(id(2, 1))), [id(0, 0), id(0, 1), id(2, 0)]);
    assert_eq!(shape.made_of(State::After(1)), [id(0, 0), id(0, 1), id(1, 0), id(1, 1)]);
    assert!(shape.has_dependents(0) && !shape.has_dependents(1));
}

#[test]
fn a_failure_blocks_its_stage_and_what_stands_on_it() {
    let shape = chain();
    assert_eq!(shape.blocker(id(0, 1), &[id(0, 0)]), Some(id(0, 0)));
    assert_eq!(shape.blocker(id(2, 0), &[id(0, 1)]), Some(id(0, 1)));
    assert_eq!(shape.blocker(id(1, 1), &[id(1, 0)]), None, "continue_on_failure blocks nothing");
    assert_eq!(shape.blocker(id(0, 0), &[id(0, 1)]), None, "what came before is not blocked");
    assert_eq!(fork().blocker(id(2, 0), &[id(1, 0)]), None, "a sibling is not blocked");
}

pub(crate) fn shapes() -> impl Strategy<Value = Shape> {
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
    fn a_plan_is_whole_and_in_order(
        shape in shapes(),
        selected in prop::collection::hash_set((0..6_usize, 0..5_usize), 0..6),
        saved in prop::collection::hash_set(0..30_usize, 0..12),
    ) {
        let is_selected = |at: ScenarioId| selected.contains(&(at.stage, at.scenario));
        let choice = |at| if is_selected(at) { Choice::Selected } else { Choice::Unasked };
        let states = shape.states();
        let is_saved =
            |state| states.iter().position(|other| *other == state).is_some_and(|n| saved.contains(&n));
        let plan = shape.plan(choice, is_saved);
        let places = places(&plan);

        prop_assert!(places.is_sorted_by(|a, b| a < b), "in declared order, each once");
        for at in shape.ids().filter(|&at| is_selected(at)) {
            prop_assert!(places.contains(&at), "{at:?} is selected and does not run");
        }
        for stage in plan.stages() {
            let start = plan.start(stage).unwrap();
            let first = plan.steps_of(stage).next().unwrap().id;
            // Its start and what runs of it are all that it stands on, with no gap and nothing twice.
            let made_of = shape.made_of(start);
            let expected = shape.made_of(State::Before(first));
            prop_assert_eq!(made_of, expected);
            for step in plan.steps_of(stage) {
                let own = State::Before(step.id);
                prop_assert!(start == own || !plan.keeps(own), "{own:?} is on the way");
            }
            match plan.parent(stage) {
                Some(parent) => {
                    prop_assert!(!plan.keeps(start), "{start:?} is on the way");
                    prop_assert_eq!(start, State::After(parent));
                    prop_assert!(parent < stage && plan.ends(parent));
                }
                None => prop_assert!(start == State::Start || (is_saved(start) && plan.keeps(start))),
            }
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
