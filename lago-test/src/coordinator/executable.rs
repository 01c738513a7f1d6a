//! The program of this run. Workers are started from it, also when it was built anew in the middle of the run.
//!
//! Cargo puts a test program that it builds again in the place of the one that runs. The path leads to another program
//! then, or for a moment to none, while the file that runs lives on without a name until nobody has it open any more.

use std::env;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags};

/// What this process runs.
#[derive(Debug)]
pub(super) struct Executable {
    /// Where it was when the run began.
    path: PathBuf,
    /// The file, which cannot get lost any more. It is open for its place alone, not for reading.
    file: File,
}

/// The program of a command that has not been started yet: it must live until then.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    #[expect(dead_code, reason = "the path leads through it, in the process that inherits it")]
    inherited: Option<OwnedFd>,
}

impl Executable {
    /// The program that runs now.
    pub(super) fn this() -> io::Result<Self> {
        Self::open(Path::new("/proc/self/exe"), env::current_exe()?)
    }

    fn open(file: &Path, path: PathBuf) -> io::Result<Self> {
        let file = rustix::fs::open(file, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { path, file: File::from(file) })
    }

    /// When it was built.
    pub(super) fn built(&self) -> Option<SystemTime> {
        self.file.metadata().ok()?.modified().ok()
    }

    /// The program for a command: by its path as long as that leads to it, so that a worker finds what lies beside it and
    /// a launcher can do with the path what it wants.
    ///
    /// Otherwise by a descriptor that the command inherits. It works on any file system, in any namespace and through
    /// launchers, and leaves nothing behind. Other processes that are started at the same moment may inherit it too, and
    /// the worker keeps it: it opens nothing but this program, and not for writing.
    pub(super) fn program(&self) -> io::Result<Program> {
        if self.is_in_its_place() {
            return Ok(Program { path: self.path.clone(), inherited: None });
        }
        let inherited = rustix::io::dup(&self.file)?;
        Ok(Program { path: by_descriptor(&inherited), inherited: Some(inherited) })
    }

    /// Gives the program another name: a link to its path, or a copy of it when that leads elsewhere.
    pub(super) fn name(&self, name: &Path) -> io::Result<()> {
        if self.is_in_its_place() {
            symlink(&self.path, name)
        } else {
            fs::copy(by_descriptor(&self.file), name).map(drop)
        }
    }

    fn is_in_its_place(&self) -> bool {
        let same =
            |one: &Metadata, other: &Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
        let there = fs::metadata(&self.path);
        there.is_ok_and(|there| self.file.metadata().is_ok_and(|own| same(&own, &there)))
    }
}

/// A path that leads through a descriptor of the process that uses it.
fn by_descriptor(descriptor: &impl AsRawFd) -> PathBuf {
    format!("/proc/self/fd/{}", descriptor.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::*;

    const SHELL: &str = "/bin/sh";

    /// What the program, a shell, says when it is run.
    fn says(program: &Path) -> String {
        let output = Command::new(program).args(["-c", "echo its words"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn a_program_that_was_replaced_still_runs() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("suite");
        symlink(SHELL, &path).unwrap();
        let executable = Executable::open(&path, path.clone()).unwrap();
        let program = executable.program().unwrap();
        assert_eq!((program.path.as_path(), says(&program.path).as_str()), (&*path, "its words\n"));
        let called = place.path().join("lago");
        executable.name(&called).unwrap();
        assert_eq!(fs::read_link(&called).unwrap(), path);

        fs::remove_file(&path).unwrap();
        assert_eq!(says(&executable.program().unwrap().path), "its words\n");
        fs::write(&path, "another program").unwrap();
        assert_eq!(says(&executable.program().unwrap().path), "its words\n");
        fs::remove_file(&called).unwrap();
        executable.name(&called).unwrap();
        assert!(fs::read(&called).unwrap() == fs::read(SHELL).unwrap());
        assert_ne!(called.metadata().unwrap().permissions().mode() & 0o100, 0);
        assert_eq!(executable.built(), fs::metadata(SHELL).unwrap().modified().ok());
    }
}
