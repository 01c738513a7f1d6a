//! Through the guest agent, which needs neither network nor sshd. A directory comes as an archive that the guest's `tar`
//! makes: a question for each file would take longer than all the rest.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use super::{NOT_THERE, Wanted, failed, remaining};
use crate::guest::{AgentOutput, GuestError};
use crate::utils::{Deadline, create_dir};
use crate::virt::Vm;

/// How much of a script's output comes back. libvirt takes answers up to 4 MiB, and in base64 they are longer.
const OUTPUT_BYTES: usize = 2 << 20;

/// How much comes out of a guest at once, as a file or as an archive: what somebody has the patience for over the agent,
/// which moves some megabytes a second, and no more than a disk here is likely to have room for.
const LARGEST: u64 = 1 << 30;

/// Says what there is at a path, following links.
const KIND: &str = r#"if [ -d "$1" ]; then echo directory; elif [ -f "$1" ]; then echo file; elif [ -e "$1" ]; then
echo other; else echo none; fi"#;

/// Packs a directory and prints where the archive is. A file that changes while it is read makes tar end with 1.
const PACK: &str = r#"umask 077; f=$(mktemp) || exit 2; tar -cf "$f" -C "$1" . ; [ $? -le 1 ] || { rm -f "$f"; exit 2; }; echo "$f""#;

pub(super) fn run(vm: &Vm, script: &str, limit: Duration) -> Result<Vec<u8>, String> {
    let script = format!("{{ {script}\n}} 2>&1 | tail -c {OUTPUT_BYTES}");
    let output = vm.agent().exec("/bin/sh", &["-c", &script], limit).map_err(|e| e.to_string())?;
    Ok(output.stdout)
}

pub(super) fn copy(vm: &Vm, wanted: &Wanted, deadline: &Deadline) -> Result<(), GuestError> {
    let kind = sh(vm, wanted, KIND, &wanted.guest, deadline)?;
    match kind.as_str() {
        "file" => {
            let mut file = create(vm, wanted, &wanted.local)?;
            read(vm, wanted, &wanted.guest, &mut file, deadline)
        }
        "directory" => directory(vm, wanted, deadline),
        "none" => Err(failed(vm, wanted, NOT_THERE)),
        _ => Err(failed(vm, wanted, "neither a file nor a directory")),
    }
}

fn directory(vm: &Vm, wanted: &Wanted, deadline: &Deadline) -> Result<(), GuestError> {
    let packed = sh(vm, wanted, PACK, &wanted.guest, deadline)?;
    let here = |error: std::io::Error| failed(vm, wanted, error);
    create_dir(&wanted.local).map_err(|error| failed(vm, wanted, error))?;
    // Where there must be room for what is in it anyway; /tmp is often memory.
    let mut archive = tempfile::tempfile_in(&wanted.local).map_err(here)?;
    let taken = read(vm, wanted, &packed, &mut archive, deadline);
    // It is the guest's own disk that would fill up.
    let removed = vm.agent().exec("rm", &["-f", &packed], deadline.remaining());
    if let Err(error) = removed {
        tracing::debug!("{error}");
    }
    if taken.is_err() {
        // Nothing came, so there is nothing to be seen.
        let _ = fs::remove_dir(&wanted.local);
    }
    taken?;
    archive.rewind().map_err(here)?;
    unpack(archive, &wanted.local, LARGEST).map_err(here)
}

/// What the guest packed is not to be trusted: nothing is written outside of the directory, and no file gets an owner, a
/// set-user-id bit or a device's number. Nor is more written than `limit` bytes: a file with holes is small in an archive
/// and need not be in here.
fn unpack(archive: File, directory: &Path, limit: u64) -> std::io::Result<()> {
    let mut left = limit;
    let mut archive = tar::Archive::new(BufReader::new(archive));
    archive.set_preserve_permissions(false);
    archive.set_preserve_mtime(true);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_file() || kind.is_symlink() || kind.is_hard_link() {
            left = left.checked_sub(entry.size()).ok_or_else(|| too_large(limit))?;
            entry.unpack_in(directory)?;
        }
    }
    Ok(())
}

fn too_large(limit: u64) -> io::Error {
    let limit = limit >> 20;
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {limit} MiB"))
}

/// A file that takes so much and no more.
struct Bounded<'a> {
    to: &'a mut File,
    left: u64,
}

