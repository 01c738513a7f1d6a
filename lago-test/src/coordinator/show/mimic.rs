//! For people: libtest-mimic prints, as libtest does.

use libtest_mimic::{Arguments, Completion, Conclusion, Failed, FormatSetting, Trial};

use super::{Ended, Program, Shown, Style, Verdict};
use crate::outcome::{Class, Outcome};
use crate::report::console;

/// The kind of a trial that runs only because a selected one stands on it. Shown in front of its name.
const PREREQUISITE: &str = "prerequisite";

/// The kind of a trial that does not run. Never shown.
const FILTERED_OUT: &str = "filtered out";

pub(super) fn run<E>(program: Program, style: Style, end: &E) -> Conclusion
where
    E: Fn(&Shown) -> Ended + Clone + Send + 'static,
{
    // libtest-mimic counts what it leaves out itself, and does so by name or kind only.
    let hidden = || Trial::test("", || Ok(())).with_kind(FILTERED_OUT);
    let hidden = std::iter::repeat_with(hidden).take(program.filtered_out);
    let shown = program.shown.into_iter().map(|shown| {
        let end = end.clone();
        let kind = if shown.is_prerequisite() { PREREQUISITE } else { "" };
        Trial::ignorable_test(shown.name(), move || completion(style, &shown, &end(&shown)))
            .with_kind(kind)
    });
    libtest_mimic::run(&arguments(style), shown.chain(hidden).collect())
}

/// One thread, so that trials are shown in declared order; what runs at the same time is not its business.
fn arguments(style: Style) -> Arguments {
    Arguments {
        skip: vec![format!("[{FILTERED_OUT}] ")],
        test_threads: Some(1),
        format: Some(style.format),
        color: style.color,
        ..Arguments::default()
    }
}

fn reason(outcome: &Outcome) -> String {
    let line = console::on_one_line(outcome);
    match outcome.class() {
        Class::Failure | Class::Error => format!("{}: {line}", outcome.word().replace('_', " ")),
        Class::Passed | Class::Tolerated | Class::NoResult => line,
    }
}

/// What stands before a result. libtest has the time after it, where libtest-mimic ends the line.
fn remarks(style: Style, ended: &Ended) -> String {
    let time = ended.took.filter(|_| style.report_time);
    let time = time.map_or_else(String::new, |took| format!("<{:.3}s> ", took.as_secs_f64()));
    match ended.outcome {
        Outcome::Flaky { attempt, .. } => format!("{time}flaky, passed at try {attempt}: "),
        _ => time,
    }
}

fn completion(style: Style, shown: &Shown, ended: &Ended) -> Result<Completion, Failed> {
    let Ended { outcome, output, .. } = ended;
    if style.format == FormatSetting::Pretty {
        print!("{}", remarks(style, ended));
    }
    match style.verdict(shown, outcome) {
        Verdict::Ok => Ok(Completion::Completed),
        Verdict::Ignored => Ok(Completion::ignored_with(reason(outcome))),
        Verdict::Failed => Err(console::failure(outcome, output.as_deref()).into()),
    }
}
