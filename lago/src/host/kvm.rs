//! The one question to `/dev/kvm` itself.
#![expect(unsafe_code, reason = "an ioctl that no crate here wraps")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use nix::libc;

/// Where KVM is.
pub(super) const DEVICE: &str = "/dev/kvm";

/// The version of the interface that every KVM since Linux 2.6.22 has.
pub(super) const API_VERSION: i32 = 12;

/// `KVM_GET_API_VERSION`, from the kernel's `linux/kvm.h`: `_IO(0xAE, 0x00)`.
const GET_API_VERSION: libc::Ioctl = 0xAE00;

/// Opens `/dev/kvm` as QEMU does, and asks for the version of its interface.
pub(super) fn api_version() -> io::Result<i32> {
    let device = File::options().read(true).write(true).open(DEVICE)?;
    // SAFETY: the descriptor is open for the call, which takes no pointer and writes nothing.
    match unsafe { libc::ioctl(device.as_raw_fd(), GET_API_VERSION, 0) } {
        -1 => Err(io::Error::last_os_error()),
        version => Ok(version),
    }
}
