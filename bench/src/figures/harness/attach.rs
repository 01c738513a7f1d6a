//! `attach`: from the start of the suite's program to the first scenario, in a prefix that runs.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use lago::Prefix;
use lago_test::events::{self, What};

use super::pass;
use crate::figure::{Figure, Goal, Unit};
use crate::lab::{GuestImage, Lab, Scratch, init_file};
use crate::samples::{Samples, milliseconds};
use crate::suite::BenchSuite;

const ATTACHES: u32 = 5;

pub(in super::super) fn attach(lab: &Lab, _runs: u32) -> Result<Figure> {
    let workdir = lab.path("attach");
    fs::create_dir_all(&workdir)?;
    fs::write(workdir.join("LagoInitFile.yaml"), init_file(GuestImage::Mini, 1))?;
    pass(&mut suite(lab, &workdir)?)?;
    let prefix = Scratch::from(Prefix::open(workdir.join("default"))?);

    let (mut ours, mut reference) = (Samples::default(), Samples::default());
    for _ in 0..ATTACHES {
        let started = SystemTime::now();
        pass(suite(lab, &workdir)?.args(["--exact", "second::nothing"]))?;
        ours.push(until_the_scenario(&prefix, started)?);
        let mut virsh = Command::new("virsh");
        virsh.args(["--connect", &prefix.host().libvirt_uri()?, "list"]);
        reference.push(milliseconds(|| {
            let status = virsh.stdout(Stdio::null()).status().context("running virsh")?;
            ensure!(status.success(), "virsh ended with {status}");
            Ok(())
        })?);
    }
    prefix.destroy()?;
    Ok(Figure {
        name: "attach",
        unit: Unit::Milliseconds,
        value: ours.median(),
        reference: reference.median(),
        reference_name: "`virsh list` at the same libvirt".to_owned(),
        goal: Some(Goal::Value(150.0)),
        note: format!(
            "a scenario alone: from the start of the program until it runs in a worker, without the revert to the state \
             before it; {ATTACHES} times, {}",
            ours.spread(Unit::Milliseconds)
        ),
    })
}

fn suite(lab: &Lab, workdir: &Path) -> Result<Command> {
    let mut command = BenchSuite::Attached.command(workdir)?;
    command.env("LAGO_KEEP", "always").env("LAGO_CACHE", "off").env("LAGO_STORE", lab.store());
    Ok(command)
}

/// Milliseconds from a moment to the start of the scenario, as the events of the run have it.
fn until_the_scenario(prefix: &Prefix, started: SystemTime) -> Result<f64> {
    let events = events::read(&prefix.paths().prefix().join("events.jsonl"))?;
    let mut reverted = 0.0;
    for event in &events {
        match &event.what {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of one revert")]
            What::StateRestored { took_ms, .. } => reverted += *took_ms as f64,
            What::ScenarioStarted { .. } => {
                let passed = SystemTime::from(event.at).duration_since(started)?;
                return Ok(passed.as_secs_f64() * 1e3 - reverted);
            }
            _ => {}
        }
    }
    anyhow::bail!("no scenario has started in {}", prefix.paths().prefix().display())
}
