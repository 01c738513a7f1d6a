//! How types of the model are written down.

/// An enumeration of the model. What an engine says that is not in it is kept as it is.
macro_rules! enumeration {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(from = "String", into = "String")]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)*
            /// A value that this crate does not know.
            Other(String),
        }

        impl $name {
            /// The word of the API.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$variant,)*
                    _ => Self::Other(text),
                }
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

/// A structure of the model without an identity.
macro_rules! structure {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $($(#[$field_meta])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)*
        }
    };
}

/// An object of the model: what has an identity, a place and mostly a name.
macro_rules! object {
    (
        $(#[$meta:meta])*
        $name:ident in $plural:literal, $tag:literal $(, $searched:ident)? {
            $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            /// Where it is, as a path at the engine.
            #[serde(rename = "@href", skip_serializing_if = "Option::is_none")]
            pub href: Option<String>,
            /// What it is told from others by.
            #[serde(rename = "@id", skip_serializing_if = "Option::is_none")]
            pub id: Option<$crate::api::types::Id>,
            /// Its name.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub name: Option<String>,
            /// What somebody wrote about it.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub description: Option<String>,
            $($(#[$field_meta])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)*
        }

        impl $name {
            /// One with this name, and nothing else.
            pub fn named(name: impl Into<String>) -> Self {
                Self { name: Some(name.into()), ..Self::default() }
            }

            /// A reference to the one with this identifier.
            pub fn with_id(id: &$crate::api::types::Id) -> Self {
                Self { id: Some(id.clone()), ..Self::default() }
            }

            /// Its identifier.
            ///
            /// # Errors
            /// [`ApiError::Incomplete`](crate::api::ApiError::Incomplete) when it has none.
            pub fn id(&self) -> Result<&$crate::api::types::Id, $crate::api::ApiError> {
                $crate::api::types::Model::id(self)
            }
        }

        impl $crate::api::types::Model for $name {
            const TAG: &'static str = $tag;
            const PLURAL: &'static str = $plural;
            const SEARCHED: bool = object!(@searched $($searched)?);

            fn id(&self) -> Result<&$crate::api::types::Id, $crate::api::ApiError> {
                self.id.as_ref().ok_or($crate::api::ApiError::Incomplete { kind: $tag, field: "id" })
            }

            fn name(&self) -> Option<&str> {
                self.name.as_deref()
            }
        }
    };
    (@searched searched) => { true };
    (@searched) => { false };
}
