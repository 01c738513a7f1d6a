//! A libvirt that several use. Here it is one on a private host, so that the machine's own is not touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lago::brctl::Bridges;
use lago::host::Host;
use lago_system_tests::{Place, Ran, lago, run};

/// A libvirt, and a directory for prefixes on it.
pub(crate) struct SharedLibvirt {
    host: Host,
    place: Place,
}

impl SharedLibvirt {
    pub(crate) fn new(name: &str) -> Self {
        let place = Place::new(name);
        fs::create_dir_all(place.join("shared")).expect("a directory can be made");
        let host = Host::private(place.join("shared/host"));
        host.start().expect("it starts");
        Self { host, place }
    }

    pub(crate) fn prefix(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    pub(crate) fn leases(&self) -> PathBuf {
        self.place.join("leases")
    }

    /// A file with this content.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.place.join(name);
        fs::write(&path, content).expect("it writes");
        path.to_string_lossy().into_owned()
    }

    /// Runs a verb on a prefix where the libvirt is.
    pub(crate) fn run_lago(&self, prefix: &str, args: &[&str]) -> Ran {
        let mut command = lago(["--prefix-path".as_ref(), self.prefix(prefix).as_os_str()]);
        command.args(args).env("LAGO_LEASE_DIR", self.leases());
        self.host.enter(&mut command).expect("the host runs");
        run(&mut command)
    }

    /// What a verb prints, which has to succeed.
    #[track_caller]
    pub(crate) fn lago(&self, prefix: &str, args: &[&str]) -> String {
        self.run_lago(prefix, args).ok()
    }

    #[track_caller]
    pub(crate) fn init(&self, prefix: &str, init_file: impl AsRef<Path>) {
        let init_file = init_file.as_ref().to_string_lossy().into_owned();
        self.lago(prefix, &["init", "--host", "qemu:///system", &init_file]);
    }

    /// What `lago status` says of this, such as `UUID`.
    #[track_caller]
    pub(crate) fn status(&self, prefix: &str, what: &str) -> String {
        let status = self.lago(prefix, &["-f", "flat", "status"]);
        let line = status.lines().find_map(|line| line.strip_prefix(&format!("{what}: ")));
        line.unwrap_or_else(|| panic!("no {what} in {status}")).to_owned()
    }

    /// The bridges of the machine.
    pub(crate) fn bridges(&self) -> Bridges<'_> {
        Bridges::of(&self.host)
    }

    /// What a program on the machine prints.
    #[track_caller]
    pub(crate) fn inside(&self, words: &[&str]) -> String {
        let mut command = Command::new(words[0]);
        self.host.enter(command.args(&words[1..])).expect("the host runs");
        run(&mut command).ok()
    }

    #[track_caller]
    pub(crate) fn virsh(&self, args: &[&str]) -> Vec<String> {
        let mut command = Command::new("virsh");
        command.args(["-q", "-c", "qemu:///system"]).args(args);
        self.host.enter(&mut command).expect("the host runs");
        run(&mut command).ok().lines().map(|line| line.trim().to_owned()).collect()
    }

    #[track_caller]
    pub(crate) fn names(&self, what: &str) -> Vec<String> {
        let names = self.virsh(&[what, "--all", "--name"]);
        names.into_iter().filter(|name| !name.is_empty()).collect()
    }

    /// Makes a network that is nobody's of lago.
    pub(crate) fn others_network(&self, address: &str) {
        let network =
            format!("<network><name>theirs</name><ip address='{address}' prefix='24'/></network>");
        let file = self.file("theirs.xml", &network);
        self.virsh(&["net-create", &file]);
    }
}

impl Drop for SharedLibvirt {
    fn drop(&mut self) {
        if let Err(error) = self.host.stop() {
            eprintln!("cannot stop the host: {error}");
        }
    }
}
