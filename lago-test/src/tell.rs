//! What is told on standard error while a run goes on.
//!
//! Standard error may be gone with its reader. What is going on must not end for that, so no error counts here.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use lago::Prefix;
use lago::utils::PrefixLog;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Says from which level on log lines are told.
const VARIABLE: &str = "LAGO_LOG";

/// What the library does, for the log in the prefix.
static LOG: LazyLock<PrefixLog> = LazyLock::new(PrefixLog::default);

/// What is on the terminal beside lines.
pub(crate) trait View: Send + Sync {
    /// Prints whole lines above it.
    fn print_above(&self, lines: &[u8]);

    /// Is not there while something else has the terminal.
    fn step_aside(&self, work: &mut dyn FnMut());

    /// Is gone, for good.
    fn give_up(&self);
}

/// There while there is one.
static VIEW: Mutex<Option<Arc<dyn View>>> = Mutex::new(None);

/// The longest wait for the last word to be printed: a terminal that was stopped takes none.
const LAST_WORD: Duration = Duration::from_millis(500);

/// Prints a line.
pub(crate) fn tell(line: impl Display) {
    print(format!("{line}\n").as_bytes());
}

/// Prints a line right before the process ends, if the terminal takes it soon.
pub(crate) fn tell_at_last(line: impl Display) {
    let line = format!("{line}\n");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        if let Some(view) = view() {
            view.give_up();
        }
        print_plainly(line.as_bytes());
        // Nobody waits for it any more when it took too long.
        let _ = sender.send(());
    });
    let _ = receiver.recv_timeout(LAST_WORD);
}

/// From now on lines go through a view; with none, straight to standard error again.
pub(crate) fn tell_through(view: Option<Arc<dyn View>>) {
    *VIEW.lock().unwrap_or_else(PoisonError::into_inner) = view;
}

/// Does something that needs the terminal for itself, such as a shell. What other threads tell meanwhile is told after it.
pub(crate) fn with_terminal<T>(work: impl FnOnce() -> T) -> T {
    let _terminal = TERMINAL.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = Taken::begin();
    let done = match view() {
        None => work(),
        Some(view) => {
            let mut work = Some(work);
            let mut done = None;
            view.step_aside(&mut || done = work.take().map(|work| work()));
            done.expect("a view steps aside for the work")
        }
    };
    drop(taken);
    done
}

/// Waits until no other thread has the terminal for itself.
pub(crate) fn wait_for_terminal() {
    if is_taken() {
        drop(TERMINAL.lock());
    }
}

/// Whether another thread has the terminal for itself.
pub(crate) fn is_taken() -> bool {
    let held = HELD_BACK.lock().unwrap_or_else(PoisonError::into_inner);
    held.as_ref().is_some_and(|held| held.by != thread::current().id())
}

/// Locked by the thread that has the terminal for itself.
static TERMINAL: Mutex<()> = Mutex::new(());

/// What others tell while one thread has the terminal for itself.
static HELD_BACK: Mutex<Option<HeldBack>> = Mutex::new(None);

struct HeldBack {
    by: ThreadId,
    lines: Vec<u8>,
}

/// That a thread has the terminal for itself.
struct Taken;

impl Taken {
    fn begin() -> Self {
        let held = HeldBack { by: thread::current().id(), lines: Vec::new() };
        *HELD_BACK.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Self
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let held = HELD_BACK.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(held) = held.filter(|held| !held.lines.is_empty()) {
            print(&held.lines);
        }
    }
}

/// Keeps lines for later if another thread has the terminal for itself.
fn hold_back(lines: &[u8]) -> bool {
    let mut held = HELD_BACK.lock().unwrap_or_else(PoisonError::into_inner);
    match held.as_mut().filter(|held| held.by != thread::current().id()) {
        Some(held) => {
            held.lines.extend_from_slice(lines);
            true
        }
        None => false,
    }
}

fn view() -> Option<Arc<dyn View>> {
    VIEW.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Prints whole lines. A line break in front ends a line that somebody else has begun; above a view there is none.
fn print(lines: &[u8]) {
    if hold_back(lines) {
        return;
    }
    match view() {
        Some(view) => view.print_above(lines.strip_prefix(b"\n").unwrap_or(lines)),
        None => print_plainly(lines),
    }
}

fn print_plainly(lines: &[u8]) {
    let _ = io::stderr().write_all(lines);
}

/// Prints the library's log lines from now on: those of this level unless the user wants others, each after `before`.
/// `also` sees the library's spans and events as well.
pub(crate) fn tell_what_the_library_says(
    level: &str,
    before: &'static str,
    also: Option<impl Layer<Registry> + Send + Sync>,
) {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(move || LogLine { before })
        .with_ansi(false)
        .with_filter(filter);
    // A suite whose main has installed a subscriber of its own keeps it.
    let _ = tracing_subscriber::registry().with(also).with(lines).with(LOG.layer()).try_init();
}

/// Logs what the library does in this prefix from now on, unless it does so in another one already: what is done with
/// forks is in the log of the prefix that they are of. One that was made anew in its place has a new log.
pub(crate) fn log_into(prefix: &Prefix) {
    static FIRST: Mutex<Option<PathBuf>> = Mutex::new(None);
    let logs = prefix.paths().logs();
    let mut first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    if first.as_ref().is_some_and(|first| *first != logs) {
        return;
    }
    match LOG.attach(&logs) {
        Ok(()) => *first = Some(logs),
        Err(error) => tracing::debug!("nothing is logged in the prefix: {error}"),
    }
}

/// Takes one log line.
struct LogLine {
    before: &'static str,
}

impl Write for LogLine {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        print(&[self.before.as_bytes(), line].concat());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
