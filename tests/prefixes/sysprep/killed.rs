//! A build that is killed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use lago_system_tests::{Place, lago, wait_until};

/// How the directories begin in which libguestfs finds what it is to write onto disks.
const STAGING: &str = ".lago-sysprep-";

/// How long it may take until the machine of libguestfs runs. Its system is made when it is first wanted.
const MACHINE_LIMIT: Duration = Duration::from_secs(600);

/// Kills `lago init` while the machine of libguestfs runs, and looks at what is left: the files, for the next one to remove,
/// and no process.
pub(super) fn a_killed_build_leaves_no_secret_behind(place: &Place, init_file: &str) {
    let file = place.join("LagoInitFile.yaml");
    fs::write(&file, init_file).expect("it writes");
    let mut command = lago(["--prefix-path".as_ref(), place.join("prefix").as_os_str()]);
    command.arg("init").arg(&file).env("LAGO_STORE", place.join("store"));
    let mut process = command.stderr(Stdio::null()).spawn().expect("it runs");
    let store = place.join("store");
    let began = Instant::now();
    while processes_with(&store, "qemu-system") == 0 {
        assert_eq!(process.try_wait().expect("it is a child"), None, "it ended before");
        assert!(began.elapsed() < MACHINE_LIMIT, "no machine after {MACHINE_LIMIT:?}");
        thread::sleep(Duration::from_millis(10));
    }
    process.kill().expect("it is a child");
    process.wait().expect("it is a child");
    wait_until("libguestfs and its machine to end", || processes_with(&store, "") == 0);
    let left = left_in(&store);
    let [staging] = &left[..] else { panic!("{left:?}") };
    assert_eq!(fs::metadata(staging).expect("it is there").permissions().mode() & 0o777, 0o700);
    let secret = fs::read_to_string(staging.join("0")).expect("the password is the first file");
    assert_eq!(secret, "built-in");
}

/// Neither in the store nor in the prefix.
pub(super) fn nothing_is_left(place: &Place) {
    let images = place.join("prefix/images");
    let left = [left_in(&place.join("store")), left_in(&images)].concat();
    assert!(left.is_empty(), "{left:?}");
}

fn left_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_one = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(STAGING))
    };
    entries.map(|entry| entry.path()).filter(is_one).collect()
}

/// How many processes of this program work on something in the directory, by their command lines.
fn processes_with(directory: &Path, program: &str) -> usize {
    let directory = directory.to_string_lossy().into_owned();
    let processes = fs::read_dir("/proc").expect("/proc can be read").flatten();
    let command_lines = processes.map(|process| {
        let words = fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).into_owned()
    });
    command_lines.filter(|words| words.contains(&directory) && words.contains(program)).count()
}
