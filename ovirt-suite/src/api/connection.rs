//! A connection to an engine.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lago::utils::Deadline;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};

use super::error::ApiError;
use super::limits::Limits;
use super::query::Query;
use super::sign_in::{self, User};
use super::transport::{Answer, Request, Transport};
use super::types::Api;
use super::xml;

const XML: &str = "application/xml";

/// Which version of the API is spoken.
const VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("version"), HeaderValue::from_static("4"));

/// A connection to an engine's API, as one user. Cheap to clone; clones share the token and the open connections, and may be
/// used by several threads at once.
///
/// Signing in happens when it is first needed. The session at the engine ends when the last clone is dropped, and what was made
/// from them; that takes [`Limits::sign_out`] at most. [`sign_out`](Self::sign_out) ends it before, and says when it cannot.
#[derive(Clone)]
pub struct Connection {
    inner: Arc<Inner>,
}

struct Inner {
    url: Url,
    user: User,
    transport: Transport,
    token: Mutex<Option<Arc<str>>>,
}

/// What a [`Connection`] is made of.
#[must_use = "it is no connection yet"]
pub struct ConnectionBuilder {
    url: String,
    user: Option<User>,
    ca_pem: Vec<u8>,
    address: Option<SocketAddr>,
    limits: Limits,
}

impl ConnectionBuilder {
    /// Who signs in: a name with its profile, such as `admin@internal`, and the password.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.user = Some(User { name: name.into(), password: password.into() });
        self
    }

    /// The certificate of the engine's authority, or several of them, in PEM. The engine gives it at
    /// `/ovirt-engine/services/pki-resource?resource=ca-certificate&format=X509-PEM-CA`; where nothing proves that it is the
    /// engine which answers there, have it from the engine's machine: `/etc/pki/ovirt-engine/ca.pem`.
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_pem = pem.into();
        self
    }

    /// Where the engine is reached, when the name in its address leads elsewhere: a port that is forwarded, say. The
    /// certificate must be for the name all the same.
    pub fn at(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Other limits than the usual ones.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The connection. Nothing is sent yet.
    ///
    /// # Errors
    /// When something is missing or cannot be used.
    pub fn build(self) -> Result<Connection, ApiError> {
        let setup = |reason: String| ApiError::Setup { reason };
        let url = Url::parse(&self.url)
            .map_err(|error| setup(format!("{:?} is no address: {error}", self.url)))?;
        let name = url.host_str().filter(|_| url.scheme() == "https").ok_or_else(|| {
            setup(format!("{url} is no address of an engine: it begins with `https://` and a name"))
        })?;
        let user = self.user.ok_or_else(|| setup("no user was given".to_owned()))?;
        let address = self.address.map(|address| (name, address));
        if address.is_some() && (url.port().is_some() || url.domain().is_none()) {
            return Err(setup(format!(
                "{url} has a port or is an IP address, so the engine cannot be reached elsewhere under it; give its name alone"
            )));
        }
        let transport = Transport::new(&self.ca_pem, address, self.limits)?;
        Ok(Connection { inner: Arc::new(Inner { url, user, transport, token: Mutex::default() }) })
    }
}

impl Connection {
    /// A connection to the API at this address, such as `https://engine.example.com/ovirt-engine/api`.
    pub fn builder(url: impl Into<String>) -> ConnectionBuilder {
        ConnectionBuilder {
            url: url.into(),
            user: None,
            ca_pem: Vec::new(),
            address: None,
            limits: Limits::default(),
        }
    }

    /// The API's address.
    pub fn url(&self) -> &Url {
        &self.inner.url
    }

    /// What the engine says of itself.
    pub fn api(&self) -> Result<Api, ApiError> {
        xml::read_api(self.send(Method::GET, &[], &Query::new(), None)?)
    }

    /// As [`api`](Self::api), with less time than [`Limits::request`].
    pub fn api_within(&self, limit: Duration) -> Result<Api, ApiError> {
        let deadline = self.inner.transport.deadline_within(limit);
        xml::read_api(self.send_within(Method::GET, &[], &Query::new(), None, &deadline)?)
    }

    /// Ends the session at the engine. Nothing happens when nobody is signed in; a later call signs in again.
    pub fn sign_out(&self) -> Result<(), ApiError> {
        let Some(token) = self.token_slot().take() else { return Ok(()) };
        let Inner { transport, url, user, .. } = &*self.inner;
        sign_in::sign_out(transport, url, user, &token, &transport.deadline())
    }

    /// Sends a request to a path below the API's address. A token that is refused is renewed once.
    pub(super) fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &Query,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, ApiError> {
        self.send_within(method, path, query, body, &self.inner.transport.deadline())
    }

    fn send_within(
        &self,
        method: Method,
        path: &[&str],
        query: &Query,
        body: Option<Vec<u8>>,
        deadline: &Deadline,
    ) -> Result<Answer, ApiError> {
        let mut request =
            Request::new(method, self.address_of(path, query), XML).header(VERSION.0, VERSION.1);
        if let Some(body) = body {
            request = request.body(XML, body);
        }
        let token = self.token(deadline)?;
        let answer = self.send_as(&request, &token, deadline)?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        self.forget(&token);
        let answer = self.send_as(&request, &self.token(deadline)?, deadline)?;
        if answer.status == StatusCode::UNAUTHORIZED {
            return Err(ApiError::TokenRefused { request: answer.request });
        }
        Ok(answer)
    }

    fn send_as(
        &self,
        request: &Request,
        token: &str,
        deadline: &Deadline,
    ) -> Result<Answer, ApiError> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
            let reason = "the token holds characters that no header can have".to_owned();
            ApiError::Malformed { request: request.shown(), reason, excerpt: String::new() }
        })?;
        bearer.set_sensitive(true);
        self.inner.transport.send(&request.clone().header(AUTHORIZATION, bearer), deadline)
    }

    fn address_of(&self, path: &[&str], query: &Query) -> Url {
        let mut url = self.inner.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.parameters().is_empty() {
            url.query_pairs_mut().extend_pairs(query.parameters());
        }
        url
    }

    /// The token; the first one to ask signs in, and the others wait for it.
    fn token(&self, deadline: &Deadline) -> Result<Arc<str>, ApiError> {
        let mut slot = self.token_slot();
        if let Some(token) = &*slot {
            return Ok(Arc::clone(token));
        }
        let Inner { transport, url, user, .. } = &*self.inner;
        let token: Arc<str> = sign_in::sign_in(transport, url, user, deadline)?.into();
        Ok(Arc::clone(slot.insert(token)))
    }

    /// Another thread may have renewed it already.
    fn forget(&self, refused: &Arc<str>) {
        let mut slot = self.token_slot();
        if slot.as_ref().is_some_and(|token| Arc::ptr_eq(token, refused)) {
            *slot = None;
        }
    }

    fn token_slot(&self) -> std::sync::MutexGuard<'_, Option<Arc<str>>> {
        self.inner.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    /// Ends the session. An engine that is gone has none any more.
    fn drop(&mut self) {
        let token = self.token.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(token) = token else { return };
        let deadline = self.transport.sign_out_deadline();
        if let Err(error) =
            sign_in::sign_out(&self.transport, &self.url, &self.user, &token, &deadline)
        {
            tracing::debug!("the session at the engine was left to end by itself: {error}");
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("url", &self.inner.url.as_str())
            .field("user", &self.inner.user.name)
            .field("transport", &self.inner.transport)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ConnectionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionBuilder")
            .field("url", &self.url)
            .field("user", &self.user.as_ref().map(|user| &user.name))
            .field("address", &self.address)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
