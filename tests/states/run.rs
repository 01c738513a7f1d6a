use std::env;
use std::process::{Command, Stdio};

use lago_system_tests::{Place, Ran, Traces, run, store};
use lago_test::events::{self, Event, What};

use crate::suite::WORKDIR;
use lago_system_tests::fixture_suite::FIXTURE;

/// A suite in a place of its own, which can be run several times.
pub(crate) struct Fixture {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    traces: Traces,
}

impl Fixture {
    pub(crate) fn new(name: &'static str, place: &str) -> Self {
        let place = Place::new(place);
        let traces = Traces::before(&place.join("default"));
        Self { name, place, traces }
    }

    /// The suite with these arguments, each `NAME=VALUE` among them a variable.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let program = env::current_exe().expect("the program's path is known");
        self.configured(Command::new(program), arguments)
    }

    /// The same for another command that runs the suite.
    pub(crate) fn configured(&self, mut command: Command, arguments: &[&str]) -> Command {
        command
            .env(FIXTURE, self.name)
            .env(WORKDIR, self.place.path())
            .env("LAGO_STORE", store())
            .env("LAGO_CACHE", "on")
            .env("LAGO_CACHE_DIR", self.place.join("cache"))
            .env_remove("NEXTEST")
            .stdin(Stdio::null());
        for variable in [
            "LAGO_NEXTEST",
            "LAGO_KEEP",
            "LAGO_FROM",
            "LAGO_JOBS",
            "LAGO_REPEAT",
            "LAGO_JUNITXML_FILE",
            "LAGO_TOLERATE_UNSTABLE",
        ] {
            command.env_remove(variable);
        }
        for argument in arguments {
            match argument.split_once('=') {
                Some((variable, value)) => command.env(variable, value),
                None => command.arg(argument),
            };
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments))
    }

    /// Runs it and checks how the scenarios ended, each as `stage::scenario outcome`.
    #[track_caller]
    pub(crate) fn expect(&self, arguments: &[&str], code: i32, outcomes: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(code), "{ran:#?}");
        assert_eq!(self.outcomes(), outcomes, "{ran:#?}");
        ran
    }

    /// How the scenarios of the last run ended, in alphabetical order: those of forks end in any order.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        let ended = self.events().into_iter().filter_map(|event| match event.what {
            What::ScenarioFinished { stage, scenario, outcome, .. } => {
                Some(format!("{stage}::{scenario} {}", outcome.word()))
            }
            _ => None,
        });
        let mut ended: Vec<_> = ended.collect();
        ended.sort_unstable();
        ended
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        events::read(&self.place.join("default/events.jsonl")).expect("there are events")
    }

    /// The states that the last run put back, in order.
    pub(crate) fn restored(&self) -> Vec<String> {
        let restored = self.events().into_iter().filter_map(|event| match event.what {
            What::StateRestored { state, .. } => Some(state),
            _ => None,
        });
        restored.collect()
    }

    /// Nothing runs; what is left are files of the prefix.
    #[track_caller]
    pub(crate) fn assert_down(&self) {
        let prefix = self.place.join("default");
        assert_eq!(self.traces.left(), [prefix.display().to_string()]);
        let forks = prefix.join("forks").read_dir().map_or(0, Iterator::count);
        assert_eq!(forks, 0, "forks are left");
    }

    /// As [`Self::assert_down`], and nothing can be started from any more.
    #[track_caller]
    pub(crate) fn assert_removed(&self) {
        self.assert_down();
        assert!(!self.place.join("default/images").exists());
        assert!(!self.place.join("default/snapshots").exists());
    }

    /// Whether something of the prefix runs.
    pub(crate) fn runs(&self) -> bool {
        self.traces.left().iter().any(|trace| trace.contains("qemu-system"))
    }
}
