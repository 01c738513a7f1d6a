//! A web server whose faults are part of what it serves.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use native_tls::{Identity, TlsAcceptor};

/// Something that the server serves.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) content: Arc<Vec<u8>>,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    pub(crate) ranges: bool,
    /// Whether it says that it has ranges.
    pub(crate) offers_ranges: bool,
    /// Whether the answer says how long it is.
    pub(crate) length: bool,
    /// What it says instead of the truth.
    pub(crate) claimed_length: Option<usize>,
    /// What happens to the next requests, one after the other.
    pub(crate) faults: Vec<Fault>,
}

/// What happens instead of a good answer.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Nothing: this request is answered.
    None,
    /// Another status, with headers.
    Status(u16, Vec<(&'static str, String)>),
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// Nothing more comes after so many bytes of the body, until the server ends.
    Stall(usize),
    /// The body comes in pieces of this size, with pauses between them.
    Slow(usize, Duration),
    /// Another content from now on, with another tag; this request already gets it.
    Replace(Vec<u8>),
}

/// A request as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
}

impl Request {
    pub(crate) fn range(&self) -> Option<&str> {
        self.headers.get("range").map(String::as_str)
    }
}

/// A server on a port of this machine. It ends when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    files: Mutex<HashMap<String, Served>>,
    requests: Mutex<Vec<Request>>,
    ended: AtomicBool,
}

impl Served {
    pub(crate) fn new(content: impl Into<Vec<u8>>) -> Self {
        Self {
            content: Arc::new(content.into()),
            etag: Some("\"one\"".to_owned()),
            last_modified: None,
            ranges: true,
            offers_ranges: true,
            length: true,
            claimed_length: None,
            faults: Vec::new(),
        }
    }

    pub(crate) fn faults(self, faults: impl Into<Vec<Fault>>) -> Self {
        Self { faults: faults.into(), ..self }
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::listen(None)
    }

    pub(crate) fn start_tls(identity: Identity) -> Self {
        Self::listen(Some(TlsAcceptor::new(identity).unwrap()))
    }

    fn listen(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let scheme = if tls.is_some() { "https" } else { "http" };
        let for_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if for_thread.ended.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, tls) = (Arc::clone(&for_thread), tls.clone());
                thread::spawn(move || connection(stream, tls.as_ref(), &shared));
            }
        });
        Self { address, scheme, shared }
    }

    /// The address of something on the server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}/{path}", self.scheme, self.address.port())
    }

    pub(crate) fn serve(&self, path: &str, served: Served) {
        self.shared.files.lock().unwrap().insert(path.to_owned(), served);
    }

    pub(crate) fn serve_bytes(&self, path: &str, content: impl Into<Vec<u8>>) {
        self.serve(path, Served::new(content));
    }

    /// The requests for a path so far.
    pub(crate) fn requests(&self, path: &str) -> Vec<Request> {
        let requests = self.shared.requests.lock().unwrap();
        requests.iter().filter(|request| request.path == path).cloned().collect()
    }

    /// All requests so far.
    pub(crate) fn all_requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The ranges that were asked for, or `whole`.
    pub(crate) fn ranges(&self, path: &str) -> Vec<String> {
        let range = |request: Request| request.range().unwrap_or("whole").to_owned();
        self.requests(path).into_iter().map(range).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // The thread is waiting for the next connection.
        TcpStream::connect(self.address).ok();
    }
}

fn connection(mut stream: TcpStream, tls: Option<&TlsAcceptor>, shared: &Shared) {
    let Some(tls) = tls else {
        serve(&mut stream, shared);
        stream.shutdown(Shutdown::Both).ok();
        return;
    };
    // A client that does not trust the server hangs up.
    if let Ok(mut stream) = tls.accept(stream) {
        serve(&mut stream, shared);
    }
}

/// Answers requests until the client hangs up or a fault ends the connection.
fn serve<S: Read + Write>(stream: &mut S, shared: &Shared) {
    let mut pending = BufReader::new(stream);
    while let Some(request) = read_request(&mut pending) {
        shared.requests.lock().unwrap().push(request.clone());
        if answer(pending.get_mut(), &request, shared).is_err() {
            return;
        }
    }
}

