//! What machines can be: with UEFI firmware and disks on every bus, or only reached over ssh.

mod remote;
mod uefi;
