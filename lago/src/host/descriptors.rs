//! Descriptors that go from one process to another.
#![expect(
    unsafe_code,
    reason = "what a child inherits is decided between fork and exec, and comes as a mere number"
)]

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::FdFlags;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

/// A byte, and the descriptor that came with it.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) byte: u8,
    pub(super) descriptor: Option<OwnedFd>,
}

/// Two sockets through which messages pass, each whole.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
    Ok(rustix::net::socketpair(family, kind, SocketFlags::CLOEXEC, None)?)
}

/// Sends a descriptor. Makes system calls only, so that it can be called between `fork` and `exec`.
pub(super) fn send(
    through: BorrowedFd<'_>,
    byte: u8,
    descriptor: BorrowedFd<'_>,
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    let bytes = [byte];
    let content = [io::IoSlice::new(&bytes)];
    rustix::net::sendmsg(through, &content, &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives the next message; `None` when nobody can send any more. `flags` say whether it waits for one.
pub(super) fn receive(from: BorrowedFd<'_>, flags: RecvFlags) -> io::Result<Option<Message>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut content = [io::IoSliceMut::new(&mut byte)];
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let received = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(from, &mut content, &mut control, flags)
    })?;
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok((received.bytes > 0).then_some(Message { byte: byte[0], descriptor }))
}

/// Has a command inherit a descriptor, under the name that is returned.
pub(super) fn inherit(command: &mut Command, descriptor: OwnedFd) -> io::Result<String> {
    let name = name_of(descriptor.as_raw_fd())?;
    // SAFETY: the closure makes one system call.
    unsafe {
        command.pre_exec(move || Ok(rustix::io::fcntl_setfd(&descriptor, FdFlags::empty())?));
    }
    Ok(name)
}

/// The descriptor of this name, if this process has inherited it. It stays open, and the children of this process inherit it
/// too.
pub(super) fn inherited(name: &str) -> Option<BorrowedFd<'static>> {
    let number: RawFd = name.split_once(':')?.0.parse().ok()?;
    if name_of(number).ok()? != name {
        return None;
    }
    // SAFETY: the descriptor is open, as its name tells, and nothing in this process owns it, so nothing closes it.
    Some(unsafe { BorrowedFd::borrow_raw(number) })
}

/// Its number and what it leads to: another process may have closed it, and opened something else under the number.
fn name_of(number: RawFd) -> io::Result<String> {
    let inode = fs::metadata(format!("/proc/self/fd/{number}"))?.ino();
    Ok(format!("{number}:{inode}"))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_child_has_what_it_inherits_under_its_name() {
        let (ours, theirs) = pair().unwrap();
        let mut command = Command::new("sh");
        let name = inherit(&mut command, theirs).unwrap();
        let (number, inode) = name.split_once(':').unwrap();
        command.args(["-c", &format!("readlink /proc/self/fd/{number}")]);
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("socket:[{inode}]\n"));
        drop(command);
        assert!(receive(ours.as_fd(), RecvFlags::empty()).unwrap().is_none());
        assert!(inherited(&name).is_none(), "it is closed here");
    }

    #[test]
    fn a_number_that_leads_elsewhere_is_not_it() {
        let (ours, _theirs) = pair().unwrap();
        let name = name_of(ours.as_raw_fd()).unwrap();
        assert!(inherited(&name).is_some());
        assert!(inherited(&format!("{name}0")).is_none());
        assert!(inherited("no number").is_none());
    }
}
