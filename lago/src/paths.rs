//! Where a prefix keeps what, and where the user's and the system's files are.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::constants::{
    APP_DIR, ENVIRONMENTS_DIR, IMAGES_DIR, LEASE_DIR, MANIFEST_FILE, PREFIX_FORMAT, STORE_DIR,
    TEMPLATE_REPOS_DIR,
};
use crate::dirlock::LOCK_FILE;
use crate::utils::read_json;
use crate::workdir::WorkdirError;

const LAYERS: &str = "layers";
const SNAPSHOTS: &str = "snapshots";

/// The paths inside one prefix. It only names them; nothing is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    prefix: PathBuf,
}

/// The part of the record that every version writes alike.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct Marker {
    format: u32,
    lago: String,
}

impl Paths {
    /// The paths of the prefix in the directory `prefix`.
    pub fn new(prefix: impl Into<PathBuf>) -> Self {
        Self { prefix: prefix.into() }
    }

    /// The prefix directory.
    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// The record of what was decided when the prefix was made, by which a directory is recognised as a prefix.
    pub fn record(&self) -> PathBuf {
        self.prefix.join("prefix.json")
    }

    /// The prefix's UUID.
    pub fn uuid(&self) -> PathBuf {
        self.prefix.join("uuid")
    }

    /// The file that is there from the time when the prefix has been made until it is cleaned up. Lago knew prefixes by it,
    /// and scripts look for it.
    pub fn initialized(&self) -> PathBuf {
        self.prefix.join("initialized")
    }

    /// The file that processes lock the prefix by.
    pub fn lock(&self) -> PathBuf {
        self.prefix.join(LOCK_FILE)
    }

    /// The file that is there while the prefix is being made: a directory with it and without a record is half made.
    pub fn unfinished(&self) -> PathBuf {
        self.prefix.join(".lago-unfinished")
    }

    /// The directory of the VMs' disks.
    pub fn images(&self) -> PathBuf {
        self.prefix.join("images")
    }

    /// The disk `disk` of the VM `vm`, in a format whose usual file extension is `extension`.
    pub fn disk(&self, vm: &str, disk: &str, extension: &str) -> PathBuf {
        self.images().join(format!("{vm}_{disk}.{extension}"))
    }

    /// The disk from which the VM `vm` takes its identity.
    pub fn seed(&self, vm: &str) -> PathBuf {
        self.images().join(format!("{vm}-seed.img"))
    }

    /// The file that holds what changes in the prefix: the layer in use, the snapshots.
    pub fn state(&self) -> PathBuf {
        self.prefix.join("state.json")
    }

    /// The directory that holds a directory for each layer of the disks.
    pub fn layers(&self) -> PathBuf {
        self.prefix.join(LAYERS)
    }

    /// The directory of a layer of the disks: what the VMs wrote from one snapshot to the next.
    pub fn layer(&self, number: u32) -> PathBuf {
        self.layers().join(number.to_string())
    }

    /// A disk's file in a layer, from the prefix.
    pub fn layer_disk(number: u32, vm: &str, dev: &str) -> PathBuf {
        Path::new(LAYERS).join(number.to_string()).join(vm).join(format!("{dev}.qcow2"))
    }

    /// The directory that holds a directory for each snapshot.
    pub fn snapshots(&self) -> PathBuf {
        self.prefix.join(SNAPSHOTS)
    }

    /// What a snapshot holds besides disks, from the prefix.
    pub fn snapshot(name: &str) -> PathBuf {
        Path::new(SNAPSHOTS).join(name)
    }

    /// The forks that belong to the prefix and go with it.
    pub fn forks(&self) -> PathBuf {
        self.prefix.join("forks")
    }

    /// Where the capsules of failures are kept.
    pub fn capsules(&self) -> PathBuf {
        self.prefix.join("capsules")
    }

    /// The directory of the logs.
    pub fn logs(&self) -> PathBuf {
        self.prefix.join("logs")
    }

    /// The directory of the logs of serial consoles.
    pub fn console_logs(&self) -> PathBuf {
        self.logs().join("console")
    }

    /// What the VM `vm` writes to its serial console.
    pub fn console_log(&self, vm: &str) -> PathBuf {
        self.console_logs().join(format!("{vm}.log"))
    }

    /// The directory of the UEFI variables that the VMs use.
    pub fn nvram_dir(&self) -> PathBuf {
        self.prefix.join("nvram")
    }

    /// The file with the UEFI variables that the VM `vm` uses; libvirt makes it when the VM is started first.
    pub fn nvram(&self, vm: &str) -> PathBuf {
        self.nvram_dir().join(format!("{vm}.fd"))
    }

    /// The directory of the passwords of the VMs' displays.
    pub fn vnc_passwords(&self) -> PathBuf {
        self.prefix.join("vnc")
    }

