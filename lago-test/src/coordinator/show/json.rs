//! For programs: the JSON lines that libtest prints with `--format json`. libtest-mimic's lack why something is ignored.

use std::io::{self, Write as _};
use std::time::Instant;

use libtest_mimic::Conclusion;
use serde_json::{Map, Value, json};

use super::{Ended, Program, Shown, Style, Verdict};
use crate::outcome::Outcome;

pub(super) fn run<E>(program: &Program, style: Style, end: E) -> Conclusion
where
    E: Fn(&Shown) -> Ended,
{
    let began = Instant::now();
    let mut conclusion = Conclusion {
        num_filtered_out: count(program.filtered_out),
        num_passed: 0,
        num_failed: 0,
        num_ignored: 0,
        num_measured: 0,
    };
    print(&json!({ "type": "suite", "event": "started", "test_count": program.shown.len() }));
    for shown in &program.shown {
        let name = shown.name();
        print(&json!({ "type": "test", "event": "started", "name": name }));
        let ended = end(shown);
        let verdict = style.verdict(shown, &ended.outcome);
        match verdict {
            Verdict::Ok => conclusion.num_passed += 1,
            Verdict::Failed => conclusion.num_failed += 1,
            Verdict::Ignored => conclusion.num_ignored += 1,
        }
        print(&result(&name, verdict, &ended));
    }
    print(&json!({
        "type": "suite",
        "event": word(if conclusion.has_failed() { Verdict::Failed } else { Verdict::Ok }),
        "passed": conclusion.num_passed,
        "failed": conclusion.num_failed,
        "ignored": conclusion.num_ignored,
        "measured": conclusion.num_measured,
        "filtered_out": conclusion.num_filtered_out,
        "exec_time": began.elapsed().as_secs_f64(),
    }));
    conclusion
}

fn result(name: &str, verdict: Verdict, ended: &Ended) -> Value {
    let mut line = Map::new();
    line.insert("type".into(), "test".into());
    line.insert("name".into(), name.into());
    line.insert("event".into(), word(verdict).into());
    if let Some(took) = ended.took {
        line.insert("exec_time".into(), took.as_secs_f64().into());
    }
    if let Some(output) = &ended.output {
        line.insert("stdout".into(), output.as_str().into());
    }
    if let Outcome::TimedOut { .. } = ended.outcome {
        line.insert("reason".into(), "time limit exceeded".into());
    }
    if ended.outcome != Outcome::Passed {
        line.insert("message".into(), ended.outcome.to_string().into());
    }
    line.into()
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Failed => "failed",
        Verdict::Ignored => "ignored",
    }
}

/// Prints one line, and panics when it cannot, as `println!` does: what runs is taken down then.
fn print(line: &Value) {
    println!("{line}");
    let _ = io::stdout().flush();
}

fn count(number: usize) -> u64 {
    number.try_into().unwrap_or(u64::MAX)
}
