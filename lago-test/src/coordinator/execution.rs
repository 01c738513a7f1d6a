//! A run, as what is shown of it sees it: scenarios run when it is their turn to be shown.

use std::sync::{Mutex, MutexGuard, PoisonError};

use libtest_mimic::FormatSetting;

use super::runner::{Finish, Runner};
use super::show::{Ended, LogFile, Shown, Style, Turn};
use crate::outcome::Class;
use crate::report::console;
use crate::tell;

/// What runs, and what is told about it beside what is shown meanwhile.
pub(super) struct Execution {
    runner: Mutex<Runner>,
    style: Style,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    log: Option<LogFile>,
    /// The first thing that could not be written into it.
    lost: Option<String>,
    /// The scenarios that passed, with their output.
    successes: Vec<(String, Option<String>)>,
}

impl Execution {
    pub(super) fn new(runner: Runner, style: Style, log: Option<LogFile>) -> Self {
        let told = Told { log, ..Told::default() };
        Self { runner: Mutex::new(runner), style, told: Mutex::new(told) }
    }

    /// Has a scenario run, unless it is ignored. Says how it ended.
    pub(super) fn end(&self, shown: &Shown) -> Ended {
        let ended = match &shown.turn {
            Turn::Ignored(reason) => Ended::ignored(reason),
            Turn::Runs(step) => held(&self.runner).run_scenario(*step),
        };
        // What comes of it is printed in between otherwise, when a stage that runs at the same time has a shell open.
        tell::wait_for_terminal();
        held(&self.told).take_note(shown, &ended, self.style);
        ended
    }

    /// Says that nothing more is to run, before [`finish`](Self::finish).
    pub(super) fn call_off(&self, reason: &str) {
        held(&self.runner).call_off(reason);
    }

    /// Ends the run. `failed` says whether a scenario did.
    pub(super) fn finish(&self, failed: bool) -> Finish {
        let mut finish = held(&self.runner).finish(failed);
        let mut told = held(&self.told);
        if let Some(lost) = told.lost.take() {
            finish.add_error(&lost);
        }
        let successes = console::successes(&told.successes);
        finish.lines.splice(0..0, successes);
        finish
    }
}

impl Told {
    fn take_note(&mut self, shown: &Shown, ended: &Ended, style: Style) {
        let name = shown.name();
        if let Some(log) = &mut self.log
            && let Err(error) = log.result(&name, ended, style.report_time)
        {
            self.lost.get_or_insert(error);
        }
        // A line of JSON has its scenario's output.
        if style.show_output
            && style.format != FormatSetting::Json
            && ended.outcome.class() == Class::Passed
        {
            self.successes.push((name, ended.output.clone()));
        }
    }
}

/// A panic while it was held has been told of by the panic hook.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
