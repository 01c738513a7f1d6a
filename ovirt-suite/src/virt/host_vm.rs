//! VMs that are oVirt's hosts.

use std::ops::Deref;

use super::TestVm;
use crate::constants::HOST_SERVICES;
use crate::error::Result;

/// A VM that runs VMs.
#[derive(Debug, Clone)]
pub struct HostVm {
    vm: TestVm,
}

impl HostVm {
    pub(super) fn new(vm: TestVm) -> Self {
        Self { vm }
    }

    /// Root's password, by which the engine installs the host.
    pub fn root_password(&self) -> &str {
        &self.spec().root_password
    }

    /// Starts what the engine speaks to. Services that the host does not have (yet) are left out.
    pub fn start_services(&self) -> Result<()> {
        for name in HOST_SERVICES {
            let service = self.service(name)?;
            if service.exists()? {
                service.start()?;
            }
        }
        Ok(())
    }

    /// Stops it, in the other order.
    pub fn stop_services(&self) -> Result<()> {
        for name in HOST_SERVICES.into_iter().rev() {
            let service = self.service(name)?;
            if service.exists()? {
                service.stop()?;
            }
        }
        Ok(())
    }
}

impl Deref for HostVm {
    type Target = TestVm;

    fn deref(&self) -> &TestVm {
        &self.vm
    }
}
