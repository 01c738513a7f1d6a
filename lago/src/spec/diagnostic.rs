//! What is said about a mistake in an init file, and where it is.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why an init file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// The file could not be read.
    #[error(
        "cannot read the init file {}; name one that exists and that you may read: {source}",
        path.display()
    )]
    Read {
        /// The file that was asked for.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file has one or several mistakes, in the order in which they stand in the file.
    #[error("{}", Listing(.0))]
    Invalid(Vec<Diagnostic>),
}

impl SpecError {
    /// The mistakes that were found, in the order in which they stand in the file.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::Read { .. } => &[],
            Self::Invalid(diagnostics) => diagnostics,
        }
    }
}

/// One mistake: where it is, what is wrong, and what to write instead.
///
/// Its `Display` form is one line, `file:line:column: message; help`, followed by the line of the file with the
/// mistake underlined.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// The init file, as it was named to the parser.
    pub file: PathBuf,
    /// The line, counted from 1; 0 if the mistake is in no particular place.
    pub line: usize,
    /// The column in characters, counted from 1; 0 if the mistake is in no particular place.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead; empty if the message says it already.
    pub help: String,
    excerpt: Option<Excerpt>,
}

/// The part of the line that a diagnostic points into.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    text: String,
    /// How many characters stand before the marks.
    indent: usize,
    /// How many characters to mark.
    length: usize,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.as_os_str().is_empty() {
            write!(f, "{}:", self.file.display())?;
        }
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        f.write_str(&self.message)?;
        if !self.help.is_empty() {
            write!(f, "; {}", self.help)?;
        }
        match &self.excerpt {
            Some(excerpt) => write!(f, "\n{}", excerpt.marked(self.line)),
            None => Ok(()),
        }
    }
}

impl Excerpt {
    /// More than this of a line is not shown: JSON may have everything on one.
    const WIDTH: usize = 120;
    /// How much of a long line is shown before the mistake.
    const BEFORE: usize = 60;

    /// The part of `line` around a place; `column` counts from 1.
    fn around(line: &str, column: usize, length: usize) -> Self {
        let total = line.chars().count();
        let indent = (column - 1).min(total);
        let skipped = if total > Self::WIDTH { indent.saturating_sub(Self::BEFORE) } else { 0 };
        let text: String = line.chars().skip(skipped).take(Self::WIDTH).collect();
        let indent = indent - skipped;
        let left = text.chars().count() - indent;
        Self { text, indent, length: length.clamp(1, left.max(1)) }
    }

    fn marked(&self, line: usize) -> String {
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        // Tabs are kept, so that the marks stand below what they mark however wide a tab is shown.
        let indent: String = self
            .text
            .chars()
            .take(self.indent)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        format!("{number} | {}\n{margin} | {indent}{}", self.text, "^".repeat(self.length))
    }
}

struct Listing<'a>(&'a [Diagnostic]);

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

/// A place in the init file: line and column counted from 1 in characters, 0 for "nowhere in particular".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) line: usize,
    pub(super) column: usize,
    /// The length in characters, 0 if unknown.
    pub(super) length: usize,
}

/// Collects the mistakes that are found in one init file.
#[derive(Debug)]
pub(super) struct Report<'a> {
    file: &'a Path,
    text: &'a str,
    found: RefCell<Vec<Diagnostic>>,
}

impl<'a> Report<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        Self { file, text, found: RefCell::default() }
    }

    /// Adds a mistake, unless the same one is known: what stands once in a prototype or behind a YAML anchor is read
    /// once for every domain that uses it.
    pub(super) fn mistake(&self, at: Mark, message: impl Into<String>, help: impl Into<String>) {
        let diagnostic = Diagnostic {
            file: self.file.to_owned(),
            line: at.line,
            column: at.column,
            message: message.into(),
            help: help.into(),
            excerpt: self.excerpt(at),
        };
        let mut found = self.found.borrow_mut();
        if !found.contains(&diagnostic) {
            found.push(diagnostic);
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// Returns `value` if no mistake was found.
    pub(super) fn finish<T>(self, value: T) -> Result<T, SpecError> {
        let mut found = self.found.into_inner();
        if found.is_empty() {
            return Ok(value);
        }
        found.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        Err(SpecError::Invalid(found))
    }

    fn excerpt(&self, at: Mark) -> Option<Excerpt> {
        let text = self.text.lines().nth(at.line.checked_sub(1)?)?;
        Some(Excerpt::around(text, at.column, at.length))
    }
}
