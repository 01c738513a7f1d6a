use std::env;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lago::host::OUTSIDE_VARIABLE;

use crate::wait::DEFAULT_LIMIT;
use crate::{images, place};

/// The `lago` program that was built together with the tests.
///
/// # Panics
/// When it was not built: `cargo test --package lago-system-tests` alone does not build the programs of other packages.
pub fn lago_path() -> PathBuf {
    let test = env::current_exe().expect("the test program's path is known");
    let profile = test.ancestors().nth(2).expect("cargo puts test programs into target/*/deps");
    let path = profile.join("lago");
    assert!(
        path.is_file(),
        "there is no program {}; build it with: cargo build --package lago (or run the tests with: \
         cargo test --workspace)",
        path.display()
    );
    path
}

/// The `lago` program with the tests' templates and store, and none of the user's settings.
pub fn lago<I: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(lago_path());
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("LAGO_") && name != OUTSIDE_VARIABLE {
            command.env_remove(name);
        }
    }
    command
        .args(args)
        .env("LAGO_TEMPLATE_REPO_PATH", images::repository_manifest())
        .env("LAGO_STORE", place::store())
        .env("LAGO_TEMPLATE_REPOS", place::store().with_extension("repos"))
        .env("COLUMNS", "100")
        .stdin(Stdio::null());
    command
}

/// What a program left.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

impl Ran {
    /// Its standard output, if it ended with 0.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.stdout
    }

    /// Its standard error, if it ended with this code.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self.stderr
    }
}

/// Runs a command to its end, which has to come within [`DEFAULT_LIMIT`].
#[track_caller]
pub fn run(command: &mut Command) -> Ran {
    run_within(DEFAULT_LIMIT, command, "")
}

/// Runs a command that reads `stdin`, to its end.
///
/// # Panics
/// When it does not end within the limit; it is killed then.
#[track_caller]
pub fn run_within(limit: Duration, command: &mut Command, stdin: &str) -> Ran {
    let start = Instant::now();
    if !stdin.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(stdin.as_bytes()).expect("it reads its input");
    }
    let stdout = read_all(child.stdout.take().expect("a pipe"));
    let stderr = read_all(child.stderr.take().expect("a pipe"));
    let code = wait(&mut child, start, limit, command);
    let text =
        |reader: thread::JoinHandle<String>| reader.join().expect("the reader does not panic");
    Ran { code, stdout: text(stdout), stderr: text(stderr), took: start.elapsed() }
}

#[track_caller]
fn wait(child: &mut Child, start: Instant, limit: Duration, command: &Command) -> Option<i32> {
    loop {
        if let Some(status) = child.try_wait().expect("it is a child") {
            return status.code();
        }
        if start.elapsed() > limit {
            child.kill().expect("it is a child");
            panic!("{command:?} still runs after {limit:?}");
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn read_all(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a pipe reads");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
