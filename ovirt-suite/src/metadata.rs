//! What an init file's metadata say about a VM.

use lago::spec::Domain;
use serde_json::Value;

use crate::constants::{CAPABILITIES, ENGINE_FQDN, ENGINE_PASSWORD, ROLE};
use crate::error::{Error, Result};

/// What a VM is in an oVirt environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It runs the engine (`ovirt-role: engine`).
    Engine,
    /// It runs VMs (`ovirt-role: host`).
    Host,
    /// It runs VMs, and has an image of oVirt's own (`ovirt-role: node`).
    Node,
    /// It runs VMs, the engine's among them (`ovirt-role: he-host`).
    HostedEngineHost,
}

impl Role {
    const ALL: [(&'static str, Self); 4] = [
        ("engine", Self::Engine),
        ("host", Self::Host),
        ("node", Self::Node),
        ("he-host", Self::HostedEngineHost),
    ];

    /// Whether it runs VMs.
    pub fn is_host(self) -> bool {
        self != Self::Engine
    }
}

/// The metadata of one VM that oVirt environments know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// What it is, if it is anything of oVirt's.
    pub role: Option<Role>,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Of an engine: its administrator's password.
    pub engine_password: Option<String>,
    /// Of an engine: the name that its certificate is for.
    pub engine_fqdn: Option<String>,
}

impl Metadata {
    /// Reads those of a VM. The role may also be the VM's type, `vm-type: ovirt-engine`.
    ///
    /// # Errors
    /// When a value is not of the kind that it should be, or a role is unknown.
    pub fn read(vm: &str, spec: &Domain) -> Result<Self> {
        let reader = Reader { vm, spec };
        Ok(Self {
            role: reader.role()?,
            capabilities: reader.list(CAPABILITIES)?,
            // As lago does with root's, a password of digits alone need not be quoted.
            engine_password: reader.scalar(ENGINE_PASSWORD)?,
            engine_fqdn: reader.scalar(ENGINE_FQDN)?,
        })
    }
}

struct Reader<'a> {
    vm: &'a str,
    spec: &'a Domain,
}

impl Reader<'_> {
    fn role(&self) -> Result<Option<Role>> {
        let role = match self.scalar(ROLE)? {
            Some(role) => role,
            None => match self.spec.vm_type.strip_prefix("ovirt-") {
                Some(role) => role.to_owned(),
                None => return Ok(None),
            },
        };
        let known = Role::ALL.iter().find(|(name, _)| *name == role);
        let known = known.ok_or_else(|| {
            let names = Role::ALL.map(|(name, _)| name).join(", ");
            self.error(ROLE, format!("is `{role}`; it can be one of {names}"))
        })?;
        Ok(Some(known.1))
    }

    fn scalar(&self, key: &'static str) -> Result<Option<String>> {
        match self.spec.metadata.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(self.error(key, "is neither a text nor a number".to_owned())),
        }
    }

    fn list(&self, key: &'static str) -> Result<Vec<String>> {
        let wrong = || self.error(key, "is no list of texts".to_owned());
        let items = match self.spec.metadata.get(key) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(value) => value.as_array().ok_or_else(wrong)?,
        };
        items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
    }

    fn error(&self, key: &'static str, reason: String) -> Error {
        Error::Metadata { vm: self.vm.to_owned(), key, reason }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use lago::InitFile;

    use super::*;

    fn read(text: &str) -> Result<Metadata> {
        let file = format!("domains: {{vm: {{nics: [], disks: [], {text}}}}}\nnets: {{}}\n");
        let file = InitFile::parse(&file, Path::new("/suite/LagoInitFile.yaml")).unwrap();
        Metadata::read("vm", &file.domains["vm"])
    }

    #[test]
    fn an_engine_has_a_role_capabilities_and_a_password() {
        let metadata = read(
            "metadata: {ovirt-role: engine, ovirt-capabilities: [sr-iov], ovirt-engine-password: 123}",
        )
        .unwrap();
        assert_eq!(metadata.role, Some(Role::Engine));
        assert_eq!(metadata.capabilities, ["sr-iov"]);
        assert_eq!(metadata.engine_password.as_deref(), Some("123"));
    }

    #[test]
    fn the_role_may_be_the_type_of_the_vm() {
        assert_eq!(read("vm-type: ovirt-host").unwrap().role, Some(Role::Host));
        assert_eq!(read("vm-type: ovirt-he-host").unwrap().role, Some(Role::HostedEngineHost));
        let both = read("vm-type: ovirt-host, metadata: {ovirt-role: engine}").unwrap();
        assert_eq!(both.role, Some(Role::Engine));
    }

    #[test]
    fn a_vm_without_metadata_is_nothing_of_ovirts() {
        let metadata = read("memory: 64").unwrap();
        assert_eq!((metadata.role, metadata.capabilities.len()), (None, 0));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, said) in [
            (
                "metadata: {ovirt-role: motor}",
                "`ovirt-role` is `motor`; it can be one of engine, host",
            ),
            ("metadata: {ovirt-capabilities: snapshot-live-merge}", "is no list of texts"),
            ("metadata: {ovirt-capabilities: [1]}", "is no list of texts"),
            ("metadata: {ovirt-engine-password: [x]}", "is neither a text nor a number"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("VM vm") && error.contains(said), "{error}");
        }
    }
}
