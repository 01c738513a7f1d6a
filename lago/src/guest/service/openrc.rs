//! OpenRC: Alpine's and Gentoo's service manager.

use super::{Manager, ServiceState};
use crate::guest::{Cmd, GuestStatus, Output};
use crate::spec::ServiceProvider;

/// `rc-service`.
#[derive(Debug)]
pub(super) struct OpenRc;

/// What [`STATE`] ends with for a service that is not there; `rc-service` does not use it.
const MISSING: i32 = 100;

/// A command over ssh does not find what is in `/sbin` everywhere.
const STATE: &str = "\
PATH=$PATH:/usr/sbin:/sbin
rc-service --exists \"$1\" || exit 100
exec rc-service \"$1\" status";

const CHANGE: &str = "PATH=$PATH:/usr/sbin:/sbin; exec rc-service \"$1\" \"$2\"";

impl Manager for OpenRc {
    fn provider(&self) -> ServiceProvider {
        ServiceProvider::OpenRc
    }

    fn state_command(&self, service: &str) -> Cmd {
        Cmd::sh(STATE).arg(service)
    }

    fn state(&self, answer: &Output) -> Result<ServiceState, String> {
        match answer.status {
            GuestStatus::Code(0) => Ok(ServiceState::Active),
            GuestStatus::Code(MISSING) => Ok(ServiceState::Missing),
            // Stopped, stopping, starting, inactive, crashed.
            GuestStatus::Code(3 | 4 | 8 | 16 | 32) => Ok(ServiceState::Inactive),
            ref status => Err(format!("`rc-service` ended with {status}")),
        }
    }

    fn change_command(&self, service: &str, action: &'static str) -> Cmd {
        Cmd::sh(CHANGE).args([service, action])
    }
}
