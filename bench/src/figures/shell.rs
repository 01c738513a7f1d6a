//! `shell`: from nothing to the first command's end, in a prefix that runs.

use std::process::Stdio;
use std::thread;

use anyhow::{Context, Result, bail};

use super::exec::SETTLE;
use super::ssh_client::SshClient;
use crate::figure::{Figure, Goal, Unit};
use crate::lab::{GuestImage, Lab};
use crate::samples::{Samples, seconds};

const COMMANDS: u32 = 5;

pub(super) fn shell(lab: &Lab, _runs: u32) -> Result<Figure> {
    let prefix = lab.prefix("shell", GuestImage::Mini, 1)?;
    prefix.start()?;
    let vm = prefix.vm("vm0")?;
    let client = SshClient::new(lab, &prefix)?;
    thread::sleep(SETTLE);
    let (mut ours, mut reference) = (Samples::default(), Samples::default());
    for _ in 0..COMMANDS {
        let mut lago = lab.lago();
        lago.arg("--prefix-path").arg(prefix.paths().prefix());
        lago.args(["shell", vm.name(), "-c", "true"]).stdin(Stdio::null());
        let (status, taken) = seconds(|| lago.status().context("starting lago"))?;
        if !status.success() {
            bail!("`lago shell` ended with {status}");
        }
        ours.push(taken);
        reference.push(seconds(|| client.run(vm, "true"))?.1);
    }
    prefix.destroy()?;
    Ok(Figure {
        name: "shell",
        unit: Unit::Seconds,
        value: ours.median(),
        reference: reference.median(),
        reference_name: "`ssh` with a connection of its own".to_owned(),
        goal: Some(Goal::Ratio(1.1)),
        note: format!(
            "`lago shell vm0 -c true`, mostly the guest's part of the handshake; {COMMANDS} times, {}",
            ours.spread(Unit::Seconds)
        ),
    })
}
