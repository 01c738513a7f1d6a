//! `snapshot`, `snapshot_pause`, `memory_file`: two running guests are kept, with their memory.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Result;

use super::pair::{GUESTS, Pair};
use crate::figure::{Figure, Goal, Unit};
use crate::lab::Lab;
use crate::phases::Phases;
use crate::samples::Samples;

const PHASES: [&str; 5] = ["make layer", "hold still", "write state", "let go", "compress"];

/// What taking snapshots took.
pub(super) struct Takes {
    total: Samples,
    pause: Samples,
    memory: Samples,
    bare_total: Samples,
    bare_pause: Samples,
    bare_memory: Samples,
    phases: Phases,
}

impl Takes {
    pub(super) fn measure(pair: &mut Pair, runs: u32) -> Result<Self> {
        let mut takes = Self {
            total: Samples::default(),
            pause: Samples::default(),
            memory: Samples::default(),
            bare_total: Samples::default(),
            bare_pause: Samples::default(),
            bare_memory: Samples::default(),
            phases: Phases::new(&PHASES),
        };
        for run in 0..runs {
            // The other way round each time, so that a load that comes or goes favours neither.
            if run % 2 == 1 {
                takes.take_bare(pair, run)?;
            }
            takes.take(pair, run)?;
            if run % 2 == 0 {
                takes.take_bare(pair, run)?;
            }
        }
        Ok(takes)
    }

    fn take(&mut self, pair: &Pair, run: u32) -> Result<()> {
        let snapshot = pair.prefix.snapshot(&format!("take-{run}"))?;
        self.total.push(snapshot.took.as_secs_f64());
        self.pause.push(snapshot.pause.as_secs_f64());
        self.memory.push(megabytes(pair.prefix.snapshot_size(&snapshot.name)?.memory));
        self.phases.collect();
        Ok(pair.prefix.delete_snapshot(&snapshot.name)?)
    }

    fn take_bare(&mut self, pair: &mut Pair, run: u32) -> Result<()> {
        let snapshot = pair.bare.save(&format!("take-{run}"))?;
        self.bare_total.push(snapshot.took.as_secs_f64());
        self.bare_pause.push(snapshot.pause.as_secs_f64());
        let mut bytes = 0;
        for file in snapshot.memory_files() {
            bytes += allocated(&file)?;
            fs::remove_file(file)?;
        }
        self.bare_memory.push(megabytes(bytes));
        Ok(())
    }
}

pub(in crate::figures) fn total(lab: &Lab, runs: u32) -> Result<Figure> {
    let takes = lab.shared.takes(lab, runs)?;
    Ok(Figure {
        name: "snapshot",
        unit: Unit::Seconds,
        value: takes.total.median(),
        reference: takes.bare_total.median(),
        reference_name: "QEMU's own disk snapshot and migration to a file of both guests"
            .to_owned(),
        goal: Some(Goal::ValueAndRatio(1.5, 2.0)),
        note: format!(
            "{GUESTS} running `debian` guests of 512 MiB: {}, which the VMs and the caller do not wait for; {runs} runs, {}; bare QEMU {}",
            takes.phases.show(),
            takes.total.spread(Unit::Seconds),
            takes.bare_total.spread(Unit::Seconds)
        ),
    })
}

pub(in crate::figures) fn pause(lab: &Lab, runs: u32) -> Result<Figure> {
    let takes = lab.shared.takes(lab, runs)?;
    Ok(Figure {
        name: "snapshot_pause",
        unit: Unit::Seconds,
        value: takes.pause.median(),
        reference: takes.bare_pause.median(),
        reference_name: "the same with QEMU's own".to_owned(),
        goal: Some(Goal::Value(0.7)),
        note: format!(
            "how long both stood still: until they are held, their disks and memory are written, they are let go; \
             {runs} runs, {}; bare QEMU {}",
            takes.pause.spread(Unit::Seconds),
            takes.bare_pause.spread(Unit::Seconds)
        ),
    })
}

#[expect(clippy::cast_precision_loss, reason = "there are two guests")]
pub(in crate::figures) fn memory_file(lab: &Lab, runs: u32) -> Result<Figure> {
    let takes = lab.shared.takes(lab, runs)?;
    let guests = GUESTS as f64;
    Ok(Figure {
        name: "memory_file",
        unit: Unit::Megabytes,
        value: takes.memory.median() / guests,
        reference: takes.bare_memory.median() / guests,
        reference_name: "the file of QEMU's migration".to_owned(),
        goal: Some(Goal::Value(100.0)),
        note: "what the memory of an idle `debian` guest of 512 MiB takes on disk; compressed with zstd after the \
               guests run on"
            .to_owned(),
    })
}

fn allocated(file: &Path) -> Result<u64> {
    const BLOCK: u64 = 512;
    Ok(fs::metadata(file)?.blocks() * BLOCK)
}

#[expect(clippy::cast_precision_loss, reason = "no file has so many bytes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
