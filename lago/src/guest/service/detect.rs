//! What controls the services of a guest.

use super::openrc::OpenRc;
use super::systemd::Systemd;
use super::sysvinit::SysVInit;
use super::{Manager, QUESTION_LIMIT, Runner};
use crate::Result;
use crate::guest::{Cmd, GuestError};
use crate::spec::ServiceProvider;

/// Prints a line for each container that runs a systemd, then the guest's own manager: what runs counts, not what is
/// installed. A docker whose daemon is down or hangs has no containers.
const SCRIPT: &str = "\
PATH=$PATH:/usr/sbin:/sbin
if command -v docker >/dev/null; then
    timeout 20 docker ps --format '{{.Names}}' 2>/dev/null </dev/null | while read -r name; do
        first=$(timeout 20 docker exec \"$name\" cat /proc/1/comm 2>/dev/null </dev/null)
        if [ \"$first\" = systemd ]; then echo \"container $name\"; fi
    done
fi
if [ -d /run/systemd/system ]; then echo systemd
elif [ -e /run/openrc/softlevel ]; then echo openrc
elif [ -d /etc/init.d ]; then echo sysvinit
fi";

/// The managers in the order in which a service is looked for; one at least.
pub(super) fn managers(
    guest: &dyn Runner,
    provider: Option<ServiceProvider>,
) -> Result<Vec<Box<dyn Manager>>> {
    let known: Box<dyn Manager> = match provider {
        Some(ServiceProvider::Systemd) => Box::new(Systemd { container: None }),
        Some(ServiceProvider::OpenRc) => Box::new(OpenRc),
        Some(ServiceProvider::SysVInit) => Box::new(SysVInit),
        Some(ServiceProvider::SystemdContainer) | None => return detect(guest, provider),
    };
    Ok(vec![known])
}

fn detect(guest: &dyn Runner, provider: Option<ServiceProvider>) -> Result<Vec<Box<dyn Manager>>> {
    let answer = guest.output(&Cmd::sh(SCRIPT).limit(QUESTION_LIMIT))?;
    let found: Vec<Box<dyn Manager>> = answer.stdout().lines().filter_map(manager).collect();
    let missing = match provider {
        Some(wanted) => !found.iter().any(|manager| manager.provider() == wanted),
        None => found.is_empty(),
    };
    if !missing {
        return Ok(found);
    }
    let detail = match provider {
        Some(_) => {
            "no running docker container has systemd as its first process; start it, or remove \
                    `service_provider` from the init file"
        }
        None => {
            "there is neither systemd, nor OpenRC, nor /etc/init.d, so nothing controls services"
        }
    };
    let detail = format!("{detail}{}", answer.said());
    Err(GuestError::Services { vm: guest.vm().to_owned(), detail }.into())
}

fn manager(line: &str) -> Option<Box<dyn Manager>> {
    if let Some(name) = line.strip_prefix("container ") {
        return Some(Box::new(Systemd { container: Some(name.to_owned()) }));
    }
    match line {
        "systemd" => Some(Box::new(Systemd { container: None })),
        "openrc" => Some(Box::new(OpenRc)),
        "sysvinit" => Some(Box::new(SysVInit)),
        _ => None,
    }
}
