//! How a guest is known by its host key.

use std::path::PathBuf;

use ssh_key::PublicKey;

use super::{Result, keys};

/// The host key by which a guest is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKey {
    /// The one that the guest was given before it was started.
    Given(PublicKey),
    /// The guest has one of its own. What it shows at the first contact is kept in this file, and nothing else is accepted
    /// from then on.
    Learned(PathBuf),
}

impl HostKey {
    /// The key, as far as it is known yet.
    pub(crate) fn known(&self) -> Result<Option<PublicKey>> {
        match self {
            Self::Given(key) => Ok(Some(key.clone())),
            Self::Learned(path) if path.is_file() => keys::load_public(path).map(Some),
            Self::Learned(_) => Ok(None),
        }
    }

    /// The key that is expected of a guest which has shown `shown`: at the first contact that one, and it is remembered.
    pub(crate) fn expected(&self, shown: &PublicKey) -> Result<PublicKey> {
        match (self.known()?, self) {
            (Some(known), _) => Ok(known),
            (None, Self::Given(key)) => Ok(key.clone()),
            (None, Self::Learned(path)) => keys::remember(path, shown),
        }
    }
}

impl From<PublicKey> for HostKey {
    fn from(key: PublicKey) -> Self {
        Self::Given(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::keys::KeyPair;

    #[test]
    fn the_first_key_that_is_shown_is_the_one_that_is_expected() {
        let directory = tempfile::tempdir().unwrap();
        let key = HostKey::Learned(directory.path().join("learned/vm0.pub"));
        let (first, second) = (KeyPair::generate("1").unwrap(), KeyPair::generate("2").unwrap());
        assert_eq!(key.known().unwrap(), None);
        for shown in [&first, &second, &first] {
            let expected = key.expected(shown.public()).unwrap();
            assert_eq!(expected.key_data(), first.public().key_data());
        }
        let given = HostKey::from(second.public().clone());
        assert_eq!(given.expected(first.public()).unwrap(), *second.public());
    }
}
