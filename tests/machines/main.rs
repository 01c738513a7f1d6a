//! What machines can be: with UEFI firmware and disks on every bus.

mod uefi;