impl io::Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.left {
            return Err(too_large(LARGEST));
        }
        let written = self.to.write(bytes)?;
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The file's content, from the guest.
fn read(
    vm: &Vm,
    wanted: &Wanted,
    path: &str,
    to: &mut File,
    deadline: &Deadline,
) -> Result<(), GuestError> {
    let limit = remaining(vm, wanted, deadline)?;
    let mut to = BufWriter::new(Bounded { to, left: LARGEST });
    vm.agent().read_file(path, &mut to, limit)?;
    to.flush().map_err(|error| failed(vm, wanted, error))
}

/// What a script says about a path, without the end of its line.
fn sh(
    vm: &Vm,
    wanted: &Wanted,
    script: &str,
    path: &str,
    deadline: &Deadline,
) -> Result<String, GuestError> {
    let limit = remaining(vm, wanted, deadline)?;
    let AgentOutput { code, stdout, stderr } =
        vm.agent().exec("/bin/sh", &["-c", script, "sh", path], limit)?;
    if code != Some(0) {
        return Err(failed(vm, wanted, String::from_utf8_lossy(&stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&stdout).trim_end_matches('\n').to_owned())
}

fn create(vm: &Vm, wanted: &Wanted, path: &Path) -> Result<File, GuestError> {
    let mut options = fs::OpenOptions::new();
    let created = options.write(true).create_new(true).mode(0o600).open(path);
    created.map_err(|error| failed(vm, wanted, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(build: impl FnOnce(&mut tar::Builder<File>)) -> File {
        let mut builder = tar::Builder::new(tempfile::tempfile().unwrap());
        build(&mut builder);
        let mut file = builder.into_inner().unwrap();
        file.rewind().unwrap();
        file
    }

    fn header(kind: tar::EntryType, size: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o6755);
        header.set_size(size);
        header
    }

    #[test]
    fn an_archive_stays_inside_its_directory() {
        let place = tempfile::tempdir().unwrap();
        let inside = place.path().join("inside");
        fs::create_dir(&inside).unwrap();
        let file = archive(|builder| {
            let mut add = |name: &str, content: &[u8]| {
                let mut header = header(tar::EntryType::Regular, content.len() as u64);
                // Names that the builder would refuse to write.
                header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
                header.set_cksum();
                builder.append(&header, content).unwrap();
            };
            add("./log/messages", b"hello");
            add("../outside", b"oops");
            let mut link = header(tar::EntryType::Symlink, 0);
            builder.append_link(&mut link, "elsewhere", place.path()).unwrap();
            let mut fifo = header(tar::EntryType::Fifo, 0);
            builder.append_data(&mut fifo, "pipe", &[][..]).unwrap();
        });
        unpack(file, &inside, LARGEST).unwrap();
        assert_eq!(fs::read(inside.join("log/messages")).unwrap(), b"hello");
        assert!(!place.path().join("outside").exists());
        assert!(inside.join("elsewhere").is_symlink());
        assert!(!inside.join("pipe").exists());

        let through_the_link = archive(|builder| {
            let mut header = header(tar::EntryType::Regular, 1);
            builder.append_data(&mut header, "elsewhere/file", &b"x"[..]).unwrap();
        });
        assert!(unpack(through_the_link, &inside, LARGEST).is_err());
        assert!(!place.path().join("file").exists());
    }

    #[test]
    fn what_is_too_large_is_not_written() {
        let place = tempfile::tempdir().unwrap();
        let files = || {
            archive(|builder| {
                for name in ["one", "two"] {
                    let mut header = header(tar::EntryType::Regular, 6);
                    builder.append_data(&mut header, name, &b"6bytes"[..]).unwrap();
                }
            })
        };
        unpack(files(), place.path(), 12).unwrap();
        fs::remove_file(place.path().join("two")).unwrap();
        let error = unpack(files(), place.path(), 11).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(!place.path().join("two").exists());

        let mut file = tempfile::tempfile().unwrap();
        let mut bounded = Bounded { to: &mut file, left: 5 };
        bounded.write_all(b"four").unwrap();
        assert!(bounded.write_all(b"4").is_ok());
        let error = bounded.write_all(b"4").unwrap_err();
        assert_eq!(error.to_string(), "it has more than 1024 MiB");
    }
}
