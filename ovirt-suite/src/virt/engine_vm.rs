//! The VM that is oVirt's engine.

mod setup;

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lago::cmd;
use lago::guest::{Cmd, ServiceState};
use lago::utils::Deadline;
use lago::virt::Forward;

use super::{EngineProbe, TestVm, look_at, wait_by};
use crate::api::Connection;
use crate::constants::{
    API_PATH, CA_FILE, CA_RESOURCE, ENGINE_PASSWORD, ENGINE_PORT, ENGINE_SERVICE, ENGINE_USER,
};
use crate::error::{Error, Result};
use crate::limits;
use crate::utils::Interrupt;

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
    /// As [`wait_for`](super::wait_for): what was missing, the service or its API.
    pub fn get_api(&self) -> Result<EngineApi> {
        self.get_api_within(limits::ENGINE)
    }

    /// As [`get_api`](Self::get_api), with a limit of one's own.
    pub fn get_api_within(&self, limit: Duration) -> Result<EngineApi> {
        self.get_api_unless(limit, &Interrupt::new())
    }

    /// As [`get_api_within`](Self::get_api_within), unless somebody interrupts it.
    pub fn get_api_unless(&self, limit: Duration, interrupt: &Interrupt) -> Result<EngineApi> {
        let deadline = Deadline::new("the engine", limit);
        if let Some(kept) = self.kept()
            && kept.api_within(limits::KEPT.min(limit / 2)).is_ok()
        {
            return Ok(kept);
        }
        let _span = tracing::info_span!("wait for the engine", vm = self.name()).entered();
        // Its session has ended with the engine, and not here: that is not waited for.
        let api = wait_by(self, &deadline, interrupt)?;
        tracing::info!("{} answers after {:.1?}", self.fqdn(), deadline.elapsed());
        self.keep(Some(api.clone()));
        Ok(api)
    }

    /// The API, if the engine is there now. Nothing is waited for but the answers to what is asked.
    ///
    /// # Errors
    /// As [`get_api`](Self::get_api).
    pub fn get_api_now(&self) -> Result<EngineApi> {
        look_at(self, limits::LOOK)
    }

    /// Forgets the connection, which leads nowhere once the VM is another one. With it ends the session, if nobody else holds
    /// on to it.
    pub fn forget_api(&self) {
        self.keep(None);
    }

    fn kept(&self) -> Option<EngineApi> {
        self.api.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, api: Option<EngineApi>) {
        // What was kept is dropped when the lock is not held any more.
        let _before =
            std::mem::replace(&mut *self.api.lock().unwrap_or_else(PoisonError::into_inner), api);
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

impl EngineProbe for EngineVm {
    type Api = EngineApi;

    fn vm_name(&self) -> &str {
        self.name()
    }

    fn service_state(&self) -> Result<ServiceState> {
        Ok(self.service(ENGINE_SERVICE)?.state()?)
    }

    fn answering_api(&self, limit: Duration) -> Result<EngineApi> {
        let deadline = Deadline::new("the engine's API", limit);
        let api = self.connect()?;
        api.api_within(deadline.remaining())?;
        Ok(api)
    }
}

impl Deref for EngineVm {
    type Target = TestVm;

    fn deref(&self) -> &TestVm {
        &self.vm
    }
}
