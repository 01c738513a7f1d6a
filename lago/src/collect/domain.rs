//! A VM from outside: what libvirt and QEMU say of it, its display, its console.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::folder::Folder;
use super::limits;
use crate::utils::{CommandError, Deadline, HostCommand, error_chain};
use crate::virt::SCREENSHOT_LIMIT;
use crate::{Prefix, Vm};

/// Files, and what they hold.
const DESCRIPTION: (&str, &str) = ("domain.xml", "the domain's description");
const SCREENSHOT: (&str, &str) = ("screenshot.png", "what its display shows");

/// What virsh is asked for the state: each the word before and the words after the domain's name.
const STATE: [(&str, &[&str]); 4] = [
    ("domstate", &["--reason"]),
    ("domifaddr", &[]),
    ("domblklist", &["--details"]),
    // Processors, memory, disks and network cards.
    ("domstats", &[]),
];

pub(super) struct Domain<'a> {
    pub(super) prefix: &'a Prefix,
    pub(super) vm: &'a Vm,
    pub(super) folder: &'a Folder,
    pub(super) deadline: &'a Deadline,
}

impl Domain<'_> {
    pub(super) fn collect(&self) {
        let answers = self.state();
        self.console();
        self.qemu_log();
        match answers {
            Ok(()) => {
                self.description();
                self.screenshot();
            }
            Err(why) => {
                self.folder.miss(&self.name(DESCRIPTION.0), DESCRIPTION.1, &why);
                self.folder.miss(&self.name(SCREENSHOT.0), SCREENSHOT.1, &why);
            }
        }
    }

    /// An error is why libvirt does not answer.
    fn state(&self) -> Result<(), String> {
        let mut text = String::new();
        let mut answers = Ok(());
        for (verb, options) in STATE {
            // Writing to a string does not fail.
            let _ =
                writeln!(text, "$ virsh {verb} {} {}", self.vm.libvirt_name(), options.join(" "));
            match self.virsh(verb, options) {
                Ok(Ok(said) | Err(said)) => text.push_str(said.trim_end()),
                Err(why) => {
                    text.push_str(&why);
                    answers = Err(why);
                    break;
                }
            }
            text.push_str("\n\n");
        }
        self.folder.write(
            &self.name("state.txt"),
            "the domain's state, in virsh's words",
            text.as_bytes(),
        );
        answers
    }

    fn description(&self) {
        let (file, what) = DESCRIPTION;
        match self.virsh("dumpxml", &[]).and_then(|said| said) {
            Ok(xml) => self.folder.write(&self.name(file), what, xml.as_bytes()),
            Err(why) => self.folder.miss(&self.name(file), what, why),
        }
    }

    fn screenshot(&self) {
        let (file, what) = SCREENSHOT;
        match self.vm.screenshot_within(SCREENSHOT_LIMIT.min(self.deadline.remaining())) {
            Ok(image) => self.folder.write(&self.name(file), what, &image),
            Err(error) => self.folder.miss(&self.name(file), what, error_chain(&error)),
        }
    }

    fn console(&self) {
        let what = "all that it wrote to its serial console";
        self.folder.copy_log(self.vm.console_log(), 0, &self.name("console.log"), what);
    }

    fn qemu_log(&self) {
        let directory = if self.prefix.host().is_private() {
            self.prefix.paths().host().join("log")
        } else {
            PathBuf::from("/var/log/libvirt")
        };
        let log = directory.join("qemu").join(format!("{}.log", self.vm.libvirt_name()));
        self.folder.copy_log(&log, 0, &self.name("qemu.log"), "QEMU's command line and messages");
    }

    /// What virsh says: its output, or the error that libvirt answers. An error is why there is no answer. `virsh` is
    /// a process of its own, so that a libvirt which hangs holds nobody up for longer than the limit.
    fn virsh(&self, verb: &str, options: &[&str]) -> Result<Result<String, String>, String> {
        let uri = self.prefix.host().libvirt_uri().map_err(|error| error_chain(&error))?;
        let command = HostCommand::new("virsh")
            .args(["--readonly", "--connect", &uri, verb, self.vm.libvirt_name()])
            .args(options)
            .env("LC_ALL", "C")
            .limit(limits::LIBVIRT.min(self.deadline.remaining()));
        match command.run() {
            Ok(output) => Ok(Ok(output.stdout_text())),
            Err(CommandError::Failed { stderr, .. }) => Ok(Err(stderr)),
            Err(error @ CommandError::TimedOut { .. }) => {
                Err(format!("libvirt does not answer: {}", error_chain(&error)))
            }
            Err(error) => Err(error_chain(&error)),
        }
    }

    fn name(&self, file: &str) -> PathBuf {
        Path::new(self.vm.name()).join(file)
    }
}
