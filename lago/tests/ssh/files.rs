//! Copying both ways, with both servers.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lago::cmd;
use lago::guest::{GuestError, Ssh, Transferred};

use crate::server::{Kind, START_LIMIT, Server, after};

/// A tree with whatever is awkward.
fn make_tree(root: &Path) {
    let names: [&[u8]; 6] = [
        b"plain",
        b" spaces and 'quotes'",
        b"-rf",
        b"new\nline",
        b"\xff\xfe",
        "h\u{e4}*".as_bytes(),
    ];
    fs::create_dir_all(root.join("deep/er/still")).expect("directories");
    fs::create_dir(root.join("empty")).expect("a directory");
    for (index, name) in names.into_iter().enumerate() {
        fs::write(root.join(OsStr::from_bytes(name)), format!("file {index}")).expect("a file");
    }
    fs::write(root.join("deep/er/still/big"), vec![7; 3_000_000]).expect("a file");
    fs::write(root.join("nothing"), "").expect("a file");
    set_mode(&root.join("plain"), 0o640);
    fs::write(root.join("tool"), "#!/bin/sh\n").expect("a file");
    set_mode(&root.join("tool"), 0o755);
    fs::create_dir(root.join("sealed")).expect("a directory");
    fs::write(root.join("sealed/inside"), "kept").expect("a file");
    set_mode(&root.join("sealed"), 0o555);
    symlink(".", root.join("loop")).expect("a link");
    symlink("/etc/passwd", root.join("absolute")).expect("a link");
    symlink("no/such/target", root.join("dangling")).expect("a link");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
}

/// Everything in a tree: type and mode, and content or target.
fn describe(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(path) = pending.pop() {
        let metadata = path.symlink_metadata().expect("metadata");
        let content = if metadata.is_dir() {
            pending.extend(
                fs::read_dir(&path).expect("listed").map(|entry| entry.expect("an entry").path()),
            );
            Vec::new()
        } else if metadata.is_symlink() {
            fs::read_link(&path).expect("a link").into_os_string().as_bytes().to_vec()
        } else {
            fs::read(&path).expect("read")
        };
        let name = path.strip_prefix(root).expect("inside").to_owned();
        found.insert(name, (metadata.permissions().mode(), content));
    }
    found
}

fn ready(server: &Server) -> Ssh {
    let (ssh, _) = server.ssh();
    ssh.wait(START_LIMIT).expect("ready");
    ssh
}

