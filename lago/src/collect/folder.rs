//! The directory that takes what is collected, and the list of what is in it and what is not.

use std::fmt::{Display, Write as _};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{CollectedFile, NotCollected};
use crate::artifacts;
use crate::utils::FileError;

/// The list for people.
const INDEX: &str = "README.txt";

/// How much of a log's end is copied: a guest may have filled its console for hours.
const LONGEST_LOG: u64 = 32 << 20;

/// How many files of one artifact are listed one by one.
const LISTED_FILES: usize = 200;

pub(super) struct Folder {
    directory: PathBuf,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    files: Vec<CollectedFile>,
    missing: Vec<NotCollected>,
}

impl Folder {
    /// A new directory, or one that is empty, which nobody else reads.
    pub(super) fn create(directory: &Path) -> Result<Self, FileError> {
        let error = |source| FileError::Io { action: "create", path: directory.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(error)?;
        if fs::read_dir(directory).map_err(error)?.next().is_some() {
            return Err(error(io::ErrorKind::DirectoryNotEmpty.into()));
        }
        Ok(Self { directory: directory.to_owned(), entries: Mutex::default() })
    }

    /// Where a file of this name goes.
    pub(super) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.join(name)
    }

    /// Makes a directory in it, for a VM.
    pub(super) fn make_directory(&self, name: &str) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.path(name))
    }

    /// Writes a file. `what` says what it holds.
    pub(super) fn write(&self, name: &Path, what: &str, content: &[u8]) {
        let written = create(&self.path(name)).and_then(|mut file| file.write_all(content));
        self.note(name, what, written.map(|()| content.len() as u64));
    }

    /// Copies a log of this host from a byte on, or its end.
    pub(super) fn copy_log(&self, from: &Path, offset: u64, name: &Path, what: &str) {
        let copied = copy_end(from, offset, &self.path(name));
        self.note(name, what, copied);
    }

    /// Takes in what came out of a guest to [`path`](Self::path) of this name.
    pub(super) fn take_in(&self, name: &Path, what: &str) {
        match artifacts::contain(&self.path(name)) {
            Ok(listed) => {
                let more = listed.len().saturating_sub(LISTED_FILES);
                for file in listed.into_iter().take(LISTED_FILES) {
                    let path = if file.path.as_os_str().is_empty() {
                        name.to_owned()
                    } else {
                        name.join(file.path)
                    };
                    self.add(CollectedFile { path, bytes: file.bytes, what: what.to_owned() });
                }
                if more > 0 {
                    let what = format!("{what}, and {more} files more");
                    self.add(CollectedFile { path: name.to_owned(), bytes: 0, what });
                }
            }
            Err(error) => {
                // What may lead elsewhere does not stay.
                let _ = fs::remove_dir_all(self.path(name));
                self.miss(name, what, error);
            }
        }
    }

    /// Removes the directories above a file that has not come, as far as they are empty and inside of `below`.
    pub(super) fn remove_empty(&self, name: &Path, below: &Path) {
        let above = name.ancestors().skip(1).take_while(|&above| above != below);
        // The first that is not empty ends it.
        let _ = above.map(|name| fs::remove_dir(self.path(name))).find(Result::is_err);
    }

    /// Notes what a file of this name would hold, and why there is none.
    pub(super) fn miss(&self, name: &Path, what: &str, why: impl Display) {
        let missing =
            NotCollected { path: name.to_owned(), what: what.to_owned(), reason: why.to_string() };
        self.entries().missing.push(missing);
    }

    fn note(&self, name: &Path, what: &str, written: io::Result<u64>) {
        match written {
            Ok(bytes) => {
                self.add(CollectedFile { path: name.to_owned(), bytes, what: what.to_owned() });
            }
            Err(error) => self.miss(name, what, error),
        }
    }

    fn add(&self, file: CollectedFile) {
        self.entries().files.push(file);
    }

    /// Writes the list for people, and hands out what there is.
    pub(super) fn finish(
        self,
        title: &str,
        took: Duration,
    ) -> (PathBuf, Vec<CollectedFile>, Vec<NotCollected>) {
        let Entries { mut files, mut missing } = std::mem::take(&mut *self.entries());
        files.sort_by(|one, other| one.path.cmp(&other.path));
        missing.sort_by(|one, other| one.path.cmp(&other.path));
        let text = index(title, took, &files, &missing);
        let name = Path::new(INDEX);
        self.write(name, "this list", text.as_bytes());
        let last = std::mem::take(&mut *self.entries());
        files.splice(0..0, last.files);
        missing.extend(last.missing);
        (self.directory, files, missing)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn copy_end(from: &Path, offset: u64, to: &Path) -> io::Result<u64> {
    let mut source = File::open(from)?;
    let length = source.metadata()?.len();
    let mut file = create(to)?;
    let begin = offset.max(length.saturating_sub(LONGEST_LOG));
    source.seek(SeekFrom::Start(begin))?;
    let cut = begin - offset;
    if cut > 0 {
        writeln!(
            file,
            "[{cut} bytes before this are left out; all of it is in {}]",
            from.display()
        )?;
    }
    // It may grow meanwhile.
    io::copy(&mut source.take(LONGEST_LOG), &mut file)
}

/// What a person reads first.
fn index(title: &str, took: Duration, files: &[CollectedFile], missing: &[NotCollected]) -> String {
    let mut text = format!("{title}\nIt was collected in {:.1} s.\n", took.as_secs_f64());
    let width = files.iter().map(|file| shown(&file.path).len()).max().unwrap_or(0).min(48);
    text.push_str("\nWhat there is, with sizes in bytes:\n");
    for CollectedFile { path, bytes, what } in files {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {:width$} {bytes:>10}  {what}", shown(path));
    }
    if !missing.is_empty() {
        text.push_str("\nWhat could not be had, and why:\n");
        for NotCollected { path, what, reason } in missing {
            let reason = reason.trim().replace('\n', "\n    ");
            let _ = writeln!(text, "  {} ({what}):\n    {reason}", shown(path));
        }
    }
    text
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_there_and_what_is_not_is_listed() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::create(&place.path().join("evidence")).unwrap();
        folder.make_directory("server").unwrap();
        folder.write(Path::new("server/state.txt"), "its state", b"running\n");
        folder.write(Path::new("nowhere/state.txt"), "its state", b"running\n");
        folder.miss(Path::new("server/journal.txt"), "its journal", "no answer\nwithin 15 s");
        let (directory, files, missing) = folder.finish("Evidence.", Duration::from_millis(1500));
        let mut index = fs::read_to_string(directory.join(INDEX)).unwrap();
        index = index.replace("No such file or directory (os error 2)", "gone");
        insta::assert_snapshot!(index);
        let paths: Vec<_> = files.iter().map(|file| shown(&file.path)).collect();
        assert_eq!(paths, [INDEX, "server/state.txt"]);
        assert_eq!(missing.len(), 2);
        let mode =
            |path: &str| directory.join(path).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(""), mode("server"), mode("server/state.txt")), (0o700, 0o700, 0o600));
    }

    #[test]
    fn a_directory_with_something_in_it_is_refused() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("file"), "").unwrap();
        let error = Folder::create(place.path()).err().unwrap();
        assert!(crate::utils::error_chain(&error).contains("not empty"), "{error}");
    }

    #[test]
    fn the_end_of_a_long_log_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let log = place.path().join("log");
        let file = File::create(&log).unwrap();
        file.set_len(LONGEST_LOG + 10).unwrap();
        OpenOptions::new().append(true).open(&log).unwrap().write_all(b"the end").unwrap();
        let copy = place.path().join("copy");
        copy_end(&log, 0, &copy).unwrap();
        let text = fs::read(&copy).unwrap();
        assert!(text.starts_with(b"[17 bytes before this are left out"), "{:?}", &text[..80]);
        assert!(text.ends_with(b"the end"));

        let copy = place.path().join("part");
        copy_end(&log, LONGEST_LOG + 14, &copy).unwrap();
        assert_eq!(fs::read(&copy).unwrap(), b"end");
    }
}
