//! A command for a guest.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use super::GuestError;
use super::quote::push_quoted;

/// How long a command may take when it names no limit of its own: long enough to install packages under software
/// emulation, short enough that a hang is noticed while someone still waits for the run.
pub const DEFAULT_COMMAND_LIMIT: Duration = Duration::from_secs(600);

/// The longest command line that is sent. Dropbear takes packets up to 32 KiB.
const LINE_LIMIT: usize = 30_000;

/// Runs what comes by standard input. Directories for temporary files may forbid to execute what is in them: then a
/// shell, which may read it, runs it.
const RUN_SCRIPT: &str = "\
file=$(mktemp) && trap 'rm -f \"$file\"' EXIT && cat >\"$file\" && chmod 700 \"$file\" || exit
if [ -x \"$file\" ]; then \"$file\" \"$@\" </dev/null; else sh \"$file\" \"$@\" </dev/null; fi";

/// How much of a command is shown in a message.
const SHOWN_CHARS: usize = 200;

/// A command for a guest: a program and its arguments, never a line for a shell.
///
/// Arguments may hold any bytes but NUL. The guest's login shell is expected to be a POSIX one; it replaces itself by the
/// program, so shell builtins are not available here: write [`Cmd::sh`] for a script.
///
/// ```
/// use std::time::Duration;
/// use lago::cmd;
///
/// let fetch = cmd!("curl", "-fsS", "http://192.168.1.2/").limit(Duration::from_secs(20));
/// assert_eq!(fetch.to_string(), "curl -fsS http://192.168.1.2/");
/// ```
#[derive(Clone)]
#[must_use = "a command does nothing until it is given to a guest"]
pub struct Cmd {
    argv: Vec<OsString>,
    env: Vec<(String, OsString)>,
    cwd: Option<OsString>,
    stdin: Vec<u8>,
    limit: Duration,
}

/// A [`Cmd`](crate::guest::Cmd) from a program and its arguments, each of them anything that is `AsRef<OsStr>`.
///
/// ```
/// let command = lago::cmd!("echo", "a b", format!("{}", 7));
/// assert_eq!(command.to_string(), "echo 'a b' 7");
/// ```
#[macro_export]
macro_rules! cmd {
    ($program:expr $(, $arg:expr)* $(,)?) => {
        $crate::guest::Cmd::new($program)$(.arg($arg))*
    };
}

impl Cmd {
    /// A command without arguments, looked up in the guest's `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            argv: vec![program.as_ref().to_owned()],
            env: Vec::new(),
            cwd: None,
            stdin: Vec::new(),
            limit: DEFAULT_COMMAND_LIMIT,
        }
    }

    /// A script for the guest's `sh`. Values belong into [`arg`](Self::arg): the script reads them as `"$1"`, `"$2"`, …
    ///
    /// ```
    /// let count = lago::guest::Cmd::sh("ls \"$1\" | wc -l").arg("/etc");
    /// ```
    pub fn sh(script: impl AsRef<OsStr>) -> Self {
        Self::new("sh").arg("-c").arg(script).arg("sh")
    }

    /// A script of any size, whatever its `#!` line names; without one it is for the guest's `sh`. It reads values from
    /// its arguments, and nothing from its standard input.
    ///
    /// It travels by standard input into a temporary file of the guest, which is removed when it has ended. A signal
    /// that ends it reads as exit code 128 and the signal's number.
    ///
    /// ```
    /// let script = lago::guest::Cmd::script("#!/usr/bin/python3\nimport sys\nprint(sys.argv[1])\n").arg("a b");
    /// ```
    pub fn script(script: impl Into<Vec<u8>>) -> Self {
        Self::new("sh").args(["-c", RUN_SCRIPT, "sh"]).stdin(script)
    }

    /// One more argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.argv.push(arg.as_ref().to_owned());
        self
    }

    /// More arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.argv.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// One more environment variable. Its value is not shown in messages.
    pub fn env(mut self, name: impl Into<String>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// The directory in the guest to run in, instead of the user's home.
    pub fn cwd(mut self, directory: impl AsRef<OsStr>) -> Self {
        self.cwd = Some(directory.as_ref().to_owned());
        self
    }

    /// What the command reads from its standard input; nothing by default. Not shown in messages.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// How long the command may take, instead of [`DEFAULT_COMMAND_LIMIT`].
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    pub(crate) fn limit_value(&self) -> Duration {
        self.limit
    }

    pub(crate) fn stdin_bytes(&self) -> &[u8] {
        &self.stdin
    }

    /// The line for the shell on the other side.
    ///
    /// `exec` lets a signal that ends the program end the session's process too, so that it is reported as one. The
    /// environment goes through `env`, because servers refuse variables that ssh asks them to set.
    pub(crate) fn shell_line(&self) -> Result<String, GuestError> {
        self.check()?;
        let mut line = String::new();
        if let Some(directory) = &self.cwd {
            line.push_str("cd ");
            push_quoted(&mut line, &anchored(directory.as_bytes()));
            line.push_str(" && ");
        }
        line.push_str("exec");
        if !self.env.is_empty() || self.argv[0].as_bytes().starts_with(b"-") {
            line.push_str(" env --");
        }
        for (name, value) in &self.env {
            line.push(' ');
            line.push_str(name);
            line.push('=');
            push_quoted(&mut line, value.as_bytes());
        }
        for arg in &self.argv {
            line.push(' ');
            push_quoted(&mut line, arg.as_bytes());
        }
        if line.len() > LINE_LIMIT {
            return Err(self.invalid(format!(
                "its command line takes {} bytes of at most {LINE_LIMIT}; pass the data by stdin or as a file",
                line.len()
            )));
        }
        Ok(line)
    }

    fn check(&self) -> Result<(), GuestError> {
        if self.argv[0].is_empty() {
            return Err(self.invalid("its program has no name".to_owned()));
        }
        if !self.env.is_empty() && self.argv[0].as_bytes().contains(&b'=') {
            return Err(self.invalid("`env` takes a program with a `=` for a variable".to_owned()));
        }
        if let Some((name, _)) = self.env.iter().find(|(name, _)| !is_variable_name(name)) {
            return Err(self.invalid(format!(
                "{name:?} is no name for an environment variable: letters, digits and _ only, no digit first"
            )));
        }
        let values = self.env.iter().map(|(_, value)| value);
        if self.argv.iter().chain(values).chain(&self.cwd).any(|word| word.as_bytes().contains(&0))
        {
            return Err(self.invalid("an argument, a variable or the directory holds a NUL byte, which no program can be \
                                     given; pass it by stdin or as a file"
                .to_owned()));
        }
        Ok(())
    }

    fn invalid(&self, reason: String) -> GuestError {
        GuestError::InvalidCommand { command: self.to_string(), reason }
    }
}

