//! `init`: making a prefix, when its templates are in the store.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};

use anyhow::{Context, Result, bail};
use lago::Prefix;

use crate::figure::{Figure, Goal, Unit};
use crate::lab::{GuestImage, Lab, init_file};
use crate::samples::{Samples, seconds};

/// It takes well under a second, so that many runs are cheap.
const RUNS: u32 = 9;

const VMS: usize = 2;

pub(super) fn init(lab: &Lab, _runs: u32) -> Result<Figure> {
    let description = lab.path("init.yaml");
    fs::write(&description, init_file(GuestImage::Mini, VMS))?;
    let prefix = lab.path("init");
    // The first one brings the template into the store.
    init_and_destroy(lab, &prefix, &description)?;
    let (mut ours, mut reference) = (Samples::default(), Samples::default());
    for _ in 0..RUNS {
        ours.push(init_and_destroy(lab, &prefix, &description)?);
        reference.push(overlays(lab)?);
    }
    fs::remove_file(description)?;
    Ok(Figure {
        name: "init",
        unit: Unit::Seconds,
        value: ours.median(),
        reference: reference.median(),
        reference_name: "two `qemu-img create` of overlays at once".to_owned(),
        goal: Some(Goal::Value(1.0)),
        note: format!(
            "`lago init` of {VMS} VMs: keys, seeds and overlays; {RUNS} runs, {}",
            ours.spread(Unit::Seconds)
        ),
    })
}

fn init_and_destroy(lab: &Lab, prefix: &Path, description: &Path) -> Result<f64> {
    let mut command = lab.lago();
    command.arg("--prefix-path").arg(prefix).arg("init").arg(description);
    let ((), taken) = seconds(|| succeed(command.spawn().context("starting lago")?))?;
    Prefix::destroy_at(prefix)?;
    Ok(taken)
}

/// Two overlays on a small image, side by side as lago makes them.
fn overlays(lab: &Lab) -> Result<f64> {
    let base = lab.path("init-base.qcow2");
    let create = |arguments: &[&str], image: &Path, size: Option<&str>| {
        let mut command = Command::new("qemu-img");
        command.args(["create", "-q", "-f", "qcow2"]).args(arguments).arg(image).args(size);
        command.spawn().context("starting qemu-img")
    };
    succeed(create(&[], &base, Some("1G"))?)?;
    let images = [lab.path("init-0.qcow2"), lab.path("init-1.qcow2")];
    let backing = base.display().to_string();
    let ((), taken) = seconds(|| {
        let overlay = |image| create(&["-F", "qcow2", "-b", &backing], image, None);
        let children = images.each_ref().map(|image| overlay(image));
        children.into_iter().try_for_each(|child| succeed(child?))
    })?;
    for image in images.iter().chain([&base]) {
        fs::remove_file(image)?;
    }
    Ok(taken)
}

fn succeed(mut child: Child) -> Result<()> {
    let status = child.wait()?;
    if !status.success() {
        bail!("a command of the measurement ended with {status}");
    }
    Ok(())
}
