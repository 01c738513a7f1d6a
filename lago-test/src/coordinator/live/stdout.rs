//! Standard output while the view is there: a pipe, of which whole lines go to the terminal above the view.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long nothing comes out of the pipe until it is taken to be empty, when somebody waits for that.
const QUIET: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// The longest wait until all has been printed: a terminal may have been stopped.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// Standard output, redirected.
#[derive(Debug)]
pub(super) struct Stdout {
    /// What standard output was.
    terminal: File,
    writer: PipeWriter,
    desk: Arc<Desk>,
    forwarder: Mutex<Option<JoinHandle<()>>>,
}

/// Between the one who reads the pipe and those who wait for it.
#[derive(Debug, Default)]
struct Desk {
    wish: Mutex<Wish>,
    changed: Condvar,
}

/// What the one who reads the pipe is to do when nothing is in it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Wish {
    #[default]
    GoOn,
    /// Print what is left, also without the end of its line, and say so.
    Drain,
    /// As [`Self::Drain`], and nothing comes any more.
    End,
    Gone,
}

impl Stdout {
    /// From now on whole lines of standard output go to `print`, with what standard output was.
    pub(super) fn redirect(
        print: impl Fn(&[u8], &mut File) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let terminal = File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?);
        let (reader, writer) = io::pipe()?;
        let desk = Arc::new(Desk::default());
        let mut forwarder = Forwarder {
            reader,
            terminal: terminal.try_clone()?,
            desk: Arc::clone(&desk),
            line: Vec::new(),
        };
        io::stdout().flush()?;
        rustix::stdio::dup2_stdout(&writer)?;
        // When the terminal is gone, so is the pipe, and whoever prints learns of it.
        let forwarder = thread::spawn(move || {
            let _ = forwarder.run(print);
            forwarder.desk.set(Wish::Gone);
        });
        Ok(Self { terminal, writer, desk, forwarder: Mutex::new(Some(forwarder)) })
    }

    /// Does something while standard output is what it was.
    pub(super) fn step_aside(&self, work: &mut dyn FnMut()) {
        self.drain(Wish::Drain);
        if rustix::stdio::dup2_stdout(&self.terminal).is_ok() {
            work();
            let _ = io::stdout().flush();
            let _ = rustix::stdio::dup2_stdout(&self.writer);
        } else {
            work();
        }
    }

    /// From now on standard output is what it was. What was printed before is on the terminal.
    pub(super) fn end(&self) {
        let _ = io::stdout().flush();
        let _ = rustix::stdio::dup2_stdout(&self.terminal);
        let has_ended = self.drain(Wish::End);
        let forwarder = self.forwarder.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A panic in it has been told of. One that waits for a terminal that was stopped is left to itself.
        let _ = forwarder.filter(|_| has_ended).map(JoinHandle::join);
    }

    /// Waits until all that was printed so far is on the terminal, for a while. Says whether it is.
    fn drain(&self, wish: Wish) -> bool {
        let _ = io::stdout().flush();
        if *self.desk.wish() == Wish::Gone {
            return true;
        }
        self.desk.set(wish);
        let is_open = |now: &mut Wish| matches!(*now, Wish::Drain | Wish::End);
        let waited = self.desk.changed.wait_timeout_while(self.desk.wish(), DRAIN_LIMIT, is_open);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Desk {
    fn wish(&self) -> MutexGuard<'_, Wish> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, wish: Wish) {
        *self.wish() = wish;
        self.changed.notify_all();
    }
}

/// Takes lines from the pipe to the terminal.
struct Forwarder {
    reader: PipeReader,
    terminal: File,
    desk: Arc<Desk>,
    /// The beginning of a line.
    line: Vec<u8>,
}

impl Forwarder {
    fn run(&mut self, print: impl Fn(&[u8], &mut File) -> io::Result<()>) -> io::Result<()> {
        loop {
            if self.is_readable()? {
                self.take()?;
                if let Some(end) = self.line.iter().rposition(|&byte| byte == b'\n') {
                    let whole: Vec<u8> = self.line.drain(..=end).collect();
                    print(&whole, &mut self.terminal)?;
                }
                continue;
            }
            let wish = *self.desk.wish();
            if matches!(wish, Wish::Drain | Wish::End) && !self.line.is_empty() {
                self.line.push(b'\n');
                print(&std::mem::take(&mut self.line), &mut self.terminal)?;
            }
            match wish {
                Wish::GoOn => {}
                Wish::Drain => self.desk.set(Wish::GoOn),
                Wish::End | Wish::Gone => return Ok(()),
            }
        }
    }

    /// Waits a moment for something to read.
    fn is_readable(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.reader, PollFlags::IN)];
        match poll(&mut fds, Some(&QUIET)) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn take(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        match self.reader.read(&mut buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => {
                self.line.extend_from_slice(&buffer[..length]);
                Ok(())
            }
        }
    }
}
