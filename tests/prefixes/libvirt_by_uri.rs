//! A prefix on a libvirt that runs already. Here it is one on a private host, so that the machine's own is not touched.

use std::path::PathBuf;
use std::process::Command;

use lago::host::Host;
use lago_system_tests::{Place, init_file, lago, run};

/// A libvirt that others use too, and a prefix on it.
struct Shared {
    host: Host,
    prefix: PathBuf,
}

impl Shared {
    fn lago(&self, args: &[&str]) -> String {
        let mut command = lago(["--prefix-path".as_ref(), self.prefix.as_os_str()]);
        command.args(args);
        self.host.enter(&mut command).expect("the host runs");
        run(&mut command).ok()
    }

    fn virsh(&self, args: &[&str]) -> Vec<String> {
        let mut command = Command::new("virsh");
        command.args(["-q", "-c", "qemu:///system"]).args(args);
        self.host.enter(&mut command).expect("the host runs");
        run(&mut command).ok().lines().map(|line| line.trim().to_owned()).collect()
    }

    fn names(&self, what: &str) -> Vec<String> {
        let names = self.virsh(&[what, "--all", "--name"]);
        names.into_iter().filter(|name| !name.is_empty()).collect()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Err(error) = self.host.stop() {
            eprintln!("cannot stop the host: {error}");
        }
    }
}

#[test]
fn a_prefix_on_a_libvirt_that_runs_already() {
    let place = Place::new("libvirt-by-uri");
    let host = Host::private(place.join("shared/host"));
    std::fs::create_dir_all(place.join("shared")).expect("a directory can be made");
    host.start().expect("it starts");
    let shared = Shared { host, prefix: place.join("prefix") };
    let theirs = "<network><name>theirs</name><ip address='10.9.9.1' prefix='24'/></network>";
    let file = place.join("theirs.xml");
    std::fs::write(&file, theirs).expect("it writes");
    shared.virsh(&["net-create", &file.to_string_lossy()]);

    let one_vm = init_file("one-vm.yaml");
    shared.lago(&["init", "--host", "qemu:///system", &one_vm.to_string_lossy()]);
    shared.lago(&["start"]);
    let id = shared.lago(&["-f", "flat", "status"]);
    let id = id.lines().find_map(|line| line.strip_prefix("Prefix/UUID: ")).expect("it is there");
    let short = &id[..8];
    assert_eq!(shared.names("list"), [format!("{short}-vm0")]);
    assert_eq!(shared.names("net-list"), [format!("{short}-lan"), "theirs".to_owned()]);
    assert_eq!(shared.lago(&["shell", "vm0", "-c", "hostname"]), "vm0\n");

    shared.lago(&["stop"]);
    assert_eq!(shared.names("net-list"), ["theirs"]);
    shared.lago(&["start", "--no-wait"]);
    shared.lago(&["destroy", "--yes"]);
    assert_eq!(shared.names("list"), Vec::<String>::new());
    assert_eq!(shared.names("net-list"), ["theirs"]);
    assert!(!shared.prefix.exists());
}
