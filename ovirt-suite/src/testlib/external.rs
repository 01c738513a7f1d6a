//! An engine that exists already, by variables of the environment.

use std::env;
use std::path::PathBuf;

use lago_test::Failure;

use crate::api::Connection;
use crate::constants::ENGINE_USER;

/// Where its API is: `https://engine.example.com/ovirt-engine/api`.
pub const URL: &str = "OVIRT_URL";

/// As whom one signs in; [`ENGINE_USER`] if it is not set.
pub const USERNAME: &str = "OVIRT_USERNAME";

/// The password.
pub const PASSWORD: &str = "OVIRT_PASSWORD";

/// A file with the certificate of its authority, in PEM.
pub const CA_FILE: &str = "OVIRT_CAFILE";

/// What the engine can do, words with commas between them: for [`engine`](super::engine).
pub const ENGINE_CAPABILITIES: &str = "OVIRT_ENGINE_CAPABILITIES";

/// What its hosts can do, words with commas between them: for [`hosts`](super::hosts).
pub const HOST_CAPABILITIES: &str = "OVIRT_HOST_CAPABILITIES";

/// An engine that exists already. The names of the variables are those that oVirt's own Ansible modules read.
#[derive(Debug, Clone)]
pub struct ExternalEngine {
    url: String,
}

impl ExternalEngine {
    /// The one that the environment names, if it names one.
    pub fn from_env() -> Option<Self> {
        env::var(URL).ok().filter(|url| !url.is_empty()).map(Self::at)
    }

    /// The one whose API is at this address.
    pub(super) fn at(url: impl Into<String>) -> Self {
        Self { url: url.into() }
    }

    /// A connection to it.
    ///
    /// # Errors
    /// When a variable is missing, or what it says cannot be used.
    pub fn connect(&self) -> Result<Connection, Failure> {
        let missing = |name: &str| {
            Failure::infrastructure(format!("{URL} is set, and {name} is not; both are needed"))
        };
        let password = env::var(PASSWORD).map_err(|_| missing(PASSWORD))?;
        let path = env::var_os(CA_FILE).map(PathBuf::from).ok_or_else(|| missing(CA_FILE))?;
        let authority = std::fs::read(&path).map_err(|error| {
            Failure::infrastructure(format!("{CA_FILE}: cannot read {}: {error}", path.display()))
        })?;
        let user = env::var(USERNAME).unwrap_or_else(|_| ENGINE_USER.to_owned());
        let builder = Connection::builder(&self.url).user(user, password).ca_pem(authority);
        builder.build().map_err(Failure::from)
    }

    /// The words of a variable.
    pub(super) fn words(name: &str) -> Vec<String> {
        let value = env::var(name).unwrap_or_default();
        value.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }
}
