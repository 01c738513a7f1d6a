//! Off the disks of a guest that does not answer: QEMU reads the images, whatever their format and layers, and we read the
//! file system.
//!
//! ext4 and its elders are read in this process, which takes milliseconds. For all else there is libguestfs, which knows
//! every file system and volume manager that Linux does; it boots a small machine of its own to do so.

mod ext4;
mod guestfish;
mod partitions;
mod server;

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use nbd::client::NbdClient;

use super::{Wanted, failed};
use crate::guest::GuestError;
use crate::utils::{Deadline, error_chain};
use crate::virt::Vm;
use server::Server;

/// How long it may take to hold a VM still. That takes milliseconds, unless libvirt hangs.
const PAUSE_LIMIT: Duration = Duration::from_secs(5);

/// A result whose error is for a person.
type Result<T, E = String> = std::result::Result<T, E>;

/// Copies each path off the disks of a VM. One that runs stands still meanwhile, so that its disks are of one moment.
pub(super) fn copy_all(
    vm: &Vm,
    running: bool,
    wanted: &[Wanted],
    deadline: &Deadline,
) -> Vec<std::result::Result<(), GuestError>> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let _still = running.then(|| Still::hold(vm));
    let copied = copy(vm, wanted, deadline);
    let results = match copied {
        Ok(results) => results,
        Err(why) => wanted.iter().map(|_| Err(why.clone())).collect(),
    };
    let paths = wanted.iter().zip(results);
    paths.map(|(path, result)| result.map_err(|why| failed(vm, path, why))).collect()
}

fn copy(vm: &Vm, wanted: &[Wanted], deadline: &Deadline) -> Result<Vec<Result<()>>> {
    let disks = vm.current_disks().map_err(|error| error_chain(&error))?;
    let writable = disks.iter().filter(|disk| !disk.read_only && !disk.cdrom);
    let servers = writable.map(|disk| Server::start(disk, deadline)).collect::<Result<Vec<_>>>()?;
    match ext4::Root::find(&servers) {
        Ok(root) if root.has_all_of(wanted) => {
            Ok(wanted.iter().map(|path| root.copy(path, deadline)).collect())
        }
        Ok(_) => guestfish::copy(vm, &servers, wanted, deadline)
            .map_err(|why| format!("some of it is on another file system than the root: {why}")),
        Err(reason) => guestfish::copy(vm, &servers, wanted, deadline)
            .map_err(|why| format!("{reason}; {why}")),
    }
}

/// A VM that stands still because of us.
struct Still<'a>(Option<&'a Vm>);

impl<'a> Still<'a> {
    /// A VM that cannot be held still is read all the same: a journal makes up for what is half written.
    fn hold(vm: &'a Vm) -> Self {
        Self(vm.pause_within(PAUSE_LIMIT).is_ok().then_some(vm))
    }
}

impl Drop for Still<'_> {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.map(Vm::resume) {
            tracing::warn!("{}", error_chain(&error));
        }
    }
}

/// A disk as the guest sees it. It is only read.
#[derive(Clone)]
struct Disk {
    name: String,
    content: Rc<RefCell<NbdClient<UnixStream>>>,
}

impl Read for Disk {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.content.borrow_mut().read(buffer)
    }
}

impl Seek for Disk {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.content.borrow_mut().seek(to)
    }
}

/// What reads partition tables wants a disk that could be written to.
impl Write for Disk {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("name", &self.name).finish_non_exhaustive()
    }
}
