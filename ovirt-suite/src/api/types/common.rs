//! Types that several others use.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an object is told from others by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(String);

impl Id {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Id {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A password, which messages do not show.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl<T: Into<String>> From<T> for Secret {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

structure! {
    /// A version of the product, or of what a cluster or a data center is compatible with.
    Version {
        /// 4 in 4.3.
        major: u32,
        /// 3 in 4.3.
        minor: u32,
        /// The build.
        build: u32,
        /// The revision.
        revision: u32,
        /// All of it in words.
        full_version: String,
    }
}

impl Version {
    /// A version that something is compatible with, such as 4.3.
    pub fn compatibility(major: u32, minor: u32) -> Self {
        Self { major: Some(major), minor: Some(minor), ..Self::default() }
    }
}

structure! {
    /// What the engine says of itself.
    Api {
        /// What it is.
        product_info: ProductInfo,
        /// The engine's time.
        time: String,
    }
}

impl Api {
    /// The element that it is.
    pub(in crate::api) const TAG: &str = "api";
}

structure! {
    /// What the engine is.
    ProductInfo {
        /// The product's name.
        name: String,
        /// Who makes it.
        vendor: String,
        /// Its version.
        version: Version,
    }
}

structure! {
    /// The address of a network card.
    Mac {
        /// Six bytes in hexadecimal, with colons between them.
        address: String,
    }
}

structure! {
    /// An operating system.
    OperatingSystem {
        /// Its kind: `other_linux`.
        r#type: String,
        /// Its version.
        version: Version,
    }
}
