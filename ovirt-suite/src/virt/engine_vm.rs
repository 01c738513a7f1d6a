//! The VM that is oVirt's engine.

mod setup;

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lago::cmd;
use lago::guest::{Cmd, ServiceState};
use lago::utils::Deadline;
use lago::virt::Forward;

use super::TestVm;
use crate::api::Connection;
use crate::constants::{
    API_PATH, CA_FILE, CA_RESOURCE, ENGINE_PASSWORD, ENGINE_PORT, ENGINE_SERVICE, ENGINE_USER,
};
use crate::error::{Error, Result};
use crate::limits;

/// How the certificate of an authority begins.
const PEM: &str = "-----BEGIN CERTIFICATE-----";

/// The VM that runs the engine.
#[derive(Debug, Clone)]
pub struct EngineVm {
    vm: TestVm,
    api: Arc<Mutex<Option<EngineApi>>>,
}

/// A connection to the engine's API, by a port of this machine that leads to the VM. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EngineApi {
    connection: Connection,
    /// The port is there as long as somebody holds this.
    _port: Arc<Forward>,
}

impl Deref for EngineApi {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl EngineVm {
    pub(super) fn new(vm: TestVm) -> Self {
        Self { vm, api: Arc::default() }
    }

    /// The name that the engine's certificate is for.
    pub fn fqdn(&self) -> &str {
        self.metadata().engine_fqdn.as_deref().unwrap_or(self.name())
    }

    /// The administrator's password.
    ///
    /// # Errors
    /// When the metadata have none.
    pub fn password(&self) -> Result<&str> {
        self.metadata().engine_password.as_deref().ok_or_else(|| Error::Metadata {
            vm: self.name().to_owned(),
            key: ENGINE_PASSWORD,
            reason: "is missing".to_owned(),
        })
    }

    /// The API, once the engine is there; at most [`limits::ENGINE`] is waited for it. It is kept: asking again is cheap.
    ///
    /// # Errors
    /// [`Error::EngineService`] when the service is what is missing, [`Error::EngineApi`] when the service runs and the API
    /// does not answer. A wrong password is no reason to wait.
    pub fn get_api(&self) -> Result<EngineApi> {
        self.get_api_within(limits::ENGINE)
    }

    /// As [`get_api`](Self::get_api), with a limit of one's own.
    pub fn get_api_within(&self, limit: Duration) -> Result<EngineApi> {
        let mut kept = self.api.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(api) = &*kept
            && api.api().is_ok()
        {
            return Ok(api.clone());
        }
        let _span = tracing::info_span!("wait for the engine", vm = self.name()).entered();
        let deadline = Deadline::new("the engine", limit);
        self.wait_for_service(&deadline)?;
        let api = self.wait_for_api(&deadline)?;
        tracing::info!("{} answers after {:.1?}", self.fqdn(), deadline.elapsed());
        Ok(kept.insert(api).clone())
    }

    /// Forgets the connection, which leads nowhere once the VM is another one.
    pub fn forget_api(&self) {
        *self.api.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn wait_for_service(&self, deadline: &Deadline) -> Result<()> {
        let service = self.service(ENGINE_SERVICE)?;
        loop {
            let state = service.state()?;
            if state == ServiceState::Active {
                return Ok(());
            }
            if deadline.passed() {
                let (vm, limit) = (self.name().to_owned(), deadline.limit());
                return Err(Error::EngineService { vm, limit, state: format!("it is {state}") });
            }
            pause(deadline);
        }
    }

    fn wait_for_api(&self, deadline: &Deadline) -> Result<EngineApi> {
        loop {
            let last = match self.connect() {
                Ok(api) => match api.api() {
                    Ok(_) => return Ok(api),
                    Err(error) if error.is_worth_waiting_for() => error,
                    Err(error) => return Err(error.into()),
                },
                // Its authority is made by what makes the engine.
                Err(Error::NoAuthority { vm, reason }) if deadline.passed() => {
                    return Err(Error::NoAuthority { vm, reason });
                }
                Err(Error::NoAuthority { .. }) => {
                    pause(deadline);
                    continue;
                }
                Err(error) => return Err(error),
            };
            if deadline.passed() {
                let (vm, limit) = (self.name().to_owned(), deadline.limit());
                return Err(Error::EngineApi { vm, limit, last: Box::new(last) });
            }
            pause(deadline);
        }
    }

    /// A connection to the engine as it is now; nothing is waited for, and nobody is signed in.
    pub fn connect(&self) -> Result<EngineApi> {
        let authority = self.ca_pem()?;
        let port = Arc::new(self.forward(ENGINE_PORT)?);
        let connection = Connection::builder(format!("https://{}{API_PATH}", self.fqdn()))
            .at(port.address())
            .user(ENGINE_USER, self.password()?)
            .ca_pem(authority)
            .build()?;
        Ok(EngineApi { connection, _port: port })
    }

    /// The certificate of the engine's authority, in PEM.
    ///
    /// The engine's machine is asked, over ssh, whose host key is known: it asks the engine's own resource over its loopback
    /// interface, on which nobody else is, or else reads the file. So the certificate is verified although TLS cannot do it yet.
    pub fn ca_pem(&self) -> Result<Vec<u8>> {
        let url = format!("https://localhost{CA_RESOURCE}");
        let from_engine =
            cmd!("curl", "--silent", "--show-error", "--fail", "--insecure", "--noproxy", "*", url);
        let from_file = cmd!("cat", CA_FILE);
        let mut reasons = Vec::new();
        for command in [from_engine, from_file] {
            let command: Cmd = command.limit(limits::QUESTION);
            let output = self.output(&command)?;
            if output.success() && output.stdout().contains(PEM) {
                return Ok(output.stdout_bytes().to_vec());
            }
            let said = output.stderr();
            reasons.push(format!("`{command}` ended with {}: {}", output.status, said.trim()));
        }
        Err(Error::NoAuthority { vm: self.name().to_owned(), reason: reasons.join("; ") })
    }
}

impl Deref for EngineVm {
    type Target = TestVm;

    fn deref(&self) -> &TestVm {
        &self.vm
    }
}

fn pause(deadline: &Deadline) {
    std::thread::sleep(limits::INTERVAL.min(deadline.remaining()));
}
