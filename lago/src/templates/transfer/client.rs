//! The HTTP client.

use std::fmt;
use std::io::Read as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{StatusCode, Url};

use super::error::{RefusedRedirect, TransferError, shown};
use super::options::TransferOptions;
use super::patience::Patience;
use crate::constants::VERSION;

/// How many redirects are followed. Mirror networks use one or two.
const MAX_REDIRECTS: usize = 10;

/// Network access: connections that are reused, and limits.
///
/// TLS is the machine's OpenSSL, which ssh needs anyway, with the machine's trusted authorities; certificates are always
/// verified. Proxies come from the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`).
#[derive(Clone)]
pub struct Transfer {
    /// Made when it is needed: reading the trusted authorities takes a while.
    client: Arc<OnceLock<Client>>,
    options: TransferOptions,
}

impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Something on a server.
#[derive(Debug, Clone)]
pub struct Remote {
    pub(super) url: Url,
    pub(super) size: Option<u64>,
    pub(super) authorization: Option<Arc<dyn Authorization>>,
}

/// What lets a request through.
pub(in crate::templates) trait Authorization:
    fmt::Debug + Send + Sync
{
    /// The value of the header of that name, if one is needed.
    fn header(&self) -> Option<HeaderValue>;

    /// Gets a new one because of an answer that refuses. False when there is none to be had.
    fn renew(&self, challenge: &HeaderMap) -> Result<bool, TransferError>;
}

impl Remote {
    /// What is at an `http` or `https` address.
    pub fn parse(url: &str) -> Result<Self, TransferError> {
        let wrong = |reason: String| TransferError::Address { url: url.to_owned(), reason };
        let parsed = Url::parse(url).map_err(|error| wrong(error.to_string()))?;
        match parsed.scheme() {
            "http" | "https" => Ok(Self::from(parsed)),
            other => Err(wrong(format!("`{other}` is neither http nor https"))),
        }
    }

    pub(in crate::templates) fn authorized(self, authorization: Arc<dyn Authorization>) -> Self {
        Self { authorization: Some(authorization), ..self }
    }

    /// It must have so many bytes.
    pub(in crate::templates) fn of_size(self, size: u64) -> Self {
        Self { size: Some(size), ..self }
    }

    /// The address.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The address as it may be shown.
    pub fn shown(&self) -> String {
        shown(&self.url)
    }
}

impl From<Url> for Remote {
    fn from(url: Url) -> Self {
        Self { url, size: None, authorization: None }
    }
}

impl Transfer {
    /// Network access with limits of one's own.
    pub fn new(options: TransferOptions) -> Self {
        Self { client: Arc::default(), options }
    }

    /// The access that the whole process shares.
    pub fn shared() -> Self {
        static SHARED: OnceLock<Transfer> = OnceLock::new();
        SHARED.get_or_init(|| Self::new(TransferOptions::default())).clone()
    }

    fn client(&self) -> Result<&Client, TransferError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let made = Client::builder()
            .user_agent(format!("lago/{VERSION}"))
            .connect_timeout(self.options.connect)
            // Of the blocking client this limits each wait, not the whole.
            .timeout(self.options.idle)
            .redirect(Policy::custom(follow))
            .referer(false)
            .build()
            .map_err(|error| TransferError::Client { reason: error.to_string() })?;
        Ok(self.client.get_or_init(|| made))
    }

    /// The limits.
    pub fn options(&self) -> &TransferOptions {
        &self.options
    }

    /// Fetches `what`, which has at most `limit` bytes.
    pub(in crate::templates) fn document(
        &self,
        remote: &Remote,
        headers: &HeaderMap,
        what: &'static str,
        limit: u64,
    ) -> Result<Vec<u8>, TransferError> {
        let mut patience = Patience::new(&self.options);
        loop {
            let response = self.send(remote, &remote.url, headers);
            match response.and_then(|response| self.read_all(response, what, limit)) {
                Ok(content) => return Ok(content),
                Err(error) => std::thread::sleep(patience.after(error, false)?),
            }
        }
    }

    fn read_all(
        &self,
        response: Response,
        what: &'static str,
        limit: u64,
    ) -> Result<Vec<u8>, TransferError> {
        let url = response.url().clone();
        let mut content = Vec::new();
        response
            .take(limit + 1)
            .read_to_end(&mut content)
            .map_err(|error| self.broken(&url, &error))?;
        if content.len() as u64 > limit {
            return Err(TransferError::TooLarge { url: shown(&url), what, limit });
        }
        Ok(content)
    }

    /// Asks for what is at `url`, which is the remote's own address or one that it led to. The answer is a success.
    pub(super) fn send(
        &self,
        remote: &Remote,
        url: &Url,
        headers: &HeaderMap,
    ) -> Result<Response, TransferError> {
        let response = self.send_once(remote, url, headers)?;
        if response.status() == StatusCode::UNAUTHORIZED
            && let Some(authorization) = &remote.authorization
            && authorization.renew(response.headers())?
        {
            return self.send_once(remote, url, headers).and_then(successful);
        }
        successful(response)
    }

    fn send_once(
        &self,
        remote: &Remote,
        url: &Url,
        headers: &HeaderMap,
    ) -> Result<Response, TransferError> {
        let request = self.client()?.get(url.clone()).headers(headers.clone());
        with_authorization(request, remote, url)
            .send()
            .map_err(|error| TransferError::of_request(url, &self.options, &error))
    }

    /// Why an answer broke off.
    pub(super) fn broken(&self, url: &Url, error: &std::io::Error) -> TransferError {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<reqwest::Error>());
        match cause {
            Some(cause) => TransferError::of_request(url, &self.options, cause),
            None => TransferError::Network { url: shown(url), reason: error.to_string() },
        }
    }
}

/// What opens one host is not shown to another.
fn with_authorization(request: RequestBuilder, remote: &Remote, url: &Url) -> RequestBuilder {
    let header = remote.authorization.as_ref().and_then(|authorization| authorization.header());
    match header {
        Some(value) if url.origin() == remote.url.origin() => request.header(AUTHORIZATION, value),
        _ => request,
    }
}

fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let encrypted = attempt.previous().iter().any(|url| url.scheme() == "https");
    if encrypted && attempt.url().scheme() != "https" {
        let to = attempt.url().clone();
        return attempt.error(RefusedRedirect::Downgrade(to));
    }
    if attempt.previous().len() > MAX_REDIRECTS {
        return attempt.error(RefusedRedirect::TooMany(MAX_REDIRECTS));
    }
    attempt.follow()
}

fn successful(response: Response) -> Result<Response, TransferError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let retry_after = retry_after(response.headers());
    Err(TransferError::Status { url: shown(response.url()), status, retry_after })
}

/// `Retry-After` in seconds; as a date it is rare, and the usual pauses do.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = text(headers, &RETRY_AFTER)?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// A header's value, if there is one and it is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
