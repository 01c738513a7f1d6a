//! What domains are for which an init file does not say.

use super::fields::canonical;
use super::tree::{Entry, Node, Value};

/// What is taken for the fields that a domain, with its prototypes, does not have. Where nothing is said here either, the
/// usual defaults hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DomainDefaults {
    /// `ssh-user`
    pub ssh_user: Option<String>,
    /// `ssh-password`
    pub ssh_password: Option<String>,
    /// `root-password`
    pub root_password: Option<String>,
    /// `vm-type`
    pub vm_type: Option<String>,
    /// `vm-provider`
    pub vm_provider: Option<String>,
}

impl DomainDefaults {
    /// Gives them to every domain below `root`.
    pub(super) fn apply(&self, root: &mut Node) {
        let Value::Map(top) = &mut root.value else { return };
        let Some(domains) = top.entries.get_mut("domains") else { return };
        let Value::Map(domains) = &mut domains.node.value else { return };
        for domain in domains.entries.values_mut() {
            let at = domain.node.at;
            let Value::Map(fields) = &mut domain.node.value else { continue };
            for (name, value) in self.fields() {
                let is_there = fields.entries.keys().any(|key| canonical(key) == canonical(name));
                if let Some(value) = value.filter(|_| !is_there) {
                    let node = Node { value: Value::String(value.clone()), at };
                    fields
                        .entries
                        .insert(name.to_owned(), Entry { key: at, node, anchored: false });
                }
            }
        }
    }

    fn fields(&self) -> [(&'static str, Option<&String>); 5] {
        [
            ("ssh-user", self.ssh_user.as_ref()),
            ("ssh-password", self.ssh_password.as_ref()),
            ("root-password", self.root_password.as_ref()),
            ("vm-type", self.vm_type.as_ref()),
            ("vm-provider", self.vm_provider.as_ref()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::spec::InitFile;

    #[test]
    fn a_domain_that_says_it_itself_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LagoInitFile");
        let text = "
prototypes: {base: {root-password: proto}}
domains:
  a: {disks: []}
  b: {ssh_user: other, based-on: base, disks: []}
";
        fs::write(&path, text).unwrap();
        let defaults = DomainDefaults {
            ssh_user: Some("lago".to_owned()),
            root_password: Some("secret".to_owned()),
            ..DomainDefaults::default()
        };
        let file = InitFile::load_with(&path, &defaults).unwrap();
        let (a, b) = (&file.domains["a"], &file.domains["b"]);
        assert_eq!((&*a.ssh_user, &*a.root_password), ("lago", "secret"));
        assert_eq!((&*b.ssh_user, &*b.root_password), ("other", "proto"));
        assert_eq!(a.vm_type, "default");
        assert_eq!(InitFile::load(&path).unwrap().domains["a"].ssh_user, "root");
    }
}
