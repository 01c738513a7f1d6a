use std::time::Instant;

use super::*;

fn shell(script: &str) -> HostCommand {
    HostCommand::new("sh").args(["-c", script])
}

#[test]
fn output_and_status_come_apart() {
    let output = shell("echo out; echo err >&2; exit 3").output().unwrap();
    assert_eq!((output.stdout_text().as_str(), output.stderr_text().as_str()), ("out\n", "err\n"));
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn megabytes_in_all_directions_at_once_do_not_block() {
    let input = vec![b'x'; 8 << 20];
    let output = shell("tee /dev/stderr").stdin(input.clone()).run().unwrap();
    assert!(output.stdout == input && output.stderr == input);
}

#[test]
fn input_that_is_not_wanted_is_no_error() {
    shell("exit 0").stdin(vec![b'x'; 1 << 20]).run().unwrap();
}

#[test]
fn arguments_are_not_touched_by_a_shell() {
    let args = ["$HOME", "a b", "*", "'", "\"", "`id`", ""];
    let output = HostCommand::new("printf").arg("%s\n").args(args).run().unwrap();
    assert_eq!(output.stdout_text(), args.map(|arg| format!("{arg}\n")).concat());
}

#[test]
fn a_failure_says_what_was_run_how_it_ended_and_what_it_said() {
    let script = "seq 100 >&2; echo 'no such image' >&2; exit 2";
    let text = shell(script).run().unwrap_err().to_string();
    assert!(text.starts_with("`sh -c "), "{text}");
    assert!(text.contains("failed with exit status: 2"), "{text}");
    assert!(text.ends_with("  100\n  no such image"), "{text}");
    assert!(!text.contains("  42\n"), "{text}");
}

#[test]
fn a_signal_is_no_success() {
    let text = shell("kill -9 $$").run().unwrap_err().to_string();
    assert!(text.contains("signal: 9 (SIGKILL)"), "{text}");
}

#[test]
fn a_missing_program_says_how_to_get_it() {
    let old_path = "/nonexistent";
    let error = HostCommand::new("qemu-img").arg("info").env("PATH", old_path).run().unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot run `qemu-img info`: qemu-img is not installed; \
         install it with `apt-get install qemu-utils` or `dnf install qemu-img`"
    );
    let error = HostCommand::new("no-such-program").remedy("build it").run().unwrap_err();
    assert!(error.to_string().ends_with("no-such-program is not installed; build it"));
}

#[test]
fn a_program_that_may_not_be_run_is_not_missing() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tool"), "#!/bin/sh\n").unwrap();
    for program in [dir.path().join("tool").as_os_str(), "tool".as_ref()] {
        let error = HostCommand::new(program).env("PATH", dir.path()).run().unwrap_err();
        assert!(matches!(error, CommandError::Io { .. }), "{error}");
    }
}

#[test]
fn a_missing_directory_is_not_a_missing_program() {
    let error = HostCommand::new("true").current_dir("/no/such/dir").run().unwrap_err();
    assert!(matches!(error, CommandError::Io { .. }), "{error}");
}

#[test]
fn the_limit_kills_the_program_and_what_it_started() {
    let start = Instant::now();
    let error = shell("echo started >&2; sleep 1000 & echo $! >&2; wait")
        .limit(Duration::from_millis(300))
        .run()
        .unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(30));
    let CommandError::TimedOut { stderr, .. } = &error else { panic!("{error}") };
    let (started, grandchild) = stderr.split_once('\n').unwrap();
    assert_eq!(started, "started");
    assert!(ends(grandchild.trim()), "the process {grandchild} is still there");
    assert!(error.to_string().contains("did not end within 300ms and was killed"));
}

/// Whether a killed process goes away (or remains as a corpse for an init that does not collect it).
fn ends(pid: &str) -> bool {
    let gone = || match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
        Err(_) => true,
    };
    let deadline = Deadline::new("the end of a killed process", Duration::from_secs(10));
    while !gone() && !deadline.passed() {
        std::thread::sleep(Duration::from_millis(10));
    }
    gone()
}

#[test]
fn a_daemon_that_keeps_the_pipes_open_is_not_waited_for() {
    let output = shell("sleep 20 & echo $!").limit(Duration::from_secs(10)).run().unwrap();
    let daemon = output.stdout_text().trim().parse().unwrap();
    let daemon = rustix::process::Pid::from_raw(daemon).unwrap();
    rustix::process::kill_process(daemon, rustix::process::Signal::KILL).unwrap();
}
