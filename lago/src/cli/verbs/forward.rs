use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::cli::context::Context;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The VM.
    vm: String,

    /// The TCP port in the guest.
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    guest_port: u16,

    /// The port on this machine; one that is free without it.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
}

impl Arguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let prefix = context.prefix()?;
        let signal = wait_for_signals()?;
        let vm = prefix.vm(&self.vm)?;
        let forward = vm.forward_on(self.guest_port, self.port.unwrap_or_default())?;
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{}", forward.address())?;
        stdout.flush()?;
        tracing::info!("connected with {} of {}, until Ctrl-C", forward.target(), vm.name());
        signal.wait()
    }
}

/// The end of the command: whatever asks it to end.
pub(super) struct Ending(UnixStream);

pub(super) fn wait_for_signals() -> anyhow::Result<Ending> {
    let (reader, writer) = UnixStream::pair()?;
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        pipe::register(signal, writer.try_clone()?)?;
    }
    Ok(Ending(reader))
}

impl Ending {
    pub(super) fn wait(mut self) -> anyhow::Result<()> {
        Ok(self.0.read_exact(&mut [0])?)
    }
}
