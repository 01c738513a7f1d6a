//! The worker process: runs scenarios one at a time for the coordinator at the other end of its standard input.

mod capture;
mod panics;

use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, Sender};

use lago::Prefix;
use rustix::fs::FileType;
use rustix::process::Signal;
use tracing_subscriber::layer::Identity;

use crate::context::Context;
use crate::protocol::{self, Answer, Request};
use crate::result::Failure;
use crate::suite::Suite;
use crate::tell;
use capture::Capture;

/// A worker that could not talk to its coordinator.
const EXIT_NO_COORDINATOR: u8 = 2;

/// Serves the coordinator until it says that the worker may leave.
pub(crate) fn main(suite: &Suite) -> ExitCode {
    let served = take_socket().and_then(|socket| serve(suite, &socket));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lago-test worker: {error}");
            ExitCode::from(EXIT_NO_COORDINATOR)
        }
    }
}

/// Whether a coordinator has started this process. A child of a scenario, which may be a suite itself, inherits the
/// variable but not the socket.
pub(crate) fn is_wanted() -> bool {
    let is_socket =
        |stat: rustix::fs::Stat| FileType::from_raw_mode(stat.st_mode) == FileType::Socket;
    std::env::var_os(protocol::WORKER_VARIABLE).is_some()
        && rustix::fs::fstat(rustix::stdio::stdin()).is_ok_and(is_socket)
}

/// Takes the socket away from standard input, so that no scenario and no child of one can read from it.
fn take_socket() -> io::Result<UnixStream> {
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(UnixStream::from(socket))
}

fn serve(suite: &Suite, socket: &UnixStream) -> io::Result<()> {
    panics::install_hook();
    // It goes into the running scenario's output.
    tell::tell_what_the_library_says("info", "", None::<Identity>);
    let mut prefix = None;
    let requests = listen(socket.try_clone()?);
    let mut answers = socket;
    for request in requests {
        let answer = match request {
            Request::Hello { protocol, suite: asked, prefix: path } => {
                match hello(suite, protocol, &asked, path.as_deref()) {
                    Ok(opened) => {
                        prefix = opened;
                        Answer::Ready { protocol: protocol::VERSION, pid: std::process::id() }
                    }
                    Err(reason) => Answer::Unfit { reason },
                }
            }
            Request::Run { stage, scenario, log } => {
                let suite_name = suite.name().to_owned();
                let context =
                    Context { suite: suite_name, stage, scenario, prefix: prefix.clone() };
                Answer::Finished { failure: run(suite, &context, &log).err() }
            }
            Request::Quit => return Ok(()),
        };
        protocol::send(&mut answers, &answer)?;
    }
    Ok(())
}

/// Reads requests on a thread of its own, so that the end of the stream is noticed while a scenario runs.
fn listen(socket: UnixStream) -> Receiver<Request> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        if let Err(error) = pass_on(socket, &sender) {
            eprintln!("lago-test worker: {error}");
            let _ = rustix::process::kill_current_process_group(Signal::KILL);
            std::process::abort();
        }
    });
    receiver
}

fn pass_on(socket: UnixStream, requests: &Sender<Request>) -> io::Result<()> {
    let mut stream = BufReader::new(socket);
    loop {
        let Some(request) = protocol::receive(&mut stream)? else {
            return Err(io::Error::other("the coordinator is gone"));
        };
        let last = request == Request::Quit;
        if requests.send(request).is_err() || last {
            return Ok(());
        }
    }
}

/// Checks that this worker is the one that the coordinator means, and opens the prefix.
fn hello(
    suite: &Suite,
    version: u32,
    asked: &str,
    path: Option<&str>,
) -> Result<Option<Prefix>, String> {
    if version != protocol::VERSION {
        return Err(format!(
            "the coordinator speaks version {version} of the protocol, the worker version {}: the test binary was \
             rebuilt during the run",
            protocol::VERSION
        ));
    }
    if asked != suite.name() {
        return Err(format!("the coordinator runs suite `{asked}`, this is `{}`", suite.name()));
    }
    let prefix = path
        .map(Prefix::open)
        .transpose()
        .map_err(|error| Failure::from(error).context("cannot open the prefix").to_string())?;
    prefix.iter().for_each(tell::log_into);
    Ok(prefix)
}

fn run(suite: &Suite, context: &Context, log: &str) -> Result<(), Failure> {
    let (stage, name) = (context.stage(), context.scenario());
    let Some(scenario) = suite.find(stage, name) else {
        return Err(Failure::infrastructure(format!(
            "the worker's suite has no `{stage}::{name}`: the test binary was rebuilt during the run"
        )));
    };
    let capture = Capture::begin(log).map_err(|error| {
        Failure::infrastructure(format!("cannot send the scenario's output to {log}: {error}"))
    })?;
    let result = panics::caught(|| scenario.run(context));
    let ended = capture.end();
    let mut failure = match (result, ended) {
        (Ok(()), Ok(())) => return Ok(()),
        (Err(failure), Ok(())) => failure,
        (Ok(()), Err(error)) => {
            Failure::infrastructure(format!("cannot take the output back from {log}: {error}"))
        }
        (Err(failure), Err(error)) => {
            failure.caused_by([format!("then, the output could not be taken back: {error}")])
        }
    };
    failure.shorten(protocol::TEXT_LIMIT);
    Err(failure)
}
