//! An HTTPS server that gives the answers which it is told to give.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use native_tls::{Identity, TlsAcceptor};

/// Where a token is to be had.
pub(crate) const TOKEN: &str = "/ovirt-engine/sso/oauth/token";

/// What becomes of a request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// A status, a content type and a body.
    Whole(u16, &'static str, String),
    /// A redirect.
    Elsewhere(String),
    /// An answer that says it has so many bytes, and has fewer before the connection ends.
    Cut { claimed: usize, body: String },
    /// An answer in chunks of which the last is missing.
    CutChunks(String),
    /// The head of an answer, and then a byte now and then, for ever.
    Drip,
    /// Nothing, for ever.
    Silence,
    /// The end of the connection.
    Close,
}

impl Reply {
    pub(crate) fn xml(body: &str) -> Self {
        Self::Whole(200, "application/xml", body.to_owned())
    }

    pub(crate) fn unauthorized() -> Self {
        Self::Whole(401, "text/html", "<html><title>401 Unauthorized</title></html>".to_owned())
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    fn path(&self) -> &str {
        let target = self.line.split(' ').nth(1).unwrap_or_default();
        target.split('?').next().unwrap_or_default()
    }
}

/// It ends when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// By path; the last one of a path stays.
    replies: Mutex<HashMap<String, Vec<Reply>>>,
    requests: Mutex<Vec<Request>>,
    tokens: Mutex<u32>,
    ended: AtomicBool,
}

impl Server {
    pub(crate) fn start(identity: Identity) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::new(identity).unwrap();
        let shared = Arc::new(Shared::default());
        thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for stream in listener.incoming() {
                    if shared.has_ended() {
                        return;
                    }
                    let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
                    thread::spawn(move || connection(stream.unwrap(), &acceptor, &shared));
                }
            }
        });
        Self { address, shared }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a path answers, one after the other; the last one for ever.
    pub(crate) fn reply(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        let replies = replies.into_iter().collect();
        self.shared.replies.lock().unwrap().insert(path.to_owned(), replies);
    }

    /// The requests for a path so far.
    pub(crate) fn requests(&self, path: &str) -> Vec<Request> {
        let requests = self.all_requests().into_iter();
        requests.filter(|request| request.path() == path).collect()
    }

    /// All requests so far.
    pub(crate) fn all_requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // The thread is waiting for the next connection.
        TcpStream::connect(self.address).ok();
    }
}

impl Shared {
    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    fn next_reply(&self, path: &str) -> Reply {
        let mut replies = self.replies.lock().unwrap();
        match replies.get_mut(path) {
            Some(list) if list.len() > 1 => list.remove(0),
            Some(list) => list[0].clone(),
            None if path == TOKEN => {
                let mut count = self.tokens.lock().unwrap();
                *count += 1;
                let body = format!(r#"{{"access_token":"token-{count}","token_type":"bearer"}}"#);
                Reply::Whole(200, "application/json", body)
            }
            None => Reply::Whole(
                404,
                "application/xml",
                "<fault><reason>Not Found</reason></fault>".into(),
            ),
        }
    }
}

fn connection(stream: TcpStream, acceptor: &TlsAcceptor, shared: &Shared) {
    // A client that does not trust the server hangs up.
    let Ok(stream) = acceptor.accept(stream) else { return };
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream) {
        let path = request.path().to_owned();
        shared.requests.lock().unwrap().push(request);
        if answer(stream.get_mut(), &shared.next_reply(&path), shared).is_err() {
            return;
        }
    }
}

fn read<S: Read>(stream: &mut BufReader<S>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    Some(Request { line: line.trim_end().to_owned(), headers, body })
}

fn answer(stream: &mut impl Write, reply: &Reply, shared: &Shared) -> io::Result<()> {
    let end = || io::Error::other("the connection ends here");
    match reply {
        Reply::Whole(status, content_type, body) => {
            let length = format!("Content-Length: {}\r\nContent-Type: {content_type}", body.len());
            write(stream, &format!("HTTP/1.1 {status} Whatever\r\n{length}\r\n\r\n{body}"))
        }
        Reply::Elsewhere(url) => {
            let head =
                format!("HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n");
            write(stream, &head)
        }
        Reply::Cut { claimed, body } => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {claimed}\r\n{XML}\r\n\r\n");
            write(stream, &format!("{head}{body}"))?;
            Err(end())
        }
        Reply::CutChunks(body) => {
            let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{XML}\r\n\r\n");
            write(stream, &format!("{head}{:x}\r\n{body}\r\n", body.len()))?;
            Err(end())
        }
        Reply::Drip => {
            write(stream, &format!("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n{XML}\r\n\r\n"))?;
            while !shared.has_ended() {
                write(stream, " ")?;
                thread::sleep(Duration::from_millis(20));
            }
            Err(end())
        }
        Reply::Silence => {
            while !shared.has_ended() {
                thread::sleep(Duration::from_millis(20));
            }
            Err(end())
        }
        Reply::Close => Err(end()),
    }
}

const XML: &str = "Content-Type: application/xml";

fn write(stream: &mut impl Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}