fn refusal(result: Result<Transferred, GuestError>) -> String {
    match result {
        Err(error @ GuestError::Transfer { .. }) => error.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

fn both_ways(kind: Kind) {
    let server = Server::start(kind);
    let ssh = ready(&server);
    let here = server.directory();
    let tree = here.join("tree");
    make_tree(&tree);

    let sent = ssh.copy_to(&tree, here.join("sent")).expect("sent");
    assert_eq!((sent.files, sent.directories, sent.links), (10, 6, 3));
    assert_eq!(describe(&here.join("sent")), describe(&tree));

    let fetched = ssh.copy_from(here.join("sent"), here.join("fetched")).expect("fetched");
    assert_eq!(fetched, sent);
    assert_eq!(describe(&here.join("fetched")), describe(&tree));

    // Into a directory that exists, under its own name.
    fs::create_dir(here.join("inbox")).expect("a directory");
    ssh.copy_to(&tree, here.join("inbox")).expect("sent");
    assert_eq!(describe(&here.join("inbox/tree")), describe(&tree));
    ssh.copy_from(tree.join("plain"), here.join("inbox")).expect("fetched");
    assert_eq!(fs::read_to_string(here.join("inbox/plain")).expect("read"), "file 0");

    // The same again: an upload writes over files and links, a download never merges directories.
    ssh.copy_to(&tree, here.join("inbox")).expect("sent again");
    assert_eq!(describe(&here.join("inbox/tree")), describe(&tree));
    let message = refusal(ssh.copy_from(&tree, here.join("inbox")));
    assert!(message.contains("inbox/tree on this side") && message.contains("exists"), "{message}");

    // What is named may itself be a link; a file may be replaced.
    symlink(tree.join("plain"), here.join("alias")).expect("a link");
    ssh.copy_from(here.join("alias"), here.join("copy")).expect("fetched");
    ssh.copy_from(tree.join("tool"), here.join("copy")).expect("fetched");
    assert_eq!(fs::read_to_string(here.join("copy")).expect("read"), "#!/bin/sh\n");
    assert!(!here.join("copy").symlink_metadata().expect("metadata").is_symlink());
    nothing_is_left_over(here);
}

fn nothing_is_left_over(directory: &Path) {
    let left =
        fs::read_dir(directory).expect("listed").map(|entry| entry.expect("an entry").file_name());
    let left: Vec<_> = left.filter(|name| name.as_bytes().starts_with(b".lago-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn open_ssh() {
    both_ways(Kind::OpenSsh);
}

#[test]
fn dropbear() {
    both_ways(Kind::Dropbear);
}

/// Dropbear ends a session when a channel is opened while the sftp server of a closed one is still ending: nearly every
/// second round of these failed.
#[test]
fn commands_between_copies_meet_an_open_session() {
    for kind in [Kind::OpenSsh, Kind::Dropbear] {
        let server = Server::start(kind);
        let (ssh, reach) = server.ssh();
        let (local, remote) = (server.directory().join("local"), server.directory().join("remote"));
        fs::write(&local, vec![7; 700_001]).expect("a file");
        for _ in 0..20 {
            ssh.copy_to(&local, &remote).expect("copied");
            ssh.run(&cmd!("cmp", &local, &remote)).expect("ran");
        }
        assert_eq!(reach.connections(), 1);
    }
}

#[test]
fn an_sftp_server_that_died_meanwhile_is_replaced() {
    for kind in [Kind::OpenSshWithSftpServer, Kind::Dropbear] {
        let server = Server::start(kind);
        let ssh = ready(&server);
        let (local, remote) = (server.directory().join("local"), server.directory().join("remote"));
        fs::write(&local, "content").expect("a file");
        ssh.copy_to(&local, &remote).expect("copied");
        assert_eq!(server.kill_sftp_servers(), 1);
        ssh.copy_from(&remote, server.directory().join("back")).expect("copied back");
    }
}

#[test]
fn pipes_and_sockets_are_left_out_and_listed() {
    let server = Server::start(Kind::OpenSsh);
    let ssh = ready(&server);
    let tree = server.directory().join("tree");
    fs::create_dir(&tree).expect("a directory");
    assert!(Command::new("mkfifo").arg(tree.join("pipe")).status().expect("mkfifo").success());
    fs::write(tree.join("file"), "kept").expect("a file");

    let sent = ssh.copy_to(&tree, server.directory().join("sent")).expect("sent");
    assert_eq!((sent.files, sent.skipped), (1, vec![tree.join("pipe")]));
    let fetched = ssh.copy_from(&tree, server.directory().join("fetched")).expect("fetched");
    assert_eq!((fetched.files, fetched.skipped), (1, vec![tree.join("pipe")]));
    assert!(!server.directory().join("fetched/pipe").exists());

    let message = refusal(ssh.copy_from(tree.join("pipe"), server.directory().join("pipe")));
    assert!(message.contains("neither a file nor a directory"), "{message}");
    let message = refusal(ssh.copy_to(tree.join("pipe"), server.directory().join("pipe")));
    assert!(message.contains("neither a file nor a directory"), "{message}");
}

#[test]
fn set_user_id_stays_in_the_guest() {
    let server = Server::start(Kind::OpenSsh);
    let ssh = ready(&server);
    let (tool, sent, fetched) = (
        server.directory().join("tool"),
        server.directory().join("sent"),
        server.directory().join("fetched"),
    );
    fs::write(&tool, "").expect("a file");
    set_mode(&tool, 0o4755);
    ssh.copy_to(&tool, &sent).expect("sent");
    ssh.copy_from(&tool, &fetched).expect("fetched");
    let mode = |path: &Path| path.metadata().expect("metadata").permissions().mode() & 0o7777;
    assert_eq!((mode(&sent), mode(&fetched)), (0o4755, 0o755));
}

#[test]
fn refusals_name_the_path() {
    let server = Server::start(Kind::OpenSsh);
    let ssh = ready(&server);
    let here = server.directory();
    fs::write(here.join("file"), "x").expect("a file");

    let message = refusal(ssh.copy_from("/no/such", here.join("a")));
    assert!(message.ends_with("/no/such in the guest: no such file or directory"), "{message}");
    let message = refusal(ssh.copy_to(here.join("absent"), "/tmp"));
    assert!(message.contains("absent on this side: No such file"), "{message}");
    let message = refusal(ssh.copy_to(here.join("file"), here.join("no/such/place")));
    assert!(
        message.ends_with("no/such/place in the guest: no such file or directory"),
        "{message}"
    );
    let message = refusal(ssh.copy_from(here.join("file"), here.join("no/such/place")));
    assert!(message.contains("no/such on this side: No such file"), "{message}");
    let message = refusal(ssh.copy_to(here.join("file"), "/proc/sys/kernel/version"));
    assert!(
        message.contains("/proc/sys/kernel/version in the guest: permission denied"),
        "{message}"
    );
    assert!(!here.join("a").exists());
    nothing_is_left_over(here);
    ssh.run(&lago::cmd!("true")).expect("the session still serves");
}

#[test]
fn a_full_disk_is_an_error_that_leaves_nothing() {
    let server = Server::start(Kind::OpenSsh);
    let ssh = ready(&server);
    let (big, small) = (server.directory().join("big"), server.directory().join("small"));
    fs::write(&big, vec![1; 4 << 20]).expect("a file");
    fs::create_dir(&small).expect("a directory");
    if !rustix::process::geteuid().is_root() {
        // Another user's mounts would not be seen by this process. Past the harness, which would keep it to itself.
        let skipped = "a_full_disk_is_an_error_that_leaves_nothing: skipped, only root can mount";
        writeln!(io::stderr(), "{skipped}").expect("written");
        return;
    }
    mount_tmpfs(&small);
    let down = ssh.copy_from(&big, small.join("big"));
    let left = fs::read_dir(&small).expect("listed").count();
    assert!(Command::new("umount").arg(&small).status().expect("umount").success());

    let message = refusal(down);
    assert!(message.contains("on this side: No space left on device"), "{message}");
    assert_eq!(left, 0);
}

fn mount_tmpfs(at: &Path) {
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at).status();
    assert!(mounted.expect("mount").success());
}

#[test]
fn limits_and_deaths_end_a_copy() {
    let server = Server::start(Kind::OpenSsh);
    let ssh = ready(&server);
    let big = server.directory().join("big");
    fs::File::create(&big).expect("a file").set_len(8 << 30).expect("a size");
    let limit = Duration::from_secs(1);
    let error =
        ssh.copy_from_within(&big, server.directory().join("copy"), limit).expect_err("too big");
    assert!(matches!(error, GuestError::TimedOut { .. }), "{error}");
    assert!(!server.directory().join("copy").exists());
    nothing_is_left_over(server.directory());

    let (ssh, reach) = server.ssh();
    ssh.wait(START_LIMIT).expect("ready");
    let to = server.directory().join("sent");
    let dying = after(Duration::from_millis(500), move || {
        server.freeze();
        reach.declare_gone("its QEMU process ended");
        server
    });
    let error = ssh.copy_to(&big, &to).expect_err("died");
    assert!(matches!(error, GuestError::VmGone { .. }), "{error}");
    drop(dying.join().expect("joined"));
}

/// As of dropbear's in small images.
#[test]
fn without_an_sftp_server_single_files_are_copied() {
    let server = Server::start(Kind::WithoutSftp);
    let (ssh, _) = server.ssh();
    ssh.wait(START_LIMIT).expect("ready");
    let here = tempfile::tempdir().expect("a directory");
    let there = server.directory().join("guest");
    fs::create_dir(&there).expect("made");
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let local = here.path().join("a file");
    fs::write(&local, &content).expect("it writes");
    fs::set_permissions(&local, fs::Permissions::from_mode(0o640)).expect("ours");

    let copied = ssh.copy_to(&local, &there).expect("copied into the directory");
    assert_eq!((copied.files, copied.bytes), (1, content.len() as u64));
    let inside = there.join("a file");
    assert_eq!(fs::read(&inside).expect("it is there"), content);
    assert_eq!(fs::metadata(&inside).expect("there").permissions().mode() & 0o777, 0o640);
    ssh.copy_from(&inside, here.path().join("back")).expect("copied back");
    assert_eq!(fs::read(here.path().join("back")).expect("it is there"), content);

    let error = ssh.copy_from(there.join("none"), here.path().join("none")).expect_err("none");
    assert!(error.to_string().ends_with("no such file or directory"), "{error}");
    assert!(!here.path().join("none").exists());
    for error in [
        ssh.copy_to(here.path(), &there).expect_err("a directory"),
        ssh.copy_from(&there, here.path().join("tree")).expect_err("a directory"),
    ] {
        assert!(error.to_string().contains("no sftp server"), "{error}");
    }
}
