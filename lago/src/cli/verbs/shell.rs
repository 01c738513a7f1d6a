use std::fs::File;
use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::process::ExitCode;

use crate::Vm;
use crate::cli::context::Context;
use crate::guest::{Cmd, GuestStatus, Terminal};

/// Shells report a signal as this plus its number.
const SIGNAL_BASE: u8 = 128;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The VM.
    #[arg(value_name = "VM")]
    vm: String,

    /// Run this with the guest's shell and exit as it does; what comes in on standard input goes to it.
    #[arg(short, long, value_name = "COMMAND")]
    command: Option<String>,
}

impl Arguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let prefix = context.prefix()?;
        let vm = prefix.vm(&self.vm)?;
        let status = match self.command {
            Some(script) => run(vm, &Cmd::sh(script))?,
            None if std::io::stdin().is_terminal() => vm.interactive_ssh()?,
            None => run(vm, &Cmd::new("sh"))?,
        };
        Ok(exit_code(&status))
    }
}

/// Runs a command with this process's standard streams, as they come. A terminal is left to the person at it.
fn run(vm: &Vm, command: &Cmd) -> anyhow::Result<GuestStatus> {
    let stdin = std::io::stdin();
    let nothing = File::open("/dev/null")?;
    let input = if stdin.is_terminal() { nothing.as_fd() } else { stdin.as_fd() };
    let (output, error) = (&mut std::io::stdout(), &mut std::io::stderr());
    Ok(vm.converse(command, Terminal { input, output, error })?)
}

fn exit_code(status: &GuestStatus) -> ExitCode {
    match status {
        GuestStatus::Code(code) => ExitCode::from(u8::try_from(*code).unwrap_or(u8::MAX)),
        GuestStatus::Signal(name) => ExitCode::from(SIGNAL_BASE + signal_number(name)),
    }
}

/// The signals that RFC 4254, section 6.10 names.
fn signal_number(name: &str) -> u8 {
    match name {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "ILL" => 4,
        "ABRT" => 6,
        "FPE" => 8,
        "KILL" => 9,
        "USR1" => 10,
        "SEGV" => 11,
        "USR2" => 12,
        "PIPE" => 13,
        "ALRM" => 14,
        "TERM" => 15,
        _ => 0,
    }
}
