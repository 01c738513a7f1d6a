//! The view on the terminal: a bar of indicatif's for each line, though none shows a share of anything.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::lines::{Kind, Line};

/// How often the terminal is drawn at most, in times a second.
const RATE: u8 = 15;

/// What a terminal is taken for that does not say its size.
const USUAL_SIZE: (usize, usize) = (80, 24);

/// The bottom of the terminal.
#[derive(Clone)]
pub(super) struct Screen {
    bars: MultiProgress,
    lines: Arc<Mutex<Vec<ProgressBar>>>,
    colors: bool,
}

impl Screen {
    /// The one on standard error.
    pub(super) fn new(colors: bool) -> Self {
        Self::on(ProgressDrawTarget::stderr_with_hz(RATE), colors)
    }

    fn on(target: ProgressDrawTarget, colors: bool) -> Self {
        let bars = MultiProgress::with_draw_target(target);
        Self { bars, lines: Arc::default(), colors }
    }

    /// Shows these lines in the place of those that are there.
    pub(super) fn show(&self, lines: &[Line]) {
        let mut shown = self.shown();
        while shown.len() > lines.len() {
            if let Some(bar) = shown.pop() {
                self.bars.remove(&bar);
            }
        }
        while shown.len() < lines.len() {
            shown.push(self.bars.add(ProgressBar::new_spinner()));
        }
        for (bar, line) in shown.iter().zip(lines) {
            bar.set_style(style(line.kind, self.colors));
            bar.set_message(line.text.clone());
            bar.tick();
        }
    }

    /// Prints whole lines above the view.
    pub(super) fn print_above(&self, lines: &[u8], to: &mut impl Write) -> io::Result<()> {
        self.bars.suspend(|| to.write_all(lines).and_then(|()| to.flush()))
    }

    /// Leaves nothing of the view on the terminal until it is shown again.
    pub(super) fn clear(&self) {
        for bar in self.shown().drain(..) {
            self.bars.remove(&bar);
        }
        // The terminal may be gone.
        let _ = self.bars.clear();
    }

    fn shown(&self) -> MutexGuard<'_, Vec<ProgressBar>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen").field("colors", &self.colors).finish_non_exhaustive()
    }
}

/// The columns and rows of the terminal.
pub(super) fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => USUAL_SIZE,
    }
}

fn style(kind: Kind, colors: bool) -> ProgressStyle {
    let template = match (kind, colors) {
        (Kind::Waiting, true) => "{spinner:.cyan} {msg}",
        (Kind::Waiting, false) => "{spinner} {msg}",
        (Kind::Part, true) => "    {msg:.dim}",
        (Kind::Part, false) => "    {msg}",
        (Kind::Sum { has_trouble: true }, true) => "{msg:.red}",
        (Kind::Sum { has_trouble: false }, true) => "{msg:.green}",
        (Kind::Sum { .. }, false) => "{msg}",
    };
    ProgressStyle::with_template(template).expect("the templates are well formed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::InMemoryTerm;

    fn line(kind: Kind, text: &str) -> Line {
        Line { kind, text: text.into() }
    }

    /// Writes to the same terminal as the view.
    struct Terminal(InMemoryTerm);

    impl Write for Terminal {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            use indicatif::TermLike as _;
            let text = String::from_utf8_lossy(bytes);
            for line in text.lines() {
                self.0.write_line(line)?;
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn results_stay_above_the_view_and_it_leaves_nothing() {
        let terminal = InMemoryTerm::new(20, 60);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
        let screen = Screen::on(target, false);
        let sum = |text| line(Kind::Sum { has_trouble: false }, text);
        screen.show(&[line(Kind::Waiting, "a::b"), line(Kind::Part, "vm: start"), sum("0 of 2")]);
        std::thread::sleep(std::time::Duration::from_millis(20));
        screen.show(&[line(Kind::Waiting, "a::b"), line(Kind::Part, "vm: start"), sum("0 of 2")]);
        let contents = terminal.contents();
        let told: Vec<_> = contents.lines().collect();
        assert!(told[0].ends_with("a::b") && told[1] == "    vm: start", "{contents}");

        screen.print_above(b"test a::b ... ok\n", &mut Terminal(terminal.clone())).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        screen.show(&[sum("1 of 2")]);
        std::thread::sleep(std::time::Duration::from_millis(20));
        screen.show(&[sum("1 of 2")]);
        assert_eq!(terminal.contents(), "test a::b ... ok\n1 of 2");

        screen.clear();
        assert_eq!(terminal.contents(), "test a::b ... ok");
    }
}
