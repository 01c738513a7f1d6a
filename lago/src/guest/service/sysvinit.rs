//! Scripts in `/etc/init.d`, as System V has them. Their exit codes are those of the Linux Standard Base:
//! <https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/iniscrptact.html>.

use super::{Manager, ServiceState};
use crate::guest::{Cmd, GuestStatus, Output};
use crate::spec::ServiceProvider;

/// `service`, and the scripts themselves where there is no such program.
#[derive(Debug)]
pub(super) struct SysVInit;

/// What [`STATE`] ends with for a service that is not there; outside of what the standard gives to scripts.
const MISSING: i32 = 100;

/// A command over ssh does not find what is in `/sbin` everywhere.
const STATE: &str = "\
PATH=$PATH:/usr/sbin:/sbin
[ -x \"/etc/init.d/$1\" ] || exit 100
if command -v service >/dev/null; then exec service \"$1\" status; fi
exec \"/etc/init.d/$1\" status";

const CHANGE: &str = "\
PATH=$PATH:/usr/sbin:/sbin
if command -v service >/dev/null; then exec service \"$1\" \"$2\"; fi
exec \"/etc/init.d/$1\" \"$2\"";

impl Manager for SysVInit {
    fn provider(&self) -> ServiceProvider {
        ServiceProvider::SysVInit
    }

    fn state_command(&self, service: &str) -> Cmd {
        Cmd::sh(STATE).arg(service)
    }

    fn state(&self, answer: &Output) -> Result<ServiceState, String> {
        match answer.status {
            GuestStatus::Code(0) => Ok(ServiceState::Active),
            GuestStatus::Code(MISSING) => Ok(ServiceState::Missing),
            // Dead with a file of its process id, dead with a lock, not running.
            GuestStatus::Code(1..=3) => Ok(ServiceState::Inactive),
            ref status => Err(format!("its script ended with {status}")),
        }
    }

    fn change_command(&self, service: &str, action: &'static str) -> Cmd {
        Cmd::sh(CHANGE).args([service, action])
    }
}