/// A relative directory gets `./` in front, so that `cd` takes neither `-` for the previous one nor `CDPATH` into account.
fn anchored(directory: &[u8]) -> Cow<'_, [u8]> {
    if directory.starts_with(b"/") {
        Cow::Borrowed(directory)
    } else {
        Cow::Owned([b"./", directory].concat())
    }
}

fn is_variable_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// A line like one would type it, shortened, without the values of variables and without the standard input.
impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::new();
        for (name, _) in &self.env {
            line.push_str(name);
            line.push_str("=… ");
        }
        for (index, arg) in self.argv.iter().enumerate() {
            if index > 0 {
                line.push(' ');
            }
            push_quoted(&mut line, arg.as_bytes());
        }
        let line = line.replace('\n', "\\n");
        match line.char_indices().nth(SHOWN_CHARS) {
            Some((end, _)) => write!(f, "{}…", &line[..end]),
            None => f.write_str(&line),
        }
    }
}

impl fmt::Debug for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cmd")
            .field("line", &self.to_string())
            .field("cwd", &self.cwd)
            .field("stdin_bytes", &self.stdin.len())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::process::Command;

    use super::{Cmd, LINE_LIMIT};
    use crate::guest::GuestError;

    fn refusal(command: &Cmd) -> String {
        match command.shell_line() {
            Err(error @ GuestError::InvalidCommand { .. }) => error.to_string(),
            other => panic!("not refused: {other:?}"),
        }
    }

    fn stdout(command: &Cmd) -> String {
        let line = command.shell_line().expect("a valid command");
        let output = Command::new("/bin/sh").arg("-c").arg(line).output().expect("sh");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    #[test]
    fn a_line_for_the_shell() {
        let command = cmd!("echo", "a b", "it's").env("LC_ALL", "C").cwd("/tmp");
        assert_eq!(
            command.shell_line().expect("valid"),
            r"cd /tmp && exec env -- LC_ALL=C echo 'a b' 'it'\''s'"
        );
    }

    #[test]
    fn variables_directory_and_script_arguments_arrive() {
        let command = Cmd::sh("echo \"$PWD|$GREETING|$1|$#\"")
            .arg("a 'b'")
            .env("GREETING", "h\u{e4} $HOME")
            .cwd("/usr");
        assert_eq!(stdout(&command), "/usr|h\u{e4} $HOME|a 'b'|1\n");
    }

    #[test]
    fn reserved_words_are_programs() {
        let line = cmd!("if").shell_line().expect("valid");
        let output = Command::new("/bin/sh").arg("-c").arg(line).output().expect("sh");
        assert_eq!(output.status.code(), Some(127), "{output:?}");
    }

    #[test]
    fn what_cannot_be_passed_is_refused() {
        assert!(refusal(&cmd!("echo", "a\0b")).contains("NUL"));
        assert!(refusal(&cmd!("echo").env("A", "\0")).contains("NUL"));
        assert!(refusal(&cmd!("")).contains("no name"));
        assert!(refusal(&cmd!("env").env("A B", "")).contains("A B"));
        assert!(refusal(&cmd!("env").env("1A", "")).contains("no digit first"));
        assert!(refusal(&cmd!("env").env("", "")).contains("environment variable"));
        assert!(refusal(&cmd!("echo", "x".repeat(LINE_LIMIT))).contains("stdin"));
    }

    #[test]
    fn messages_are_short_and_keep_secrets() {
        let command = cmd!("login", "x".repeat(500)).env("TOKEN", "secret").stdin("password");
        let shown = format!("{command} {command:?}");
        assert!(shown.starts_with("TOKEN=… login xxx"), "{shown}");
        assert!(!shown.contains("secret") && !shown.contains("password"), "{shown}");
        assert!(command.to_string().chars().count() < 210);
    }

    #[test]
    fn bytes_that_are_no_text_are_shown() {
        assert_eq!(
            cmd!("cat", OsStr::from_bytes(b"\xff")).to_string(),
            r#"cat "$(printf '\377')""#
        );
    }
}
