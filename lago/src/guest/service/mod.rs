//! Services in a guest: whether they are there, whether they run, starting and stopping them.
//!
//! Which program controls them is found out in the guest ([`ServiceProvider`]), unless the init file says it. A guest whose
//! services run in docker containers with a systemd of their own has several managers: a service is looked for in the
//! containers first, then in the guest itself. That docker is merely installed changes nothing.

mod detect;
mod openrc;
mod systemd;
mod sysvinit;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Cmd, GuestError, Output};
use crate::Result;
use crate::spec::ServiceProvider;

/// How long a question about a service may take. `docker exec` takes seconds in an emulated guest.
const QUESTION_LIMIT: Duration = Duration::from_secs(60);

/// How long a service may take to start or to stop: systemd's own limit is 90 s, and a service may have a longer one.
const CHANGE_LIMIT: Duration = Duration::from_secs(300);

/// What runs commands in a guest.
pub trait Runner: Send + Sync {
    /// The VM's name, for messages.
    fn vm(&self) -> &str;

    /// Runs a command and returns what came of it, whatever its exit status.
    fn output(&self, command: &Cmd) -> Result<Output>;
}

/// What a service is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceState {
    /// The guest has no service of this name.
    Missing = 0,
    /// It is there and does not run.
    Inactive = 1,
    /// It runs.
    Active = 2,
}

impl fmt::Display for ServiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Inactive => "inactive",
            Self::Active => "active",
        })
    }
}

/// One program that controls services.
trait Manager: fmt::Debug + Send + Sync {
    /// Which one it is.
    fn provider(&self) -> ServiceProvider;

    /// The question about the state of a service.
    fn state_command(&self, service: &str) -> Cmd;

    /// Reads the answer to it.
    ///
    /// # Errors
    /// Why it does not tell.
    fn state(&self, answer: &Output) -> Result<ServiceState, String>;

    /// The command that starts or stops a service: `action` is `start` or `stop`.
    fn change_command(&self, service: &str, action: &'static str) -> Cmd;
}

/// A service in a guest. From [`Vm::service`](crate::Vm::service).
///
/// ```no_run
/// fn restart(vm: &lago::Vm) -> lago::Result<()> {
///     let web = vm.service("nginx")?;
///     web.stop()?;
///     web.start()
/// }
/// ```
#[derive(Clone)]
pub struct Service {
    guest: Arc<dyn Runner>,
    managers: Arc<[Box<dyn Manager>]>,
    name: String,
}

impl Service {
    /// The service of this name in a guest. Without a `provider` the guest is asked what controls its services.
    ///
    /// # Errors
    /// When the name cannot be a service's, when the guest cannot be asked, or has nothing that controls services.
    pub fn find(
        guest: Arc<dyn Runner>,
        name: &str,
        provider: Option<ServiceProvider>,
    ) -> Result<Self> {
        check_name(guest.vm(), name)?;
        let managers = detect::managers(&*guest, provider)?;
        Ok(Self { guest, managers: managers.into(), name: name.to_owned() })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What controls it: where it was found, or the first place where it is looked for.
    pub fn provider(&self) -> Result<ServiceProvider> {
        Ok(self.look()?.0.provider())
    }

    /// What it is doing.
    pub fn state(&self) -> Result<ServiceState> {
        Ok(self.look()?.1)
    }

    /// Whether the guest has it.
    pub fn exists(&self) -> Result<bool> {
        Ok(self.state()? != ServiceState::Missing)
    }

    /// Whether it runs.
    pub fn alive(&self) -> Result<bool> {
        Ok(self.state()? == ServiceState::Active)
    }

    /// Starts it; one that runs is left alone.
    pub fn start(&self) -> Result<()> {
        self.change("start", ServiceState::Active)
    }

    /// Stops it; one that does not run is left alone.
    pub fn stop(&self) -> Result<()> {
        self.change("stop", ServiceState::Inactive)
    }

    fn change(&self, action: &'static str, wanted: ServiceState) -> Result<()> {
        let (manager, state) = self.look()?;
        if state == wanted {
            return Ok(());
        }
        if state == ServiceState::Missing {
            return Err(self.error(format!("it cannot {action}, as the guest has no such service")));
        }
        let command = manager.change_command(&self.name, action).limit(CHANGE_LIMIT);
        let output = self.guest.output(&command)?;
        if output.success() {
            return Ok(());
        }
        let said = output.said();
        Err(self.error(format!("`{command}` ended with {}{said}", output.status)))
    }

    /// Where it is, and what it does there.
    fn look(&self) -> Result<(&dyn Manager, ServiceState)> {
        for manager in self.managers.iter() {
            let command = manager.state_command(&self.name).limit(QUESTION_LIMIT);
            let answer = self.guest.output(&command)?;
            let state = manager.state(&answer).map_err(|reason| {
                self.error(format!("its state is unknown: {reason}{}", answer.said()))
            })?;
            if state != ServiceState::Missing {
                return Ok((&**manager, state));
            }
        }
        Ok((&*self.managers[0], ServiceState::Missing))
    }

    fn error(&self, detail: String) -> crate::Error {
        let (vm, service) = (self.guest.vm().to_owned(), self.name.clone());
        GuestError::Service { vm, service, detail }.into()
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("vm", &self.guest.vm())
            .field("name", &self.name)
            .field("managers", &self.managers)
            .finish_non_exhaustive()
    }
}

/// What may be in the name of a service: it becomes an argument, and part of a path below `/etc/init.d`.
fn check_name(vm: &str, name: &str) -> Result<(), GuestError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":_.\\@-".contains(c);
    if !name.is_empty() && !name.starts_with(['-', '.']) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(GuestError::Service {
        vm: vm.to_owned(),
        service: name.escape_debug().to_string(),
        detail:
            "that cannot be the name of a service: use letters, digits, `:`, `_`, `.`, `@` and `-`"
                .to_owned(),
    })
}

#[cfg(test)]
mod tests;
