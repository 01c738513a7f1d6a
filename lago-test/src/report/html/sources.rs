//! What the report takes out of files, with limits: a report that no browser opens tells nothing.

use std::borrow::Cow;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::super::text::clean;
use crate::output;

/// How much of one output goes into the report when its scenario did not pass, in bytes. Where many failed it is less,
/// but never so little.
pub(super) const FAILED_OUTPUT: u64 = 256 << 10;
const LEAST_OUTPUT: u64 = 4 << 10;

/// How much of one output when it passed.
pub(super) const PASSED_OUTPUT: u64 = 8 << 10;

/// How much of what one console said while one scenario ran.
pub(super) const CONSOLE: u64 = 64 << 10;

/// How much of a text file that was collected.
pub(super) const EVIDENCE: u64 = 64 << 10;

/// The largest image.
const IMAGE: u64 = 2 << 20;

/// How much text and how much of images goes into one report, in bytes.
const ALL_TEXT: u64 = 12 << 20;
const ALL_IMAGES: u64 = 16 << 20;

/// How much of the text is kept for scenarios that failed: what passed may not crowd them out.
const KEPT_FOR_FAILURES: u64 = 8 << 20;

/// The files of a run, and how much more of them the report can take.
#[derive(Debug)]
pub(super) struct Sources {
    prefix: PathBuf,
    text: Cell<u64>,
    images: Cell<u64>,
    /// The most that is taken of any file as text.
    most: u64,
}

/// What was asked of [`Sources`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Excerpt {
    /// Text that can be shown as it is.
    Text(String),
    /// Why there is none.
    Missing(String),
}

/// For whom an excerpt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    Failure,
    Other,
}

impl Sources {
    /// The files of a run in which so many scenarios failed.
    pub(super) fn new(prefix: &Path, failures: usize) -> Self {
        let (text, images) = (Cell::new(ALL_TEXT), Cell::new(ALL_IMAGES));
        let fair = KEPT_FOR_FAILURES / 2 / failures.max(1) as u64;
        let most = fair.clamp(LEAST_OUTPUT, FAILED_OUTPUT);
        Self { prefix: prefix.to_owned(), text, images, most }
    }

    /// Both ends of a file, of at most so many bytes.
    pub(super) fn text(&self, path: &Path, limit: u64, whom: For) -> Excerpt {
        let limit = limit.min(self.most);
        if let Some(refusal) = self.refusal(limit, whom) {
            return refusal;
        }
        match output::excerpt(&self.prefix.join(path), limit) {
            Ok(text) => self.shown(&text),
            Err(error) => unreadable(path, &error),
        }
    }

    /// The end of a part of a file, which may go up to the file's own end. The first of these files that is there counts.
    pub(super) fn part(&self, paths: &[PathBuf], from: u64, to: Option<u64>, whom: For) -> Excerpt {
        let limit = CONSOLE.min(self.most);
        if let Some(refusal) = self.refusal(limit, whom) {
            return refusal;
        }
        let existing = paths.iter().find(|path| self.prefix.join(path).exists());
        let Some(path) = existing.or(paths.first()) else {
            return Excerpt::Missing("it has no file".to_owned());
        };
        match part(&self.prefix.join(path), from, to, limit) {
            Ok(text) => self.shown(&text),
            Err(error) => unreadable(path, &error),
        }
    }

    /// A PNG as the URL that holds it.
    pub(super) fn image(&self, path: &Path) -> Excerpt {
        let read = || {
            let file = File::open(self.prefix.join(path))?;
            let size = file.metadata()?.len();
            if size > IMAGE.min(self.images.get()) {
                return Ok(None);
            }
            let mut bytes = Vec::new();
            file.take(IMAGE).read_to_end(&mut bytes)?;
            io::Result::Ok(Some(bytes))
        };
        match read() {
            Ok(Some(bytes)) => {
                spend(&self.images, bytes.len());
                Excerpt::Text(format!("data:image/png;base64,{}", BASE64_STANDARD.encode(bytes)))
            }
            Ok(None) => Excerpt::Missing("too large for this report".to_owned()),
            Err(error) => unreadable(path, &error),
        }
    }

    /// Whether a file is there.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.prefix.join(path).exists()
    }

    /// Cuts a text that came with the events to what the report can take of it.
    pub(super) fn said<'a>(&self, text: &'a str, limit: usize) -> Cow<'a, str> {
        let left = usize::try_from(self.text.get()).unwrap_or(usize::MAX).max(LEAST);
        let cut = shortened(text, limit.min(left));
        spend(&self.text, escaped_length(&cut));
        cut
    }

    fn refusal(&self, limit: u64, whom: For) -> Option<Excerpt> {
        let reserve = if whom == For::Failure { 0 } else { KEPT_FOR_FAILURES };
        let is_spent = self.text.get() < reserve.saturating_add(limit);
        is_spent.then(|| Excerpt::Missing("left out: this report is large as it is".to_owned()))
    }

    fn shown(&self, text: &str) -> Excerpt {
        let text = clean(text);
        spend(&self.text, escaped_length(&text));
        Excerpt::Text(text)
    }
}

