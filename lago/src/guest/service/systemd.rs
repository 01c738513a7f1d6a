//! systemd, of the guest or in a docker container of it.

use super::{Manager, ServiceState};
use crate::guest::{Cmd, Output};
use crate::spec::ServiceProvider;

/// `systemctl`, possibly in a container.
#[derive(Debug)]
pub(super) struct Systemd {
    /// The container's name.
    pub(super) container: Option<String>,
}

impl Systemd {
    fn systemctl(&self) -> Cmd {
        match &self.container {
            Some(container) => Cmd::new("docker").args(["exec", container, "systemctl"]),
            None => Cmd::new("systemctl"),
        }
    }
}

impl Manager for Systemd {
    fn provider(&self) -> ServiceProvider {
        match self.container {
            Some(_) => ServiceProvider::SystemdContainer,
            None => ServiceProvider::Systemd,
        }
    }

    fn state_command(&self, service: &str) -> Cmd {
        // As old ones know it: each property by an option of its own.
        let properties = ["show", "--property=LoadState", "--property=ActiveState", "--"];
        self.systemctl().args(properties).arg(service)
    }

    fn state(&self, answer: &Output) -> Result<ServiceState, String> {
        let text = answer.stdout();
        let property = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let (Some(load), Some(active)) = (property("LoadState"), property("ActiveState")) else {
            return Err(format!("`systemctl show` ended with {}", answer.status));
        };
        Ok(match (load, active) {
            ("not-found", _) => ServiceState::Missing,
            (_, "active" | "reloading" | "refreshing") => ServiceState::Active,
            _ => ServiceState::Inactive,
        })
    }

    fn change_command(&self, service: &str, action: &'static str) -> Cmd {
        self.systemctl().args([action, "--", service])
    }
}
