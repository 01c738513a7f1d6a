//! Commands and files over ssh.
//!
//! [`Ssh`] holds a pool of sessions with one guest. A session is one TCP connection from [`Reach::connect`], over which
//! libssh2 runs without blocking: every wait is ours, so that it ends when the limit passes or the VM dies.

mod config_file;
mod exec;
mod interactive;
mod pool;
mod session;
mod signals;
mod transfer;
mod watch;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;

pub(crate) use config_file::path_in_config;
pub use exec::Streams;
pub use interactive::Terminal;
pub use transfer::{DEFAULT_TRANSFER_LIMIT, Transferred};

use super::keys::Identity;
use super::output::{Tail, section};
use super::{Cmd, CommandFailed, GuestError, GuestStatus, HostKey, Output, Result};
use pool::Pool;
use watch::{Fault, Watch};

/// The first time between the beginnings of two tries of [`Ssh::wait`]: a server that is nearly there costs little more
/// than itself. A try at a guest that is not up takes longer by itself, and the next one follows at once.
const FIRST_INTERVAL: Duration = Duration::from_millis(50);

/// The longest such time: waiting adds at most that to a boot.
const LONGEST_INTERVAL: Duration = Duration::from_millis(100);

/// Who to talk to, as whom, and how to know the other side.
#[derive(Debug, Clone)]
pub struct SshTarget {
    /// The VM's name, for messages.
    pub vm: String,
    /// Where the guest's ssh server listens.
    pub address: SocketAddr,
    /// The user in the guest.
    pub user: String,
    /// The file with the private key.
    pub identity: PathBuf,
    /// By which host key the other side is known.
    pub host_key: HostKey,
    /// The user's password in the guest, for one that does not take the key.
    pub password: Option<Password>,
}

/// A password, which is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The password as it is typed.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// The way to a guest, and news of its VM.
pub trait Reach: Send + Sync {
    /// Opens a TCP connection to an address in the guest's network within the limit.
    fn connect(&self, address: SocketAddr, limit: Duration) -> io::Result<TcpStream>;

    /// Why the VM can no longer answer, once it cannot. Asked about twice a second while something is waited for.
    fn gone(&self) -> Option<String>;

    /// A number that changes when the VM is started anew or put back to a snapshot, as far as it is known. A session
    /// does not outlive that.
    fn run(&self) -> Option<u32> {
        None
    }

    /// The last lines of the VM's console, for messages.
    fn console_tail(&self) -> String;
}

/// Commands, files and shells in one guest, over a pool of ssh sessions.
///
/// Clones share the pool. An idle session is used again; a command that runs while others do gets a session of its own.
/// A session that broke while idle is replaced without notice; one that breaks under a command is an error, because the
/// command may have run. Neither the user's ssh configuration nor an agent is consulted.
#[derive(Clone)]
pub struct Ssh {
    target: Arc<SshTarget>,
    reach: Arc<dyn Reach>,
    identity: Arc<OnceCell<Identity>>,
    pool: Arc<Pool>,
}

impl Ssh {
    /// Nothing is connected until the first command, or [`wait`](Self::wait).
    pub fn new(target: SshTarget, reach: Arc<dyn Reach>) -> Self {
        Self { target: Arc::new(target), reach, identity: Arc::default(), pool: Arc::default() }
    }

