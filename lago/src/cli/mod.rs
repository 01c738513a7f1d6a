//! The `lago` command. Each verb is a few lines over the library.

mod abbreviations;
mod completion;
mod context;
mod lago_options;
mod output;
mod place;
mod plugins;
mod progress;
mod units;
mod usage;
mod verbs;
mod which_prefix;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tracing::level_filters::LevelFilter;

use crate::config::Config;
use crate::constants::VERSION;
use crate::utils::{PrefixLog, error_chain};
use context::Context;
use lago_options::LagoOptions;
use output::OutFormat;
pub use which_prefix::WhichPrefix;

/// The exit code of a verb that failed.
pub const EXIT_FAILURE: u8 = 1;
/// The exit code of a command line that could not be understood.
pub const EXIT_USAGE: u8 = 2;

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 the command line was not understood; `lago shell -c` exits as the command in the guest
did, and with 128 + N when signal N ended it.
Environment: LAGO_LOG filters what is logged (such as `lago=debug`), LAGO_<SETTING> overrides a setting of lago.conf.
Other verbs: a program `lago-NAME` or `lagocli-NAME` on the PATH is the verb NAME. It finds the prefix in LAGO_PREFIX_PATH, the \
directory around it in LAGO_WORKDIR_PATH, and this program in LAGO_PROGRAM.";

/// Brings up several virtual machines, their networks and their disks from one init file, into one directory.
#[derive(Debug, Parser)]
#[command(name = "lago", version, after_help = AFTER_HELP, infer_long_args = true)]
struct Arguments {
    #[command(flatten)]
    which: WhichPrefix,

    /// How a verb prints what it found out, instead of the setting `out_format`.
    #[arg(short = 'f', long, global = true, value_enum, value_name = "FORMAT")]
    out_format: Option<OutFormat>,

    /// How much is logged to stderr, instead of the setting `loglevel`: off, error, warn, info, debug or trace.
    #[arg(short = 'l', long, global = true, value_name = "LEVEL", value_parser = level)]
    loglevel: Option<LevelFilter>,

    #[command(flatten)]
    lago: LagoOptions,

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
    /// Have guests power off by themselves, or start anew with --reboot.
    Shutdown(verbs::shutdown::Arguments),
    /// Stop everything; what the VMs wrote stays, unless --disks removes it.
    Cleanup(verbs::cleanup::Arguments),
    /// Stop everything and remove the prefix, or the whole workdir with --all-prefixes.
    Destroy(verbs::destroy::Arguments),
    /// Show the prefix: its networks, its VMs, what they are doing.
    Status(verbs::status::Arguments),
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
    /// Make the display of a VM a port of this machine, for a VNC viewer, and print the password, until Ctrl-C.
    Vnc(verbs::vnc::Arguments),
    /// Run the deploy scripts that the init file lists for the VMs.
    Deploy(verbs::deploy::Arguments),
    /// Gather what is known of the environment in a directory: consoles, journals, artifacts, screenshots, logs.
    Collect(verbs::collect::Arguments),
    /// Write the disks of VMs that are down to files of their own, with an init file that brings them up elsewhere.
    Export(verbs::export::Arguments),
    /// Print an ssh configuration with which `ssh VM` works.
    SshConfig(verbs::ssh_config::Arguments),
    /// Print the VMs as an inventory of Ansible's, in groups.
    #[command(name = "ansible_hosts", visible_alias = "ansible-hosts")]
    AnsibleHosts(verbs::ansible_hosts::Arguments),
    /// Show or remove the cached environments that suites start from, or switch the cache on or off.
    #[command(subcommand)]
    Cache(verbs::cache::Command),
    /// Print a configuration file with all settings, what they are for, and their defaults.
    GenerateConfig(verbs::generate_config::Arguments),
    /// Print a script with which a shell completes verbs, options and names.
    Completion(verbs::completion::Arguments),
    /// Write the manual pages.
    GenerateMan(verbs::generate_man::Arguments),
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
    /// A program on the PATH.
    #[command(external_subcommand)]
    Plugin(Vec<OsString>),
}

