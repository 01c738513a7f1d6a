use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// What there was on this machine before a prefix was made, to see whether the prefix leaves something behind.
#[derive(Debug)]
pub struct Traces {
    prefix: PathBuf,
    links: BTreeSet<String>,
    files: BTreeSet<PathBuf>,
}

impl Traces {
    /// Remembers what there is before the prefix in this directory is made.
    pub fn before(prefix: &Path) -> Self {
        Self { prefix: prefix.to_owned(), links: network_links(), files: files() }
    }

    /// What there is of the prefix: processes, mounts, network interfaces, files.
    ///
    /// A namespace lives as long as a process is in it or a mount holds it, so these are looked for.
    pub fn left(&self) -> Vec<String> {
        let mut left = processes_of(&self.prefix);
        if self.prefix.exists() {
            left.push(self.prefix.display().to_string());
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("the mounts can be read");
        let path = self.prefix.to_string_lossy();
        left.extend(mounts.lines().filter(|mount| mount.contains(&*path)).map(str::to_owned));
        left.extend(network_links().difference(&self.links).cloned());
        left.extend(files().difference(&self.files).map(|path| path.display().to_string()));
        left
    }

    /// Fails when anything of the prefix is left.
    #[track_caller]
    pub fn assert_none_left(&self) {
        let left = self.left();
        assert!(left.is_empty(), "left behind: {left:#?}");
    }
}

/// The processes whose arguments, environment, working directory or mounts name a path. This one does not count.
///
/// What a private host mounts from its directory tells those in it that name it nowhere else. Mounts are told from the
/// root of their file system on, so the end of the path has to do.
fn processes_of(path: &Path) -> Vec<String> {
    let components: Vec<_> = path.components().collect();
    let end: PathBuf = components[components.len().saturating_sub(3)..].iter().collect();
    let needle = end.as_os_str().as_bytes();
    let names_it = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let processes = fs::read_dir("/proc").expect("/proc can be read").flatten();
    let mut found = Vec::new();
    for process in processes.map(|entry| entry.path()) {
        let is_process = process.file_name().is_some_and(|n| n.as_bytes()[0].is_ascii_digit());
        if !is_process || process.ends_with(std::process::id().to_string()) {
            continue;
        }
        let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        let directory = fs::read_link(process.join("cwd")).unwrap_or_default();
        let mounts = fs::read(process.join("mountinfo")).unwrap_or_default();
        let texts = [&arguments, &environment, directory.as_os_str().as_bytes(), &mounts];
        if texts.into_iter().any(names_it) {
            let shown = String::from_utf8_lossy(&arguments).replace('\0', " ");
            found.push(format!("{}: {shown}", process.display()));
        }
    }
    found
}

fn network_links() -> BTreeSet<String> {
    let links = fs::read_dir("/sys/class/net").expect("the interfaces can be listed").flatten();
    links.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// What lies where programs of this kind leave files: libvirt's, QEMU's and dnsmasq's directories and those for
/// temporary files. Files of others come and go there, so only names that may be ours count.
fn files() -> BTreeSet<PathBuf> {
    let places =
        ["/tmp", "/var/tmp", "/run", "/run/libvirt", "/var/lib/libvirt", "/var/log/libvirt"];
    let ours =
        ["lago", "libvirt", "qemu", "dnsmasq", "virbr", "vnet", "domain-", "dbus", "xtables"];
    let mut found = BTreeSet::new();
    for place in places {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if place.contains("libvirt") || ours.iter().any(|start| name.contains(start)) {
                found.insert(entry.path());
            }
        }
    }
    found
}