    /// The file with the password of the display of the VM `vm`.
    pub fn vnc_password(&self, vm: &str) -> PathBuf {
        self.vnc_passwords().join(vm)
    }

    /// The directory of the private host.
    pub fn host(&self) -> PathBuf {
        self.prefix.join("host")
    }

    /// The directory of the ssh keys.
    pub fn ssh(&self) -> PathBuf {
        self.prefix.join("ssh")
    }

    /// The private key that opens every VM.
    pub fn ssh_key(&self) -> PathBuf {
        self.ssh().join("id_ed25519")
    }

    /// Its public half.
    pub fn ssh_key_pub(&self) -> PathBuf {
        self.ssh().join("id_ed25519.pub")
    }

    /// The private key by the name that it had in Lago, for scripts: a link to [`Self::ssh_key`], unless somebody has put
    /// another key in its place.
    pub fn ssh_id_rsa(&self) -> PathBuf {
        self.prefix.join("id_rsa")
    }

    /// The public half of [`Self::ssh_id_rsa`].
    pub fn ssh_id_rsa_pub(&self) -> PathBuf {
        self.prefix.join("id_rsa.pub")
    }

    /// The private key that opens the VMs: the one under Lago's name, if it is there.
    pub fn identity(&self) -> PathBuf {
        let lagos = self.ssh_id_rsa();
        if lagos.is_file() { lagos } else { self.ssh_key() }
    }

    /// The directory of the deploy scripts.
    pub fn scripts(&self) -> PathBuf {
        self.prefix.join("scripts")
    }

    /// The directory of the VMs' host keys.
    pub fn host_keys(&self) -> PathBuf {
        self.ssh().join("host_keys")
    }

    /// The private host key that the VM `vm` is given.
    pub fn host_key(&self, vm: &str) -> PathBuf {
        self.host_keys().join(vm)
    }

    /// Its public half, by which ssh recognises the VM.
    pub fn host_key_pub(&self, vm: &str) -> PathBuf {
        self.host_keys().join(format!("{vm}.pub"))
    }

    /// The host key that the VM `vm` showed at the first contact, if it was not given one.
    pub fn learned_host_key(&self, vm: &str) -> PathBuf {
        self.learned_host_keys().join(format!("{vm}.pub"))
    }

    /// The directory of these.
    pub fn learned_host_keys(&self) -> PathBuf {
        self.ssh().join("learned")
    }

    /// What the program `ssh` has learned of guests that were not given their keys.
    pub fn learned_known_hosts(&self) -> PathBuf {
        self.ssh().join("known_hosts.learned")
    }

    /// For the program `ssh`: the file of known host keys for a guest that was given its key, or was not, and what becomes of
    /// a key that is not in it (`StrictHostKeyChecking`).
    pub fn known_hosts_of(&self, given: bool) -> (PathBuf, &'static str) {
        if given { (self.known_hosts(), "yes") } else { (self.learned_known_hosts(), "accept-new") }
    }

    /// The host keys of all VMs, in the form of `ssh_known_hosts`.
    pub fn known_hosts(&self) -> PathBuf {
        self.ssh().join("known_hosts")
    }

    /// Whether the directory holds a prefix, of whatever version.
    pub fn is_prefix(&self) -> bool {
        self.record().is_file()
    }

    /// Fails unless the directory holds a prefix whose layout this version knows.
    pub fn check(&self) -> Result<(), WorkdirError> {
        if !self.is_prefix() {
            return Err(WorkdirError::NotAPrefix { path: self.prefix.clone() });
        }
        let marker: Marker = read_json(&self.record())?;
        if marker.format > PREFIX_FORMAT {
            return Err(WorkdirError::TooNew { path: self.prefix.clone(), lago: marker.lago });
        }
        Ok(())
    }
}

/// The default template store: `/var/lib/lago/store` for root, `$XDG_DATA_HOME/lago/store` for users.
///
/// `None` when the user has no home directory.
pub fn default_store() -> Option<PathBuf> {
    Some(data_dir()?.join(STORE_DIR))
}

/// The default directory of leases of subnets: `/var/lib/lago/subnets` for root, `$XDG_DATA_HOME/lago/subnets` for users.
///
/// `None` when the user has no home directory.
pub fn default_lease_dir() -> Option<PathBuf> {
    Some(data_dir()?.join(LEASE_DIR))
}

/// The default directory of template repositories that were added, beside the store. `None` as for [`default_store`].
pub fn default_template_repos() -> Option<PathBuf> {
    Some(data_dir()?.join(TEMPLATE_REPOS_DIR))
}

fn data_dir() -> Option<PathBuf> {
    if is_system_root() {
        return Some(Path::new("/var/lib").join(APP_DIR));
    }
    Some(user_dir("XDG_DATA_HOME", ".local/share")?.join(APP_DIR))
}

/// The directory of the user's configuration, `$XDG_CONFIG_HOME/lago`. `None` when the user has no home directory.
pub fn user_config_dir() -> Option<PathBuf> {
    Some(user_dir("XDG_CONFIG_HOME", ".config")?.join(APP_DIR))
}

