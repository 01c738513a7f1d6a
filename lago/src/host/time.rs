//! Waiting with a limit.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

/// A duration as the system's calls take it; what does not fit is as long as fits.
pub(super) fn timespec(duration: Duration) -> Timespec {
    Timespec::try_from(duration).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 })
}

/// Waits until a descriptor can be read or is at its end; false when the limit passed before. Signals do not end it.
pub(super) fn wait_readable(descriptor: impl AsFd, limit: Duration) -> bool {
    let deadline = Deadline::after(limit);
    loop {
        let mut fds = [PollFd::from_borrowed_fd(descriptor.as_fd(), PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&timespec(deadline.left()))) {
            Err(rustix::io::Errno::INTR) => {}
            answer => return answer == Ok(1),
        }
    }
}

/// A moment until which something may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        Self(Instant::now().checked_add(limit))
    }

    /// What is left; zero when it has passed.
    pub(super) fn left(self) -> Duration {
        self.0.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()))
    }

    pub(super) fn passed(self) -> bool {
        self.left().is_zero()
    }
}
