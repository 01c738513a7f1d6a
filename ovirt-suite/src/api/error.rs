//! What goes wrong with the API.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use reqwest::{Method, StatusCode, Url};

/// What a call was waiting for when its limit passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// A connection with TLS.
    Connection,
    /// The head of the answer.
    Answer,
    /// The rest of the answer, of which so many bytes had come.
    Body(u64),
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection => f.write_str("no connection was made"),
            Self::Answer => f.write_str("nothing was answered"),
            Self::Body(received) => {
                write!(f, "the answer did not end, of which {received} bytes had come")
            }
        }
    }
}

/// What goes wrong with a call of the API. `request` is always the method and the address, such as
/// `GET https://engine/ovirt-engine/api/vms`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// What was given to make a connection from cannot be used.
    #[error("cannot make a connection to an engine: {reason}")]
    Setup {
        /// What is wrong with it.
        reason: String,
    },
    /// There is no connection: nobody listens, or the name is unknown.
    #[error("{request}: the engine cannot be reached: {reason}")]
    Unreachable {
        /// What was to be sent.
        request: String,
        /// What the system said.
        reason: String,
    },
    /// The server did not prove that it is the engine.
    #[error(
        "{request}: the server could not prove that it is the engine: {reason}. Its certificate must be by the authority that \
         was given, and for the name in the address; a new engine has a new authority, which `EngineVm::ca_pem` fetches"
    )]
    Untrusted {
        /// What was to be sent.
        request: String,
        /// What TLS said.
        reason: String,
    },
    /// A limit passed.
    #[error("{request}: {waiting} within {limit:?}")]
    TimedOut {
        /// What was sent.
        request: String,
        /// What was waited for.
        waiting: Waiting,
        /// The limit.
        limit: Duration,
    },
    /// The connection ended where an answer should have begun.
    #[error("{request}: the connection ended before an answer came: {reason}")]
    Closed {
        /// What was sent.
        request: String,
        /// What the system said.
        reason: String,
    },
    /// The answer broke off.
    #[error("{request}: the answer broke off after {received} bytes: {reason}")]
    Truncated {
        /// What was sent.
        request: String,
        /// How many bytes of the body had come.
        received: u64,
        /// What the system said.
        reason: String,
    },
    /// The answer is larger than a limit.
    #[error("{request}: the answer is larger than {limit} bytes; narrow the search, or set `max`")]
    TooLarge {
        /// What was sent.
        request: String,
        /// The limit.
        limit: u64,
    },
    /// The answer is none of the API: a page of a proxy or of a server that is starting, most likely.
    #[error(
        "{request}: this is no answer of the API: status {status}, {content_type}, it begins with {excerpt:?}. Look whether the \
         address is right, whether a proxy is in between, and whether ovirt-engine runs"
    )]
    NotTheApi {
        /// What was sent.
        request: String,
        /// The HTTP status.
        status: StatusCode,
        /// What the answer says it is.
        content_type: String,
        /// The title of a page, or how the answer begins.
        excerpt: String,
    },
    /// The answer claims to be of the API, and cannot be read.
    #[error("{request}: the answer cannot be read: {reason}; it begins with {excerpt:?}")]
    Malformed {
        /// What was sent.
        request: String,
        /// What is wrong with it.
        reason: String,
        /// How it begins.
        excerpt: String,
    },
    /// The engine refuses the user.
    #[error("{request}: the engine does not let the user {user} in: {description} ({code})")]
    SignIn {
        /// What was sent.
        request: String,
        /// The user's name.
        user: String,
        /// The error's name, such as `access_denied`.
        code: String,
        /// The engine's words.
        description: String,
    },
    /// The engine refuses a token that it has just given.
    #[error(
        "{request}: the engine refuses the token that it has given just before; look at its clock and its log"
    )]
    TokenRefused {
        /// What was sent.
        request: String,
    },
    /// The engine does not do what it was asked.
    #[error("{request}: {reason}{}", if detail.is_empty() { String::new() } else { format!(": {detail}") })]
    Fault {
        /// What was sent.
        request: String,
        /// The HTTP status.
        status: StatusCode,
        /// What failed, in a word or two: `Operation Failed`.
        reason: String,
        /// Why, in the engine's words: `[Cannot add VM. The VM name is already in use.]`
        detail: String,
    },
    /// There is no object of this name.
    #[error("the engine has no {kind} of the name {name:?}")]
    Unknown {
        /// What was looked for, as the API calls it: `host`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// An answer lacks something that it must have.
    #[error("the engine's {kind} lacks its {field}")]
    Incomplete {
        /// What it is of, as the API calls it: `vm`.
        kind: &'static str,
        /// What is missing.
        field: &'static str,
    },
}

