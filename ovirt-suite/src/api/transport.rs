//! Requests and answers, within limits.

use std::fmt;
use std::io::Read as _;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use lago::utils::Deadline;
use reqwest::blocking::{Client, Response};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Method, StatusCode, Url, redirect};

use super::error::{ApiError, Waiting, shown};
use super::limits::Limits;

/// How often a request that changes nothing is sent when the connection breaks.
const TRIES: u32 = 3;

/// The pause before it is sent again; twice as long before the last time.
const PAUSE: Duration = Duration::from_millis(200);

/// The HTTP client with its limits.
pub(super) struct Transport {
    client: Client,
    limits: Limits,
}

/// What is sent.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// What came back, whole.
#[derive(Debug)]
pub(super) struct Answer {
    /// What it answers, for messages.
    pub(super) request: String,
    pub(super) status: StatusCode,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn new(method: Method, url: Url, accept: &'static str) -> Self {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
        Self { method, url, headers, body: Vec::new() }
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(super) fn body(mut self, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header(CONTENT_TYPE, HeaderValue::from_static(content_type))
    }

    /// The method and the address.
    pub(super) fn shown(&self) -> String {
        shown(&self.method, &self.url)
    }

    /// Whether it can be sent again when nobody knows what became of it.
    fn changes_nothing(&self) -> bool {
        self.method.is_safe()
    }
}

impl Transport {
    /// Only this authority is trusted. `address` is where the engine is when the name in its address leads elsewhere.
    pub(super) fn new(
        ca_pem: &[u8],
        address: Option<(&str, SocketAddr)>,
        limits: Limits,
    ) -> Result<Self, ApiError> {
        let setup = |reason: String| ApiError::Setup { reason };
        let authorities = Certificate::from_pem_bundle(ca_pem)
            .map_err(|error| setup(format!("the authority's certificate is no PEM: {error}")))?;
        if authorities.is_empty() {
            return Err(setup(
                "no certificate of the engine's authority was given; `ConnectionBuilder::ca_pem` takes it".to_owned(),
            ));
        }
        let mut builder = Client::builder()
            .user_agent(format!("ovirt-suite/{}", env!("CARGO_PKG_VERSION")))
            .tls_certs_only(authorities)
            .https_only(true)
            // An engine is reached over the network of its prefix, or by the address that the caller gave.
            .no_proxy()
            // The API has none; where one comes from is not the engine.
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(limits.connect)
            .timeout(limits.request);
        if let Some((name, address)) = address {
            builder = builder.resolve(name, address);
        }
        let client = builder.build().map_err(|error| setup(error.to_string()))?;
        Ok(Self { client, limits })
    }

    /// The limit of a call that begins now.
    pub(super) fn deadline(&self) -> Deadline {
        self.deadline_within(self.limits.request)
    }

    /// The limit of a call that begins now and has no more time than this.
    pub(super) fn deadline_within(&self, limit: Duration) -> Deadline {
        Deadline::new("an answer of the engine", limit.min(self.limits.request))
    }

    /// The limit of the end of a session that nobody uses any more.
    pub(super) fn sign_out_deadline(&self) -> Deadline {
        self.deadline_within(self.limits.sign_out)
    }

    /// Sends a request and waits for the whole answer. When the connection breaks, what changes nothing is sent again.
    pub(super) fn send(&self, request: &Request, deadline: &Deadline) -> Result<Answer, ApiError> {
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            let error = match self.send_once(request, deadline) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let again = request.changes_nothing() && error.is_broken_connection() && tries < TRIES;
            if !again || deadline.remaining() <= pause {
                return Err(error);
            }
            tracing::debug!("{error}; it is sent again");
            thread::sleep(pause);
            pause *= 2;
            tries += 1;
        }
    }

    fn send_once(&self, request: &Request, deadline: &Deadline) -> Result<Answer, ApiError> {
        let left = deadline.remaining();
        // What messages speak of is the limit of this call.
        let limits = Limits { request: deadline.limit(), ..self.limits };
        if left.is_zero() {
            let (request, limit) = (request.shown(), limits.request);
            return Err(ApiError::TimedOut { request, waiting: Waiting::Answer, limit });
        }
        let response = self
            .client
            .request(request.method.clone(), request.url.clone())
            .headers(request.headers.clone())
            .body(request.body.clone())
            // Of a single request this limits the whole, its answer's body included.
            .timeout(left)
            .send()
            .map_err(|error| ApiError::of_request(request.shown(), &limits, &error))?;
        read(request, response, &limits)
    }
}

fn read(request: &Request, response: Response, limits: &Limits) -> Result<Answer, ApiError> {
    let status = response.status();
    let content_type = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("without a content type")
        .to_owned();
    let limit = limits.body;
    let mut body = Vec::new();
    if let Err(error) = response.take(limit + 1).read_to_end(&mut body) {
        let received = body.len() as u64;
        return Err(ApiError::of_body(request.shown(), limits, received, &error));
    }
    if body.len() as u64 > limit {
        return Err(ApiError::TooLarge { request: request.shown(), limit });
    }
    Ok(Answer { request: request.shown(), status, content_type, body })
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("limits", &self.limits).finish_non_exhaustive()
    }
}
