//! The log of what is done with a prefix, in the prefix.
//!
//! Each line has its time, level, spans and place in the program. The file is its owner's alone, and one process after
//! the other, or several at a time, append to it. At [`LOG_SIZE`] it is put aside as `lago.log.1`, in place of the one
//! that was put aside before.

mod log_file;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::level_filters::LevelFilter;
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{DefaultFields, FmtSpan, FormatFields, Writer};
use tracing_subscriber::fmt::{Layer as Lines, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::{FileError, create_dir};
use log_file::LogFile;

pub use log_file::{LOG_FILE, LOG_SIZE};

/// How much is kept until it is known where it goes: what `lago init` says until there is a directory.
const WAITING: usize = 256 * 1024;

/// Why [`setup_logging`] does not log.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The program logs in a way of its own already.
    #[error(
        "this program has a subscriber for tracing already; add `PrefixLog::layer` to it instead"
    )]
    Installed,
}

/// Logs to `lago.log` in the directory `logs` from now on. For programs that have no subscriber of their own.
///
/// # Errors
/// When the file cannot be written, or the program has a subscriber.
#[doc(alias = "LogUtils")]
pub fn setup_logging(logs: &Path) -> Result<(), LoggingError> {
    create_dir(logs)?;
    let log = PrefixLog::default();
    log.attach(logs)?;
    tracing_subscriber::registry().with(log.layer()).try_init().map_err(|_| LoggingError::Installed)
}

/// A log whose file need not be known yet. Clones are the same log.
///
/// ```
/// use lago::utils::PrefixLog;
/// use tracing_subscriber::layer::SubscriberExt as _;
///
/// # let logs = tempfile::tempdir().unwrap();
/// let log = PrefixLog::default();
/// let subscriber = tracing_subscriber::registry().with(log.layer());
/// tracing::subscriber::with_default(subscriber, || {
///     tracing::info!(target: "lago", "before the directory was there");
///     log.attach(logs.path()).unwrap();
/// });
/// let text = std::fs::read_to_string(logs.path().join("lago.log")).unwrap();
/// assert!(text.contains("before the directory was there"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct PrefixLog {
    sink: Arc<Mutex<Sink>>,
}

#[derive(Debug)]
enum Sink {
    /// Lines until the file is known, and how many found no room.
    Waiting { lines: Vec<u8>, lost: usize },
    /// The file.
    Open(LogFile),
}

impl Default for Sink {
    fn default() -> Self {
        Self::Waiting { lines: Vec::new(), lost: 0 }
    }
}

impl PrefixLog {
    /// What a subscriber takes the lines with: all of lago's and of its harness's from `debug` on, and the end of each
    /// span with how long it was.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let ours = Targets::new()
            .with_default(LevelFilter::OFF)
            .with_target("lago", Level::DEBUG)
            .with_target("lago_test", Level::DEBUG);
        Lines::default()
            .fmt_fields(PlainFields)
            .with_ansi(false)
            .with_span_events(FmtSpan::CLOSE)
            .with_writer(self.clone())
            .with_filter(ours)
    }

    /// Writes to `lago.log` in the directory `logs` from now on, what has been said so far included.
    ///
    /// # Errors
    /// When the file cannot be opened; then the lines go on waiting.
    pub fn attach(&self, logs: &Path) -> Result<(), FileError> {
        let path = logs.join(LOG_FILE);
        let file = LogFile::open(path.clone()).map_err(FileError::io("write", &path))?;
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        if let Sink::Waiting { lines, lost } = &*sink {
            file.append(lines);
            if *lost > 0 {
                file.append(format!("{lost} lines are missing here\n").as_bytes());
            }
        }
        *sink = Sink::Open(file);
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for PrefixLog {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter(self)
    }
}

/// Takes one line. That it cannot be written is no reason to fail, nor to say so for each line.
#[derive(Debug)]
pub struct LineWriter<'a>(&'a PrefixLog);

impl io::Write for LineWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match &mut *self.0.sink.lock().unwrap_or_else(PoisonError::into_inner) {
            Sink::Waiting { lines, .. } if lines.len() + line.len() <= WAITING => {
                lines.extend_from_slice(line);
            }
            Sink::Waiting { lost, .. } => *lost += 1,
            Sink::Open(file) => {
                file.rotate_if_full();
                file.append(line);
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The usual form of fields. As a type of its own, because layers share what a type has formatted, and what is made for
/// a terminal has colours in it.
struct PlainFields;

impl<'w> FormatFields<'w> for PlainFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        DefaultFields::new().format_fields(writer, fields)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn logged(logs: &Path) -> String {
        fs::read_to_string(logs.join(LOG_FILE)).unwrap()
    }

    #[test]
    fn lines_have_their_spans_and_the_file_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let log = PrefixLog::default();
        let terminal = Lines::default().with_ansi(true).with_writer(io::sink);
        let subscriber = tracing_subscriber::registry().with(terminal).with(log.layer());
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::info_span!(target: "lago", "start", vm = "client").entered();
            tracing::debug!(target: "lago::virt", "powering on");
            log.attach(dir.path()).unwrap();
            tracing::info!(target: "lago_test", "it is on");
            tracing::debug!(target: "somebody_else", "noise");
            tracing::trace!(target: "lago", "detail");
        });
        let text = logged(dir.path());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        let rest = |line: &str| line.split_once(' ').unwrap().1.trim().to_owned();
        assert_eq!(rest(lines[0]), "DEBUG start{vm=\"client\"}: lago::virt: powering on");
        assert_eq!(rest(lines[1]), "INFO start{vm=\"client\"}: lago_test: it is on");
        assert!(lines[2].contains("lago: close time.busy="), "{text}");
        assert!(lines[0].split('T').next().unwrap().split('-').count() == 3, "no date in {text}");
        let mode = fs::metadata(dir.path().join(LOG_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_finds_no_room_while_it_waits_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let log = PrefixLog::default();
        let subscriber = tracing_subscriber::registry().with(log.layer());
        tracing::subscriber::with_default(subscriber, || {
            let text = "x".repeat(WAITING / 4);
            for _ in 0..10 {
                tracing::info!(target: "lago", "{text}");
            }
        });
        log.attach(dir.path()).unwrap();
        let text = logged(dir.path());
        assert!(text.len() < WAITING + 100);
        assert!(text.ends_with("\n7 lines are missing here\n"), "{}", text.len());
    }

    #[test]
    fn a_directory_that_is_not_there_is_said() {
        let error = PrefixLog::default().attach(Path::new("/no/such/dir")).unwrap_err();
        assert!(error.to_string().starts_with("cannot write /no/such/dir/lago.log"), "{error}");
    }
}
