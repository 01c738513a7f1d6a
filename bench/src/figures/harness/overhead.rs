//! `scenario_overhead`: what a scenario costs that does nothing.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::pass;
use crate::figure::{Figure, Goal, Unit};
use crate::lab::Lab;
use crate::samples::{Samples, milliseconds};
use crate::suite::{BenchSuite, EMPTY};

pub(in super::super) fn scenario_overhead(lab: &Lab, runs: u32) -> Result<Figure> {
    let workdir = lab.path("scenario_overhead");
    let (mut ours, mut reference) = (Samples::default(), Samples::default());
    for _ in 0..runs {
        let mut suite = BenchSuite::Empty.command(&workdir)?;
        ours.push(milliseconds(|| pass(&mut suite))? / f64::from(EMPTY));
        reference.push(milliseconds(processes)? / f64::from(EMPTY));
    }
    Ok(Figure {
        name: "scenario_overhead",
        unit: Unit::Milliseconds,
        value: ours.median(),
        reference: reference.median(),
        reference_name: "a process that does nothing".to_owned(),
        goal: Some(Goal::Value(5.0)),
        note: format!(
            "{EMPTY} empty scenarios in one worker, start, events and reports included; {runs} runs, {}",
            ours.spread(Unit::Milliseconds)
        ),
    })
}

/// As many processes as there are scenarios.
fn processes() -> Result<()> {
    for _ in 0..EMPTY {
        let mut command = Command::new("true");
        command.stdin(Stdio::null()).status().context("running `true`")?;
    }
    Ok(())
}
