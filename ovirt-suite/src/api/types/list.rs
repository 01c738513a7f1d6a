//! What all objects of the model have in common, and lists of them.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Id;
use crate::api::ApiError;

/// An object of the model.
pub trait Model: Serialize + DeserializeOwned {
    /// The element that one is: `vm`.
    const TAG: &'static str;
    /// The element that several are in: `vms`.
    const PLURAL: &'static str;
    /// Whether the engine can search its collection at the top of the API.
    const SEARCHED: bool;

    /// Its identifier.
    fn id(&self) -> Result<&Id, ApiError>;

    /// Its name.
    fn name(&self) -> Option<&str>;
}

/// Objects of one kind, as an answer lists them or another object holds them.
#[derive(Debug, Clone, PartialEq)]
pub struct List<T> {
    /// The objects, in the engine's order.
    pub items: Vec<T>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        Self { items }
    }
}

impl<T: Model> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for item in &self.items {
            map.serialize_entry(T::TAG, item)?;
        }
        map.end()
    }
}

impl<'de, T: Model> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(PhantomData<T>);

        impl<'de, T: Model> Visitor<'de> for Items<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of `{}` elements", T::TAG)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<List<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    if key == T::TAG {
                        items.push(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(List { items })
            }
        }

        deserializer.deserialize_map(Items(PhantomData))
    }
}
