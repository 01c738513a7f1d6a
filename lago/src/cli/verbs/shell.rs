use std::io::{IsTerminal as _, Read as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use crate::Vm;
use crate::cli::context::Context;
use crate::guest::{Cmd, GuestStatus};

/// What a command of `shell -c` may take; it is a person or a script that waits, and either can end it.
const SHELL_LIMIT: Duration = Duration::from_secs(24 * 3600);

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
            Some(script) => run_script(vm, &script)?,
            None if std::io::stdin().is_terminal() => vm.interactive_ssh()?,
            None => run_script(vm, &read_stdin()?)?,
        };
        Ok(exit_code(&status))
    }
}

fn run_script(vm: &Vm, script: &str) -> anyhow::Result<GuestStatus> {
    let mut command = Cmd::new("sh").arg("-c").arg(script).limit(SHELL_LIMIT);
    if !std::io::stdin().is_terminal() {
        command = command.stdin(read_stdin_bytes()?);
    }
    let output = vm.output(&command)?;
    std::io::stdout().write_all(output.stdout_bytes())?;
    std::io::stderr().write_all(output.stderr_bytes())?;
    Ok(output.status)
}

fn read_stdin() -> anyhow::Result<String> {
    Ok(std::io::read_to_string(std::io::stdin())?)
}

fn read_stdin_bytes() -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    Ok(bytes)
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
