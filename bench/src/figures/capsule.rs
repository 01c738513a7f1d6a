//! `capsule`, `capsule_size`, `capsule_open`: two running guests go into one file, and come out of it.

use std::fs;
use std::path::Path;

use anyhow::Result;
use lago::capsule::{self, OpenOptions, SaveOptions};
use lago::utils::HostCommand;

use super::snapshot::{GUESTS, Pair};
use crate::figure::{Figure, Unit};
use crate::lab::{Lab, Scratch};
use crate::phases::Phases;
use crate::samples::{Samples, seconds};

const SAVE_PHASES: [&str; 3] = ["cut", "collect", "pack"];

const OPEN_PHASES: [&str; 4] = ["unpack", "make layer", "start host", "restore"];

/// What capsules took, beside tar and zstd with the same files.
pub(super) struct Capsules {
    save: Samples,
    size: Samples,
    pause: Samples,
    open: Samples,
    tar: Samples,
    tar_size: Samples,
    untar: Samples,
    save_phases: String,
    open_phases: String,
}

impl Capsules {
    pub(super) fn measure(lab: &Lab, pair: &Pair, runs: u32) -> Result<Self> {
        let mut samples: [Samples; 7] = Default::default();
        let [save, size, pause, open, tar, tar_size, untar] = &mut samples;
        let file = lab.path("bench.lago-capsule");
        let mut phases = Phases::new(&SAVE_PHASES);
        for _ in 0..runs {
            let saved = pair.prefix.save_capsule(&file, &SaveOptions::default())?;
            phases.collect();
            save.push(saved.took.as_secs_f64());
            size.push(megabytes(saved.bytes));
            pause.push(saved.pause.as_secs_f64());
        }
        let save_phases = phases.show();
        let files = content(lab, &file)?;
        for _ in 0..runs {
            let archive = lab.path("bench.tar.zst");
            let ((), packing) = seconds(|| pack(files.paths().prefix(), &archive))?;
            tar.push(packing);
            tar_size.push(megabytes(fs::metadata(&archive)?.len()));
            let ((), unpacking) = seconds(|| unpack(&archive, &lab.path("untarred")))?;
            untar.push(unpacking);
            fs::remove_dir_all(lab.path("untarred"))?;
            fs::remove_file(archive)?;
        }
        files.destroy()?;
        let mut phases = Phases::new(&OPEN_PHASES);
        for _ in 0..runs {
            let (opened, took) = seconds(|| Ok(capsule::open(&file, &options(lab))?))?;
            phases.collect();
            open.push(took);
            opened.destroy()?;
        }
        fs::remove_file(&file)?;
        let open_phases = phases.show();
        let [save, size, pause, open, tar, tar_size, untar] = samples;
        Ok(Self { save, size, pause, open, tar, tar_size, untar, save_phases, open_phases })
    }
}

fn options(lab: &Lab) -> OpenOptions {
    OpenOptions { store: Some(lab.store().to_owned()), ..OpenOptions::new(lab.path("opened")) }
}

/// The files that a capsule is made of, in a prefix of which nothing runs.
fn content(lab: &Lab, file: &Path) -> Result<Scratch> {
    Ok(capsule::open(file, &OpenOptions { no_memory: true, ..options(lab) })?.into())
}

/// As saving does, it is done when all of it is on the disk.
fn pack(directory: &Path, archive: &Path) -> Result<()> {
    let script = r#"tar -cf - images logs snapshots ssh | zstd -q -T0 -1 -o "$1" && sync "$1""#;
    HostCommand::new("sh").args(["-c", script, "sh"]).arg(archive).current_dir(directory).run()?;
    Ok(())
}

fn unpack(archive: &Path, directory: &Path) -> Result<()> {
    fs::create_dir(directory)?;
    HostCommand::new("tar").arg("--zstd").arg("-xf").arg(archive).current_dir(directory).run()?;
    Ok(())
}

pub(super) fn save(lab: &Lab, runs: u32) -> Result<Figure> {
    let capsules = lab.shared.capsules(lab, runs)?;
    Ok(Figure {
        name: "capsule",
        unit: Unit::Seconds,
        value: capsules.save.median(),
        reference: capsules.tar.median(),
        reference_name: "`tar | zstd -1` of the same files, which are there already".to_owned(),
        goal: None,
        note: format!(
            "{GUESTS} running `debian` guests of 512 MiB: {}; they stand still for {}; {runs} runs, {}; tar {}",
            capsules.save_phases,
            Unit::Seconds.show(capsules.pause.median()),
            capsules.save.spread(Unit::Seconds),
            capsules.tar.spread(Unit::Seconds)
        ),
    })
}

pub(super) fn size(lab: &Lab, runs: u32) -> Result<Figure> {
    let capsules = lab.shared.capsules(lab, runs)?;
    Ok(Figure {
        name: "capsule_size",
        unit: Unit::Megabytes,
        value: capsules.size.median(),
        reference: capsules.tar_size.median(),
        reference_name: "`tar | zstd -1` of the same files".to_owned(),
        goal: None,
        note: "with the memory of both guests and all that their disks have beyond the template; what the two have in \
               common is in it once"
            .to_owned(),
    })
}

pub(super) fn open(lab: &Lab, runs: u32) -> Result<Figure> {
    let capsules = lab.shared.capsules(lab, runs)?;
    Ok(Figure {
        name: "capsule_open",
        unit: Unit::Seconds,
        value: capsules.open.median(),
        reference: capsules.untar.median(),
        reference_name: "`tar -x` of the same files, and nothing runs".to_owned(),
        goal: None,
        note: format!(
            "until both guests stand still at the moment: {}; {runs} runs, {}; tar {}",
            capsules.open_phases,
            capsules.open.spread(Unit::Seconds),
            capsules.untar.spread(Unit::Seconds)
        ),
    })
}

#[expect(clippy::cast_precision_loss, reason = "no file has so many bytes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
