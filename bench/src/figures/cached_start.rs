//! `cached_start`: making and starting an environment like one that was started before.

use anyhow::{Result, ensure};
use lago::cache::{Cache, StartOrigin};

use crate::figure::{Figure, Goal, Unit};
use crate::lab::{GuestImage, Lab, Scratch};
use crate::phases::Phases;
use crate::samples::{Samples, seconds};

const NAME: &str = "cached_start";

/// More than what one entry takes.
const LIMIT: u64 = 10 << 30;

const PHASES: [&str; 5] = ["make layer", "start host", "restore", "let go", "set clocks"];

/// From the init file until ssh answers in two Debian guests, beside the same without the cache.
pub(super) fn cached_start(lab: &Lab, runs: u32) -> Result<Figure> {
    let cache = Cache::new(lab.path("cache"), LIMIT);
    let (cold, cold_seconds) = seconds(|| {
        let prefix = lab.prefix(NAME, GuestImage::Debian, 2)?;
        prefix.start()?;
        Ok(prefix)
    })?;
    cold.destroy()?;
    let (kept, kept_seconds) = start(lab, &cache, &StartOrigin::Boot)?;
    kept.destroy()?;

    let mut warm = Samples::default();
    let mut phases = Phases::new(&PHASES);
    for _ in 0..runs {
        let (started, seconds) = start(lab, &cache, &StartOrigin::Cache)?;
        phases.collect();
        warm.push(seconds);
        started.destroy()?;
    }
    let size = cache.entries()?.iter().map(|entry| entry.size).sum::<u64>() >> 20;
    Ok(Figure {
        name: NAME,
        unit: Unit::Seconds,
        value: warm.median(),
        reference: cold_seconds,
        reference_name: "the same without the cache".to_owned(),
        goal: Some(Goal::Value(4.0)),
        note: format!(
            "two guests, from the init file until ssh answers: {}; {runs} runs, {}; the start that fills the cache {}, \
             which takes {size} MiB on disk",
            phases.show(),
            warm.spread(Unit::Seconds),
            Unit::Seconds.show(kept_seconds),
        ),
    })
}

fn start(lab: &Lab, cache: &Cache, origin: &StartOrigin) -> Result<(Scratch, f64)> {
    let options = lab.options(NAME, GuestImage::Debian, 2)?;
    let (started, seconds) = seconds(|| Ok(cache.start(options)?))?;
    let prefix = Scratch::from(started.prefix);
    ensure!(started.origin == *origin, "it came up as {:?}", started.origin);
    Ok((prefix, seconds))
}
