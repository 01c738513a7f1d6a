//! Commands as every task runs them: shown before they start, timed, and named in the error when they fail.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The command as one would type it, with the variables that it gets.
pub(crate) fn shown(command: &Command) -> String {
    let variables = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.display(), quoted(value?))));
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(quoted);
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

/// Runs the command on this terminal and fails when it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    println!("$ {shown}");
    let started = Instant::now();
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    println!("  ({})", seconds(started.elapsed()));
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// Runs a question in the background and returns what it said, whatever its exit status.
///
/// Its messages are asked for in the C locale, because they are parsed.
pub(crate) fn ask(command: &mut Command) -> Result<Output> {
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command.output().with_context(|| format!("cannot start `{}`", shown(command)))
}

/// Like [`ask`], and fails with the command's own words when its exit status is not 0.
pub(crate) fn answer(command: &mut Command) -> Result<String> {
    let output = ask(command)?;
    if !output.status.success() {
        bail!(
            "`{}` ended with {}: {}",
            shown(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program of this name is in `PATH`.
pub(crate) fn in_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// A duration for people: `3.2 s`, or `2 min 5 s` from a minute on.
pub(crate) fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    if whole < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {} s", whole / 60, whole % 60)
    }
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    // Only the value of a plain `name=value` may need quotes.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_:.".contains(c);
    if let Some((name, value)) = word.split_once('=')
        && !name.is_empty()
        && name.chars().all(is_plain)
    {
        return format!("{name}={}", quoted(OsStr::new(value)));
    }
    shlex::try_quote(&word).map_or_else(|_| format!("{word:?}"), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_command_can_be_pasted_into_a_shell() {
        let mut command = Command::new("cargo");
        command.args(["doc", "--title", "two words"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(shown(&command), "RUSTDOCFLAGS='-D warnings' cargo doc --title 'two words'");
        let mut command = Command::new("env");
        command.args(["LC_ALL=C", "A=b c", "a b=c", "--limit=1", "="]);
        assert_eq!(shown(&command), "env LC_ALL=C A='b c' 'a b=c' --limit=1 '='");
    }

    #[test]
    fn a_failed_command_is_named_with_its_status() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert_eq!(error, "`sh -c 'exit 3'` ended with exit status: 3");
    }

    #[test]
    fn an_answer_that_failed_carries_stderr() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such thing >&2; exit 1"]);
        let error = answer(&mut command).unwrap_err().to_string();
        assert!(error.ends_with("ended with exit status: 1: no such thing"), "{error}");
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(seconds(Duration::from_millis(3249)), "3.2 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 5 s");
    }
}
