//! What the coordinator and a worker say to each other.
//!
//! The worker is the same program as the coordinator, started again with [`WORKER_VARIABLE`] set. Its standard input
//! is one end of a Unix stream socket; both sides write messages to it, each one JSON value on a line of its own.
//!
//! ```text
//! coordinator                                  worker
//!   Hello { protocol, suite, prefix }   --->
//!                                       <---     Ready { protocol, pid }   or   Unfit { reason }
//!   Run { stage, scenario, log }        --->
//!                                       <---     Finished { failure }
//!   ...                                           ...
//!   Quit                                --->
//!                                                 (exits with 0)
//! ```
//!
//! - The worker runs one scenario at a time. While it does, its standard output and error go to the file `log`.
//! - The worker answers every `Hello` and every `Run` exactly once. Whatever else happens (it aborts, exits, is
//!   killed) shows as the end of the stream, which the coordinator takes as the worker's death.
//! - The end of the stream without `Quit` tells the worker that the coordinator is gone: it kills its process group,
//!   itself included, so that nothing of a scenario lives on.
//! - [`VERSION`] changes with every incompatible change here. Both sides check it first.

use std::io::{self, BufRead, Read as _, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::result::Failure;

/// The version of these messages.
pub(crate) const VERSION: u32 = 1;

/// Set in a worker's environment; its value is the worker's number.
pub(crate) const WORKER_VARIABLE: &str = "LAGO_TEST_WORKER";

/// The longest line that either side accepts. Messages are kept far shorter ([`TEXT_LIMIT`]).
const LINE_LIMIT: u64 = 16 << 20;

/// The longest text in a failure that travels, in bytes: a message quotes what it needs; all of a scenario's output is
/// in its log.
pub(crate) const TEXT_LIMIT: usize = 64 << 10;

/// What a coordinator asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Who asks, and the prefix that scenarios run against.
    Hello { protocol: u32, suite: String, prefix: Option<String> },
    /// Run this scenario; its output goes to the end of the file `log`.
    Run { stage: String, scenario: String, log: String },
    /// Leave.
    Quit,
}

/// What a worker answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Answer {
    /// It can run scenarios.
    Ready { protocol: u32, pid: u32 },
    /// It cannot run any.
    Unfit { reason: String },
    /// The scenario has ended. `failure` is null when it passed.
    Finished { failure: Option<Failure> },
}

/// Writes one message.
pub(crate) fn send(mut stream: impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Reads one message; `None` at the end of the stream, also when it ends within a line.
pub(crate) fn receive<M: DeserializeOwned>(stream: &mut impl BufRead) -> io::Result<Option<M>> {
    let mut line = Vec::new();
    stream.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line)?;
    if line.last() == Some(&b'\n') {
        return parse(&line).map(Some);
    }
    if line.len() as u64 == LINE_LIMIT {
        return Err(invalid(format!("a message is longer than {LINE_LIMIT} bytes")));
    }
    Ok(None)
}

/// Takes the first whole message out of what has been received so far.
pub(crate) fn take<M: DeserializeOwned>(received: &mut Vec<u8>) -> io::Result<Option<M>> {
    let Some(end) = received.iter().position(|&byte| byte == b'\n') else {
        if received.len() as u64 > LINE_LIMIT {
            return Err(invalid(format!("a message is longer than {LINE_LIMIT} bytes")));
        }
        return Ok(None);
    };
    let line: Vec<u8> = received.drain(..=end).collect();
    parse(&line).map(Some)
}

fn parse<M: DeserializeOwned>(line: &[u8]) -> io::Result<M> {
    serde_json::from_slice(line).map_err(|error| {
        let start = String::from_utf8_lossy(&line[..line.len().min(80)]);
        invalid(format!("not a message of the worker protocol: {error}: {start:?}"))
    })
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request() -> impl Strategy<Value = Request> {
        prop_oneof![
            (any::<u32>(), any::<String>(), any::<Option<String>>())
                .prop_map(|(protocol, suite, prefix)| Request::Hello { protocol, suite, prefix }),
            any::<[String; 3]>().prop_map(|[stage, scenario, log]| Request::Run {
                stage,
                scenario,
                log
            }),
            Just(Request::Quit),
        ]
    }

    proptest! {
        #[test]
        fn messages_survive_the_trip_however_they_are_cut(
            requests in prop::collection::vec(request(), 0..8),
            cut in 1..64_usize,
        ) {
            let mut wire = Vec::new();
            for request in &requests {
                send(&mut wire, request).unwrap();
            }

            let mut stream = wire.as_slice();
            let read: Vec<Request> =
                std::iter::from_fn(|| receive(&mut stream).unwrap()).collect();
            prop_assert_eq!(&read, &requests);

            let mut received = Vec::new();
            let mut taken: Vec<Request> = Vec::new();
            for piece in wire.chunks(cut) {
                received.extend_from_slice(piece);
                while let Some(request) = take(&mut received).unwrap() {
                    taken.push(request);
                }
            }
            prop_assert_eq!(&taken, &requests);
        }
    }

    #[test]
    fn a_stream_that_ends_within_a_line_has_ended() {
        let mut stream = br#"{"request":"qu"#.as_slice();
        assert_eq!(receive::<Request>(&mut stream).unwrap(), None);
    }

    #[test]
    fn nonsense_is_quoted() {
        let error = take::<Answer>(&mut b"hello\n".to_vec()).unwrap_err();
        assert!(error.to_string().contains(r#""hello\n""#), "{error}");
    }

    #[test]
    fn an_answer_is_one_readable_line() {
        let mut wire = Vec::new();
        send(&mut wire, &Answer::Finished { failure: None }).unwrap();
        assert_eq!(wire, b"{\"answer\":\"finished\",\"failure\":null}\n");
    }
}
