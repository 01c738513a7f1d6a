//! `large_output`: a scenario that prints very much.

use std::fs::{self, File};
use std::io;

use anyhow::{Context, Result, ensure};
use lago_test::events::{self, What};

use super::pass;
use crate::figure::{Figure, Unit};
use crate::lab::Lab;
use crate::samples::seconds;
use crate::suite::{BenchSuite, MUCH};

pub(in super::super) fn large_output(lab: &Lab, _runs: u32) -> Result<Figure> {
    let workdir = lab.path("large_output");
    let mut suite = BenchSuite::Loud.command(&workdir)?;
    let ((), value) = seconds(|| pass(&mut suite))?;
    let prefix = workdir.join("default");
    let events = events::read(&prefix.join("events.jsonl"))?;
    let output = events.iter().find_map(|event| match &event.what {
        What::ScenarioFinished { output, .. } => output.clone(),
        _ => None,
    });
    let output = output.context("the scenario's output is lost")?;
    ensure!(output.bytes == MUCH as u64, "{} of {MUCH} bytes are there", output.bytes);
    let junit = prefix.join("loud.junit.xml");
    let report = fs::metadata(&junit).context("looking at the JUnit file")?.len();

    let copy = lab.path("large_output.copy");
    let log = prefix.join(&output.path);
    let ((), reference) = seconds(|| {
        io::copy(&mut File::open(&log)?, &mut File::create(&copy)?)?;
        Ok(())
    })?;
    Ok(Figure {
        name: "large_output",
        unit: Unit::Seconds,
        value,
        reference,
        reference_name: "copying the log".to_owned(),
        goal: None,
        note: format!(
            "a scenario that prints {} MB, all of which is in its log; the JUnit file has the ends of it, {} kB",
            MUCH / 1_000_000,
            report / 1000
        ),
    })
}
