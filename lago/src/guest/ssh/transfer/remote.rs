//! The guest's files: sftp calls that wait within the limit and name the path they fail on.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use ssh2::{ErrorCode, File, FileStat, FileType, OpenFlags, OpenType, Sftp};

use super::Trouble;
use crate::guest::ssh::session::Session;
use crate::guest::ssh::watch::{Fault, Watch};

/// The sftp protocol's numbers for its answers.
const SSH_FX_NO_SUCH_FILE: i32 = 2;
const SSH_FX_PERMISSION_DENIED: i32 = 3;
const SSH_FX_FAILURE: i32 = 4;

/// libssh2's number for the end of a directory.
const LIBSSH2_ERROR_FILE: i32 = -16;

/// What a permission word keeps besides the file's type.
const PERMISSIONS: u32 = 0o7777;

pub(super) struct Remote<'a> {
    session: &'a Session,
    sftp: &'a Sftp,
    watch: Watch<'a>,
}

impl<'a> Remote<'a> {
    pub(super) fn new(session: &'a Session, sftp: &'a Sftp, watch: Watch<'a>) -> Self {
        Self { session, sftp, watch }
    }

    /// What is at the path, links followed; nothing if nothing is there.
    pub(super) fn stat(&self, path: &Path) -> Result<Option<FileStat>, Trouble> {
        self.optional(path, || self.sftp.stat(path))
    }

    /// What is at the path, links not followed; nothing if nothing is there.
    pub(super) fn lstat(&self, path: &Path) -> Result<Option<FileStat>, Trouble> {
        self.optional(path, || self.sftp.lstat(path))
    }

    pub(super) fn is_directory(&self, path: &Path) -> Result<bool, Trouble> {
        Ok(self.stat(path)?.is_some_and(|stat| file_type(&stat) == Some(FileType::Directory)))
    }

    pub(super) fn real_path(&self, path: &Path) -> Result<PathBuf, Trouble> {
        self.call(path, || self.sftp.realpath(path))
    }

    pub(super) fn make_directory(&self, path: &Path) -> Result<(), Trouble> {
        self.call(path, || self.sftp.mkdir(path, 0o700))
    }

    pub(super) fn set_permissions(&self, path: &Path, mode: u32) -> Result<(), Trouble> {
        self.call(path, || self.sftp.setstat(path, permissions_only(mode)))
    }

    pub(super) fn read_link(&self, path: &Path) -> Result<PathBuf, Trouble> {
        self.call(path, || self.sftp.readlink(path))
    }

    pub(super) fn make_link(&self, path: &Path, target: &Path) -> Result<(), Trouble> {
        // The protocol's document and OpenSSH disagree about the order of the two; every server follows OpenSSH.
        self.call(path, || self.sftp.symlink(target, path))
    }

    pub(super) fn remove_file(&self, path: &Path) -> Result<(), Trouble> {
        self.call(path, || self.sftp.unlink(path))
    }

    /// A directory's entries without `.` and `..`: what the guest says, so not to be trusted.
    pub(super) fn list(&self, path: &Path) -> Result<Vec<(PathBuf, FileStat)>, Trouble> {
        let mut directory = self.call(path, || self.sftp.opendir(path))?;
        let mut entries = Vec::new();
        while let Some(entry) = self.next_entry(path, &mut directory)? {
            if entry.0 != Path::new(".") && entry.0 != Path::new("..") {
                entries.push(entry);
            }
        }
        self.close(path, directory)?;
        Ok(entries)
    }

    fn next_entry(
        &self,
        path: &Path,
        directory: &mut File,
    ) -> Result<Option<(PathBuf, FileStat)>, Trouble> {
        self.call(path, || match directory.readdir() {
            Ok(entry) => Ok(Some(entry)),
            Err(error) if error.code() == ErrorCode::Session(LIBSSH2_ERROR_FILE) => Ok(None),
            Err(error) => Err(error),
        })
    }

    pub(super) fn open(&self, path: &Path) -> Result<File, Trouble> {
        self.call(path, || self.sftp.open(path))
    }

    /// Opens a file to write it anew, unreadable for others until its mode is set.
    pub(super) fn create(&self, path: &Path) -> Result<File, Trouble> {
        let flags = OpenFlags::WRITE | OpenFlags::TRUNCATE;
        self.call(path, || self.sftp.open_mode(path, flags, 0o600, OpenType::File))
    }

    pub(super) fn read(
        &self,
        path: &Path,
        file: &mut File,
        buffer: &mut [u8],
    ) -> Result<usize, Trouble> {
        self.call(path, || file.read(buffer))
    }

    pub(super) fn write_all(
        &self,
        path: &Path,
        file: &mut File,
        mut bytes: &[u8],
    ) -> Result<(), Trouble> {
        while !bytes.is_empty() {
            let count = self.call(path, || file.write(bytes))?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    pub(super) fn close(&self, path: &Path, mut file: File) -> Result<(), Trouble> {
        self.call(path, || file.close())
    }

    fn optional(
        &self,
        path: &Path,
        mut call: impl FnMut() -> Result<FileStat, ssh2::Error>,
    ) -> Result<Option<FileStat>, Trouble> {
        self.call(path, || match call() {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if error.code() == ErrorCode::SFTP(SSH_FX_NO_SUCH_FILE) => Ok(None),
            Err(error) => Err(error),
        })
    }

    fn call<T, E: Into<Fault>>(
        &self,
        path: &Path,
        call: impl FnMut() -> Result<T, E>,
    ) -> Result<T, Trouble> {
        self.watch.check_limit().map_err(Trouble::Session)?;
        self.session.drive(&self.watch, call).map_err(|fault| match fault {
            Fault::Ssh(error) if matches!(error.code(), ErrorCode::SFTP(_)) => {
                Trouble::guest(path, refusal(&error))
            }
            // Reads and writes of a file lose the answer's number on their way through `io::Error`.
            Fault::Io(error) if self.session.looks_alive() => {
                Trouble::guest(path, hint(&error.to_string()))
            }
            fault => Trouble::Session(fault),
        })
    }
}

/// What kind of file it is, if the guest says so.
pub(super) fn file_type(stat: &FileStat) -> Option<FileType> {
    stat.perm.map(|_| stat.file_type())
}

/// Its permission bits, set-user-id and the like included.
pub(super) fn permissions(stat: &FileStat) -> u32 {
    stat.perm.unwrap_or(0o600) & PERMISSIONS
}

fn permissions_only(mode: u32) -> FileStat {
    FileStat {
        size: None,
        uid: None,
        gid: None,
        perm: Some(mode & PERMISSIONS),
        atime: None,
        mtime: None,
    }
}

fn refusal(error: &ssh2::Error) -> String {
    match error.code() {
        ErrorCode::SFTP(SSH_FX_NO_SUCH_FILE) => "no such file or directory".to_owned(),
        ErrorCode::SFTP(SSH_FX_PERMISSION_DENIED) => "permission denied".to_owned(),
        ErrorCode::SFTP(SSH_FX_FAILURE) => hint("failure"),
        _ => error.message().to_owned(),
    }
}

/// Servers say "failure" for whatever the protocol has no number for.
fn hint(message: &str) -> String {
    if message == "failure" {
        "the guest's sftp server says no more than \"failure\": a full disk, a directory in the place of a file, or a \
         file that is being executed"
            .to_owned()
    } else {
        message.to_owned()
    }
}
