//! The suites that the tests run. They need no VMs.

mod branches;
mod unsteady;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, abort, exit};
use std::time::Duration;

use lago_test::{
    Context, Failure, FromContext, IntoScenario as _, Scenario, Stage, Suite, TestResult, Verdict,
    continue_on_failure, ensure, scenarios, seconds, skip,
};

/// A suite's workdir, chosen by the test.
pub(crate) const WORKDIR: &str = "LAGO_FIXTURE_WORKDIR";

/// Set when `fails_when_wanted` is to fail.
pub(crate) const FAIL: &str = "LAGO_FIXTURE_FAIL";

/// From the package; its template does not exist.
const INIT_FILE: &str = "tests/harness/two-vms.yaml";

/// The fixture suite of this name.
pub(crate) fn suite(name: &str) -> Suite {
    let suite = Suite::new(name);
    let suite = match std::env::var_os(WORKDIR) {
        Some(workdir) => suite.workdir(workdir),
        None => suite,
    };
    let suite = match std::env::var_os("LAGO_FIXTURE_INIT_FILE") {
        Some(init_file) => suite.init_file(init_file),
        None => suite,
    };
    match name {
        "passing" => suite
            .stage(Stage::new("deploy").scenarios(scenarios![install, configure]))
            .stage(Stage::new("serve").scenarios(scenarios![fetch])),
        "blocking" => suite
            .stage(Stage::new("first").scenarios(scenarios![
                continue_on_failure(tolerated),
                install,
                broken,
                configure
            ]))
            .stage(Stage::new("second").scenarios(scenarios![fetch])),
        "skipping" => suite.stage(Stage::new("only").scenarios(scenarios![
            skipped,
            install.requires(|_: &Context| Ok(Verdict::Unmet("no hosts".into()))),
            configure
        ])),
        "like_libtest" => suite
            .stage(
                Stage::new("deploy")
                    .scenarios(scenarios![configure, continue_on_failure(fails_when_wanted)]),
            )
            .stage(Stage::new("serve").scenarios(scenarios![fetch.ignored("takes an hour"), post])),
        "ignoring" => suite
            .stage(Stage::new("first").scenarios(scenarios![
                install,
                broken.ignored("not repaired yet"),
                configure
            ]))
            .stage(Stage::new("all").scenarios(scenarios![skipped.ignored("takes an hour")]))
            .stage(Stage::new("last").scenarios(scenarios![fetch, post.ignored("")])),
        "endings" => suite.timeout(seconds(20)).stage(Stage::new("only").scenarios(scenarios![
            continue_on_failure(panics),
            continue_on_failure(panics_elsewhere),
            continue_on_failure(aborts),
            continue_on_failure(exits_zero),
            continue_on_failure(overflows),
            continue_on_failure(killed),
            continue_on_failure(hangs).timeout(seconds(2)),
            continue_on_failure(needs_what_is_broken),
            continue_on_failure(prints_to_the_coordinator),
            fetch
        ])),
        "rebuilt" => suite.stage(Stage::new("only").scenarios(scenarios![
            continue_on_failure(its_program_is_gone),
            install,
            continue_on_failure(its_program_is_another),
            fetch
        ])),
        "printing" => suite.stage(Stage::new("only").scenarios(scenarios![
            says_hello,
            quiet,
            continue_on_failure(any_bytes),
            child_prints
        ])),
        "commanding" => suite.stage(Stage::new("only").scenarios(scenarios![commands])),
        "loud" => suite
            .stage(Stage::new("only").scenarios(scenarios![continue_on_failure(much), says_hello])),
        "slow" => suite.stage(Stage::new("only").scenarios(scenarios![says_hello, waits, fetch])),
        "slow_end" => suite.stage(
            Stage::new("only").scenarios(scenarios![says_hello, continue_on_failure(waits)]),
        ),
        "brief" => suite.stage(Stage::new("only").scenarios(scenarios![pauses, fetch])),
        "chatty" => suite.stage(Stage::new("only").scenarios(scenarios![chatters])),
        "parameters" => suite.stage(Stage::new("only").scenarios(scenarios![takes_parameters])),
        "many" => {
            suite.stage(Stage::new("only").scenarios(
                (0..1000).map(|number| Scenario::new(format!("empty_{number:04}"), || {})),
            ))
        }
        "unknown_vm" => suite
            .init_file(INIT_FILE)
            .stage(Stage::new("only").scenarios(scenarios![uses_the_server, uses_the_router])),
        "no_init_file" => suite.stage(Stage::new("only").scenarios(scenarios![uses_the_server])),
        "malformed_init_file" => suite
            .init_file("tests/harness/fixtures.rs")
            .stage(Stage::new("only").scenarios(scenarios![uses_the_server])),
        "no_template" => suite
            .init_file(INIT_FILE)
            .stage(Stage::new("only").scenarios(scenarios![uses_the_server, fetch])),
        "duplicates" => suite.stage(Stage::new("only").scenarios(scenarios![fetch, fetch])),
        other => branches::suite(other, suite),
    }
}

lago_test::vms! {
    struct Server = "server";
    struct Router = "router";
}

