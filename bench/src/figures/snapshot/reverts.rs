//! `revert_agent`, `revert_ssh`: two running guests are put back, until they answer.

use std::time::Instant;

use anyhow::Result;
use lago::prefix::START_LIMIT;

use super::NAME;
use super::pair::{Pair, run_true, wait_for_agents};
use crate::figure::{Figure, Goal, Unit};
use crate::lab::Lab;
use crate::phases::Phases;
use crate::samples::Samples;

const PHASES: [&str; 6] = ["make layer", "stop", "start host", "restore", "let go", "set clocks"];

/// What putting back took.
pub(super) struct Reverts {
    agent: Samples,
    ssh: Samples,
    bare_agent: Samples,
    bare_ssh: Samples,
    phases: Phases,
}

impl Reverts {
    pub(super) fn measure(pair: &mut Pair, runs: u32) -> Result<Self> {
        let mut reverts = Self {
            agent: Samples::default(),
            ssh: Samples::default(),
            bare_agent: Samples::default(),
            bare_ssh: Samples::default(),
            phases: Phases::new(&PHASES),
        };
        for run in 0..runs {
            if run % 2 == 1 {
                reverts.revert_bare(pair, run)?;
            }
            reverts.revert(pair)?;
            if run % 2 == 0 {
                reverts.revert_bare(pair, run)?;
            }
        }
        Ok(reverts)
    }

    fn revert(&mut self, pair: &Pair) -> Result<()> {
        let began = Instant::now();
        pair.prefix.revert(NAME)?;
        wait_for_agents(&pair.prefix)?;
        self.agent.push(began.elapsed().as_secs_f64());
        run_true(&pair.prefix)?;
        self.ssh.push(began.elapsed().as_secs_f64());
        self.phases.collect();
        Ok(())
    }

    fn revert_bare(&mut self, pair: &mut Pair, run: u32) -> Result<()> {
        let began = Instant::now();
        pair.bare.restore(&pair.bare_snapshot, &format!("revert-{run}"))?;
        pair.bare.wait_for_agents(START_LIMIT)?;
        self.bare_agent.push(began.elapsed().as_secs_f64());
        pair.bare.run_true()?;
        self.bare_ssh.push(began.elapsed().as_secs_f64());
        Ok(())
    }
}

pub(in crate::figures) fn agent(lab: &Lab, runs: u32) -> Result<Figure> {
    let reverts = lab.shared.reverts(lab, runs)?;
    Ok(Figure {
        name: "revert_agent",
        unit: Unit::Seconds,
        value: reverts.agent.median(),
        reference: reverts.bare_agent.median(),
        reference_name: "killing QEMU, new overlays, `-incoming` from the file".to_owned(),
        goal: Some(Goal::Value(2.0)),
        note: format!(
            "until the agents of both guests answer: {}; {runs} runs, {}; bare QEMU {}",
            reverts.phases.show(),
            reverts.agent.spread(Unit::Seconds),
            reverts.bare_agent.spread(Unit::Seconds)
        ),
    })
}

pub(in crate::figures) fn ssh(lab: &Lab, runs: u32) -> Result<Figure> {
    let reverts = lab.shared.reverts(lab, runs)?;
    Ok(Figure {
        name: "revert_ssh",
        unit: Unit::Seconds,
        value: reverts.ssh.median(),
        reference: reverts.bare_ssh.median(),
        reference_name: "the same with bare QEMU".to_owned(),
        goal: Some(Goal::Value(4.0)),
        note: format!(
            "until a command over ssh has run in both, after their agents answered: a handshake of two guests at once, \
             {}; {runs} runs, {}; bare QEMU {}",
            Unit::Seconds.show(reverts.ssh.median() - reverts.agent.median()),
            reverts.ssh.spread(Unit::Seconds),
            reverts.bare_ssh.spread(Unit::Seconds)
        ),
    })
}
