//! The live view: at the bottom of the terminal what runs, where, since when and how long it may, while results scroll by
//! above it.
//!
//! Results are printed on standard output by others, a line in pieces, so while the view is there standard output is a
//! pipe of ours, and whole lines of it go to the terminal above the view ([`stdout`]). Nothing of this happens where no
//! person looks on: not without a terminal, in CI or under nextest.

mod lines;
mod overview;
mod screen;
mod stdout;

use std::env;
use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use libtest_mimic::{ColorSetting, FormatSetting};

use super::show::Style;
use super::work::Works;
use crate::tell::{self, View};
pub(super) use overview::Overview;
use screen::Screen;
use stdout::Stdout;

/// How often the view is drawn: seconds are counted in it, and a spinner turns.
const PAUSE: Duration = Duration::from_millis(120);

/// The view, for as long as this lives.
#[derive(Debug)]
pub(super) struct LiveView {
    shown: Arc<Shown>,
    colors: bool,
    ticker: Option<JoinHandle<()>>,
}

/// What the threads of the view share.
#[derive(Debug)]
struct Shown {
    overview: Arc<Overview>,
    works: Works,
    screen: Screen,
    stdout: Stdout,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Shown,
    /// Somebody else has the terminal.
    Hidden,
    Ended,
}

impl LiveView {
    /// The view, if somebody looks on who can be shown one. That it cannot be had is no reason not to run.
    pub(super) fn start(style: Style, overview: Arc<Overview>, works: Works) -> Option<Self> {
        is_wanted(style.format, |name| env::var_os(name), are_terminals()).then_some(())?;
        let colors = are_wanted(style.color, |name| env::var_os(name));
        let screen = Screen::new(colors);
        let above = screen.clone();
        let stdout =
            Stdout::redirect(move |lines, terminal| above.print_above(lines, terminal)).ok()?;
        let (state, changed) = (Mutex::new(State::Shown), Condvar::new());
        let shown = Arc::new(Shown { overview, works, screen, stdout, state, changed });
        let theirs = Arc::clone(&shown);
        let ticker = thread::spawn(move || theirs.keep_drawing());
        tell::tell_through(Some(shown.clone()));
        Some(Self { shown, colors, ticker: Some(ticker) })
    }

    /// How results are to be printed: who prints them sees no terminal any more.
    pub(super) fn style(&self, style: Style) -> Style {
        let color = if self.colors { ColorSetting::Always } else { ColorSetting::Never };
        Style { color: Some(color), ..style }
    }
}

/// The terminal is as it was.
impl Drop for LiveView {
    fn drop(&mut self) {
        tell::tell_through(None);
        self.shown.set(State::Ended);
        // A panic in it has been told of.
        let _ = self.ticker.take().map(JoinHandle::join);
        self.shown.stdout.end();
        self.shown.screen.clear();
    }
}

impl Shown {
    fn keep_drawing(&self) {
        let mut state = self.state();
        while *state != State::Ended {
            if *state == State::Shown {
                let (columns, rows) = screen::size();
                let scene = self.overview.scene(self.works.open(), Instant::now());
                self.screen.show(&lines::lines(&scene, columns, rows));
            }
            let waited = self.changed.wait_timeout(state, PAUSE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn set(&self, state: State) {
        *self.state() = state;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View for Shown {
    fn print_above(&self, lines: &[u8]) {
        // The terminal may be gone; the run goes on.
        let _ = self.screen.print_above(lines, &mut io::stderr());
    }

    fn step_aside(&self, work: &mut dyn FnMut()) {
        self.set(State::Hidden);
        self.screen.clear();
        self.stdout.step_aside(work);
        self.set(State::Shown);
    }

    fn give_up(&self) {
        self.set(State::Ended);
        self.screen.clear();
    }
}

fn are_terminals() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// Whether a person looks on who can be shown a view.
fn is_wanted(
    format: FormatSetting,
    variable: impl Fn(&str) -> Option<std::ffi::OsString>,
    are_terminals: bool,
) -> bool {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let moves_its_cursor = variable("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    let is_seen = !is_set("CI") && !is_set("NEXTEST");
    are_terminals && moves_its_cursor && is_seen && format == FormatSetting::Pretty
}

/// Whether a terminal gets colours, as libtest-mimic decides it (<https://no-color.org>, <https://bixense.com/clicolors>).
fn are_wanted(
    color: Option<ColorSetting>,
    variable: impl Fn(&str) -> Option<std::ffi::OsString>,
) -> bool {
    match color.unwrap_or(ColorSetting::Auto) {
        ColorSetting::Always => true,
        ColorSetting::Never => false,
        ColorSetting::Auto => {
            let is_off = variable("NO_COLOR").is_some_and(|value| !value.is_empty())
                || variable("CLICOLOR").is_some_and(|value| value == "0");
            !is_off
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    /// The variables of a terminal of today, with these ones on top.
    fn variables<'a>(set: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        move |name| {
            let all = [("TERM", "xterm-256color")];
            let mut all = set.iter().chain(&all);
            all.find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        }
    }

    #[test]
    fn a_view_is_for_people_at_a_terminal() {
        let pretty = FormatSetting::Pretty;
        let wanted = |set: &[(&str, &str)]| is_wanted(pretty, variables(set), true);
        assert!(wanted(&[]));
        assert!(wanted(&[("CI", "")]));
        for set in [("TERM", "dumb"), ("TERM", ""), ("CI", "true"), ("NEXTEST", "1")] {
            assert!(!wanted(&[set]), "{set:?}");
        }
        assert!(!is_wanted(pretty, variables(&[]), false));
        assert!(!is_wanted(pretty, |_| None, true));
        assert!(!is_wanted(FormatSetting::Terse, variables(&[]), true));
        assert!(!is_wanted(FormatSetting::Json, variables(&[]), true));
    }

    #[test]
    fn colours_are_for_those_who_want_them() {
        assert!(are_wanted(None, variables(&[])));
        assert!(are_wanted(Some(ColorSetting::Auto), variables(&[("NO_COLOR", "")])));
        assert!(!are_wanted(None, variables(&[("NO_COLOR", "1")])));
        assert!(!are_wanted(None, variables(&[("CLICOLOR", "0")])));
        assert!(!are_wanted(Some(ColorSetting::Never), variables(&[])));
        assert!(are_wanted(Some(ColorSetting::Always), variables(&[("NO_COLOR", "1")])));
    }
}
