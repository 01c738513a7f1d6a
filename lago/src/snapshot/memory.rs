//! The file of a VM's memory: compressed once it is there, and fed to libvirt through a pipe when it is needed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::fs::{Advice, CWD, FileType, Mode, mknodat};

use super::SnapshotError;
use crate::Result;
use crate::utils::PRIVATE_MODE;

/// What the name of a compressed file ends with, after that of the original.
const EXTENSION: &str = "zst";

/// Fast rather than small: an idle guest of 512 MiB leaves some 80 MB, in a quarter of a second.
const LEVEL: i32 = -3;

/// Large enough that the system calls do not count.
const BUFFER: usize = 1 << 20;

/// What is left free on a disk, in bytes.
const RESERVE: u64 = 64 << 20;

/// How often to have the kernel write out what has come.
const WRITE_OUT_INTERVAL: Duration = Duration::from_millis(10);

/// How often to look whether libvirt has read what a broken file gave.
const DRAIN_INTERVAL: Duration = Duration::from_millis(10);

/// Has the kernel write the file out to its disk while `write` fills it.
///
/// The program by which libvirt writes the file waits at its end until all of it is on the disk, and the VM stands still
/// until then. That is half the time when nobody has begun to write out what is there already.
pub(super) fn write_out_meanwhile<T>(memory: &Path, write: impl FnOnce() -> T) -> T {
    let (writing, end) = mpsc::channel::<()>();
    thread::scope(|scope| {
        // Without a thread it only takes longer.
        let _ = thread::Builder::new().spawn_scoped(scope, move || write_out_until(memory, &end));
        let written = write();
        drop(writing);
        written
    })
}

fn write_out_until(memory: &Path, end: &Receiver<()>) {
    let mut file = None;
    while end.recv_timeout(WRITE_OUT_INTERVAL) == Err(RecvTimeoutError::Timeout) {
        if file.is_none() {
            file = File::open(memory).ok();
        }
        if let Some(file) = &file {
            // Dirty pages of which somebody says that he does not need them are written out. Clean ones are dropped, and
            // read again when they are compressed.
            let _ = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
        }
    }
}

/// Compresses a file, with so many threads, and returns the new one. The original stays.
///
/// The guests write to the same disk meanwhile and stand still when it is full, so their room is left to them.
pub(super) fn compress(raw: &Path, threads: usize) -> Result<PathBuf, SnapshotError> {
    let compressed = compressed_name(raw);
    let room = has_room(raw).map_err(|source| SnapshotError::File {
        action: "look at",
        path: raw.to_owned(),
        source,
    })?;
    if !room {
        let source = io::ErrorKind::StorageFull.into();
        return Err(SnapshotError::File { action: "compress", path: raw.to_owned(), source });
    }
    write_compressed(raw, &compressed, threads).map_err(|source| {
        // The error that matters is the one before.
        let _ = fs::remove_file(&compressed);
        SnapshotError::File { action: "compress", path: raw.to_owned(), source }
    })?;
    Ok(compressed)
}

/// The name of the file that a compressed one was made from; none for one that is not compressed.
pub(super) fn original_of(memory: &Path) -> Option<PathBuf> {
    let is_compressed = memory.extension().is_some_and(|extension| extension == EXTENSION);
    is_compressed.then(|| memory.with_extension(""))
}

fn compressed_name(raw: &Path) -> PathBuf {
    let mut name = raw.as_os_str().to_owned();
    name.push(".");
    name.push(EXTENSION);
    name.into()
}

/// Whether there would be room even if it did not become smaller.
fn has_room(raw: &Path) -> io::Result<bool> {
    let disk = rustix::fs::statvfs(raw)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize)
        > fs::metadata(raw)?.len().saturating_add(RESERVE))
}

fn write_compressed(raw: &Path, compressed: &Path, threads: usize) -> io::Result<()> {
    let mut options = OpenOptions::new();
    // A process that was killed may have left the beginning of one.
    let target =
        options.write(true).create(true).truncate(true).mode(PRIVATE_MODE).open(compressed)?;
    let mut encoder = zstd::Encoder::new(target, LEVEL)?;
    encoder.include_checksum(true)?;
    if threads > 1 {
        encoder.multithread(u32::try_from(threads).unwrap_or(u32::MAX))?;
    }
    copy(&mut File::open(raw)?, &mut encoder)?;
    encoder.finish().map(drop)
}

/// Hands a file of memory to `restore` as something that libvirt can read: the file itself, or a pipe in `dir` that gives
/// its content.
pub(super) fn with_content(
    memory: &Path,
    dir: &Path,
    restore: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    if original_of(memory).is_none() {
        return restore(memory);
    }
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| SnapshotError::File { action, path, source }
    };
    // libvirt would wait for ever at a pipe that ends before anything is in it.
    let (begin, source) = open_compressed(memory).map_err(failed("read", memory))?;
    let pipe = dir.join(memory.with_extension("").file_name().unwrap_or_default());
    let (held, writer) = make_pipe(&pipe).map_err(failed("make the pipe", &pipe))?;
    let over = AtomicBool::new(false);
    let (fed, restored) = thread::scope(|scope| {
        let feeder = scope.spawn(|| feed(&begin, source, writer, &held, &over));
        let restored = restore(&pipe);
        over.store(true, Ordering::Relaxed);
        // Whoever still writes gets an error then, instead of waiting for ever.
        let fed = {
            held.close();
            feeder.join().unwrap_or_else(|_| Err(io::Error::other("it panicked")))
        };
        (fed, restored)
    });
    match (restored, fed) {
        // That libvirt reads no more once it has what it needs is no failure.
        (Ok(()), _) => Ok(()),
        (Err(_), Err(source)) if source.kind() != io::ErrorKind::BrokenPipe => {
            Err(failed("read", memory)(source).into())
        }
        (Err(error), _) => Err(error),
    }
}

