//! One connection at work on the parts of a file.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use reqwest::blocking::Response;
use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue, IF_RANGE, RANGE};
use reqwest::{StatusCode, Url};

use super::client::{Remote, Transfer, text};
use super::error::{TransferError, shown};
use super::job::{End, Ended, Job, Restart};
use super::options::TransferOptions;
use super::patience::Patience;
use super::progress::Progress;
use super::state::{Part, Validator};

/// What is read from a connection before it is written, unless that takes longer than [`WRITE_INTERVAL`].
const BUFFER_SIZE: usize = 256 * 1024;

/// How long something that came may wait until it is written.
const WRITE_INTERVAL: Duration = Duration::from_millis(500);

/// One connection at work.
pub(super) struct Worker<'a> {
    pub(super) transfer: &'a Transfer,
    pub(super) remote: &'a Remote,
    pub(super) job: &'a Job,
    pub(super) progress: &'a Progress,
}

/// What a try ended with.
enum Tried {
    Complete,
    /// Trying this part again may help.
    Broken(TransferError),
    /// The whole has to begin anew.
    Restart(Restart),
}

impl Tried {
    /// The server has another file now.
    fn changed() -> Self {
        Self::Restart(Restart::default())
    }
}

impl From<TransferError> for Tried {
    fn from(error: TransferError) -> Self {
        Self::Broken(error)
    }
}

impl Worker<'_> {
    /// Fetches parts until none is left.
    pub(super) fn work(&self, first: Option<usize>, mut response: Option<Response>) {
        let mut next = first;
        while let Some(part) = next {
            if self.fetch_part(part, response.take()).is_err() {
                return;
            }
            next = self.job.next_part();
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
                // A server may not like so many connections at once: the others go on with this part.
                Err(TransferError::GaveUp { last, .. }) if self.job.leave_to_others(index) => {
                    tracing::info!("{last}; going on with fewer connections");
                    return Err(Ended);
                }
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
        let Some(validator) = &state.validator else { return Err(Tried::changed()) };
        let headers = range_headers(part, validator);
        let response = match self.transfer.send(self.remote, location, &headers) {
            Ok(response) => response,
            Err(TransferError::Status { status: StatusCode::RANGE_NOT_SATISFIABLE, .. }) => {
                return Err(Tried::changed());
            }
            Err(error) => return Err(error.into()),
        };
        if response.status() != StatusCode::PARTIAL_CONTENT {
            let same = Validator::of(response.headers()).as_ref() == Some(validator);
            let cause = same
                .then(|| self.broken("it broke off, and the server does not go on in the middle"));
            return Err(Tried::Restart(Restart { cause, response: Some(Box::new(response)) }));
        }
        let range = text(response.headers(), &CONTENT_RANGE).and_then(ContentRange::parse);
        let Some(range) = range else {
            return Err(self.senseless("it does not say which bytes it has"));
        };
        if range.start != part.position() {
            return Err(self.senseless("it has other bytes than were asked for"));
        }
        match (range.length, state.length) {
            (Some(now), Some(before)) if now != before => Err(Tried::changed()),
            _ => Ok(response),
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

/// The headers that ask for what is left of a part, if the server still has the same file.
fn range_headers(part: &Part, validator: &Validator) -> HeaderMap {
    let last = part.end.map_or(String::new(), |end| (end - 1).to_string());
    let range = format!("bytes={}-{last}", part.position());
    let headers = [(RANGE, range.as_str()), (IF_RANGE, validator.as_str())];
    let value = |(name, value): (_, &str)| Some((name, HeaderValue::from_str(value).ok()?));
    headers.into_iter().filter_map(value).collect()
}

/// Why there is no more to read.
enum Broke {
    End,
    Slow,
    Error(io::Error),
}

/// Reads until the buffer is full or something has waited long enough, or as much as there is and why there is no more.
fn fill(source: &mut impl Read, buffer: &mut [u8], pace: &mut Pace) -> (usize, Option<Broke>) {
    let begun = Instant::now();
    let mut count = 0;
    while count < buffer.len() && (count == 0 || begun.elapsed() < WRITE_INTERVAL) {
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
    limit: Duration,
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