/// The directory of the system's configuration.
pub fn system_config_dir() -> PathBuf {
    Path::new("/etc").join(APP_DIR)
}

/// The directory of what can be made anew, `$XDG_CACHE_HOME/lago`.
///
/// `None` when the user has no home directory, and when it is another user's: under `sudo` a directory of root's would be
/// in that user's way.
pub fn user_cache_dir() -> Option<PathBuf> {
    let dir = user_dir("XDG_CACHE_HOME", ".cache")?.join(APP_DIR);
    let nearest = dir.ancestors().find(|path| path.exists());
    nearest.is_some_and(is_ours).then_some(dir)
}

/// The default directory of cached environments. `None` as for [`user_cache_dir`].
pub fn default_environments() -> Option<PathBuf> {
    Some(user_cache_dir()?.join(ENVIRONMENTS_DIR))
}

/// The template repositories that are there without being set: that of the images which `cargo xtask images` has built.
pub fn default_repositories() -> Vec<PathBuf> {
    let manifest = user_cache_dir().map(|cache| cache.join(IMAGES_DIR).join(MANIFEST_FILE));
    manifest.filter(|manifest| manifest.is_file()).into_iter().collect()
}

pub(crate) fn is_ours(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.uid() == rustix::process::geteuid().as_raw())
}

fn user_dir(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let set = env::var_os(variable).map(PathBuf::from).filter(absolute);
    set.or_else(|| Some(env::home_dir().filter(absolute)?.join(below_home)))
}

/// Whether this process is root of the machine, rather than a plain user's root of a private host.
fn is_system_root() -> bool {
    // The initial user namespace maps all ids to themselves.
    let maps_all = |map: String| map.split_whitespace().eq(["0", "0", "4294967295"]);
    rustix::process::geteuid().is_root()
        && fs::read_to_string("/proc/self/uid_map").is_ok_and(maps_all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constants::VERSION;
    use crate::utils::HostCommand;
    use crate::utils::write_json;

    #[test]
    fn names_are_inside_the_prefix() {
        let paths = Paths::new("/p");
        assert_eq!(paths.seed("client"), Path::new("/p/images/client-seed.img"));
        assert_eq!(paths.disk("client", "root", "qcow2"), Path::new("/p/images/client_root.qcow2"));
        assert_eq!(paths.console_log("client"), Path::new("/p/logs/console/client.log"));
        assert_eq!(paths.host_key_pub("client"), Path::new("/p/ssh/host_keys/client.pub"));
    }

    #[test]
    fn a_prefix_is_recognised_by_its_record() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        let error = paths.check().unwrap_err().to_string();
        assert!(error.contains("holds no lago prefix"), "{error}");
        write_json(&paths.record(), &Marker { format: PREFIX_FORMAT, lago: VERSION.into() })
            .unwrap();
        assert!(paths.is_prefix());
        paths.check().unwrap();
    }

    #[test]
    fn a_prefix_of_a_newer_layout_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        let newer = Marker { format: PREFIX_FORMAT + 1, lago: "99.1.0".into() };
        write_json(&paths.record(), &newer).unwrap();
        let error = paths.check().unwrap_err().to_string();
        assert!(error.contains("99.1.0"), "{error}");
    }

    /// Makes [`print_the_store`] print, when a test runs it in a process of its own.
    const PRINT_VARIABLE: &str = "PATHS_TEST_PRINT";

    /// Not a test of its own: what the other process of the test below does.
    #[test]
    fn print_the_store() {
        if env::var_os(PRINT_VARIABLE).is_some() {
            println!("\nstore {}", default_store().unwrap().display());
        }
    }

    #[test]
    fn the_store_is_the_users_also_for_root_of_a_private_host() {
        let program = env::current_exe().unwrap();
        let args = ["--exact", "paths::tests::print_the_store", "--nocapture"];
        let store_in = |launcher: &[&str]| {
            let mut command = HostCommand::new("env").args(launcher).arg(&program).args(args);
            command.command_mut().env_remove("XDG_DATA_HOME");
            let output =
                command.env("HOME", "/home/someone").env(PRINT_VARIABLE, "1").run().unwrap();
            let text = output.stdout_text();
            let found =
                text.lines().find_map(|line| line.strip_prefix("store ").map(str::to_owned));
            found.unwrap_or_else(|| panic!("{text}"))
        };
        let users = "/home/someone/.local/share/lago/store";
        assert_eq!(store_in(&["unshare", "--user", "--map-root-user"]), users);
        assert_eq!(store_in(&["XDG_DATA_HOME=/data", "unshare", "--user"]), "/data/lago/store");
        let mine = if is_system_root() { "/var/lib/lago/store" } else { users };
        assert_eq!(store_in(&[]), mine);
    }
}
