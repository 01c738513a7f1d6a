//! What can go wrong on the network.

use std::error::Error as StdError;
use std::time::Duration;

use reqwest::{StatusCode, Url};

use super::options::TransferOptions;
use crate::utils::FileError;

/// Something that could not be fetched. Addresses are shown without passwords.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// It is not an address from which anything can be fetched.
    #[error("`{url}` is no address that can be fetched from: {reason}")]
    Address {
        /// The text.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server's certificate does not prove that it is the server.
    #[error(
        "the server of {url} could not prove who it is: {reason}. If its certificate comes from an authority of your own, \
         add that to this machine's trusted ones, or name its file in SSL_CERT_FILE"
    )]
    Untrusted {
        /// What was to be fetched.
        url: String,
        /// What TLS says.
        reason: String,
    },
    /// The server sent on from an encrypted address to one that is not.
    #[error(
        "{url} leads to {to}, which is not encrypted; this is refused, since anybody on the way could change it"
    )]
    Downgrade {
        /// What was to be fetched.
        url: String,
        /// Where it leads.
        to: String,
    },
    /// The server sent from one address to the next for too long.
    #[error("{url} leads from one address to the next, more than {limit} times")]
    TooManyRedirects {
        /// What was to be fetched.
        url: String,
        /// How many are followed.
        limit: usize,
    },
    /// The server refused.
    #[error("the server answers {url} with {status}{}", advice(*status))]
    Status {
        /// What was to be fetched.
        url: String,
        /// Its answer.
        status: StatusCode,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// There was no answer, or it broke off.
    #[error("cannot fetch {url}: {reason}")]
    Network {
        /// What was to be fetched.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The server was silent for too long.
    #[error("cannot fetch {url}: the server sent {} for {limit:?}", if *slow { "next to nothing" } else { "nothing" })]
    Silent {
        /// What was to be fetched.
        url: String,
        /// The limit.
        limit: Duration,
        /// Whether something came, but too little.
        slow: bool,
    },
    /// It did not work, again and again.
    #[error("{last}. Gave up after {attempts} tries{}", kept(*received, *total))]
    GaveUp {
        /// What happened at the last try.
        #[source]
        last: Box<TransferError>,
        /// The number of tries.
        attempts: u32,
        /// How many bytes came, and are kept for the next time.
        received: u64,
        /// How many there are.
        total: Option<u64>,
    },
    /// The file changed on the server while it was fetched.
    #[error(
        "{url} changed on the server {times} times while it was fetched; try again when it has settled"
    )]
    Changing {
        /// What was to be fetched.
        url: String,
        /// How often.
        times: u32,
    },
    /// The answer is not what the protocol demands.
    #[error("the server's answer to {url} makes no sense: {reason}")]
    Answer {
        /// What was to be fetched.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// A document that should be small is not.
    #[error("{url} is larger than {limit} bytes, which is too large for {what}")]
    TooLarge {
        /// What was to be fetched.
        url: String,
        /// What it should be.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The client itself cannot work.
    #[error("cannot set up network access: {reason}")]
    Client {
        /// Why not.
        reason: String,
    },
}

impl TransferError {
    /// What went wrong with a request for `url`, or while its answer came.
    pub(super) fn of_request(url: &Url, options: &TransferOptions, error: &reqwest::Error) -> Self {
        let url = shown(url);
        if error.is_timeout() && error.is_connect() {
            let reason = format!("no connection within {:?}", options.connect);
            return Self::Network { url, reason };
        }
        if error.is_timeout() {
            return Self::Silent { url, limit: options.idle, slow: false };
        }
        if let Some(refused) = find::<RefusedRedirect>(error) {
            return match refused {
                RefusedRedirect::Downgrade(to) => Self::Downgrade { url, to: shown(to) },
                RefusedRedirect::TooMany(limit) => Self::TooManyRedirects { url, limit: *limit },
            };
        }
        let reason = innermost(error);
        if find::<native_tls::Error>(error).is_some() && reason.contains("certificate") {
            return Self::Untrusted { url, reason };
        }
        Self::Network { url, reason }
    }

    /// Whether the same may work a little later.
    pub(super) fn is_worth_retrying(&self) -> bool {
        match self {
            Self::Network { .. } | Self::Silent { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error() && *status != StatusCode::NOT_IMPLEMENTED
                    || matches!(
                        *status,
                        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
                    )
            }
            _ => false,
        }
    }

    /// Whether the server says that there is no such thing.
    pub(in crate::templates) fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status: StatusCode::NOT_FOUND | StatusCode::GONE, .. })
    }

    /// Whether the server answered that it does not give this out.
    pub(in crate::templates) fn is_refusal(&self) -> bool {
        matches!(self, Self::Status { status, .. } if status.is_client_error())
    }

    /// Whether what came before is of use to the next call.
    pub(in crate::templates) fn leaves_something_to_continue(&self) -> bool {
        !matches!(self, Self::File(_) | Self::Changing { .. })
    }

    /// How long the server asks to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// A redirect that is not followed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RefusedRedirect {
    #[error("it leads to {0}, which is not encrypted")]
    Downgrade(Url),
    #[error("more than {0} redirects")]
    TooMany(usize),
}

/// An address as it may be shown: without a user's name and password.
pub(in crate::templates) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Neither can fail for an address that has a host.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.into()
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

fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            "; look whether the address is right, and whether what it names is still there"
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "; it wants a login, or does not give this out"
        }
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => "; give the proxy's login in HTTPS_PROXY",
        _ => "",
    }
}

fn kept(received: u64, total: Option<u64>) -> String {
    match (received, total) {
        (0, _) => String::new(),
        (received, Some(total)) => {
            format!("; {received} of {total} bytes are kept, and the next try goes on from there")
        }
        (received, None) => {
            format!("; {received} bytes are kept, and the next try goes on from there")
        }
    }
}
