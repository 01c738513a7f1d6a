//! Fetching one file: in parts at the same time where the server allows it, again and again where the network fails, and
//! from where an earlier process stopped.

use std::io::{self, Read};
use std::path::Path;
use std::thread;
use std::time::Instant;

use reqwest::blocking::Response;
use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue, IF_RANGE, RANGE};
use reqwest::{StatusCode, Url};
use tracing::{Span, dispatcher};

use super::client::{Remote, Transfer, text};
use super::error::{TransferError, shown};
use super::job::{End, EndOnPanic, Ended, Job, Restart};
use super::options::TransferOptions;
use super::patience::Patience;
use super::progress::Progress;
use super::state::{Part, State, Validator};

/// What is read from a connection before it is written.
const BUFFER_SIZE: usize = 256 * 1024;

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
        loop {
            let begun = match answer.take() {
                Some(response) => self.begin(remote, response),
                None => self.resume_or_begin(remote, path),
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
    fn resume_or_begin(&self, remote: &Remote, path: &Path) -> Result<Begun, TransferError> {
        if let Some(state) = State::load(path, &remote.url).filter(|state| state.done() > 0) {
            let there = state.done();
            tracing::info!("going on with {}, of which {there} bytes are there", remote.shown());
            return Ok(Begun { state, response: None });
        }
        let response = self.send(remote, &remote.url, &HeaderMap::new())?;
        self.begin(remote, response)
    }

    fn begin(&self, remote: &Remote, response: Response) -> Result<Begun, TransferError> {
        let (location, headers) = (response.url(), response.headers());
        let state = State::new(&remote.url, location, headers, remote.size, self.options());
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
                let (first, response, worker) = (job.take_part(), response.take(), &worker);
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

/// One connection at work.
struct Worker<'a> {
    transfer: &'a Transfer,
    remote: &'a Remote,
    job: &'a Job,
    progress: &'a Progress,
}

/// What a try ended with.
enum Tried {
    Complete,
    /// Trying this part again may help.
    Broken(TransferError),
    /// The whole has to begin anew.
    Restart(Restart),
}

impl From<TransferError> for Tried {
    fn from(error: TransferError) -> Self {
        Self::Broken(error)
    }
}

impl Worker<'_> {
    /// Fetches parts until none is left.
    fn work(&self, first: Option<usize>, mut response: Option<Response>) {
        let mut next = first;
        while let Some(part) = next {
            if self.fetch_part(part, response.take()).is_err() {
                return;
            }
            next = self.job.take_part();
        }
    }

    fn fetch_part(&self, index: usize, mut response: Option<Response>) -> Result<(), Ended> {
        let mut patience = Patience::new(self.transfer.options());
        // A mirror that fails is left alone after that: the address itself may lead to another one.
        let mut location = self.job.state().location;
        loop {
            let before = self.job.part(index).done;
            let tried = self.try_part(index, &location, response.take());
            self.job.check()?;
            let error = match tried {
                Tried::Complete => return Ok(()),
                Tried::Restart(restart) => {
                    self.job.end(End::Restart(restart));
                    return Err(Ended);
                }
                Tried::Broken(error) => error,
            };
            if self.job.state().validator.is_none() && error.is_worth_retrying() {
                // Nothing would tell whether the server still has the same file.
                self.job.end(End::Restart(Restart { cause: Some(error), response: None }));
                return Err(Ended);
            }
            // What trickles in would be progress for ever.
            let trickle = matches!(error, TransferError::Silent { slow: true, .. });
            let progress = self.job.part(index).done > before && !trickle;
            let from_elsewhere = location != self.remote.url;
            location = self.remote.url.clone();
            if from_elsewhere
                && !error.is_worth_retrying()
                && matches!(error, TransferError::Status { .. })
            {
                tracing::debug!("{error}; asking {} again", self.remote.shown());
                continue;
            }
            match patience.after(error, progress) {
                Ok(pause) => self.job.pause(pause)?,
                Err(error) => {
                    self.job.end(End::Failed(self.with_progress(error)));
                    return Err(Ended);
                }
            }
        }
    }

    fn with_progress(&self, error: TransferError) -> TransferError {
        match error {
            TransferError::GaveUp { last, attempts, .. } => {
                let state = self.job.state();
                let received = if state.validator.is_some() { state.done() } else { 0 };
                TransferError::GaveUp { last, attempts, received, total: state.length }
            }
            other => other,
        }
    }

    fn try_part(&self, index: usize, location: &Url, response: Option<Response>) -> Tried {
        let part = self.job.part(index);
        let response = match response {
            Some(response) => response,
            None => match self.request(&part, location) {
                Ok(response) => response,
                Err(tried) => return tried,
            },
        };
        match self.receive(index, response) {
            Ok(()) => Tried::Complete,
            Err(error) => Tried::Broken(error),
        }
    }

    /// Asks for what is left of a part.
    fn request(&self, part: &Part, location: &Url) -> Result<Response, Tried> {
        let state = self.job.state();
        let changed = || Tried::Restart(Restart::default());
        let Some(validator) = &state.validator else { return Err(changed()) };
        let last = part.end.map_or(String::new(), |end| (end - 1).to_string());
        let range = format!("bytes={}-{last}", part.position());
        let headers = [(RANGE, range.as_str()), (IF_RANGE, validator.as_str())];
        let headers: HeaderMap = headers
            .into_iter()
            .filter_map(|(name, value)| Some((name, HeaderValue::from_str(value).ok()?)))
            .collect();
        let response = match self.transfer.send(self.remote, location, &headers) {
            Ok(response) => response,
            Err(TransferError::Status { status: StatusCode::RANGE_NOT_SATISFIABLE, .. }) => {
                return Err(changed());
            }
            Err(error) => return Err(error.into()),
        };
        if response.status() != StatusCode::PARTIAL_CONTENT {
            let same = Validator::of(response.headers()).as_ref() == Some(validator);
            let cause = same
                .then(|| self.broken("it broke off, and the server does not go on in the middle"));
            return Err(Tried::Restart(Restart { cause, response: Some(Box::new(response)) }));
        }
        match text(response.headers(), &CONTENT_RANGE).and_then(ContentRange::parse) {
            Some(range) if range.start != part.position() => {
                Err(self.senseless("it has other bytes than were asked for"))
            }
            Some(range)
                if state.length.is_some()
                    && range.length.is_some_and(|length| Some(length) != state.length) =>
            {
                Err(changed())
            }
            Some(_) => Ok(response),
            None => Err(self.senseless("it does not say which bytes it has")),
        }
    }

    fn broken(&self, reason: &str) -> TransferError {
        TransferError::Network { url: self.remote.shown(), reason: reason.to_owned() }
    }

    fn senseless(&self, reason: &str) -> Tried {
        TransferError::Answer { url: self.remote.shown(), reason: reason.to_owned() }.into()
    }

    fn receive(&self, index: usize, mut response: Response) -> Result<(), TransferError> {
        let url = response.url().clone();
        let mut buffer = vec![0; BUFFER_SIZE];
        let mut pace = Pace::new(self.transfer.options());
        loop {
            let left =
                self.job.part(index).left().map(|left| usize::try_from(left).unwrap_or(usize::MAX));
            if left == Some(0) || self.job.check().is_err() {
                return Ok(());
            }
            let wanted = left.unwrap_or(usize::MAX).min(BUFFER_SIZE);
            let (count, ended) = fill(&mut response, &mut buffer[..wanted], &mut pace);
            if count > 0 {
                self.job.write(index, &buffer[..count])?;
                self.progress.came(count as u64);
            }
            match ended {
                None => {}
                Some(Broke::End) if left.is_none() => {
                    self.job.finish_part(index);
                    return Ok(());
                }
                Some(Broke::End) => {
                    let reason = "the answer ended before all of it had come".to_owned();
                    return Err(TransferError::Network { url: shown(&url), reason });
                }
                Some(Broke::Slow) => {
                    let limit = self.transfer.options().idle;
                    return Err(TransferError::Silent { url: shown(&url), limit, slow: true });
                }
                Some(Broke::Error(error)) => return Err(self.transfer.broken(&url, &error)),
            }
        }
    }
}

/// Why there is no more to read.
enum Broke {
    End,
    Slow,
    Error(io::Error),
}

/// Reads until the buffer is full, or as much as there is and why there is no more.
fn fill(source: &mut impl Read, buffer: &mut [u8], pace: &mut Pace) -> (usize, Option<Broke>) {
    let mut count = 0;
    while count < buffer.len() {
        match source.read(&mut buffer[count..]) {
            Ok(0) => return (count, Some(Broke::End)),
            Ok(more) => {
                count += more;
                if pace.is_too_slow(more as u64) {
                    return (count, Some(Broke::Slow));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (count, Some(Broke::Error(error))),
        }
    }
    (count, None)
}

/// Notices a connection that lives but brings next to nothing.
struct Pace {
    limit: std::time::Duration,
    since: Instant,
    count: u64,
}

impl Pace {
    fn new(options: &TransferOptions) -> Self {
        Self { limit: options.idle, since: Instant::now(), count: 0 }
    }

    fn is_too_slow(&mut self, count: u64) -> bool {
        self.count += count;
        if self.since.elapsed() < self.limit {
            return false;
        }
        let least = TransferOptions::LEAST_RATE.saturating_mul(self.limit.as_secs().max(1));
        let slow = self.count < least;
        (self.since, self.count) = (Instant::now(), 0);
        slow
    }
}

/// The header `Content-Range: bytes 5-9/10`.
#[derive(Debug, PartialEq, Eq)]
struct ContentRange {
    start: u64,
    length: Option<u64>,
}

impl ContentRange {
    fn parse(text: &str) -> Option<Self> {
        let (range, length) = text.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
        let (start, _end) = range.split_once('-')?;
        let length = if length == "*" { None } else { Some(length.parse().ok()?) };
        Some(Self { start: start.parse().ok()?, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read() {
        let parsed = |text| ContentRange::parse(text).map(|range| (range.start, range.length));
        assert_eq!(parsed("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(parsed("bytes 0-0/*"), Some((0, None)));
        for wrong in ["", "bytes */10", "items 0-1/2", "bytes 1/2", "bytes x-1/2"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