type Compressed = zstd::Decoder<'static, BufReader<File>>;

/// Returns the beginning of the content, and the rest.
fn open_compressed(memory: &Path) -> io::Result<(Vec<u8>, Compressed)> {
    let mut source = zstd::Decoder::new(File::open(memory)?)?;
    let mut begin = vec![0; BUFFER];
    let count = source.read(&mut begin)?;
    if count == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is empty"));
    }
    begin.truncate(count);
    Ok((begin, source))
}

/// An end of the pipe that keeps both sides from waiting for each other's `open`, until it is closed.
struct Held(std::sync::Mutex<Option<File>>);

impl Held {
    fn close(&self) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    }

    /// Whether what was written into the pipe has been read; also when nobody can read any more.
    fn is_drained(&self) -> bool {
        let held = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        held.as_ref()
            .is_none_or(|pipe| rustix::io::ioctl_fionread(pipe).is_ok_and(|left| left == 0))
    }
}

fn make_pipe(path: &Path) -> io::Result<(Held, File)> {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    let held = OpenOptions::new().read(true).write(true).open(path)?;
    let writer = OpenOptions::new().write(true).open(path)?;
    // A smaller pipe works as well.
    let _ = rustix::pipe::fcntl_setpipe_size(&writer, BUFFER);
    Ok((Held(std::sync::Mutex::new(Some(held))), writer))
}

/// Writes the content into the pipe. After the last of it the reader sees the end of the file, also when there is less than
/// it should be.
fn feed(
    begin: &[u8],
    mut source: Compressed,
    mut writer: File,
    held: &Held,
    over: &AtomicBool,
) -> io::Result<()> {
    let copied = writer.write_all(begin).and_then(|()| copy(&mut source, &mut writer));
    drop(writer);
    // libvirt opens the pipe when it gets to it, and an end that comes before would never be seen.
    while !over.load(Ordering::Relaxed) && !held.is_drained() {
        thread::sleep(DRAIN_INTERVAL);
    }
    held.close();
    copied
}

fn copy(source: &mut impl Read, target: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok(()),
            count => target.write_all(&buffer[..count])?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `restore` reads, as libvirt does: it opens the path and reads to the end.
    fn read_back(memory: &Path, dir: &Path, wanted: usize) -> (Result<()>, Vec<u8>) {
        let mut content = vec![0; wanted];
        let result = with_content(memory, dir, |path| {
            let read = File::open(path).and_then(|mut file| file.read_exact(&mut content));
            read.map_err(|source| {
                SnapshotError::File { action: "restore", path: path.to_owned(), source }.into()
            })
        });
        (result, content)
    }

    /// Bytes that do not compress well, so that several blocks are needed.
    fn content() -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_le_bytes()[3]
        };
        (0..3 << 20).map(|_| next()).collect()
    }

    fn compressed(dir: &Path) -> PathBuf {
        let raw = dir.join("server.memory");
        fs::write(&raw, content()).unwrap();
        let compressed = compress(&raw, 2).unwrap();
        fs::remove_file(raw).unwrap();
        compressed
    }

    #[test]
    fn memory_comes_back_through_the_pipe() {
        let dir = tempfile::tempdir().unwrap();
        let (result, read) = read_back(&compressed(dir.path()), dir.path(), content().len());
        result.unwrap();
        assert!(read == content());
    }

    #[test]
    fn a_file_that_was_cut_is_said_and_nobody_waits() {
        let dir = tempfile::tempdir().unwrap();
        let path = compressed(dir.path());
        for kept in [1 << 20, 100, 5, 0] {
            OpenOptions::new().write(true).open(&path).unwrap().set_len(kept).unwrap();
            let pipes = tempfile::tempdir().unwrap();
            let (result, _) = read_back(&path, pipes.path(), content().len());
            let error = result.unwrap_err().to_string();
            assert!(error.starts_with("cannot read"), "{kept}: {error}");
        }
    }

    #[test]
    fn a_reader_that_wants_more_than_there_is_sees_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let (result, _) = read_back(&compressed(dir.path()), dir.path(), content().len() + 1);
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with("cannot restore"), "{error}");
    }

    #[test]
    fn a_reader_that_gives_up_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = compressed(dir.path());
        let error = with_content(&path, dir.path(), |_| Err(SnapshotError::NothingRuns.into()));
        assert!(error.unwrap_err().to_string().contains("none runs"));
    }

    #[test]
    fn no_room_for_the_compressed_file_leaves_the_original() {
        let dir = tempfile::tempdir().unwrap();
        let raw = dir.path().join("server.memory");
        fs::write(&raw, "memory").unwrap();
        fs::create_dir(compressed_name(&raw)).unwrap();
        compress(&raw, 1).unwrap_err();
        assert_eq!(fs::read(&raw).unwrap(), b"memory");
    }
}
