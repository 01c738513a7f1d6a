//! The `lago` command as people and scripts use it.

mod capsules;
mod console;
mod deploy;
mod lago_prefix;
mod new;
mod plugins;
mod shells;
mod snapshots;
mod usage;
mod verbs;

use std::path::{Path, PathBuf};
use std::process::Command;

use lago_system_tests::{Place, init_file, lago, run};

/// A directory in which `lago` is called, and what it makes there.
struct Session {
    place: Place,
}

impl Session {
    fn new(name: &str) -> Self {
        Self { place: Place::new(name) }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = lago(args);
        command.current_dir(self.place.path());
        command
    }

    /// What the verb prints, which has to succeed.
    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        run(&mut self.command(args)).ok()
    }

    /// What the verb says as it fails.
    #[track_caller]
    fn failed(&self, code: i32, args: &[&str]) -> String {
        run(&mut self.command(args)).failed(code)
    }

    fn workdir(&self) -> PathBuf {
        self.place.join(".lago")
    }

    fn path(&self) -> &Path {
        self.place.path()
    }

    /// What differs from run to run and from machine to machine is replaced: paths, the UUID, how VMs run.
    fn redacted(&self, text: &str) -> String {
        let text = text.replace(&*self.path().to_string_lossy(), "[DIR]");
        let text = text.replace("kvm", "[ACCEL]").replace("tcg", "[ACCEL]");
        let uuid = text.split(|c: char| !c.is_ascii_hexdigit()).find(|word| word.len() == 32);
        match uuid {
            Some(uuid) => text.replace(uuid, "[UUID]"),
            None => text.clone(),
        }
    }
}

fn one_vm() -> String {
    init_file("one-vm.yaml").to_string_lossy().into_owned()
}

fn two_vms() -> String {
    init_file("two-vms.yaml").to_string_lossy().into_owned()
}
