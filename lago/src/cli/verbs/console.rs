use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};

use crate::cli::completion::vms;
use crate::cli::context::Context;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The VM.
    #[arg(value_name = "VM", add = vms())]
    vm: String,
}

impl Arguments {
    /// The console is virsh's, which knows how to hand a terminal over and back.
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let prefix = context.prefix()?;
        let vm = prefix.vm(&self.vm)?;
        vm.require_virtual("show a console")?;
        if !vm.alive()? {
            bail!(
                "VM {} is down; `lago start {}` starts it. What its console said is in {}",
                vm.name(),
                vm.name(),
                vm.console_log().display()
            );
        }
        let status = Command::new("virsh")
            .args(["--connect", &prefix.host().libvirt_uri()?, "console", vm.libvirt_name()])
            .status()
            .context("cannot run virsh; it is in the package libvirt-clients (libvirt-client)")?;
        let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
        Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
    }
}
