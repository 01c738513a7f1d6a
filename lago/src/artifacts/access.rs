//! Which way leads into a guest now.

use std::fmt;
use std::thread;
use std::time::Duration;

use crate::guest::Cmd;
use crate::utils::error_chain;
use crate::virt::{VirtError, Vm, VmState};

/// How long a guest that runs may take to answer, by ssh or through its agent. Under software emulation a handshake of
/// ssh takes two seconds, and five while other guests take the processors.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// How long a guest may take to answer a connection, which its kernel does: no longer than its agent may.
const TCP_LIMIT: Duration = Duration::from_secs(5);

/// How long libvirt may take to say whether a VM runs. It takes milliseconds, unless it hangs.
const LIBVIRT_LIMIT: Duration = Duration::from_secs(10);

/// The best way into a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// It answers ssh.
    Ssh,
    /// Its agent answers.
    Agent,
    /// Nobody answers: there are only its disks.
    Disk {
        /// Why.
        because: String,
        /// Whether the VM runs all the same, and writes to them.
        running: bool,
    },
}

impl Access {
    /// Tries ssh and the agent at the same time, each at most for `limit`.
    pub(crate) fn find(vm: &Vm, limit: Duration) -> Self {
        match vm.state_within(LIBVIRT_LIMIT) {
            // A libvirt that hangs is none of the guest's business.
            Ok(VmState::Running | VmState::ShuttingDown) | Err(VirtError::NoAnswer { .. }) => {}
            Ok(state) => return Self::down(format!("the VM is {state}")),
            Err(error) => return Self::down(error_chain(&error)),
        }
        let (ssh, agent) = thread::scope(|scope| {
            let agent = scope.spawn(|| vm.agent().ping());
            (answers_ssh(vm, limit), agent.join())
        });
        let Err(ssh) = ssh else { return Self::Ssh };
        if vm.is_remote() {
            return Self::down(error_chain(&ssh));
        }
        let because = match agent {
            Ok(Ok(())) => return Self::Agent,
            Ok(Err(agent)) => format!("{}; {agent}", error_chain(&ssh)),
            Err(_) => error_chain(&ssh),
        };
        Self::Disk { because, running: true }
    }

    fn down(because: String) -> Self {
        Self::Disk { because, running: false }
    }

    /// Runs a script in the guest's shell, and returns what it printed.
    ///
    /// # Errors
    /// Why there is no output, in words.
    pub(crate) fn run(&self, vm: &Vm, script: &str, limit: Duration) -> Result<Vec<u8>, String> {
        match self {
            Self::Ssh => super::ssh::run(vm, script, limit),
            Self::Agent => super::agent::run(vm, script, limit),
            Self::Disk { because, .. } => Err(because.clone()),
        }
    }
}

/// With a command, as a guest that lets nobody run one is of no use. Nothing else is asked of libvirt, which may hang.
fn answers_ssh(vm: &Vm, limit: Duration) -> crate::Result<()> {
    let unreachable = |error: std::io::Error| VirtError::Vm {
        vm: vm.name().to_owned(),
        action: "connect to",
        message: error.to_string(),
        hint: String::new(),
    };
    vm.dial(TCP_LIMIT.min(limit)).map_err(unreachable)?;
    vm.ssh().run(&Cmd::new("true").limit(limit))?;
    Ok(())
}

/// By which way something came.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ssh => f.write_str("over ssh"),
            Self::Agent => f.write_str("through the guest agent"),
            Self::Disk { .. } => f.write_str("off the disks"),
        }
    }
}
