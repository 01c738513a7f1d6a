//! The state of one running VM: holding it still, writing it down, bringing it back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use virt::sys;

use super::connection::CHANGE_LIMIT;
use super::domain_xml::DiskDevice;
use super::vm::Vm;
use super::xml::Element;
use super::{VirtError, saved_xml};
use crate::Result;
use crate::host::uefi_executable;

/// What a disk reads or writes at least, in MiB a second, while all VMs of an environment use it.
const SLOWEST_DISK: u64 = 10;

/// Where a VM's state goes.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    /// The file for the memory; without one, only the disks are cut.
    pub(crate) memory: Option<PathBuf>,
    /// The files that the guest writes to from then on. They exist, and are empty overlays on what it writes to now.
    pub(crate) overlays: Vec<DiskDevice>,
}

impl Vm {
    /// Writes the state of the VM down, moves it onto new files for its disks, and returns its description, which
    /// [`Self::restore`] needs.
    ///
    /// A VM that is paused stays so. A VM that runs is held still while its memory is written, and runs again.
    pub(crate) fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<String, VirtError> {
        let xml = snapshot_xml(checkpoint);
        // What is older than this and was never written to is replaced at once, or the whole is refused.
        let mut flags = sys::VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
            | sys::VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT
            | sys::VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC;
        if checkpoint.memory.is_none() {
            flags |= sys::VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY;
        }
        self.change_within(self.state_limit(), "write down the state of", move |domain| {
            let description =
                domain.xml_desc(sys::VIR_DOMAIN_XML_MIGRATABLE | sys::VIR_DOMAIN_XML_SECURE)?;
            domain.create_snapshot_xml(&xml, flags)?;
            Ok(description)
        })
    }

    /// Brings the VM back, paused, from a file or pipe with its memory, onto the disks that are current now.
    pub(crate) fn restore(&self, memory: &Path, description: &str) -> Result<()> {
        let machine = self.current_description()?;
        let firmware = machine.nvram.is_some().then(uefi_executable).flatten();
        let xml = saved_xml::with_files(description, &machine, firmware.as_ref())
            .map_err(|reason| VirtError::Description { vm: self.name().to_owned(), reason })?;
        let memory = memory.to_string_lossy().into_owned();
        let restored = self.connection().call_apart(self.state_limit(), move |connect| {
            connect.restore_domain_flags(&memory, Some(&xml), sys::VIR_DOMAIN_SAVE_PAUSED)
        })?;
        restored.map_err(|e| self.error("bring back", &e))?;
        Ok(())
    }

    fn state_limit(&self) -> Duration {
        state_limit(self.spec().memory)
    }
}

/// The longest that it may take to write down the state of a VM with so many MiB of memory, or to bring it back: all of the
/// memory passes a disk. VMs of one environment do it at the same time.
pub fn state_limit(memory: u64) -> Duration {
    CHANGE_LIMIT.saturating_add(Duration::from_secs(memory / SLOWEST_DISK))
}

/// <https://libvirt.org/formatsnapshot.html>
fn snapshot_xml(checkpoint: &Checkpoint) -> String {
    let memory = match &checkpoint.memory {
        Some(path) => Element::new("memory")
            .attribute("snapshot", "external")
            .attribute("file", path.display()),
        None => Element::new("memory").attribute("snapshot", "no"),
    };
    let disks = checkpoint.overlays.iter().map(|disk| {
        let element = Element::new("disk").attribute("name", &disk.dev);
        if disk.read_only {
            return element.attribute("snapshot", "no");
        }
        element
            .attribute("snapshot", "external")
            .child(Element::new("driver").attribute("type", disk.format))
            .child(Element::new("source").attribute("file", disk.path.display()))
    });
    Element::new("domainsnapshot")
        .child(memory)
        .child(Element::new("disks").children(disks))
        .to_document()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_guest_writes_to_is_moved() {
        let disk = |dev: &str, read_only| DiskDevice {
            path: format!("/p/layers/1/server/{dev}.qcow2").into(),
            format: "qcow2",
            dev: dev.into(),
            read_only,
            cdrom: false,
            detachable: false,
        };
        let checkpoint = Checkpoint {
            memory: Some("/p/snapshots/deployed/server.memory".into()),
            overlays: vec![disk("vda", false), disk("vdb", true)],
        };
        insta::assert_snapshot!(snapshot_xml(&checkpoint));
    }
}