fn uses_the_server(_: Server) {}
fn uses_the_router(_: Server, _: Router) {}

fn install() {}
fn configure() {}
fn fetch() {}
fn post() {}

fn fails_when_wanted() {
    println!("hello");
    assert!(std::env::var_os(FAIL).is_none(), "as wanted");
}

fn broken() -> TestResult {
    println!("about to fail");
    std::fs::read("/no/such/file")?;
    Ok(())
}

fn tolerated() -> TestResult {
    ensure!(1 + 1 == 3);
    Ok(())
}

fn skipped() -> TestResult {
    skip!("nothing to do on {}", "Tuesdays")
}

fn panics() {
    let number: Option<u32> = "x".parse().ok();
    number.expect("there is a number");
}

fn panics_elsewhere() {
    std::thread::spawn(|| panic!("in a thread")).join().unwrap();
}

fn aborts() {
    println!("printed before the abort");
    abort();
}

fn exits_zero() {
    exit(0);
}

/// What a build does at first. The next scenario needs a new worker.
fn its_program_is_gone() -> TestResult {
    std::fs::remove_file(own_program()?)?;
    exit(0);
}

/// What a build does then.
fn its_program_is_another() -> TestResult {
    std::fs::write(own_program()?, "another program")?;
    exit(0);
}

fn own_program() -> Result<PathBuf, Failure> {
    let workdir = std::env::var_os(WORKDIR).ok_or_else(|| Failure::new("it has no workdir"))?;
    Ok(PathBuf::from(workdir).join("program"))
}

#[expect(unconditional_recursion, reason = "the stack is to overflow")]
fn overflows() {
    #[inline(never)]
    fn deeper(depth: &mut [u8; 4096]) -> u8 {
        let mut next = *depth;
        next[0] = next[0].wrapping_add(1);
        deeper(&mut next).wrapping_add(next[1])
    }
    std::hint::black_box(deeper(&mut [0; 4096]));
}

fn killed() -> TestResult {
    let pid = std::process::id().to_string();
    Command::new("kill").args(["-9", &pid]).status()?;
    Ok(())
}

fn hangs() -> TestResult {
    // A child of its own, which must not outlive the scenario.
    let mut child = Command::new("sleep").arg("3600").spawn()?;
    println!("child {}", child.id());
    child.wait()?;
    Ok(())
}

/// A parameter that can never be made.
struct Broken;

impl FromContext for Broken {
    fn from_context(_: &Context) -> Result<Self, Failure> {
        Err(Failure::infrastructure("the engine does not answer"))
    }
}

fn needs_what_is_broken(_: Broken) {}

/// The socket must not be reachable by what a scenario starts.
fn prints_to_the_coordinator() -> TestResult {
    let status = Command::new("sh").args(["-c", "cat; echo '{}' >&0"]).status()?;
    ensure!(!status.success(), "standard input can be written to");
    Ok(())
}

fn says_hello() {
    println!("hello from the scenario");
    eprintln!("and from its standard error");
}

fn quiet() {}

fn any_bytes() -> TestResult {
    let mut out = std::io::stdout();
    out.write_all(
        b"\x1b[31mred\x1b[0m nul:\0 bad:\xff\xfe cdata:]]> noncharacter:\xef\xbf\xbe\ttab\r\n",
    )?;
    out.write_all(b"surrogate:\xed\xa0\x80\n\x1b]0;unfinished title; after")?;
    ensure!(false, "\u{1b}[1mbold\u{1b}[0m \0 ]]> \u{ffff} <&>");
    Ok(())
}

fn child_prints() -> TestResult {
    let status =
        Command::new("sh").args(["-c", "echo from a child; echo and its errors >&2"]).status()?;
    ensure!(status.success());
    Ok(())
}

/// Prints what GitHub Actions would take for a command of its own.
fn commands() -> TestResult {
    println!("::warning::from a guest");
    ensure!(false, "as wanted");
    Ok(())
}

/// 50 MB, with a line at each end.
fn much() -> TestResult {
    let mut out = std::io::stdout().lock();
    writeln!(out, "the first line")?;
    let block = vec![b'x'; 64 << 10];
    for _ in 0..800 {
        out.write_all(&block)?;
    }
    writeln!(out, "\nthe last line")?;
    ensure!(false, "so much");
    Ok(())
}

fn waits() {
    println!("waiting in {}", std::process::id());
    std::thread::sleep(Duration::from_secs(600));
}

fn pauses() {
    println!("{}", std::process::id());
    std::thread::sleep(seconds(1));
}

/// More than fits into a pipe.
fn chatters() {
    for number in 0..20_000 {
        println!("line {number}");
    }
}

struct Place(String);

impl FromContext for Place {
    fn from_context(context: &Context) -> Result<Self, Failure> {
        Ok(Self([context.suite(), context.stage(), context.scenario()].join("/")))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "parameters are handed over")]
fn takes_parameters(here: Place, again: Place) -> TestResult {
    ensure!(here.0 == "parameters/only/takes_parameters", "{}", here.0);
    ensure!(again.0 == here.0);
    Ok(())
}
