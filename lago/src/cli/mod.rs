//! The `lago` command. Each verb is a few lines over the library.

mod context;
mod output;
mod place;
mod progress;
mod units;
mod verbs;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing::level_filters::LevelFilter;

use crate::config::Config;
use crate::constants::VERSION;
use crate::utils::{PrefixLog, error_chain};
use context::Context;
use output::OutFormat;

/// The exit code of a verb that failed.
pub const EXIT_FAILURE: u8 = 1;
/// The exit code of a command line that could not be understood.
pub const EXIT_USAGE: u8 = 2;

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 the command line was not understood; `lago shell -c` exits as the command in the guest
did, and with 128 + N when signal N ended it.
Environment: LAGO_LOG filters what is logged (such as `lago=debug`), LAGO_<SETTING> overrides a setting of lago.conf.";

/// Brings up several virtual machines, their networks and their disks from one init file, into one directory.
#[derive(Debug, Parser)]
#[command(name = "lago", version, after_help = AFTER_HELP, infer_long_args = true)]
struct Arguments {
    /// The workdir; without it, `.lago` here or in the nearest directory above.
    #[arg(short = 'w', long, global = true, env = "LAGO_WORKDIR", value_name = "DIR")]
    workdir: Option<PathBuf>,

    /// Which prefix of the workdir; without it, the current one.
    #[arg(short = 'P', long, global = true, env = "LAGO_PREFIX_NAME", value_name = "NAME")]
    prefix_name: Option<String>,

    /// A prefix by its directory, in any workdir or none.
    #[arg(
        short = 'p', long, visible_alias = "prefix", global = true, env = "LAGO_PREFIX_PATH",
        value_name = "DIR", conflicts_with_all = ["workdir", "prefix_name"]
    )]
    prefix_path: Option<PathBuf>,

    /// How a verb prints what it found out.
    #[arg(short = 'f', long, global = true, value_enum, default_value_t)]
    out_format: OutFormat,

    /// How much is logged to stderr, instead of the setting `loglevel`: off, error, warn, info, debug or trace.
    #[arg(short = 'l', long, global = true, value_name = "LEVEL")]
    loglevel: Option<LevelFilter>,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a prefix from an init file: disks, keys, addresses. Nothing runs yet.
    Init(verbs::init::Arguments),
    /// Power VMs on and wait until they answer.
    Start(verbs::start::Arguments),
    /// Pull the plug of VMs.
    Stop(verbs::stop::Arguments),
    /// Stop everything and remove the disks; logs stay.
    Cleanup,
    /// Stop everything and remove the prefix, or the whole workdir with --all-prefixes.
    Destroy(verbs::destroy::Arguments),
    /// Show the prefix: its networks, its VMs, what they are doing.
    Status,
    /// List prefixes, VMs, networks or templates.
    List(verbs::list::Arguments),
    /// Choose the prefix of the workdir that verbs use.
    SetCurrent(verbs::set_current::Arguments),
    /// Keep the state of all VMs, disks and memory, under a name; list or delete what was kept.
    Snapshot(verbs::snapshot::Arguments),
    /// Put all VMs back to where they were at a snapshot.
    Revert(verbs::revert::Arguments),
    /// End the faults of the networks that tests have made: partitions, impairments, links that are down.
    Heal,
    /// Run a second environment on from a snapshot, beside the first.
    Fork(verbs::fork::Arguments),
    /// Make VMs stand still.
    Suspend(verbs::suspend::Arguments),
    /// Let VMs run on that stand still.
    Resume(verbs::resume::Arguments),
    /// Pack the environment as it is now into one file, or go on from such a file on another machine.
    #[command(subcommand)]
    Capsule(verbs::capsule::Command),
    /// Open a shell in a VM, or run one command there with -c.
    Shell(verbs::shell::Arguments),
    /// Open a VM's serial console; Ctrl-] leaves it.
    Console(verbs::console::Arguments),
    /// Copy a file or a directory into a VM.
    CopyToVm(verbs::copy::ToVmArguments),
    /// Copy a file or a directory out of a VM.
    CopyFromVm(verbs::copy::FromVmArguments),
    /// Make a TCP port of a VM one of this machine's loopback interface, until Ctrl-C.
    Forward(verbs::forward::Arguments),
    /// Gather what is known of the environment in a directory: consoles, journals, artifacts, screenshots, logs.
    Collect(verbs::collect::Arguments),
    /// Print an ssh configuration with which `ssh VM` works.
    SshConfig(verbs::ssh_config::Arguments),
    /// Show or remove the cached environments that suites start from, or switch the cache on or off.
    #[command(subcommand)]
    Cache(verbs::cache::Command),
    /// Print a configuration file with all settings, what they are for, and their defaults.
    GenerateConfig(verbs::generate_config::Arguments),
    /// Make a crate with a suite, an init file and files for CI, which passes as it is.
    New(verbs::new::Arguments),
    /// Add images by their address, or bring templates into the store.
    #[command(subcommand)]
    Template(verbs::template::Command),
    /// Add, update, list or remove repositories of templates.
    #[command(subcommand)]
    TemplateRepo(verbs::template_repo::Command),
    /// Show the images in the template store, or remove what nothing uses.
    #[command(subcommand)]
    Store(verbs::store::Command),
    /// Say what this machine lacks to run VMs, with the command that mends it.
    Doctor,
    /// Connect standard input and output to a TCP port of a VM; what `ssh-config` uses as its proxy.
    #[command(hide = true)]
    Connect(verbs::ssh_config::ConnectArguments),
}

