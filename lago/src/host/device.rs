//! Who may use a device node, and whether libvirt takes that away.
//!
//! libvirt sets the groups of QEMU when it starts it. In a user namespace the groups of the user's own are not among
//! those that can be set, so what a user may open only as a member of a group is out of QEMU's reach. An entry for the
//! user in the node's access control list stays.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The permission bits of everybody to read and write.
const OTHERS_READ_WRITE: u32 = 0o006;

/// Room for an access control list of a hundred entries; a device node has a handful.
const LIST_SIZE: usize = 1024;

/// Who may use a device that this process could open.
#[derive(Debug)]
pub(super) struct Access {
    owner: u32,
    mode: u32,
    /// The users in its access control list that may read and write it.
    users: Vec<u32>,
}

impl Access {
    /// Of a device that this process can open to read and write.
    pub(super) fn of(device: &Path) -> io::Result<Self> {
        File::options().read(true).write(true).open(device)?;
        let found = fs::metadata(device)?;
        let mut list = [0; LIST_SIZE];
        // No list, or no support for lists, is an empty one.
        let length =
            rustix::fs::getxattr(device, "system.posix_acl_access", &mut list).unwrap_or(0);
        Ok(Self { owner: found.uid(), mode: found.mode(), users: users_of_list(&list[..length]) })
    }

    /// Whether the user may use it without any group.
    pub(super) fn survives_setgroups(&self, uid: u32) -> bool {
        self.owner == uid
            || self.mode & OTHERS_READ_WRITE == OTHERS_READ_WRITE
            || self.users.contains(&uid)
    }
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
