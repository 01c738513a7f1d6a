//! What is collected right after a scenario has failed: lago's evidence of the environment, with what the scenario printed
//! and what the consoles said while it ran.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lago::collect::{CollectOptions, Collected, ExtraFile, NotCollected};

use crate::console_watch::ConsolePosition;
use crate::environment::Environment;
use crate::result::Failure;

/// A failure of which evidence is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Incident {
    /// What had happened: `stage::scenario had failed`.
    pub(crate) what: String,
    /// How it ended, in words.
    pub(crate) outcome: String,
    /// The scenario's log; one that has not run has none.
    pub(crate) output: Option<PathBuf>,
    /// Where its part of each console begins.
    pub(crate) consoles: Vec<ConsolePosition>,
    /// How long ago its stage began.
    pub(crate) stage_began: Option<Duration>,
}

/// What came of collecting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// The files, from the prefix; the first is a list of all, for people.
    pub(crate) files: Vec<PathBuf>,
    /// What could not be had, and why.
    pub(crate) problems: Vec<String>,
}

impl Incident {
    /// Collects all of it into a new directory. This takes seconds, and at most lago's limit.
    pub(crate) fn collect(
        self,
        environment: &Environment,
        directory: &Path,
    ) -> Result<Collected, Failure> {
        environment.collect(directory, &self.options())
    }

    fn options(self) -> CollectOptions {
        let title = format!(
            "The environment right after {}:
{}
",
            self.what, self.outcome
        );
        let mut options = CollectOptions::new(title);
        options.since = self.stage_began;
        options.extra = extra_files(self.output, self.consoles);
        options
    }
}

fn extra_files(output: Option<PathBuf>, consoles: Vec<ConsolePosition>) -> Vec<ExtraFile> {
    let mut files = Vec::new();
    if let Some(output) = output.filter(|output| output.exists()) {
        let what = "what the scenario printed".to_owned();
        files.push(ExtraFile { source: output, offset: 0, path: "output.log".into(), what });
    }
    let of_consoles = consoles.into_iter().map(|ConsolePosition { vm, log, offset }| ExtraFile {
        source: log,
        offset,
        path: Path::new(&vm).join("console.scenario.log"),
        what: "what it wrote to its serial console while the scenario ran".to_owned(),
    });
    files.extend(of_consoles);
    files
}

impl Evidence {
    /// What was collected into this directory, which is named from the prefix.
    pub(crate) fn of(collected: Collected, directory: &Path) -> Self {
        let problem = |NotCollected { path, what, reason }: NotCollected| {
            format!("{} ({what}): {reason}", path.display())
        };
        let files = collected.files.into_iter();
        Self {
            files: files.map(|file| directory.join(file.path)).collect(),
            problems: collected.missing.into_iter().map(problem).collect(),
        }
    }

    /// That nothing was collected, and why.
    pub(crate) fn none(reason: &Failure) -> Self {
        Self { files: Vec::new(), problems: vec![reason.to_string()] }
    }
}
