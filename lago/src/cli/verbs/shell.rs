use std::fs::{self, File};
use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::ExitCode;

use crate::cli::completion::vms;
use crate::cli::context::Context;
use crate::guest::{Cmd, GuestStatus, Terminal};
use crate::utils::FileError;
use crate::{Prefix, Vm};

/// Shells report a signal as this plus its number.
const SIGNAL_BASE: u8 = 128;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The VM.
    #[arg(value_name = "VM", add = vms())]
    vm: String,

    /// What to run; an interactive shell without it. `-c COMMAND...` is a line for the guest's shell, and so is a single
    /// word, unless it is a file here: that is a script. Several words are a program and its arguments, as they are. Exits
    /// as the command does; what comes in on standard input goes to it.
    #[arg(
        value_name = "[-c] COMMAND", trailing_var_arg = true, allow_hyphen_values = true,
        num_args = 0..
    )]
    words: Vec<String>,
}

/// What is to be done in the guest.
enum Task {
    /// A shell for the person at the terminal, or for what comes in.
    Shell,
    /// A command that uses this process's standard streams.
    Command(Cmd),
    /// A script, which comes in by standard input.
    Script(Cmd),
}

impl Arguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let prefix = context.prefix()?;
        let vm = find(&prefix, &self.vm)?;
        let task = task(&self.words)?;
        context.wait_for(vm)?;
        let status = match task {
            Task::Shell if std::io::stdin().is_terminal() => vm.interactive_ssh()?,
            Task::Shell => run(vm, &Cmd::new("sh"))?,
            Task::Command(command) => run(vm, &command)?,
            Task::Script(script) => stream(vm, &script)?,
        };
        Ok(exit_code(&status))
    }
}

/// The VM of this name, or else the one whose name ends so.
fn find<'a>(prefix: &'a Prefix, name: &str) -> crate::Result<&'a Vm> {
    prefix.vm(name).or_else(|unknown| {
        let mut ending = prefix.vms().filter(|vm| vm.name().ends_with(name));
        match (ending.next(), ending.next()) {
            (Some(vm), None) => Ok(vm),
            _ => Err(unknown),
        }
    })
}

fn task(words: &[String]) -> anyhow::Result<Task> {
    Ok(match words {
        [] => Task::Shell,
        [option, line @ ..] if option == "-c" || option == "--command" => {
            anyhow::ensure!(!line.is_empty(), "{option} needs a command behind it");
            Task::Command(Cmd::sh(line.join(" ")))
        }
        [path] if Path::new(path).is_file() => {
            let script = fs::read(path).map_err(FileError::io("read", Path::new(path)))?;
            Task::Script(Cmd::script(script))
        }
        [line] => Task::Command(Cmd::sh(line)),
        [program, arguments @ ..] => Task::Command(Cmd::new(program).args(arguments)),
    })
}

/// Runs a script whose text is the standard input, and passes its output on as it comes.
fn stream(vm: &Vm, script: &Cmd) -> anyhow::Result<GuestStatus> {
    let (stdout, stderr) = (&mut std::io::stdout(), &mut std::io::stderr());
    Ok(vm.stream(script, stdout, stderr)?)
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
