//! Which stage runs where when several run at the same time. Pure.
//!
//! One lane is the prefix itself; it goes from a stage to one that starts from that stage's end, so that nothing has to
//! be put back on the way. What else could start there goes to forks: a fork gets a stage and all that stands on it.

use std::collections::BTreeSet;

use super::plan::Plan;

/// The stages of a plan that still have to be given away.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    /// For each stage, those that start from its end.
    children: Vec<Vec<usize>>,
    /// Stages whose start is there and which nobody has taken, in declared order.
    ready: BTreeSet<usize>,
    /// Whether the lane on the prefix may still make stages ready.
    open: bool,
}

/// What a lane on a fork is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Run these stages, in this order: the first one, and what stands on it.
    Stages(Vec<usize>),
    /// Nothing yet.
    Wait,
    /// There is nothing left.
    End,
}

impl Schedule {
    pub(super) fn new(plan: &Plan, stages: usize) -> Self {
        let mut children = vec![Vec::new(); stages];
        let mut ready = BTreeSet::new();
        for stage in plan.stages() {
            match plan.parent(stage) {
                Some(parent) => children[parent].push(stage),
                None => {
                    ready.insert(stage);
                }
            }
        }
        Self { children, ready, open: true }
    }

    /// Whether any two stages can run at the same time.
    pub(super) fn is_parallel(&self) -> bool {
        self.ready.len() > 1 || self.children.iter().any(|children| children.len() > 1)
    }

    /// The next stage for the lane on the prefix, which has just done `done`. None ends it.
    pub(super) fn next_on_prefix(&mut self, done: Option<usize>) -> Option<usize> {
        let children = done.map_or(&[][..], |done| &self.children[done]);
        self.ready.extend(children);
        let next = children.first().copied().or_else(|| self.ready.first().copied());
        match next {
            Some(next) => self.ready.remove(&next),
            None => std::mem::replace(&mut self.open, false),
        };
        next
    }

    /// Says that the lane on the prefix does nothing more, whatever is left.
    pub(super) fn close(&mut self) {
        self.open = false;
    }

    /// What a lane on a fork takes next.
    pub(super) fn next_on_fork(&mut self) -> Next {
        match self.ready.pop_first() {
            Some(stage) => Next::Stages(self.with_all_above(stage)),
            None if self.open => Next::Wait,
            None => Next::End,
        }
    }

    /// A stage and all that stands on it, in declared order.
    fn with_all_above(&self, stage: usize) -> Vec<usize> {
        let mut found = BTreeSet::from([stage]);
        let mut new = vec![stage];
        while let Some(stage) = new.pop() {
            found.extend(&self.children[stage]);
            new.extend(&self.children[stage]);
        }
        found.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::shapes;
    use super::super::plan::{Choice, Shape, StageShape};
    use super::*;
    use proptest::prelude::*;

    fn schedule(bases: &[Option<usize>]) -> Schedule {
        let stages =
            bases.iter().map(|&base| StageShape { base, blocks: vec![true] }).collect::<Vec<_>>();
        let number = stages.len();
        let plan = Shape { stages }.plan(|_| Choice::Selected, |_| false);
        Schedule::new(&plan, number)
    }

    #[test]
    fn the_prefix_goes_on_where_it_is_and_forks_take_the_rest() {
        // deploy; serve and failover from deploy; after_failover from failover
        let mut schedule = schedule(&[None, Some(0), Some(0), Some(2)]);
        assert!(schedule.is_parallel());
        assert_eq!(schedule.next_on_prefix(None), Some(0));
        assert_eq!(schedule.next_on_fork(), Next::Wait);
        assert_eq!(schedule.next_on_prefix(Some(0)), Some(1));
        assert_eq!(schedule.next_on_fork(), Next::Stages(vec![2, 3]));
        assert_eq!(schedule.next_on_fork(), Next::Wait);
        assert_eq!(schedule.next_on_prefix(Some(1)), None);
        assert_eq!(schedule.next_on_fork(), Next::End);
    }

    #[test]
    fn the_prefix_takes_what_no_fork_has_taken() {
        let mut schedule = schedule(&[None, Some(0), Some(0)]);
        assert_eq!(schedule.next_on_prefix(None), Some(0));
        assert_eq!(schedule.next_on_prefix(Some(0)), Some(1));
        assert_eq!(schedule.next_on_prefix(Some(1)), Some(2));
        assert_eq!(schedule.next_on_prefix(Some(2)), None);
    }

    #[test]
    fn a_chain_is_not_parallel() {
        assert!(!schedule(&[None, Some(0), Some(1)]).is_parallel());
        assert!(schedule(&[None, None]).is_parallel());
    }

    proptest! {
        #[test]
        fn every_stage_is_given_away_once_and_after_what_it_stands_on(
            shape in shapes(),
            forks_turn in prop::collection::vec(any::<bool>(), 0..40),
        ) {
            let plan = shape.plan(|_| Choice::Selected, |_| false);
            let mut schedule = Schedule::new(&plan, shape.stages.len());
            let mut given: Vec<usize> = Vec::new();
            let mut on_prefix = None;
            let mut prefix_has_ended = false;
            let mut turns = forks_turn.into_iter().chain(std::iter::repeat(false));
            loop {
                if turns.next() == Some(true) || prefix_has_ended {
                    match schedule.next_on_fork() {
                        Next::Stages(stages) => given.extend(stages),
                        Next::Wait => prop_assert!(!prefix_has_ended),
                        Next::End => break,
                    }
                } else {
                    on_prefix = schedule.next_on_prefix(on_prefix);
                    prefix_has_ended = on_prefix.is_none();
                    given.extend(on_prefix);
                }
            }
            for (place, &stage) in given.iter().enumerate() {
                if let Some(parent) = plan.parent(stage) {
                    prop_assert!(given[..place].contains(&parent), "{stage} before {parent}");
                }
            }
            given.sort_unstable();
            prop_assert_eq!(given, plan.stages().collect::<Vec<_>>());
        }
    }
}
