//! `coordinator_rss`: the memory of the harness in a long run.

use anyhow::Result;

use super::super::rss::peak;
use crate::figure::{Figure, Goal, Unit};
use crate::lab::Lab;
use crate::suite::{BenchSuite, EMPTY, LITTLE, TALKATIVE};

pub(in super::super) fn coordinator_rss(lab: &Lab, _runs: u32) -> Result<Figure> {
    let workdir = lab.path("coordinator_rss");
    let value = peak(&mut BenchSuite::Talkative.command(&workdir)?, "")?;
    let reference = peak(&mut BenchSuite::Empty.command(&workdir)?, "")?;
    Ok(Figure {
        name: "coordinator_rss",
        unit: Unit::Megabytes,
        value,
        reference,
        reference_name: format!("{EMPTY} scenarios that print nothing"),
        goal: Some(Goal::Value(100.0)),
        note: format!(
            "peak resident memory of the coordinator of {TALKATIVE} scenarios that print {LITTLE} bytes each, with their \
             reports"
        ),
    })
}