impl ApiError {
    /// Whether the engine says that there is no such object.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Fault { status: StatusCode::NOT_FOUND, .. })
    }

    /// Whether the engine says that something is in the way: it is in use, it runs, there is one already.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Fault { status: StatusCode::CONFLICT, .. })
    }

    /// Whether what was asked for may have been done all the same: the request was on its way when the connection broke or
    /// the limit passed, or the answer to it could not be read.
    pub fn may_have_happened(&self) -> bool {
        match self {
            Self::TimedOut { waiting, .. } => *waiting != Waiting::Connection,
            Self::Closed { .. }
            | Self::Truncated { .. }
            | Self::TooLarge { .. }
            | Self::Malformed { .. }
            | Self::NotTheApi { .. } => true,
            _ => false,
        }
    }

    /// Whether an engine that starts gives such errors, so that asking again is worth it.
    pub fn is_worth_waiting_for(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Closed { .. }
            | Self::Truncated { .. }
            | Self::NotTheApi { .. } => true,
            Self::Fault { status, .. } => status.is_server_error(),
            _ => false,
        }
    }

    /// Whether it is the connection that failed, rather than anything that was said over it.
    pub(super) fn is_broken_connection(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Closed { .. } | Self::Truncated { .. })
    }

    /// What went wrong before an answer began.
    pub(super) fn of_request(
        request: String,
        limits: &super::Limits,
        error: &reqwest::Error,
    ) -> Self {
        if error.is_timeout() {
            let connecting = error.is_connect();
            let waiting = if connecting { Waiting::Connection } else { Waiting::Answer };
            let limit =
                if connecting { limits.connect.min(limits.request) } else { limits.request };
            return Self::TimedOut { request, waiting, limit };
        }
        let reason = innermost(error);
        if find::<native_tls::Error>(error).is_some() && reason.contains("certificate") {
            return Self::Untrusted { request, reason };
        }
        if error.is_connect() {
            return Self::Unreachable { request, reason };
        }
        Self::Closed { request, reason }
    }

    /// What went wrong while the body of an answer came.
    pub(super) fn of_body(
        request: String,
        limits: &super::Limits,
        received: u64,
        error: &std::io::Error,
    ) -> Self {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<reqwest::Error>());
        if cause.is_some_and(reqwest::Error::is_timeout) {
            let waiting = Waiting::Body(received);
            return Self::TimedOut { request, waiting, limit: limits.request };
        }
        let reason = cause.map_or_else(|| error.to_string(), innermost);
        Self::Truncated { request, received, reason }
    }
}

/// A request as messages name it.
pub(super) fn shown(method: &Method, url: &Url) -> String {
    let mut url = url.clone();
    // Neither can fail for an address that has a host.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    format!("{method} {url}")
}

fn find<T: StdError + 'static>(error: &reqwest::Error) -> Option<&T> {
    causes(error).find_map(|cause| cause.downcast_ref::<T>())
}

/// The cause behind all others: what is around it repeats the address.
fn innermost(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause| StdError::source(*cause))
}
