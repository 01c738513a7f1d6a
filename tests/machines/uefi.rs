//! UEFI firmware: it really starts the guest, and its variables belong to the environment.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lago::InitFile;
use lago::capsule::{self, OpenOptions, SaveOptions};
use lago::export::ExportOptions;
use lago_system_tests::{DISKS, Environment, Place, in_guest, repository, store, wait_until};

/// The vendor of the tests' variables.
const VENDOR: &str = "5e1f0c3a-6d0b-4a76-9d7b-1d2f6a7c8e90";

pub(crate) fn variables_are_part_of_snapshots_forks_and_capsules() {
    let place = Place::new("machines-uefi");
    let prefix = Environment::new(&place.join("prefix"), "uefi.yaml");
    prefix.start().unwrap();
    starts_from_uefi(&prefix);
    disks_are_on_all_buses(&prefix);

    set(&prefix, "Before");
    prefix.snapshot("set").unwrap();
    set(&prefix, "After");
    assert!(file_has(prefix.paths().prefix(), "After"));
    prefix.revert("set").unwrap();
    assert_eq!(variables(&prefix), ["Before"]);
    assert!(!file_has(prefix.paths().prefix(), "After"));

    let fork = Environment::from(prefix.fork("set", place.join("fork")).unwrap());
    assert_eq!(variables(&fork), ["Before"]);
    set(&fork, "InFork");
    assert!(file_has(fork.paths().prefix(), "InFork"));
    assert!(!file_has(prefix.paths().prefix(), "InFork"));
    drop(fork);

    set(&prefix, "Saved");
    let file = place.join("uefi.lago-capsule");
    prefix.save_capsule(&file, &SaveOptions::default()).unwrap();
    prefix.stop().unwrap();
    let opened = open(&file, &place.join("opened"));
    opened.resume(&[]).unwrap();
    assert_eq!(variables(&opened), ["Before", "Saved"]);
    drop(opened);

    // What is down starts with the variables that it had.
    prefix.revert("set").unwrap();
    prefix.stop().unwrap();
    prefix.snapshot("down").unwrap();
    prefix.start().unwrap();
    in_guest(
        &prefix,
        "vm0",
        "modprobe efivarfs; mount -t efivarfs efivarfs /sys/firmware/efi/efivars",
    );
    assert_eq!(variables(&prefix), ["Before"]);
    set(&prefix, "Later");
    prefix.revert("down").unwrap();
    assert!(
        file_has(prefix.paths().prefix(), "Before") && !file_has(prefix.paths().prefix(), "Later")
    );
    are_exported(&place, &prefix);
    prefix.remove_disks().unwrap();
    assert!(!prefix.paths().nvram_dir().exists());
}

/// What is made of an export begins with the variables, which are a copy of its own.
fn are_exported(place: &Place, prefix: &Environment) {
    let directory = place.join("exported");
    let exported = prefix.export(&ExportOptions::new(&directory)).unwrap();
    let file = fs::metadata(directory.join("vm0.nvram")).unwrap();
    assert_eq!(file.permissions().mode() & 0o7077, 0);
    let init_file = InitFile::load(&exported.init_file).unwrap();
    let elsewhere = Environment::of(&place.join("elsewhere"), init_file).unwrap();
    assert!(file_has(elsewhere.paths().prefix(), "Before"));
}

fn starts_from_uefi(prefix: &Environment) {
    in_guest(
        prefix,
        "vm0",
        "modprobe efivarfs; mount -t efivarfs efivarfs /sys/firmware/efi/efivars",
    );
    // Off the disk that firmware alone has a driver for.
    let started_from = in_guest(
        prefix,
        "vm0",
        "cd /sys/firmware/efi/efivars; current=$(cat BootCurrent-* | od -An -t x1 -j 4 | awk '{ print toupper($2 $1) }'); \
         tr -d '\\000' < Boot$current-8be4df61-93ca-11d2-aa0d-00e098032b8c | strings",
    );
    assert!(started_from.contains("QEMU HARDDISK hda"), "{started_from}");
    let file = prefix.paths().nvram("vm0");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7077, 0);
}

fn disks_are_on_all_buses(prefix: &Environment) {
    // SCSI disks are looked for while the guest starts.
    wait_until("the disks and the CD", || {
        in_guest(prefix, "vm0", DISKS) == "sda 32 sd\nvda 1024 vd\nvdb 1 vd\n"
            && in_guest(prefix, "vm0", "head -n 1 /dev/sr0 || true") == "a CD of the tests\n"
    });
}

/// Writes a variable that survives power-off (1), and can be read by firmware (2) and system (4).
fn set(prefix: &Environment, name: &str) {
    let script = format!(r"printf '\007\000\000\000x' > /sys/firmware/efi/efivars/{name}-{VENDOR}");
    in_guest(prefix, "vm0", &script);
}

/// The names of the tests' variables that firmware knows.
fn variables(prefix: &Environment) -> Vec<String> {
    // The file system reads the names once, when it is mounted.
    let script = format!(
        "cd /; umount /sys/firmware/efi/efivars; mount -t efivarfs efivarfs /sys/firmware/efi/efivars; \
         ls /sys/firmware/efi/efivars | sed -n 's/-{VENDOR}//p' | sort"
    );
    in_guest(prefix, "vm0", &script).lines().map(str::to_owned).collect()
}

/// Whether the file of a prefix's variables has one of this name, as it stands there in UCS-2. What firmware has deleted may
/// be there still, so only a name that was never written is surely not.
fn file_has(prefix: &Path, name: &str) -> bool {
    let file = fs::read(lago::paths::Paths::new(prefix).nvram("vm0")).unwrap();
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    file.windows(name.len()).any(|part| part == name)
}

fn open(file: &Path, directory: &Path) -> Environment {
    let repositories = vec![repository()];
    let options = OpenOptions { repositories, store: Some(store()), ..OpenOptions::new(directory) };
    capsule::open(file, &options).unwrap().into()
}
