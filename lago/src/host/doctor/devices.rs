//! The device nodes that QEMU opens.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;

use super::super::acceleration;
use super::Check;
use super::system::System;

/// The permission bits of everybody to read and write.
const OTHERS_READ_WRITE: u32 = 0o006;

/// Room for an access control list of a hundred entries; a device node has a handful.
const LIST_SIZE: usize = 1024;

pub(super) fn checks(system: &System) -> Vec<Check> {
    vec![tun(system), virtualization(system), kvm(system)]
}

/// Without it QEMU cannot have a network card.
fn tun(system: &System) -> Check {
    const NAME: &str = "/dev/net/tun";
    match open(system, NAME) {
        Ok(_) => Check::ok(NAME, "can be used"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let detail = "does not exist; the network cards of virtual machines need it";
            Check::missing(NAME, detail, "sudo modprobe tun".to_owned())
        }
        Err(error) => {
            let detail =
                format!("cannot be used ({error}); the network cards of virtual machines need it");
            Check::missing(NAME, detail, format!("sudo chmod 0666 {NAME}"))
        }
    }
}

fn virtualization(system: &System) -> Check {
    const NAME: &str = "hardware virtualization";
    if acceleration::processor_virtualizes(&system.root) {
        return Check::ok(NAME, "the processor has it");
    }
    let detail = "the processor does not show it, so guests are emulated, ten times slower; a VM needs nested \
                  virtualization from its host, a real machine a switch in its firmware";
    Check::warning(NAME, detail, None)
}

fn kvm(system: &System) -> Check {
    const NAME: &str = "/dev/kvm";
    if !acceleration::processor_virtualizes(&system.root) {
        return Check::ok(
            NAME,
            "not used without hardware virtualization, whether it exists or not",
        );
    }
    match open(system, NAME) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let detail = "does not exist, so guests are emulated, ten times slower";
            Check::warning(NAME, detail, "sudo modprobe -a kvm_intel kvm_amd".to_owned())
        }
        Err(error) => {
            let detail =
                format!("cannot be used ({error}), so guests are emulated, ten times slower");
            Check::warning(NAME, detail, grant(system))
        }
        Ok(found) if system.privileged || found.survives_setgroups(system.uid) => {
            Check::ok(NAME, "can be used")
        }
        Ok(_) => {
            let detail = format!(
                "{} may use it only as a member of its group, and libvirt drops the groups when it starts QEMU",
                system.user
            );
            Check::warning(NAME, detail, grant(system))
        }
    }
}

/// Access for the user itself, which no change of groups takes away.
fn grant(system: &System) -> String {
    format!("sudo setfacl --modify user:{}:rw /dev/kvm", system.user)
}

/// Who may use a device that this process could open.
struct Access {
    owner: u32,
    mode: u32,
    /// The users in its access control list that may read and write it.
    users: Vec<u32>,
}

impl Access {
    /// Whether the user may use it without any group.
    fn survives_setgroups(&self, uid: u32) -> bool {
        self.owner == uid
            || self.mode & OTHERS_READ_WRITE == OTHERS_READ_WRITE
            || self.users.contains(&uid)
    }
}

fn open(system: &System, device: &str) -> io::Result<Access> {
    let path = system.file(device);
    File::options().read(true).write(true).open(&path)?;
    let found = fs::metadata(&path)?;
    let mut list = [0; LIST_SIZE];
    // No list, or no support for lists, is an empty one.
    let length = rustix::fs::getxattr(&path, "system.posix_acl_access", &mut list).unwrap_or(0);
    Ok(Access { owner: found.uid(), mode: found.mode(), users: users_of_list(&list[..length]) })
}

/// The users that an access control list lets read and write, from the kernel's form of it: a version of four bytes,
/// then entries of a tag, permissions (two bytes each) and an id (four bytes), all little endian.
fn users_of_list(list: &[u8]) -> Vec<u32> {
    const USER: u16 = 0x02;
    const READ_WRITE: u16 = 0x06;
    let (entries, _) = list.get(4..).unwrap_or_default().as_chunks::<8>();
    entries
        .iter()
        .filter_map(|&[tag_low, tag_high, allowed_low, allowed_high, a, b, c, d]| {
            let tag = u16::from_le_bytes([tag_low, tag_high]);
            let allowed = u16::from_le_bytes([allowed_low, allowed_high]);
            (tag == USER && allowed & READ_WRITE == READ_WRITE)
                .then(|| u32::from_le_bytes([a, b, c, d]))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_in_the_access_control_list() {
        // What the kernel returns after `setfacl --modify user:1001:rw` on a node with mode 0660.
        let list = [
            [2, 0, 0, 0].as_slice(),
            &[0x01, 0, 6, 0, 255, 255, 255, 255],
            &[0x02, 0, 6, 0, 0xe9, 0x03, 0, 0],
            &[0x02, 0, 4, 0, 0xea, 0x03, 0, 0],
            &[0x04, 0, 6, 0, 255, 255, 255, 255],
            &[0x10, 0, 6, 0, 255, 255, 255, 255],
            &[0x20, 0, 0, 0, 255, 255, 255, 255],
        ]
        .concat();
        assert_eq!(users_of_list(&list), [1001]);
        assert!(users_of_list(&[]).is_empty());
    }

    #[test]
    fn access_that_depends_on_no_group() {
        let access = |owner, mode, users: &[u32]| Access { owner, mode, users: users.to_vec() };
        assert!(access(0, 0o20666, &[]).survives_setgroups(1001));
        assert!(access(0, 0o20660, &[1001]).survives_setgroups(1001));
        assert!(access(1001, 0o20600, &[]).survives_setgroups(1001));
        assert!(!access(0, 0o20660, &[1002]).survives_setgroups(1001));
    }
}
