mod browser;
mod in_browser;

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::super::sample::{
    self, at, failed, finished, planned, run_started, started, worker_started,
};
use super::*;
use crate::events::{Event, What};
use crate::outcome::Outcome;

/// A report in a directory of its own.
struct Written {
    #[expect(dead_code, reason = "removed when the report is of no use any more")]
    directory: TempDir,
    path: PathBuf,
}

impl Written {
    /// The report on a run, whose files are there already.
    fn of(directory: TempDir, events: Vec<Event>) -> Self {
        let path = directory.path().join("web.report.html");
        let run = RecordedRun { prefix: directory.path().to_owned(), events };
        write(&run, &path).unwrap();
        Self { directory, path }
    }

    fn sample() -> Self {
        let directory = tempfile::tempdir().unwrap();
        sample::write_files(directory.path());
        Self::of(directory, sample::events())
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }
}

/// A run of many scenarios, which end as the function says.
fn many(count: u32, outcome: impl Fn(u32) -> Outcome) -> Vec<Event> {
    let name = |number: u32| format!("scenario_{number:05}");
    let plan = (0..count).map(|number| planned("many", &name(number))).collect();
    let mut events = vec![at(0, run_started(plan)), at(0, worker_started(1, None))];
    for number in 0..count {
        let begin = i64::from(number) * 20;
        events.push(at(begin, started("many", &name(number), 1)));
        events.push(at(begin + 10, finished("many", &name(number), outcome(number), 10)));
    }
    events
}

#[test]
fn what_tests_print_is_text_and_nothing_else() {
    let text = Written::sample().text();
    assert!(
        text.contains("&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;␀\u{fffd}\u{fffd}]]&gt;")
    );
    assert_eq!(text.matches("<script").count(), 1, "the report's own");
    assert!(!text.contains('\u{1b}') && !text.contains('\0'));
}

#[test]
fn everything_is_in_the_file() {
    let text = Written::sample().text();
    for loading in ["<link rel=\"stylesheet\"", "src=\"http", "url(", "@import", "<iframe"] {
        assert!(!text.contains(loading), "{loading}");
    }
    assert!(text.contains("default-src 'none'"));
    // Links go to files of the run, and to places in the report.
    let links = text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    for link in links {
        let known = ["#", "./", "data:,"].iter().any(|start| link.starts_with(start));
        assert!(known, "{link}");
    }
}

#[test]
fn evidence_is_in_the_report_and_linked_to() {
    let text = Written::sample().text();
    assert!(text.contains("<img src=\"data:image/png;base64,iVBORw0KGgo"));
    assert!(text.contains("alt=\"Screen: server/screenshot.png\""));
    assert!(text.contains("lighttpd.service: Failed with result 'oom-kill'."));
    assert!(text.contains("./evidence/failover.server_comes_back/server/memory.dump"));
    assert!(text.contains("client: nobody answers within 15 s &lt;in the guest&gt;"));
}

#[test]
fn a_fork_that_is_gone_has_left_its_console() {
    let text = Written::sample().text();
    assert!(text.contains("Out of memory: Killed process 412 (lighttpd)"));
    assert!(text.contains("./logs/forks/failover/console/server.log"));
}

#[test]
fn a_run_that_was_killed_has_a_report() {
    let mut events = sample::events();
    let cut = events.iter().position(|event| {
        matches!(&event.what, What::ScenarioStarted { scenario, .. } if scenario == "publish_pages")
    });
    events.truncate(cut.unwrap() + 1);
    let directory = tempfile::tempdir().unwrap();
    sample::write_files(directory.path());
    let text = Written::of(directory, events).text();
    assert!(text.contains("The run did not end: its events stop in the middle"));
    assert!(text.contains("it ran when the run ended without a word"));
    assert!(text.contains("deploy::publish_pages says hello"), "its output is there all the same");
    assert!(text.contains("not run: the run ended before it did"));
    assert!(
        text.contains("lighttpd[412]: (mod_fastcgi.c.421) FATAL"),
        "what the consoles said last"
    );
}

#[test]
fn events_that_are_of_no_run_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let run =
        RecordedRun { prefix: directory.path().to_owned(), events: sample::events().split_off(1) };
    let error = write(&run, &directory.path().join("x.html")).unwrap_err();
    assert!(error.to_string().contains("do not begin with `run_started`"), "{error}");
    assert!(!directory.path().join("x.html").exists());
}

/// In bytes, what a browser opens without a thought.
const USABLE: usize = 40 << 20;

#[test]
fn ten_thousand_that_passed_are_a_small_file() {
    let events = many(10_000, |_| Outcome::Passed);
    let written = Written::of(tempfile::tempdir().unwrap(), events);
    let text = written.text();
    assert_eq!(text.matches("data-outcome=\"passed\"").count(), 10_000);
    assert!(text.len() < USABLE / 2, "{}", text.len());
}

#[test]
fn ten_thousand_that_failed_and_said_much_are_a_usable_file() {
    let directory = tempfile::tempdir().unwrap();
    let scenarios = directory.path().join("scenarios");
    fs::create_dir(&scenarios).unwrap();
    let megabyte = "<&>\n".repeat(256 << 10);
    fs::write(scenarios.join("one.log"), &megabyte).unwrap();
    let much = "why & <why>? ".repeat(5_000);
    let mut events = many(10_000, |_| failed(&much));
    for event in &mut events {
        if let What::ScenarioFinished { output: Some(output), .. } = &mut event.what {
            output.path = "scenarios/one.log".into();
        }
    }
    let text = Written::of(directory, events).text();
    assert!(text.len() < USABLE, "{}", text.len());
    assert!(text.contains("left out: this report is large as it is"));
    assert_eq!(text.matches("data-outcome=\"failed\"").count(), 10_000, "none is missing");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_text(
        output in prop::collection::vec(any::<u8>(), 0..400),
        message in any::<String>(),
        piece in prop::sample::select(&[
            "", "</pre>", "<script>", "-->", "<!--list-->", "\0", "\u{1b}[31m", "\u{fffe}", "\"><img src=x>", "&amp;",
        ]),
    ) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("scenarios")).unwrap();
        let bytes = [piece.as_bytes(), &output, piece.as_bytes()].concat();
        fs::write(directory.path().join("scenarios/many.scenario_00000.log"), bytes).unwrap();
        let message = format!("{piece}{message}{piece}");
        let text = Written::of(directory, many(1, |_| failed(&message))).text();
        prop_assert_eq!(text.matches("<script").count(), 1);
        prop_assert_eq!(text.matches("<img").count(), 0);
        prop_assert_eq!(text.matches("<!--").count(), 0);
        prop_assert_eq!(text.matches("</html>").count(), 1);
        let opened = text.matches("<pre").count();
        prop_assert_eq!(text.matches("</pre>").count(), opened);
        let control = |c: char| c.is_control() && c != '\n';
        prop_assert_eq!(text.chars().find(|&c| control(c)), None);
    }
}
