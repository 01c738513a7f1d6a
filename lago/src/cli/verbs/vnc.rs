use std::io::Write as _;

use super::forward::wait_for_signals;
use crate::cli::context::Context;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The VM, which has `graphics: vnc` in the init file.
    vm: String,

    /// The port on this machine; one that is free without it.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
}

impl Arguments {
    /// The address is alone on its line, for scripts; the password follows on the next.
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let prefix = context.prefix()?;
        let signal = wait_for_signals()?;
        let vm = prefix.vm(&self.vm)?;
        let forward = vm.forward_vnc(self.port.unwrap_or_default())?;
        let password = vm.vnc_password()?.unwrap_or_default();
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{}\n{password}", forward.address())?;
        stdout.flush()?;
        tracing::info!(
            "the display of {}, until Ctrl-C: `vncviewer {}` asks for the password above",
            vm.name(),
            forward.address().to_string().replace(':', "::")
        );
        signal.wait()
    }
}