    /// Waits until the guest lets us in.
    ///
    /// Ends early when the VM is gone, when another host key is offered, or when our own key is unusable.
    ///
    /// # Errors
    /// [`GuestError::NotReady`] with how the last try failed that came to its end and the console's last lines when the limit
    /// passes, else what ended the wait.
    pub fn wait(&self, limit: Duration) -> Result<()> {
        let watch = Watch::new(&*self.reach, limit).of_any_run();
        let mut interval = FIRST_INTERVAL;
        let mut failed = None;
        loop {
            let began = Instant::now();
            let last = match self.open_session(&watch) {
                Ok(session) => {
                    self.pool.put(session);
                    return Ok(());
                }
                Err(error) if is_final(&error) => return Err(error),
                Err(error) => error,
            };
            if let Some(reason) = self.reach.gone() {
                return Err(self.explain(Fault::Gone(reason), "waiting for ssh", String::new()));
            }
            if watch.remaining().is_zero() {
                return Err(self.not_ready(limit, failed, Some(last)));
            }
            if watch.remaining() <= interval {
                return Err(self.not_ready(limit, Some(last), None));
            }
            failed = Some(last);
            thread::sleep(interval.saturating_sub(began.elapsed()));
            interval = (interval * 2).min(LONGEST_INTERVAL);
        }
    }

