//! `cargo xtask bench`: what lago costs, each figure beside a reference that is measured in the same run.
//!
//! Every machine is as fast as it is, so a figure alone says little. Each is measured in turns with its reference, and
//! the ratio of the two is what counts.

mod bare;
mod figure;
mod figures;
mod lab;
mod phases;
mod samples;
mod suite;
mod table;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use figures::Measurement;
use lab::Lab;

/// The load of a machine that does something else as well.
const BUSY: f64 = 0.5;

/// Measures what lago costs, each figure beside a reference from the same run.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask bench")]
struct Arguments {
    /// The figures to measure; all of them without names.
    #[arg(value_name = "NAME", value_parser = figures::by_name)]
    names: Vec<Measurement>,

    /// Writes the figures to this file, as an array of objects.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// How often VMs are started for a figure; the median counts.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

fn main() -> ExitCode {
    if let Some(code) = suite::main_of_suite() {
        return code;
    }
    let warnings = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_filter(LevelFilter::WARN);
    let spans = phases::Watch.with_filter(Targets::new().with_target("lago", LevelFilter::INFO));
    tracing_subscriber::registry().with(warnings).with(spans).init();
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Two guests need both processors of a small machine, so that what else runs there decides what they take.
fn warn_of_other_load() -> Result<()> {
    let text = fs::read_to_string("/proc/loadavg").context("reading the load of the machine")?;
    let load: f64 = text.split(' ').next().unwrap_or_default().parse()?;
    let processors = std::thread::available_parallelism()?;
    if load > BUSY {
        eprintln!(
            "warning: the machine is busy, its load is {load} on {processors} processors; figures will vary"
        );
    }
    Ok(())
}

/// Measures and reports; false when a measurement failed. A goal that is missed is a result, not a failure.
fn run(arguments: &Arguments) -> Result<bool> {
    let wanted =
        if arguments.names.is_empty() { figures::ALL.to_vec() } else { arguments.names.clone() };
    let lab = Lab::open()?;
    warn_of_other_load()?;
    let mut measured = Vec::new();
    let mut complete = true;
    for measurement in wanted {
        eprintln!("measuring {} ...", measurement.name);
        match (measurement.measure)(&lab, arguments.runs) {
            Ok(figure) => measured.push(figure),
            Err(error) => {
                complete = false;
                eprintln!("error: cannot measure {}: {error:#}", measurement.name);
            }
        }
    }
    print!("{}", table::render(&measured));
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string_pretty(&measured)? + "\n";
        fs::write(path, json).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(complete)
}
