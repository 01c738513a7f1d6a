//! The same command line for a suite and for a test program of libtest's own: what they print must be the same.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::fixtures::FAIL;
use crate::run::{Fixture, Ran};

crate::trials![
    lists_are_the_same,
    several_filters_select_the_same,
    result_lines_are_the_same,
    log_files_are_the_same,
    json_says_the_same,
    output_of_what_passed_is_shown_in_the_same_form,
];

/// The test program, compiled once for all tests. It is among what cargo builds, as nothing in a static is ever dropped.
fn reference() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libtest-reference");
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/harness/libtest/reference.rs");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut rustc = Command::new(rustc);
        rustc.args(["--test", "--edition", "2024", "-o"]).arg(&program).arg(source);
        assert!(rustc.status().expect("rustc runs").success());
        program
    })
}

/// What libtest prints with these arguments, one thread and all unstable options.
fn libtest(arguments: &[&str], fails: bool) -> String {
    let mut command = Command::new(reference());
    command
        .args(arguments)
        .args(["--test-threads", "1", "-Z", "unstable-options"])
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove(FAIL);
    for variable in ["RUST_TEST_THREADS", "RUST_TEST_NOCAPTURE", "RUST_BACKTRACE"] {
        command.env_remove(variable);
    }
    if fails {
        command.env(FAIL, "1");
    }
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn suite(arguments: &[&str], fails: bool) -> Ran {
    let fixture = Fixture::new("like_libtest").args(arguments).args(&["-Z", "unstable-options"]);
    if fails { fixture.env(FAIL, "1").run() } else { fixture.run() }
}

fn lists_are_the_same() {
    for arguments in [
        &["--list"][..],
        &["--list", "--format", "terse"],
        &["--list", "-q", "--ignored"],
        &["--list", "--include-ignored"],
        &["--list", "--ignored"],
        &["--list", "install", "--exact"],
        &["--list", "--bench"],
        &["--list", "--test"],
        &["--list", "post", "--format=pretty"],
    ] {
        assert_eq!(suite(arguments, false).stdout(), libtest(arguments, false), "{arguments:?}");
    }
}

fn several_filters_select_the_same() {
    for arguments in [
        &["configure", "post"][..],
        &["serve::", "deploy::configure"],
        &["configure", "post", "--exact"],
        &["deploy::configure", "serve::post", "--exact", "--skip", "post"],
        &["configure", "post", "--skip", "serve"],
        &["--skip", "configure", "--skip", "fetch"],
        &["serve", "--ignored"],
    ] {
        let list = [&["--list"], arguments].concat();
        assert_eq!(suite(&list, false).stdout(), libtest(&list, false), "{list:?}");
    }
}

/// The first line, and the result line without its time.
fn counts(stdout: &str) -> Vec<&str> {
    let lines = stdout
        .lines()
        .filter(|line| line.starts_with("running ") || line.starts_with("test result: "));
    lines.map(|line| line.split("; finished in").next().unwrap()).collect()
}

fn result_lines_are_the_same() {
    for (arguments, fails) in [
        (&[][..], false),
        (&[], true),
        (&["-q"], true),
        (&["--include-ignored"], false),
        (&["configure"], false),
        (&["--bench"], false),
        (&["--bench", "--test"], false),
        (&["no_such_test"], false),
    ] {
        let (ran, expected) = (suite(arguments, fails), libtest(arguments, fails));
        assert_eq!(counts(&ran.stdout()), counts(&expected), "{arguments:?}");
        assert_eq!(counts(&expected).len(), 2, "{expected}");
    }
}

fn log_files_are_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    for options in [&[][..], &["--list"]] {
        libtest(&[&["--logfile", &path("libtest")], options].concat(), true);
        suite(&[&["--logfile", &path("suite")], options].concat(), true);
        let read = |name| std::fs::read_to_string(path(name)).unwrap();
        assert_eq!(read("suite"), read("libtest"));
        assert_eq!(read("suite").lines().count(), 4);
    }
    suite(&["--logfile", &path("benches"), "--bench"], false);
    let benches = std::fs::read_to_string(path("benches")).unwrap();
    assert_eq!(benches.lines().filter(|line| line.starts_with("ignored: ")).count(), 4);
    assert!(benches.contains("ignored: takes an hour serve::fetch\n"), "{benches}");

    let refused = suite(&["--logfile", "/no/such/log"], false);
    assert_eq!(refused.exit_code(), Some(2));
    assert!(
        refused.stderr().contains("--logfile /no/such/log: No such file"),
        "{}",
        refused.stderr()
    );
}

/// JSON lines without what differs from run to run: times, and what only libtest knows or words differently.
fn json(stdout: &str) -> Vec<Value> {
    let lines = stdout.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        let fields = line.as_object_mut().unwrap();
        let is_failure = fields.get("event").is_some_and(|event| event == "failed");
        if is_failure && fields["type"] == "test" {
            assert!(fields["stdout"].as_str().unwrap().starts_with("hello\n"));
            fields.remove("message");
            fields.remove("stdout");
        }
        for differs in
            ["exec_time", "source_path", "start_line", "start_col", "end_line", "end_col"]
        {
            fields.remove(differs);
        }
        line
    });
    lines.collect()
}

fn json_says_the_same() {
    for (options, fails) in
        [(&[][..], false), (&[], true), (&["--list"], false), (&["--show-output"], false)]
    {
        let arguments = [&["--format", "json"], options].concat();
        let (ran, expected) = (suite(&arguments, fails), libtest(&arguments, fails));
        assert_eq!(json(&ran.stdout()), json(&expected), "{arguments:?}");
    }
}

fn output_of_what_passed_is_shown_in_the_same_form() {
    let section = |stdout: &str| {
        let start = stdout.find("successes:").unwrap_or_else(|| panic!("{stdout}"));
        let end = start + stdout[start..].rfind("    serve::post\n").unwrap();
        stdout[start..end].to_owned()
    };
    let arguments = ["--show-output"];
    let (ran, expected) = (suite(&arguments, false), libtest(&arguments, false));
    assert_eq!(section(&ran.stdout()), section(&expected));
}
