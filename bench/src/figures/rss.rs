//! `rss`: the memory of the `lago` command.

use std::fs;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::figure::{Figure, Goal, Unit};
use crate::lab::{GuestImage, Lab};

/// How often to look. The kernel keeps the peak, so only what is taken just before the end can be missed.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// How long a command's input stays open, so that one that reads it stays for long enough to be looked at.
const STAY: Duration = Duration::from_millis(500);

pub(super) fn rss(lab: &Lab, _runs: u32) -> Result<Figure> {
    let prefix = lab.prefix("rss", GuestImage::Mini, 2)?;
    let mut lago = lab.lago();
    lago.arg("--prefix-path").arg(prefix.paths().prefix()).arg("start");
    let value = peak(&mut lago, "")?;
    let mut virsh = Command::new("virsh");
    virsh.args(["--connect", &prefix.host().libvirt_uri()?]);
    let reference = peak(&mut virsh, "list\n")?;
    prefix.destroy()?;
    Ok(Figure {
        name: "rss",
        unit: Unit::Megabytes,
        value,
        reference,
        reference_name: "`virsh list` at the same libvirt".to_owned(),
        goal: Some(Goal::Value(60.0)),
        note: "peak resident memory of `lago start` with two VMs; QEMU and libvirtd are not in it"
            .to_owned(),
    })
}

/// The most memory that a command had resident, in megabytes.
pub(super) fn peak(command: &mut Command, input: &str) -> Result<f64> {
    let program = command.get_program().display().to_string();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("starting {program}"))?;
    let mut stdin = child.stdin.take();
    if let Some(stdin) = &mut stdin {
        stdin.write_all(input.as_bytes())?;
    }
    let started = Instant::now();
    let mut peak = None;
    let status = loop {
        peak = resident_peak(&child).or(peak);
        if started.elapsed() > STAY {
            drop(stdin.take());
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        thread::sleep(POLL_INTERVAL);
    };
    if !status.success() {
        bail!("{program} ended with {status}");
    }
    peak.with_context(|| format!("{program} ended before its memory could be read"))
}

/// Nothing once the process has ended.
fn resident_peak(child: &Child) -> Option<f64> {
    parse_peak(&fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?)
}

fn parse_peak(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::parse_peak;

    #[test]
    fn the_kernel_counts_in_kibibytes() {
        let peak = parse_peak("Name:\tlago\nVmHWM:\t   15625 kB\nVmRSS:\t 1 kB\n").unwrap();
        assert!((peak - 16.0).abs() < 1e-9);
        assert_eq!(parse_peak("Name:\tlago\nState:\tZ (zombie)\n"), None);
    }
}
