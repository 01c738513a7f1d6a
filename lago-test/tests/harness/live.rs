//! The live view, on a terminal that the tests read as a person would.

use std::fs::File;
use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::run::{Fixture, Ran, Running, wait_until};

crate::trials![
    what_runs_is_at_the_bottom_and_leaves_nothing,
    forks_are_named_side_by_side,
    results_are_those_of_plain_lines,
    output_as_it_comes_goes_above_it,
    no_colours_where_none_are_wanted,
    plain_lines_where_nobody_looks_on,
    a_terminal_that_was_stopped_keeps_nobody_from_leaving,
];

/// High enough for all that a run prints.
const ROWS: u16 = 80;
const COLUMNS: u16 = 100;

/// A terminal, and what has been written to it.
struct Terminal {
    far: File,
    near: File,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn new() -> Self {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&near).unwrap();
        unlockpt(&near).unwrap();
        let name = ptsname(&near, Vec::new()).unwrap().into_string().unwrap();
        let far = File::options().read(true).write(true).open(name).unwrap();
        let size = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&far, size).unwrap();
        Self { far, near: near.into(), written: Arc::default() }
    }

    /// Starts a fixture on it. Somebody reads what it shows.
    fn start(&self, fixture: Fixture) -> Running {
        self.start_with(fixture, &[])
    }

    fn start_with(&self, fixture: Fixture, variables: &[(&str, &str)]) -> Running {
        let mut near = self.near.try_clone().unwrap();
        let written = Arc::clone(&self.written);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // At its end there is an error: the far side is gone.
            while let Ok(length @ 1..) = near.read(&mut buffer) {
                written.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
        self.start_unread(fixture, variables)
    }

    /// Starts a fixture on it. Nobody reads what it shows.
    fn start_unread(&self, fixture: Fixture, variables: &[(&str, &str)]) -> Running {
        let usual = [("TERM", "xterm-256color"), ("CI", "")];
        let variables = usual.iter().chain(variables);
        let fixture = variables.fold(fixture, |fixture, (name, value)| fixture.env(name, value));
        fixture.start_on(&self.far)
    }

    fn written(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// What a person sees.
    fn screen(&self) -> String {
        let mut parser = vt100::Parser::new(ROWS, COLUMNS, 0);
        parser.process(&self.written.lock().unwrap());
        let rows = parser.screen().rows(0, COLUMNS).map(|row| row.trim_end().to_owned());
        rows.collect::<Vec<_>>().join("\n")
    }

    fn wait_for(&self, text: &str) {
        wait_until(text, || self.screen().contains(text));
    }

    /// What a person sees when a run has ended and all that it printed has arrived.
    fn after(&self, ran: &Ran) -> String {
        self.wait_for(&format!("{}.trace.json", ran.name));
        self.screen()
    }
}

/// The line of the view that says how far the run is.
fn is_sum(line: &str) -> bool {
    line.contains(" done") && line.contains("; ")
}

fn what_runs_is_at_the_bottom_and_leaves_nothing() {
    let terminal = Terminal::new();
    let running = terminal.start(Fixture::new("slow"));
    // What is read may end in the middle of a drawing.
    wait_until("the view", || {
        let screen = terminal.screen();
        let lines: Vec<&str> = screen.lines().filter(|line| !line.is_empty()).collect();
        let [above @ .., runs, sum] = lines.as_slice() else { return false };
        above.contains(&"test only::says_hello ... ok")
            && runs.contains("only::waits")
            && runs.ends_with("s of 10 min")
            && sum.starts_with("1 of 3 done; ")
    });

    running.signal("-INT");
    let ran = running.wait();
    assert_eq!(ran.exit_code(), Some(130));
    let screen = terminal.after(&ran);
    assert!(screen.contains("SIGINT: ending the run"), "{screen}");
    assert!(screen.contains("test only::waits      ... FAILED"), "{screen}");
    assert!(!screen.contains("of 10 min") && !screen.lines().any(is_sum), "{screen}");
}

fn forks_are_named_side_by_side() {
    let terminal = Terminal::new();
    let running = terminal.start(Fixture::new("side_by_side").args(&["--test-threads", "2"]));
    terminal.wait_for("left::waits ");
    terminal.wait_for("right::waits [fork right] ");
    running.signal("-INT");
    let ran = running.wait();
    let screen = terminal.after(&ran);
    assert!(!screen.contains("[fork right]"), "{screen}");
}

fn results_are_those_of_plain_lines() {
    let terminal = Terminal::new();
    let ran = terminal.start(Fixture::new("blocking")).wait();
    let screen = terminal.after(&ran);
    let plain = Fixture::new("blocking").run().stdout();
    let results = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with("test "));
        // What comes of them is the same; how long it took is not.
        lines.map(|line| line.split("; finished").next().unwrap().to_owned()).collect()
    };
    assert_eq!(results(&screen), results(&plain));
    assert_eq!(results(&screen).len(), 6, "{screen}");
    assert!(screen.contains("about to fail"), "the failure's output: {screen}");
}

