//! Bridges: made, found and removed on a host, by `ip`.
//!
//! The functions of this module work where this process is; [`Bridges::of`] on the host of a prefix, which may be a
//! private one.
//!
//! ```no_run
//! use lago::brctl::{self, Bridges};
//! # fn main() -> Result<(), brctl::BridgeError> {
//! brctl::create("lab", false)?;
//! assert!(brctl::exists("lab")?);
//! brctl::destroy("lab")?;
//! # let prefix = lago::Prefix::open("prefix").unwrap();
//!
//! let bridges = Bridges::of(prefix.host());
//! let name = bridges.unused_name("lab")?;
//! bridges.create(&name, true)?;
//! # Ok(())
//! # }
//! ```

use serde::Deserialize;
use uuid::Uuid;

use crate::host::{Host, HostError};
use crate::utils::{CommandError, HostCommand, error_chain, with_rollback};

/// The longest name that Linux takes for a network device.
pub const LONGEST_NAME: usize = 15;

/// How much of a wish is in a name that is made up. A dash and eight digits follow.
const READABLE: usize = LONGEST_NAME - 9;

/// What goes wrong with a bridge.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// No device can have this name.
    #[error(
        "a bridge cannot be called {name:?}: use 1 to {LONGEST_NAME} letters, digits, `-`, `_` and `.`, with a letter or a \
         digit first"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// A device of this name is there.
    #[error("there is a network device {name} already; choose another name")]
    Exists {
        /// The name.
        name: String,
    },
    /// No bridge of this name is there.
    #[error("there is no bridge {name}; there are {}", if others.is_empty() { "none" } else { others })]
    Missing {
        /// The name.
        name: String,
        /// The bridges that there are.
        others: String,
    },
    /// The list of bridges is not understood.
    #[error("what `ip` printed about bridges is not understood: {0}")]
    Listing(String),
    /// `ip` could not be run, or failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The private host is not there.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// A bridge that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// Its name.
    pub name: String,
    /// Whether it takes part in the spanning tree protocol.
    pub stp: bool,
    /// Whether it is set up.
    pub up: bool,
}

/// Makes a bridge where this process is, and sets it up.
///
/// # Errors
/// When there is a device of that name, or it cannot be made: no bridge is left then.
pub fn create(name: &str, stp: bool) -> Result<(), BridgeError> {
    Bridges::here().create(name, stp)
}

/// Removes a bridge where this process is.
pub fn destroy(name: &str) -> Result<(), BridgeError> {
    Bridges::here().destroy(name)
}

/// Whether there is a bridge of this name where this process is.
pub fn exists(name: &str) -> Result<bool, BridgeError> {
    Bridges::here().exists(name)
}

/// The bridges of one host.
#[derive(Debug, Clone, Copy)]
pub struct Bridges<'a>(Option<&'a Host>);

impl<'a> Bridges<'a> {
    /// Those where this process is.
    pub fn here() -> Self {
        Self(None)
    }

    /// Those of a host: in its namespaces, if it is a private one, which has to run.
    pub fn of(host: &'a Host) -> Self {
        Self(Some(host))
    }

    /// Makes a bridge and sets it up.
    ///
    /// With the spanning tree protocol a port forwards nothing for its first seconds. Without it bridges that are
    /// connected in a circle send packets round for ever.
    ///
    /// # Errors
    /// When there is a device of that name, or it cannot be made: no bridge is left then.
    pub fn create(self, name: &str, stp: bool) -> Result<(), BridgeError> {
        check_name(name)?;
        if self.list_devices(&[])?.iter().any(|device| device.name == name) {
            return Err(BridgeError::Exists { name: name.to_owned() });
        }
        let stp_state = if stp { "1" } else { "0" };
        with_rollback(|rollback| {
            self.ip(&["link", "add", "name", name, "type", "bridge", "stp_state", stp_state])?;
            rollback.defer(format!("remove the bridge {name}"), || self.destroy(name));
            self.set_link(name, true)
        })
        .map_err(|failures| {
            for other in &failures.others {
                tracing::warn!("{}", error_chain(other.as_ref()));
            }
            failures.first
        })
    }