/// Runs the command line and returns the exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = arguments.into_iter().collect();
    let arguments = match Arguments::try_parse_from(&words) {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            // A closed stdout is the reader's choice, not a failure.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let log = PrefixLog::default();
    begin_logging(arguments.loglevel, &log);
    tracing::debug!("lago {VERSION}: {}", line(&words));
    match run(arguments, log) {
        Ok(code) => {
            tracing::debug!("done");
            code
        }
        Err(error) => {
            let error = error_chain(error.as_ref());
            tracing::debug!("failed: {error}");
            eprintln!("error: {error}");
            ExitCode::from(EXIT_FAILURE)
        }
    }
}

/// The command line as a shell takes it.
fn line(words: &[OsString]) -> String {
    let words: Vec<_> = words.iter().skip(1).map(|word| word.to_string_lossy()).collect();
    shlex::try_join(words.iter().map(AsRef::as_ref)).unwrap_or_else(|_| words.join(" "))
}

fn begin_logging(wanted: Option<LevelFilter>, log: &PrefixLog) {
    // A verb that needs the settings says what is wrong with them; the others work without.
    let config = Config::load().ok();
    let configured = config.as_ref().map(|config| config.loglevel);
    progress::install(wanted.or(configured).unwrap_or(LevelFilter::INFO), log);
    for warning in config.iter().flat_map(Config::warnings) {
        tracing::warn!("{warning}");
    }
}

fn run(arguments: Arguments, log: PrefixLog) -> anyhow::Result<ExitCode> {
    let context = Context {
        workdir: arguments.workdir,
        prefix_name: arguments.prefix_name,
        prefix_path: arguments.prefix_path,
        out_format: arguments.out_format,
        log,
    };
    match arguments.verb {
        Verb::Init(verb) => verb.run(&context)?,
        Verb::Start(verb) => verb.run(&context)?,
        Verb::Stop(verb) => verb.run(&context)?,
        Verb::Cleanup => context.prefix()?.cleanup()?,
        Verb::Destroy(verb) => verb.run(&context)?,
        Verb::Status => verbs::status::run(&context)?,
        Verb::List(verb) => verb.run(&context)?,
        Verb::SetCurrent(verb) => verb.run(&context)?,
        Verb::Snapshot(verb) => verb.run(&context)?,
        Verb::Revert(verb) => verb.run(&context)?,
        Verb::Heal => context.prefix()?.heal_all()?,
        Verb::Fork(verb) => verb.run(&context)?,
        Verb::Suspend(verb) => verb.run(&context)?,
        Verb::Resume(verb) => verb.run(&context)?,
        Verb::Capsule(verb) => verb.run(&context)?,
        Verb::Shell(verb) => return verb.run(&context),
        Verb::Console(verb) => return verb.run(&context),
        Verb::CopyToVm(verb) => verb.run(&context)?,
        Verb::CopyFromVm(verb) => verb.run(&context)?,
        Verb::Forward(verb) => verb.run(&context)?,
        Verb::Collect(verb) => verb.run(&context)?,
        Verb::SshConfig(verb) => verb.run(&context)?,
        Verb::Cache(verb) => verb.run(&context)?,
        Verb::GenerateConfig(_) => verbs::generate_config::run()?,
        Verb::New(verb) => verb.run()?,
        Verb::Template(verb) => verb.run(&context)?,
        Verb::TemplateRepo(verb) => verb.run(&context)?,
        Verb::Store(verb) => verb.run(&context)?,
        Verb::Doctor => return verbs::doctor::run(&context),
        Verb::Connect(verb) => verb.run(&context)?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use tracing::level_filters::LevelFilter;

    use super::Arguments;

    #[test]
    fn a_level_of_logging_is_one_or_the_command_line_is_not_understood() {
        let parsed = |level: &str| Arguments::try_parse_from(["lago", "-l", level, "status"]);
        assert_eq!(parsed("debug").unwrap().loglevel, Some(LevelFilter::DEBUG));
        assert!(parsed("chatty").unwrap_err().use_stderr());
    }

    #[test]
    fn the_letter_of_the_level_is_that_of_the_list_after_the_verb_snapshot() {
        let level = |args: &[&str]| Arguments::try_parse_from(args).unwrap().loglevel;
        assert_eq!(level(&["lago", "snapshot", "-l"]), None);
        assert_eq!(level(&["lago", "-l", "off", "snapshot", "-l"]), Some(LevelFilter::OFF));
        let after = level(&["lago", "snapshot", "--loglevel", "off", "clean"]);
        assert_eq!(after, Some(LevelFilter::OFF));
    }

    #[test]
    fn the_command_line_is_well_formed() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }
}
