use lago_test::lago::cmd;
use lago_test::lago::guest::{Cmd, GuestStatus};
use lago_test::{TestResult, assert_true_within, ensure, seconds};

use crate::Client;

pub(crate) fn output_keeps_streams_apart(client: Client) -> TestResult {
    let bytes = 3_000_000;
    let script = "head -c $1 /dev/zero; head -c $1 /dev/zero | tr '\\0' e >&2";
    let output = client.output(&Cmd::sh(script).arg(bytes.to_string()))?;
    ensure!(output.success());
    ensure!(output.stdout_bytes() == vec![0; bytes], "{} bytes", output.stdout_bytes().len());
    ensure!(output.stderr_bytes() == vec![b'e'; bytes], "{} bytes", output.stderr_bytes().len());
    Ok(())
}

pub(crate) fn arguments_arrive_as_they_are(client: Client) -> TestResult {
    let words =
        ["two words", "it's", "\"$HOME\"", "`id`", "a\nb", "", "*", "-n", "ä€", "\\", "!!", "~"];
    let output = client.run(Cmd::new("printf").arg("[%s]").args(words))?;
    let expected: String = words.iter().flat_map(|word| ["[", word, "]"]).collect();
    ensure!(output.stdout() == expected, "{}", output.stdout());
    Ok(())
}

pub(crate) fn standard_input_arrives(client: Client) -> TestResult {
    let input: Vec<u8> = (0..=u8::MAX).cycle().take(1_000_000).collect();
    let output = client.run(cmd!("cat").stdin(input.clone()))?;
    ensure!(output.stdout_bytes() == input, "{} bytes came back", output.stdout_bytes().len());
    let nothing = client.run(cmd!("cat"))?;
    ensure!(nothing.stdout_bytes().is_empty());
    Ok(())
}

pub(crate) fn an_exit_code_is_told(client: Client) -> TestResult {
    let output = client.output(&Cmd::sh("exit 42"))?;
    ensure!(output.status == GuestStatus::Code(42), "{}", output.status);
    Ok(())
}

pub(crate) fn a_failure_shows_what_the_command_said(client: Client) -> TestResult {
    let failed = client.run(cmd!("ls", "/no/such/file"));
    let message = failed.expect_err("there is no such file").to_string();
    for part in ["client", "ls /no/such/file", "exit code 1", "No such file or directory"] {
        ensure!(message.contains(part), "{part:?} is not in: {message}");
    }
    Ok(())
}

pub(crate) fn a_signal_is_told(client: Client) -> TestResult {
    let output = client.output(&Cmd::sh("kill -TERM $$"))?;
    ensure!(output.status == GuestStatus::Signal("TERM".to_owned()), "{}", output.status);
    Ok(())
}

pub(crate) fn a_limit_ends_the_wait(client: Client) -> TestResult {
    let stuck = client.run(Cmd::sh("echo so far; sleep 600").limit(seconds(4)));
    let message = stuck.expect_err("it sleeps for longer than the scenario may take").to_string();
    for part in ["client", "sleep 600", "4s", "so far"] {
        ensure!(message.contains(part), "{part:?} is not in: {message}");
    }
    Ok(())
}

/// The parent of a command is the ssh server's process for the session.
pub(crate) fn an_open_session_is_used_again(client: Client) -> TestResult {
    let session = || client.run(Cmd::sh("echo $PPID")).map(|output| output.stdout().into_owned());
    let first = session()?;
    for _ in 0..3 {
        ensure!(session()? == first);
    }
    let vm = client.0.clone();
    let runs = "echo $PPID; touch /run/runs; while [ -e /run/runs ]; do sleep 0.1; done";
    let other = std::thread::spawn(move || vm.run(Cmd::sh(runs)));
    assert_true_within(seconds(20), || {
        Ok(client.output(&cmd!("test", "-e", "/run/runs"))?.success())
    })?;
    let meanwhile = session()?;
    client.run(cmd!("rm", "/run/runs"))?;
    let other = other.join().expect("the thread does not panic")?.stdout().into_owned();
    ensure!(meanwhile != other, "both ran in session {other}");
    Ok(())
}
