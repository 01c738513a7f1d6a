//! The `lago-ovirt` command, which `lago ovirt` runs: what can be done with an oVirt environment as a whole.

mod collect;
mod interrupts;
mod reposetup;
mod serve;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use interrupts::EXIT_INTERRUPTED;
use lago::cli::WhichPrefix;
use lago::utils::error_chain;
use ovirt_suite::OvirtPrefix;
use ovirt_suite::utils::Interrupt;
use tracing_subscriber::EnvFilter;

/// The exit code of a verb that failed.
const EXIT_FAILURE: u8 = 1;

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 the command line was not understood, 130 interrupted; `runtest` exits as its program does.
Ctrl-C while storage and hosts come to rest brings up again what was up before; so does `start` after a process that was killed.
`lago snapshot` and `lago revert` keep the memory of all VMs too, and need nothing brought to rest.
Environment: LAGO_LOG filters what is logged, such as `lago=debug`.";

/// Does with an oVirt environment what is done with all of it at once.
#[derive(Debug, Parser)]
#[command(name = "lago-ovirt", version, after_help = AFTER_HELP, infer_long_args = true)]
struct Arguments {
    #[command(flatten)]
    which: WhichPrefix,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the scripts that make the VMs what they are, with packages served to them.
    Deploy,
    /// Make the repositories that the guests get packages from.
    Reposetup(reposetup::Arguments),
    /// Serve packages to the guests until Ctrl-C.
    Serve,
    /// Run a program that tests the environment, with packages served to the guests.
    Runtest(serve::RuntestArguments),
    /// Make the engine: run `engine-setup` in its VM.
    EngineSetup {
        /// A file of this machine with the answers; without one, it takes what it finds best.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Bring everything up, then the hosts and the storage that were up before.
    Start,
    /// Bring storage and hosts to rest, then stop everything.
    Stop,
    /// Keep the disks of all VMs under a name, with the environment at rest.
    Snapshot {
        /// What to call it.
        name: String,
        /// Leave the environment at rest; `start` brings it up.
        #[arg(long)]
        no_restore: bool,
    },
    /// Boot all VMs from the disks that a snapshot has, then bring up the hosts and the storage that were up before it.
    Revert {
        /// Which one.
        name: String,
    },
    /// Gather what is known of the environment, with the logs of engine and hosts.
    Collect(collect::Arguments),
}

impl Verb {
    /// What follows when somebody interrupts it, if it brings storage and hosts to rest or up.
    fn when_interrupted(&self) -> Option<&'static str> {
        match self {
            Self::Snapshot { .. } => {
                Some("what was brought to rest is brought up again, which takes minutes")
            }
            Self::Stop => Some("storage and hosts are stopped as they are"),
            Self::Start | Self::Revert { .. } => {
                Some("nothing more is waited for; `lago ovirt start` goes on")
            }
            _ => None,
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("LAGO_LOG")
        .unwrap_or_else(|_| EnvFilter::new("lago=info,ovirt_suite=info,lago_ovirt=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let interrupt = Interrupt::new();
    match run(arguments, &interrupt) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", error_chain(error.as_ref()));
            let interrupted = interrupt.check().is_err();
            ExitCode::from(if interrupted { EXIT_INTERRUPTED } else { EXIT_FAILURE })
        }
    }
}

fn run(arguments: Arguments, interrupt: &Interrupt) -> anyhow::Result<ExitCode> {
    let prefix = OvirtPrefix::open(arguments.which.with_environment().path()?)?;
    let prefix = prefix.interrupted_by(interrupt);
    if let Some(consequence) = arguments.verb.when_interrupted() {
        interrupts::give(interrupt, consequence)?;
    }
    match arguments.verb {
        Verb::Deploy => {
            let _server = serve::if_there_is_something(&prefix)?;
            prefix.deploy()?;
        }
        Verb::Reposetup(verb) => verb.run(&prefix)?,
        Verb::Serve => serve::run(&prefix)?,
        Verb::Runtest(verb) => return verb.run(&prefix),
        Verb::EngineSetup { config } => {
            prefix.virt_env().engine_vm()?.engine_setup(config.as_deref())?;
        }
        Verb::Start => prefix.start()?,
        Verb::Stop => prefix.stop()?,
        Verb::Snapshot { name, no_restore } => prefix.create_snapshots(&name, !no_restore)?,
        Verb::Revert { name } => prefix.revert_snapshots(&name)?,
        Verb::Collect(verb) => verb.run(&prefix)?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Arguments;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
