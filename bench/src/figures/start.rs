//! `start`, `start_debian`, `start_four`: from power-on until all guests answer ssh.

use anyhow::Result;
use lago::Prefix;
use lago::prefix::START_LIMIT;
use lago::utils::parallel;
use lago::virt::Network;

use crate::bare::BareMachines;
use crate::figure::{Figure, Goal, Unit};
use crate::lab::{GuestImage, Lab};
use crate::samples::{Samples, seconds};

const NAME: &str = "start";

pub(super) fn start_mini(lab: &Lab, runs: u32) -> Result<Figure> {
    beside_bare_qemu(NAME, lab, GuestImage::Mini, runs)
}

pub(super) fn start_debian(lab: &Lab, runs: u32) -> Result<Figure> {
    beside_bare_qemu("start_debian", lab, GuestImage::Debian, runs)
}

/// Four VMs beside two, both as lago starts them.
pub(super) fn start_four(lab: &Lab, runs: u32) -> Result<Figure> {
    let (mut four, mut two) = (Samples::default(), Samples::default());
    for _ in 0..runs {
        four.push(lago_start(lab, GuestImage::Mini, 4)?.total());
        two.push(lago_start(lab, GuestImage::Mini, 2)?.total());
    }
    Ok(Figure {
        name: "start_four",
        unit: Unit::Seconds,
        value: four.median(),
        reference: two.median(),
        reference_name: "the start of two".to_owned(),
        goal: Some(Goal::RatioBelow(2.0)),
        note: format!(
            "four `mini` VMs on {} processors; {runs} runs, {}",
            std::thread::available_parallelism()?,
            four.spread(Unit::Seconds)
        ),
    })
}

fn beside_bare_qemu(name: &'static str, lab: &Lab, image: GuestImage, runs: u32) -> Result<Figure> {
    let (mut total, mut bare) = (Samples::default(), Samples::default());
    let mut parts = [(); 4].map(|()| Samples::default());
    for run in 0..runs {
        // The other way round each time, so that a load that comes or goes favours neither.
        if run % 2 == 1 {
            bare.push(bare_start(lab, image, 2)?);
        }
        let phases = lago_start(lab, image, 2)?;
        total.push(phases.total());
        for (samples, part) in parts.iter_mut().zip(phases.0) {
            samples.push(part);
        }
        if run % 2 == 0 {
            bare.push(bare_start(lab, image, 2)?);
        }
    }
    let [host, networks, domains, guests] = parts.map(|part| Unit::Seconds.show(part.median()));
    Ok(Figure {
        name,
        unit: Unit::Seconds,
        value: total.median(),
        reference: bare.median(),
        reference_name: "the same disks and devices under bare QEMU".to_owned(),
        goal: Some(Goal::Ratio(1.1)),
        note: format!(
            "private host {host}, network {networks}, domains {domains}, guests until ssh {guests}; \
             {runs} runs, {}; bare QEMU {}",
            total.spread(Unit::Seconds),
            bare.spread(Unit::Seconds)
        ),
    })
}

/// How many seconds the host, the networks, the domains and the guests took, one after the other.
struct Phases([f64; 4]);

impl Phases {
    fn total(&self) -> f64 {
        self.0.iter().sum()
    }
}

/// What `Prefix::start` does, step by step: each step finds what the one before has brought up.
fn lago_start(lab: &Lab, image: GuestImage, count: usize) -> Result<Phases> {
    let scratch = lab.prefix(NAME, image, count)?;
    let prefix: &Prefix = &scratch;
    let ((), host) = seconds(|| Ok(prefix.host().start()?))?;
    let (_, networks) = seconds(|| Ok(parallel(prefix.networks(), Network::start)?))?;
    let (vms, domains) = seconds(|| Ok(prefix.power_on(&[])?))?;
    let ((), guests) = seconds(|| Ok(prefix.virt_env().wait_for_ssh(&vms, START_LIMIT)?))?;
    scratch.destroy()?;
    Ok(Phases([host, networks, domains, guests]))
}

fn bare_start(lab: &Lab, image: GuestImage, count: usize) -> Result<f64> {
    let scratch = lab.prefix(NAME, image, count)?;
    let (machines, taken) = seconds(|| {
        let machines = BareMachines::power_on(&scratch)?;
        machines.wait_for_ssh(START_LIMIT)?;
        Ok(machines)
    })?;
    drop(machines);
    scratch.destroy()?;
    Ok(taken)
}