    /// Removes a bridge. What is plugged into it stays, unplugged.
    pub fn destroy(self, name: &str) -> Result<(), BridgeError> {
        self.find(name)?;
        self.ip(&["link", "delete", "dev", name, "type", "bridge"])
    }

    /// Whether there is a bridge of this name. A device of another kind is none.
    pub fn exists(self, name: &str) -> Result<bool, BridgeError> {
        Ok(self.list()?.iter().any(|bridge| bridge.name == name))
    }

    /// Sets a bridge up or down.
    pub fn set_link(self, name: &str, up: bool) -> Result<(), BridgeError> {
        self.find(name)?;
        self.ip(&["link", "set", "dev", name, if up { "up" } else { "down" }])
    }

    /// The bridge of this name.
    ///
    /// # Errors
    /// When there is none: which there are.
    pub fn find(self, name: &str) -> Result<Bridge, BridgeError> {
        let bridges = self.list()?;
        let others: Vec<&str> = bridges.iter().map(|bridge| bridge.name.as_str()).collect();
        let missing = BridgeError::Missing { name: name.to_owned(), others: others.join(", ") };
        bridges.into_iter().find(|bridge| bridge.name == name).ok_or(missing)
    }

    /// The bridges that there are.
    pub fn list(self) -> Result<Vec<Bridge>, BridgeError> {
        let devices = self.list_devices(&["type", "bridge"])?;
        Ok(devices.into_iter().map(Device::into_bridge).collect())
    }

    /// A name that begins like `wish` and that no device has.
    pub fn unused_name(self, wish: &str) -> Result<String, BridgeError> {
        let devices = self.list_devices(&[])?;
        let readable: String =
            wish.chars().filter(char::is_ascii_alphanumeric).take(READABLE).collect();
        let readable = if readable.is_empty() { "br" } else { &readable };
        loop {
            let name = format!("{readable}-{}", &Uuid::new_v4().simple().to_string()[..8]);
            if devices.iter().all(|device| device.name != name) {
                return Ok(name);
            }
        }
    }

    fn list_devices(self, which: &[&str]) -> Result<Vec<Device>, BridgeError> {
        let output =
            self.run(HostCommand::new("ip").args(["-j", "-d", "link", "show"]).args(which))?;
        let devices: Vec<Device> = serde_json::from_slice(&output.stdout)
            .map_err(|error| BridgeError::Listing(error.to_string()))?;
        // Some versions print `{}` for each device that is filtered out.
        Ok(devices.into_iter().filter(|device| !device.name.is_empty()).collect())
    }

    fn ip(self, args: &[&str]) -> Result<(), BridgeError> {
        self.run(HostCommand::new("ip").args(args)).map(drop)
    }

    fn run(self, mut command: HostCommand) -> Result<crate::utils::CommandOutput, BridgeError> {
        if let Some(host) = self.0 {
            host.enter(command.command_mut())?;
        }
        Ok(command.run()?)
    }
}

/// A device as `ip -j -d link` prints it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Device {
    #[serde(rename = "ifname")]
    name: String,
    flags: Vec<String>,
    linkinfo: LinkInfo,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LinkInfo {
    info_data: InfoData,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InfoData {
    stp_state: u8,
}

impl Device {
    fn into_bridge(self) -> Bridge {
        let up = self.flags.iter().any(|flag| flag == "UP");
        Bridge { name: self.name, stp: self.linkinfo.info_data.stp_state != 0, up }
    }
}

/// Whether Linux takes a name for a network device, and every tool takes it for a name.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn check_name(name: &str) -> Result<(), BridgeError> {
    if is_name(name) { Ok(()) } else { Err(BridgeError::Name { name: name.to_owned() }) }
}