    /// Runs a command and returns all of its output, whatever its status.
    ///
    /// # Errors
    /// When it could not be run or did not end; see [`GuestError`].
    pub fn output(&self, command: &Cmd) -> Result<Output> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut stdin = command.stdin_bytes();
        let streams = Streams { stdin: &mut stdin, stdout: &mut stdout, stderr: &mut stderr };
        let status = self.stream(command, streams)?;
        Ok(Output { status, stdout, stderr })
    }

    /// Runs a command that has to succeed.
    ///
    /// # Errors
    /// [`GuestError::CommandFailed`] for any status but exit code 0; otherwise as [`output`](Self::output).
    pub fn run(&self, command: &Cmd) -> Result<Output> {
        let output = self.output(command)?;
        if output.success() {
            return Ok(output);
        }
        let tails = tails(&Tail::of(&output.stdout), &Tail::of(&output.stderr));
        Err(GuestError::CommandFailed(Box::new(CommandFailed {
            vm: self.target.vm.clone(),
            command: command.to_string(),
            status: output.status,
            tails,
        })))
    }

    /// Runs a command, reading its input from `streams` instead of from the command, and writing its output there as it
    /// comes. Reads and writes happen on this thread: one that blocks holds up the command, its limit included.
    ///
    /// # Errors
    /// As [`output`](Self::output), and [`GuestError::Stream`] when a stream fails.
    pub fn stream(&self, command: &Cmd, streams: Streams<'_>) -> Result<GuestStatus> {
        exec::stream(self, command, streams)
    }

    /// Copies a file or a directory into the guest, within [`DEFAULT_TRANSFER_LIMIT`].
    ///
    /// As with `cp -R`, a source lands inside a destination that is a directory, under its own name. Permissions are
    /// kept, and so are symbolic links below the source; the source itself may be a link to what is to be copied.
    /// Sockets, pipes and devices are left out and listed in the result.
    ///
    /// # Errors
    /// [`GuestError::Transfer`] names the path; what was copied until then stays in the guest.
    pub fn copy_to(
        &self,
        local: impl AsRef<Path>,
        remote: impl AsRef<Path>,
    ) -> Result<Transferred> {
        self.copy_to_within(local, remote, DEFAULT_TRANSFER_LIMIT)
    }

    /// [`copy_to`](Self::copy_to) with a limit of its own.
    pub fn copy_to_within(
        &self,
        local: impl AsRef<Path>,
        remote: impl AsRef<Path>,
        limit: Duration,
    ) -> Result<Transferred> {
        transfer::upload(self, local.as_ref(), remote.as_ref(), limit)
    }

    /// Copies a file or a directory out of the guest, within [`DEFAULT_TRANSFER_LIMIT`].
    ///
    /// Follows the rules of [`copy_to`](Self::copy_to), but nothing appears at the destination before it is complete, the
    /// guest cannot make anything appear outside of it, and a directory is never merged into one that exists. Set-user-id
    /// and the like are dropped.
    ///
    /// # Errors
    /// [`GuestError::Transfer`] names the path; nothing is left behind.
    pub fn copy_from(
        &self,
        remote: impl AsRef<Path>,
        local: impl AsRef<Path>,
    ) -> Result<Transferred> {
        self.copy_from_within(remote, local, DEFAULT_TRANSFER_LIMIT)
    }

    /// [`copy_from`](Self::copy_from) with a limit of its own.
    pub fn copy_from_within(
        &self,
        remote: impl AsRef<Path>,
        local: impl AsRef<Path>,
        limit: Duration,
    ) -> Result<Transferred> {
        transfer::download(self, remote.as_ref(), local.as_ref(), limit)
    }

    /// Hands the caller's terminal to a login shell in the guest, or to `command`, until it ends.
    ///
    /// A terminal on standard input is switched to raw mode meanwhile, and restored however this ends. Its size follows
    /// the window. Without a terminal, standard input is passed on as it is. There is no limit: the user is there. A
    /// connection that hangs is left by typing `~.` at the start of a line.
    ///
    /// # Errors
    /// When no session can be opened, when it breaks, when the VM is gone, or [`GuestError::Terminal`].
    pub fn interactive(&self, command: Option<&Cmd>) -> Result<GuestStatus> {
        let stdin = io::stdin();
        let (mut stdout, mut stderr) = (io::stdout(), io::stderr());
        let input = stdin.as_fd();
        self.interactive_on(command, Terminal { input, output: &mut stdout, error: &mut stderr })
    }

    /// [`interactive`](Self::interactive) on other ends than this process's own.
    pub fn interactive_on(&self, command: Option<&Cmd>, ends: Terminal<'_>) -> Result<GuestStatus> {
        interactive::run(self, command, ends)
    }

    /// Closes the idle sessions. After a revert they are of no use, and the next command would have to find that out.
    pub fn forget_sessions(&self) {
        self.pool.clear();
    }

    /// Whom this talks to.
    pub fn target(&self) -> &SshTarget {
        &self.target
    }

    /// `failed` is the last try that came to its end. One that the limit has cut off says how far it was, and nothing of why
    /// the guest does not let us in.
    fn not_ready(
        &self,
        limit: Duration,
        failed: Option<GuestError>,
        cut_off: Option<GuestError>,
    ) -> GuestError {
        let (last, unfinished) = match (failed, cut_off) {
            (Some(failed), Some(cut_off)) => {
                (failed, format!("; the limit cut off another one: {cut_off}"))
            }
            (failed, cut_off) => (failed.or(cut_off).expect("one try is made"), String::new()),
        };
        let (vm, console) = (self.target.vm.clone(), self.console());
        GuestError::NotReady { vm, limit, last: Box::new(last), unfinished, console }
    }

    /// The error for a fault of ours or of libssh2's.
    fn explain(&self, fault: Fault, what: &str, so_far: String) -> GuestError {
        let (vm, what) = (self.target.vm.clone(), what.to_owned());
        match fault {
            Fault::Limit(limit) => GuestError::TimedOut { vm, what, limit, so_far },
            Fault::Gone(reason) => {
                GuestError::VmGone { vm, what, reason, so_far, console: self.console() }
            }
            Fault::Local { stream, error } => {
                GuestError::Stream { vm, what, stream, detail: error.to_string() }
            }
            broken => match self.reach.gone() {
                Some(reason) => {
                    GuestError::VmGone { vm, what, reason, so_far, console: self.console() }
                }
                None => GuestError::ConnectionLost { vm, what, detail: broken.to_string(), so_far },
            },
        }
    }

    fn console(&self) -> String {
        section("console", &self.reach.console_tail(), false)
    }
}

impl fmt::Debug for Ssh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ssh").field("target", &self.target).finish_non_exhaustive()
    }
}

/// Whether trying again cannot help.
fn is_final(error: &GuestError) -> bool {
    matches!(
        error,
        GuestError::HostKeyMismatch { .. } | GuestError::VmGone { .. } | GuestError::Key { .. }
    )
}

fn tails(stdout: &Tail, stderr: &Tail) -> String {
    stderr.section("stderr") + &stdout.section("stdout")
}
