//! `/hosts/{id}`.

use super::super::error::ApiError;
use super::super::query::Query;
use super::super::service::{Collection, Resource};
use super::super::types::{Action, Host, HostNic, HostStorage, IscsiDetails, Secret, Ssh};

impl Resource<Host> {
    /// Lets it run VMs again.
    pub fn activate(&self) -> Result<(), ApiError> {
        self.act("activate")
    }

    /// Puts it into maintenance: its VMs leave, and it gives its storage up.
    pub fn deactivate(&self) -> Result<(), ApiError> {
        self.act("deactivate")
    }

    /// Admits it.
    pub fn approve(&self) -> Result<(), ApiError> {
        self.act("approve")
    }

    /// Installs it anew, over ssh with root's password. It must be in maintenance.
    pub fn install(&self, root_password: impl Into<Secret>) -> Result<(), ApiError> {
        let ssh = Ssh { authentication_method: Some("password".to_owned()), ..Ssh::default() };
        let action = Action {
            root_password: Some(root_password.into()),
            ssh: Some(ssh),
            ..Action::default()
        };
        self.action("install", &action).map(drop)
    }

    /// Asks it anew what it has.
    pub fn refresh(&self) -> Result<(), ApiError> {
        self.act("refresh")
    }

    /// Lets it manage the storage of its data center.
    pub fn force_select_spm(&self) -> Result<(), ApiError> {
        self.act("forceselectspm")
    }

    /// The iSCSI targets at a portal, as it sees them.
    pub fn discover_iscsi(&self, portal: &IscsiDetails) -> Result<Vec<IscsiDetails>, ApiError> {
        let action = Action { iscsi: Some(portal.clone()), ..Action::default() };
        let answer = self.action("discoveriscsi", &action)?;
        Ok(answer.discovered_targets.unwrap_or_default().items)
    }

    /// Lets it log in to an iSCSI target.
    pub fn iscsi_login(&self, target: &IscsiDetails) -> Result<(), ApiError> {
        let action = Action { iscsi: Some(target.clone()), ..Action::default() };
        self.action("iscsilogin", &action).map(drop)
    }

    /// The storage that it sees, with the LUNs of the targets that it is logged in to. `report_status` has it look whether a
    /// LUN is used, which takes it a while.
    pub fn storage(&self, report_status: bool) -> Result<Vec<HostStorage>, ApiError> {
        let query = Query::new().with("report_status", report_status.to_string());
        self.below::<HostStorage>("storage").list(&query)
    }

    /// Its network cards.
    pub fn nics(&self) -> Collection<HostNic> {
        self.below("nics")
    }
}