/// A level of logging, also in Python's words.
fn level(text: &str) -> Result<LevelFilter, String> {
    let ours = match text {
        "warning" => "warn",
        "critical" => "error",
        other => other,
    };
    ours.parse().map_err(|_| "it should be off, error, warn, info, debug or trace".to_owned())
}

/// Runs the command line and returns the exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = arguments.into_iter().collect();
    match completion::answer(&words) {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(error) => return refuse(&error, &words),
    }
    let arguments = match usage::parse(&words) {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error, &words),
    };
    if let Verb::Plugin(plugin) = &arguments.verb
        && plugins::find(&plugin[0]).is_none()
    {
        return refuse(&usage::unknown_verb(&plugin[0]), &words);
    }
    let log = PrefixLog::default();
    begin_logging(&arguments, &log);
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

/// Prints help, or what is wrong with the command line.
fn refuse(error: &clap::Error, words: &[OsString]) -> ExitCode {
    usage::print(error, words);
    // As in Lago.
    let has_no_words = words.len() <= 1;
    let code = if has_no_words { EXIT_FAILURE } else { EXIT_USAGE };
    ExitCode::from(if error.use_stderr() { code } else { 0 })
}

/// The command line as a shell takes it.
fn line(words: &[OsString]) -> String {
    let words: Vec<_> = words.iter().skip(1).map(|word| word.to_string_lossy()).collect();
    shlex::try_join(words.iter().map(AsRef::as_ref)).unwrap_or_else(|_| words.join(" "))
}

fn begin_logging(arguments: &Arguments, log: &PrefixLog) {
    // A verb that needs the settings says what is wrong with them; the others work without.
    let config = Config::load().ok();
    let configured = config.as_ref().map(|config| config.loglevel);
    let level = arguments.loglevel.or(configured).unwrap_or(LevelFilter::INFO);
    let ignored = config.as_ref().is_some_and(|config| config.ignore_warnings);
    progress::install(level, arguments.lago.ignore_warnings || ignored, log);
    for warning in config.iter().flat_map(Config::warnings) {
        tracing::warn!("{warning}");
    }
}

fn run(arguments: Arguments, log: PrefixLog) -> anyhow::Result<ExitCode> {
    let context = Context {
        which: arguments.which.with_environment(),
        out_format: arguments.out_format.unwrap_or_else(OutFormat::of_the_settings),
        lago: arguments.lago,
        log,
    };
    context.lago.check()?;
    match arguments.verb {
        Verb::Init(verb) => verb.run(&context)?,
        Verb::Start(verb) => verb.run(&context)?,
        Verb::Stop(verb) => verb.run(&context)?,
        Verb::Shutdown(verb) => verb.run(&context)?,
        Verb::Cleanup(verb) => verb.run(&context)?,
        Verb::Destroy(verb) => verb.run(&context)?,
        Verb::Status(verb) => verb.run(&context)?,
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
        Verb::Vnc(verb) => verb.run(&context)?,
        Verb::Deploy(verb) => verb.run(&context)?,
        Verb::Collect(verb) => verb.run(&context)?,
        Verb::Export(verb) => verb.run(&context)?,
        Verb::SshConfig(verb) => verb.run(&context)?,
        Verb::AnsibleHosts(verb) => verb.run(&context)?,
        Verb::Cache(verb) => verb.run(&context)?,
        Verb::GenerateConfig(_) => verbs::generate_config::run()?,
        Verb::Completion(verb) => verb.run()?,
        Verb::GenerateMan(verb) => verb.run()?,
        Verb::New(verb) => verb.run()?,
        Verb::Template(verb) => verb.run(&context)?,
        Verb::TemplateRepo(verb) => verb.run(&context)?,
        Verb::Store(verb) => verb.run(&context)?,
        Verb::Doctor => return verbs::doctor::run(&context),
        Verb::Connect(verb) => verb.run(&context)?,
        Verb::Plugin(words) => {
            let program = plugins::find(&words[0]).context("the program has just gone")?;
            return plugins::run(&context, &program, &words[1..]);
        }
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
