//! Fetching one file: in parts at the same time where the server allows it, again and again where the network fails, and
//! from where an earlier process stopped.

use std::io::{self, Read};
use std::path::Path;
use std::thread;

use reqwest::blocking::Response;
use reqwest::header::HeaderMap;
use tracing::{Span, dispatcher};

use super::client::{Remote, Transfer};
use super::error::TransferError;
use super::job::{End, EndOnPanic, Job, Restart};
use super::patience::Patience;
use super::progress::Progress;
use super::state::{Division, State};
use super::worker::Worker;

/// How often a file may change while it is fetched.
const MAX_CHANGES: u32 = 3;

impl Transfer {
    /// Fetches a file to `path` while `consume` reads it from its beginning as it comes in. What an earlier call left there
    /// is continued if the server still has the same file.
    ///
    /// When the file turns out to be another one, everything begins anew, and `consume` is called once more.
    ///
    /// # Errors
    /// As `consume`, and when the file cannot be fetched. After a failure of the network what came stays for the next call.
    pub(in crate::templates) fn fetch<T, E>(
        &self,
        remote: &Remote,
        path: &Path,
        consume: impl Fn(&mut dyn Read) -> Result<T, E> + Sync,
    ) -> Result<T, E>
    where
        T: Send,
        E: From<TransferError> + Send,
    {
        let mut patience = Patience::new(self.options());
        let mut changes = 0;
        let mut answer = None;
        let mut division = Division::IfPossible;
        loop {
            let begun = match answer.take() {
                Some(response) => self.begin(remote, response, division),
                None => self.resume_or_begin(remote, path, division),
            };
            let begun = match begun {
                Ok(begun) => begun,
                Err(error) => {
                    thread::sleep(patience.after(error, false)?);
                    continue;
                }
            };
            let job = Job::open(path, begun.state).map_err(TransferError::from)?;
            let consumed = self.run(remote, &job, begun.response, &consume);
            match job.into_end() {
                None | Some(End::Unwanted) => return consumed,
                Some(End::Failed(error)) => return Err(error.into()),
                Some(End::Restart(Restart { cause, response })) => {
                    forget(path);
                    answer = response.map(|response| *response);
                    if let Some(error) = cause {
                        // Whatever the server says of ranges.
                        division = Division::Whole;
                        thread::sleep(patience.after(error, false)?);
                        continue;
                    }
                    changes += 1;
                    if changes > MAX_CHANGES {
                        let error = TransferError::Changing { url: remote.shown(), times: changes };
                        return Err(error.into());
                    }
                    tracing::warn!("{} is another file now, beginning anew", remote.shown());
                }
            }
        }
    }

    /// The state that an earlier process left, or that of a new request.
    fn resume_or_begin(
        &self,
        remote: &Remote,
        path: &Path,
        division: Division,
    ) -> Result<Begun, TransferError> {
        if let Some(state) = State::load(path, &remote.url).filter(|state| state.done() > 0) {
            let there = state.done();
            tracing::info!("going on with {}, of which {there} bytes are there", remote.shown());
            return Ok(Begun { state, response: None });
        }
        let response = self.send(remote, &remote.url, &HeaderMap::new())?;
        self.begin(remote, response, division)
    }

    fn begin(
        &self,
        remote: &Remote,
        response: Response,
        division: Division,
    ) -> Result<Begun, TransferError> {
        let state =
            State::new(remote, response.url(), response.headers(), division, self.options());
        match (state.length, remote.size) {
            (Some(length), Some(size)) if length != size => Err(TransferError::Answer {
                url: remote.shown(),
                reason: format!("it has {length} bytes, and should have {size}"),
            }),
            _ => Ok(Begun { state, response: Some(response) }),
        }
    }

    /// Fetches the parts while `consume` reads.
    fn run<T: Send, E: Send>(
        &self,
        remote: &Remote,
        job: &Job,
        response: Option<Response>,
        consume: &(impl Fn(&mut dyn Read) -> Result<T, E> + Sync),
    ) -> Result<T, E> {
        let state = job.state();
        let progress = Progress::begin(&remote.shown(), &state);
        let open = state.parts.iter().filter(|part| !part.complete).count();
        let (span, subscriber) = (Span::current(), dispatcher::get_default(Clone::clone));
        let worker = |first: Option<usize>, response: Option<Response>| {
            let _guard = EndOnPanic(job);
            dispatcher::with_default(&subscriber, || {
                let _entered = span.enter();
                Worker { transfer: self, remote, job, progress: &progress }.work(first, response);
            });
        };
        let consumed = thread::scope(|scope| {
            let _guard = EndOnPanic(job);
            let mut response = response;
            for _ in 0..open.min(self.options().connections.max(1)) {
                // Taken here, so that the answer with the whole file serves the first part.
                let (first, response, worker) = (job.first_part(), response.take(), &worker);
                let thread = thread::Builder::new().name("lago-fetch".to_owned());
                if let Err(error) = thread.spawn_scoped(scope, move || worker(first, response)) {
                    job.end(End::Failed(TransferError::Client { reason: error.to_string() }));
                }
            }
            let consumed = consume(&mut job.reader());
            if consumed.is_err() {
                job.end(End::Unwanted);
            }
            consumed
        });
        job.save();
        progress.end(&job.state());
        consumed
    }
}

/// A download that can be worked on.
struct Begun {
    state: State,
    /// An answer with the whole file, of which nothing was read yet.
    response: Option<Response>,
}

/// Removes what is there of a file.
pub(in crate::templates) fn forget(path: &Path) {
    for file in [super::state::path(path), path.to_owned()] {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::error!("cannot remove the incomplete {}: {error}", file.display());
            }
            _ => {}
        }
    }
}

/// Whether something is there of a file that could be continued.
pub(in crate::templates) fn is_begun(path: &Path) -> bool {
    path.exists() && super::state::path(path).exists()
}
