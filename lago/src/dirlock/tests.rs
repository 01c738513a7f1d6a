use std::io::BufRead;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::*;

const NOW: Duration = Duration::ZERO;

/// Names the directory that [`hold_the_lock`] is to lock, when a test runs it in a process of its own.
const HOLD_VARIABLE: &str = "DIRLOCK_TEST_HOLD";

/// Not a test of its own: what the other process of the tests below does.
#[test]
fn hold_the_lock() {
    let Some(dir) = std::env::var_os(HOLD_VARIABLE) else { return };
    let _lock = lock(Path::new(&dir), Mode::Exclusive, NOW).unwrap();
    println!("\nlocked");
    // Until the other side closes the pipe or kills this process.
    io::stdin().read_line(&mut String::new()).unwrap();
}

/// Another process that holds the exclusive lock on `dir`.
fn holder(dir: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "dirlock::tests::hold_the_lock", "--nocapture"])
        .env(HOLD_VARIABLE, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = io::BufReader::new(child.stdout.as_mut().unwrap());
    assert!(output.lines().any(|line| line.unwrap() == "locked"), "the other process has no lock");
    child
}

#[test]
fn another_process_is_kept_out_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = holder(dir.path());
    assert!(try_lock(dir.path(), Mode::Exclusive).unwrap().is_none());
    assert!(try_lock(dir.path(), Mode::Shared).unwrap().is_none());
    let error = lock(dir.path(), Mode::Exclusive, NOW).unwrap_err().to_string();
    assert!(error.contains(&format!("process {} (`", child.id())), "{error}");
    assert!(error.contains("hold_the_lock"), "{error}");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    drop(lock(dir.path(), Mode::Exclusive, NOW).unwrap());
}

#[test]
fn the_lock_dies_with_a_killed_process_and_a_waiter_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = holder(dir.path());
    thread::scope(|scope| {
        let waiter = scope.spawn(|| lock(dir.path(), Mode::Exclusive, Duration::from_secs(30)));
        thread::sleep(5 * RETRY_INTERVAL);
        assert!(!waiter.is_finished());
        child.kill().unwrap();
        child.wait().unwrap();
        drop(waiter.join().unwrap().unwrap());
    });
}

#[test]
fn a_dead_holder_is_not_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = holder(dir.path());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(holders(dir.path()), "another process");
}

#[test]
fn whether_it_is_locked_is_seen_from_outside() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!is_locked(dir.path()).unwrap());
    let held = lock(dir.path(), Mode::Exclusive, NOW).unwrap();
    assert!(is_locked(dir.path()).unwrap());
    drop(held);
    assert!(!is_locked(dir.path()).unwrap());
    assert!(!is_locked(Path::new("/no/such/dir")).unwrap());
}

#[test]
fn waiting_ends_with_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let _held = lock(dir.path(), Mode::Exclusive, NOW).unwrap();
    let (start, limit) = (Instant::now(), Duration::from_millis(100));
    let error = lock(dir.path(), Mode::Exclusive, limit).unwrap_err();
    assert!(start.elapsed() >= limit);
    assert!(error.to_string().contains("gave up after 100ms"), "{error}");
}

#[test]
fn shared_locks_go_together_and_exclude_an_exclusive_one() {
    let dir = tempfile::tempdir().unwrap();
    let first = lock(dir.path(), Mode::Shared, NOW).unwrap();
    let second = lock(dir.path(), Mode::Shared, NOW).unwrap();
    assert!(try_lock(dir.path(), Mode::Exclusive).unwrap().is_none());
    drop(first);
    assert!(try_lock(dir.path(), Mode::Exclusive).unwrap().is_none());
    drop(second);
    assert!(try_lock(dir.path(), Mode::Exclusive).unwrap().is_some());
}

#[test]
fn threads_of_one_process_exclude_each_other_too() {
    let dir = tempfile::tempdir().unwrap();
    let inside = std::sync::atomic::AtomicU32::new(0);
    crate::utils::parallel(0..8, |_| {
        for _ in 0..10 {
            let _lock = lock(dir.path(), Mode::Exclusive, Duration::from_secs(60))?;
            assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
            inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
        }
        Ok::<_, LockError>(())
    })
    .unwrap();
}

#[test]
fn a_lock_file_that_was_removed_and_made_again_is_not_held_twice() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    let held = lock_file(&path, Mode::Exclusive, NOW).unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| lock_file(&path, Mode::Exclusive, Duration::from_secs(30)));
        thread::sleep(3 * RETRY_INTERVAL);
        fs::remove_file(&path).unwrap();
        drop(held);
        let _lock = waiter.join().unwrap().unwrap();
        assert!(try_lock_file(&path, Mode::Exclusive).unwrap().is_none());
    });
}

#[test]
fn the_names_of_old_shared_holders_do_not_pile_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut held = Vec::new();
    for _ in 0..200 {
        held.push(lock(dir.path(), Mode::Shared, NOW).unwrap());
    }
    let size = fs::metadata(dir.path().join(LOCK_FILE)).unwrap().len();
    assert!(size < 2 * HOLDERS_SIZE, "{size} bytes");
    assert!(holders(dir.path()).contains(&std::process::id().to_string()));
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let error = try_lock(Path::new("/no/such/dir"), Mode::Shared).unwrap_err().to_string();
    assert!(error.starts_with("cannot lock /no/such/dir/lock: No such file"), "{error}");
}