/// The least that is shown of any text that came with the events.
const LEAST: usize = 200;

fn spend(budget: &Cell<u64>, bytes: usize) {
    budget.set(budget.get().saturating_sub(bytes as u64));
}

/// How long a text is in the report: some characters are written as several.
fn escaped_length(text: &str) -> usize {
    let longer = |byte| match byte {
        b'<' | b'>' => "&lt;".len(),
        b'&' => "&amp;".len(),
        b'"' => "&quot;".len(),
        _ => 1,
    };
    text.bytes().map(longer).sum()
}

fn unreadable(path: &Path, error: &io::Error) -> Excerpt {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => Excerpt::Missing(format!("{path} is not there any more")),
        _ => Excerpt::Missing(format!("{path} cannot be read: {error}")),
    }
}

/// The bytes of a file between two places, without those at the front when there are too many.
fn part(path: &Path, from: u64, to: Option<u64>, limit: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let to = to.unwrap_or(size).min(size);
    let begin = from.max(to.saturating_sub(limit));
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(to.saturating_sub(begin)).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(match begin.saturating_sub(from) {
        0 => text.into_owned(),
        cut => format!("[... {cut} bytes before this are left out]\n{text}"),
    })
}

/// The beginning of a text, with a word about the rest if there is one.
fn shortened(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return text.into();
    }
    let end = (0..=limit).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{} [... {} more bytes]", &text[..end], text.len() - end).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(excerpt: Excerpt) -> String {
        match excerpt {
            Excerpt::Text(text) => text,
            Excerpt::Missing(why) => panic!("{why}"),
        }
    }

    #[test]
    fn a_part_of_a_console_is_cut_at_its_front() {
        let directory = tempfile::tempdir().unwrap();
        let long = "x".repeat(usize::try_from(CONSOLE).unwrap());
        std::fs::write(directory.path().join("vm.log"), format!("boot\nshort\n{long}")).unwrap();
        let sources = Sources::new(directory.path(), 1);
        let logs = [PathBuf::from("moved/vm.log"), PathBuf::from("vm.log")];
        assert_eq!(text(sources.part(&logs, 5, Some(11), For::Failure)), "short\n");
        let cut = text(sources.part(&logs, 5, None, For::Failure));
        assert!(cut.starts_with("[... 6 bytes before this are left out]\nxxx"), "{}", &cut[..60]);
    }

    #[test]
    fn what_is_gone_is_named() {
        let sources = Sources::new(Path::new("/no/such/prefix"), 1);
        let missing = Excerpt::Missing("gone.log is not there any more".to_owned());
        assert_eq!(sources.text(Path::new("gone.log"), 1, For::Failure), missing);
        assert_eq!(sources.part(&["gone.log".into()], 0, Some(1), For::Failure), missing);
        assert_eq!(sources.image(Path::new("gone.log")), missing);
    }

    #[test]
    fn what_passed_leaves_room_for_what_failed() {
        let directory = tempfile::tempdir().unwrap();
        let size = usize::try_from(PASSED_OUTPUT).unwrap();
        std::fs::write(directory.path().join("log"), "y".repeat(size)).unwrap();
        let sources = Sources::new(directory.path(), 1);
        let read = |whom| sources.text(Path::new("log"), PASSED_OUTPUT, whom);
        let count =
            (0..100_000).take_while(|_| matches!(read(For::Other), Excerpt::Text(_))).count();
        assert_eq!(count as u64, (ALL_TEXT - KEPT_FOR_FAILURES) / PASSED_OUTPUT);
        assert!(matches!(read(For::Failure), Excerpt::Text(_)));
    }

    #[test]
    fn many_failures_share_what_there_is() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("log"), vec![b'z'; 1 << 20]).unwrap();
        let length = |failures| {
            let sources = Sources::new(directory.path(), failures);
            text(sources.text(Path::new("log"), FAILED_OUTPUT, For::Failure)).len() as u64
        };
        // The line that says what was cut comes on top.
        assert!((FAILED_OUTPUT..FAILED_OUTPUT + 300).contains(&length(0)));
        assert!((FAILED_OUTPUT / 4..FAILED_OUTPUT / 2).contains(&length(50)));
        assert!((LEAST_OUTPUT..LEAST_OUTPUT + 300).contains(&length(10_000)));
    }

    #[test]
    fn a_large_image_stays_where_it_is() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("small.png"), [0x89, 0x50]).unwrap();
        let large = File::create(directory.path().join("large.png")).unwrap();
        large.set_len(IMAGE + 1).unwrap();
        let sources = Sources::new(directory.path(), 1);
        assert_eq!(text(sources.image(Path::new("small.png"))), "data:image/png;base64,iVA=");
        assert!(matches!(sources.image(Path::new("large.png")), Excerpt::Missing(_)));
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(shortened("häl", 2), "h [... 3 more bytes]");
        assert_eq!(shortened("hal", 3), "hal");
    }
}