fn read_request<S: Read>(stream: &mut BufReader<S>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let path = line.split(' ').nth(1)?.trim_start_matches('/').to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    Some(Request { path, headers })
}

fn answer(stream: &mut impl Write, request: &Request, shared: &Shared) -> io::Result<()> {
    let path = request.path.split('?').next().unwrap_or_default();
    let (served, fault) = {
        let mut files = shared.files.lock().unwrap();
        let Some(served) = files.get_mut(path) else {
            return head(stream, 404, &[("Content-Length", "0".to_owned())]);
        };
        let fault = if served.faults.is_empty() { Fault::None } else { served.faults.remove(0) };
        if let Fault::Replace(content) = &fault {
            served.content = Arc::new(content.clone());
            served.etag =
                served.etag.as_ref().map(|tag| format!("{}x\"", tag.trim_end_matches('"')));
        }
        (served.clone(), fault)
    };
    if let Fault::Status(status, headers) = &fault {
        let mut all = headers.clone();
        all.push(("Content-Length", "0".to_owned()));
        return head(stream, *status, &all);
    }
    let range = wanted_range(request, &served);
    let body = match range {
        Some((start, end)) => &served.content[start..end],
        None => &served.content[..],
    };
    let mut headers = Vec::new();
    headers.extend(served.etag.clone().map(|tag| ("ETag", tag)));
    headers.extend(served.last_modified.clone().map(|time| ("Last-Modified", time)));
    if served.offers_ranges {
        headers.push(("Accept-Ranges", "bytes".to_owned()));
    }
    let total = served.content.len();
    if let Some((start, _)) = range {
        if start >= total {
            return head(stream, 416, &[("Content-Length", "0".to_owned())]);
        }
        headers
            .push(("Content-Range", format!("bytes {start}-{}/{total}", start + body.len() - 1)));
    }
    if served.length {
        let length = served.claimed_length.unwrap_or(body.len());
        headers.push(("Content-Length", length.to_string()));
    } else {
        headers.push(("Connection", "close".to_owned()));
    }
    head(stream, if range.is_some() { 206 } else { 200 }, &headers)?;
    write_body(stream, body, &fault, shared)?;
    if served.length && served.claimed_length.is_none() {
        Ok(())
    } else {
        Err(io::Error::other("closed"))
    }
}

/// What of the file is asked for, if the server does ranges and still has the file that the client means.
fn wanted_range(request: &Request, served: &Served) -> Option<(usize, usize)> {
    let range = request.range().filter(|_| served.ranges)?;
    let validator = request.headers.get("if-range");
    let same = |validator: &String| {
        served.etag.as_ref() == Some(validator) || served.last_modified.as_ref() == Some(validator)
    };
    if !validator.is_none_or(same) {
        return None;
    }
    let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
    let total = served.content.len();
    let start: usize = start.parse().ok()?;
    let end = end.parse().map_or(total, |last: usize| total.min(last + 1));
    Some((start.min(total), end))
}

fn head(stream: &mut impl Write, status: u16, headers: &[(&str, String)]) -> io::Result<()> {
    let mut text = format!("HTTP/1.1 {status} Whatever\r\n");
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    stream.write_all(format!("{text}\r\n").as_bytes())?;
    stream.flush()
}

fn write_body(
    stream: &mut impl Write,
    body: &[u8],
    fault: &Fault,
    shared: &Shared,
) -> io::Result<()> {
    match fault {
        Fault::Cut(count) => {
            stream.write_all(&body[..body.len().min(*count)])?;
            stream.flush()?;
            Err(io::Error::other("cut"))
        }
        Fault::Stall(count) => {
            stream.write_all(&body[..body.len().min(*count)])?;
            stream.flush()?;
            while !shared.ended.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(10));
            }
            Err(io::Error::other("stalled"))
        }
        Fault::Slow(count, pause) => body.chunks(*count).try_for_each(|piece| {
            thread::sleep(*pause);
            stream.write_all(piece)?;
            stream.flush()
        }),
        _ => {
            stream.write_all(body)?;
            stream.flush()
        }
    }
}