fn output_as_it_comes_goes_above_it() {
    let terminal = Terminal::new();
    let running = terminal.start(Fixture::new("slow").args(&["--nocapture"]));
    let order =
        ["[only::says_hello] hello from the scenario", "[only::waits] waiting in ", "of 10 min"];
    wait_until("the output above the view", || {
        let screen = terminal.screen();
        let places = order.map(|text| screen.find(text));
        places.iter().all(Option::is_some) && places.is_sorted()
    });
    running.signal("-INT");
    running.wait();
}

fn no_colours_where_none_are_wanted() {
    let has_colours = |written: &str| {
        let sequences = written.split("\u{1b}[").skip(1);
        let ends = |sequence: &str| sequence.find(|c: char| c.is_ascii_alphabetic());
        sequences
            .filter_map(|sequence| Some(&sequence[..=ends(sequence)?]))
            .any(|s| s.ends_with('m'))
    };
    for (fixture, colours) in [
        (Fixture::new("slow").env("NO_COLOR", ""), true),
        (Fixture::new("slow").env("NO_COLOR", "1"), false),
        (Fixture::new("slow").args(&["--color", "never"]), false),
    ] {
        let terminal = Terminal::new();
        let running = terminal.start(fixture);
        terminal.wait_for("of 10 min");
        running.signal("-INT");
        terminal.after(&running.wait());
        assert_eq!(has_colours(&terminal.written()), colours, "{}", terminal.written());
    }
}

fn plain_lines_where_nobody_looks_on() {
    for (name, value) in [("TERM", "dumb"), ("CI", "true")] {
        let terminal = Terminal::new();
        let fixture = Fixture::new("passing").env("NO_COLOR", "1");
        let ran = terminal.start_with(fixture, &[(name, value)]).wait();
        terminal.after(&ran);
        let written = terminal.written();
        assert!(!written.contains('\u{1b}'), "{name}={value}: {written:?}");
        assert!(written.contains("test deploy::install   ... ok\r\n"), "{written}");
    }
    let terminal = Terminal::new();
    let ran = terminal.start(Fixture::new("passing").args(&["-q"]).env("NO_COLOR", "1")).wait();
    terminal.after(&ran);
    assert!(terminal.written().contains("\r\n...\r\n"), "{}", terminal.written());
}

fn a_terminal_that_was_stopped_keeps_nobody_from_leaving() {
    let terminal = Terminal::new();
    let running = terminal.start_unread(Fixture::new("chatty").args(&["--nocapture"]), &[]);
    running.wait_for("events.jsonl", "scenario_started");
    // It takes no more than a few kilobytes.
    let mut last = 0;
    wait_until("a full terminal", || {
        let waiting = rustix::io::ioctl_fionread(&terminal.near).unwrap();
        let is_full = waiting > 1000 && waiting == last;
        last = waiting;
        is_full
    });
    running.signal("-INT");
    // One that comes before the last was handled is one with it.
    wait_until("its end", || {
        thread::sleep(std::time::Duration::from_millis(300));
        running.signal("-INT");
        !running.is_alive()
    });
    assert_eq!(running.wait().exit_code(), Some(130));
}
