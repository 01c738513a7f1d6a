use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitCode};
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, bail};
use ovirt_suite::OvirtPrefix;
use ovirt_suite::repos::RepoServer;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::pipe;

/// What shells add to the number of a signal.
const SIGNAL_BASE: i32 = 128;

#[derive(Debug, clap::Args)]
pub(crate) struct RuntestArguments {
    /// The program and its arguments. `LAGO_PREFIX_PATH` tells it where the prefix is, `OVIRT_REPO_URL` where its guests find
    /// packages, if there are any.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PROGRAM"
    )]
    program: Vec<OsString>,
}

/// Serves what `reposetup` has made, until somebody asks for the end.
pub(crate) fn run(prefix: &OvirtPrefix) -> anyhow::Result<()> {
    let (mut ended, end) = UnixStream::pair()?;
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        pipe::register(signal, end.try_clone()?)?;
    }
    let Some(server) = if_there_is_something(prefix)? else {
        let dir = prefix.ovirt_paths().internal_repos();
        bail!("there is nothing to serve in {}; `lago ovirt reposetup` makes it", dir.display());
    };
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", server.url())?;
    stdout.flush()?;
    tracing::info!("serving {} to the guests, until Ctrl-C", server.dir().display());
    Ok(ended.read_exact(&mut [0])?)
}

/// Serves what `reposetup` has made, if it has made anything.
pub(crate) fn if_there_is_something(prefix: &OvirtPrefix) -> anyhow::Result<Option<RepoServer>> {
    let repos = prefix.ovirt_paths().internal_repos();
    if !repos.is_dir() {
        return Ok(None);
    }
    Ok(Some(RepoServer::on_management(prefix, &repos)?))
}

impl RuntestArguments {
    pub(crate) fn run(&self, prefix: &OvirtPrefix) -> anyhow::Result<ExitCode> {
        let server = if_there_is_something(prefix)?;
        let (program, arguments) = self.program.split_first().context("no program")?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("LAGO_PREFIX_PATH", std::path::absolute(prefix.paths().prefix())?);
        if let Some(server) = &server {
            command.env("OVIRT_REPO_URL", server.url());
        }
        // A terminal interrupts the program as well, which may have to clean up.
        flag::register(SIGINT, Arc::default())?;
        let mut child =
            command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
        pass_on_signals(&child)?;
        let status = child.wait()?;
        let code = status.code().or(status.signal().map(|signal| SIGNAL_BASE + signal));
        Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)))
    }
}

/// What asks this program to end asks the other one.
fn pass_on_signals(child: &Child) -> anyhow::Result<()> {
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let (mut asked, ask) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGHUP] {
        pipe::register(signal, ask.try_clone()?)?;
    }
    thread::spawn(move || {
        while asked.read_exact(&mut [0]).is_ok() {
            // One that has ended already is as good.
            let _ = pidfd_send_signal(&process, Signal::TERM);
        }
    });
    Ok(())
}
