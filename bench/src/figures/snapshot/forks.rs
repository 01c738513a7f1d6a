//! `fork_first`, `fork_fourth`: further environments from one snapshot, all of which stay.

use anyhow::Result;
use lago::Prefix;
use lago::prefix::START_LIMIT;
use lago::utils::parallel;

use super::NAME;
use super::pair::{Pair, wait_for_agents};
use crate::figure::{Figure, Goal, Unit};
use crate::lab::Lab;
use crate::phases::Phases;
use crate::samples::seconds;

const COUNT: usize = 4;

const PHASES: [&str; 5] = ["make layer", "start host", "restore", "let go", "set clocks"];

/// What making forks took.
pub(super) struct Forks {
    forks: Vec<Fork>,
    bare: f64,
}

struct Fork {
    seconds: f64,
    phases: Phases,
}

impl Forks {
    pub(super) fn measure(pair: &mut Pair) -> Result<Self> {
        let ((), bare) = seconds(|| {
            pair.bare.restore(&pair.bare_snapshot, "fork")?;
            pair.bare.wait_for_agents(START_LIMIT)
        })?;
        let (mut forks, mut running) = (Vec::new(), Vec::new());
        for number in 1..=COUNT {
            let mut phases = Phases::new(&PHASES);
            let (fork, seconds) = seconds(|| {
                let path = pair.prefix.paths().forks().join(number.to_string());
                let fork = pair.prefix.fork(NAME, path)?;
                wait_for_agents(&fork)?;
                Ok(fork)
            })?;
            phases.collect();
            forks.push(Fork { seconds, phases });
            running.push(fork);
        }
        parallel(running, Prefix::destroy)?;
        Ok(Self { forks, bare })
    }

    fn note(&self, number: usize) -> String {
        let all: Vec<_> = self.forks.iter().map(|fork| Unit::Seconds.show(fork.seconds)).collect();
        let phases = self.forks[number - 1].phases.show();
        format!(
            "two guests, until their agents answer: {phases}; one after the other, all stay: {}",
            all.join(", ")
        )
    }
}

pub(in crate::figures) fn first(lab: &Lab, _runs: u32) -> Result<Figure> {
    let forks = lab.shared.forks(lab)?;
    Ok(Figure {
        name: "fork_first",
        unit: Unit::Seconds,
        value: forks.forks[0].seconds,
        reference: forks.bare,
        reference_name: "a bare QEMU for each guest with `-incoming` from a file".to_owned(),
        goal: Some(Goal::Value(2.5)),
        note: forks.note(1),
    })
}

pub(in crate::figures) fn fourth(lab: &Lab, _runs: u32) -> Result<Figure> {
    let forks = lab.shared.forks(lab)?;
    Ok(Figure {
        name: "fork_fourth",
        unit: Unit::Seconds,
        value: forks.forks[COUNT - 1].seconds,
        reference: forks.forks[0].seconds,
        reference_name: "the first fork".to_owned(),
        goal: Some(Goal::Ratio(1.3)),
        note: forks.note(COUNT),
    })
}
