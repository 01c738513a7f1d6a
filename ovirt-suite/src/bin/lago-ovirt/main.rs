//! The `lago-ovirt` command, which `lago ovirt` runs: what can be done with an oVirt environment as a whole.

mod collect;
mod reposetup;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lago::cli::WhichPrefix;
use lago::utils::error_chain;
use ovirt_suite::OvirtPrefix;
use tracing_subscriber::EnvFilter;

/// The exit code of a verb that failed.
const EXIT_FAILURE: u8 = 1;

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 the command line was not understood; `runtest` exits as its program does.
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
    /// Bring everything up, then hosts and storage.
    Start,
    /// Bring storage and hosts to rest, then stop everything.
    Stop,
    /// Keep the disks of all VMs under a name, with the environment at rest.
    Snapshot {
        /// What to call it.
        name: String,
        /// Leave the environment at rest.
        #[arg(long)]
        no_restore: bool,
    },
    /// Boot all VMs from the disks that a snapshot has, then bring hosts and storage up.
    Revert {
        /// Which one.
        name: String,
    },
    /// Gather what is known of the environment, with the logs of engine and hosts.
    Collect(collect::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("LAGO_LOG")
        .unwrap_or_else(|_| EnvFilter::new("lago=info,ovirt_suite=info,lago_ovirt=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", error_chain(error.as_ref()));
            ExitCode::from(EXIT_FAILURE)
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let prefix = OvirtPrefix::open(arguments.which.with_environment().path()?)?;
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
