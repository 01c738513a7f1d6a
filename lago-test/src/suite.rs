//! A whole test program: its stages, and what they need.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use lago::Prefix;

use crate::beside::Beside;
use crate::console_watch::ConsoleRules;
use crate::environment::EnvironmentSpec;
use crate::result::Failure;
use crate::scenario::Scenario;
use crate::stage::{Base, Stage};
use crate::{as_lago, coordinator, limits, worker};

/// The shape of a test program, written once, in `main`, in the order in which it runs.
///
/// ```no_run
/// use lago_test::{ensure, scenarios, Stage, Suite, TestResult};
///
/// fn main() -> std::process::ExitCode {
///     Suite::new("arithmetic")
///         .stage(Stage::new("simple").scenarios(scenarios![addition]))
///         .main()
/// }
///
/// fn addition() -> TestResult {
///     ensure!(1 + 1 == 2);
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Suite {
    name: String,
    stages: Vec<Stage>,
    workdir: Option<PathBuf>,
    timeout: Duration,
    retries: u32,
    launcher: Vec<String>,
    init_file: Option<PathBuf>,
    template_repositories: Vec<PathBuf>,
    bring_up_timeout: Duration,
    cached: bool,
    console: ConsoleRules,
    beside: Vec<Beside>,
}

impl Suite {
    /// A suite without stages. The name has letters, digits, `_` and `-`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            stages: Vec::new(),
            workdir: None,
            timeout: limits::SCENARIO,
            retries: 0,
            launcher: Vec::new(),
            init_file: None,
            template_repositories: Vec::new(),
            bring_up_timeout: limits::BRING_UP,
            cached: true,
            console: ConsoleRules::default(),
            beside: Vec::new(),
        }
    }

    /// The environment that the scenarios run against, described by an init file. A relative path starts from the
    /// package of the test. Without an init file there are no VMs.
    pub fn init_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.init_file = Some(path.into());
        self
    }

    /// Adds the manifest of a template repository, in front of those of the user's settings. A relative path starts
    /// from the package of the test.
    pub fn template_repository(mut self, manifest: impl Into<PathBuf>) -> Self {
        self.template_repositories.push(manifest.into());
        self
    }

    /// The limit of making the environment and bringing it up, instead of [`limits::BRING_UP`].
    pub fn bring_up_timeout(mut self, limit: Duration) -> Self {
        self.bring_up_timeout = limit;
        self
    }

    /// Whether the environment may start from the cache of environments that were started before, instead of booting. It
    /// may, unless this says `false`, or the user has switched the cache off (`LAGO_CACHE=off`, `lago cache off`).
    pub fn cached(mut self, cached: bool) -> Self {
        self.cached = cached;
        self
    }

    /// Something that goes on beside the scenarios as long as an environment is up: a server for its guests, a recorder of what
    /// they send. `start` is called once for the prefix and once for each fork, before the first scenario that runs in it; what
    /// it returns is dropped after the last one. Both happen in the coordinator, so it outlives workers, and what goes back
    /// into a saved state are the guests alone.
    ///
    /// ```no_run
    /// use lago_test::{Failure, Suite, lago::Prefix};
    ///
    /// /// Guests may connect to it, and nobody answers.
    /// fn silence(prefix: &Prefix) -> Result<std::net::TcpListener, Failure> {
    ///     let network = prefix.networks().next().ok_or_else(|| Failure::new("there is no network"))?;
    ///     Ok(prefix.host().listen((network.gateway(), 8080).into())?)
    /// }
    ///
    /// Suite::new("web").init_file("LagoInitFile.yaml").beside(silence)
    /// # ;
    /// ```
    ///
    /// When it cannot be started, nothing runs. Neither starting nor dropping it has a limit, so it has to keep one of its own.
    pub fn beside<T: Send + 'static>(
        mut self,
        start: impl Fn(&Prefix) -> Result<T, Failure> + Send + Sync + 'static,
    ) -> Self {
        self.beside.push(Beside::new(start));
        self
    }

    /// Watches the VMs' serial consoles for one more kind of line: a scenario during which a console has a line that the
    /// regular expression finds fails at once, with `name` and the line. Without this, kernel panics and oopses, hung
    /// tasks, out-of-memory kills, and errors of file systems and disks do that.
    ///
    /// ```
    /// # use lago_test::Suite;
    /// Suite::new("web").console_pattern("a kernel warning", r"\bWARNING: CPU: \d+ PID: \d+")
    /// # ;
    /// ```
    ///
    /// The syntax is that of the crate `regex`. Lines are looked at without colours and control characters.
    pub fn console_pattern(
        mut self,
        name: impl Into<String>,
        expression: impl Into<String>,
    ) -> Self {
        self.console.patterns.push((name.into(), expression.into()));
        self
    }

    /// Console lines that this regular expression finds are no failure. [`Stage::allow_console`] and
    /// [`Scenario::allow_console`] do so for a part of the suite, such as a scenario that makes a kernel panic.
    pub fn allow_console(mut self, expression: impl Into<String>) -> Self {
        self.console.allowed.push(expression.into());
        self
    }

    /// Appends a stage.
    pub fn stage(mut self, stage: Stage) -> Self {
        self.stages.push(stage);
        self
    }

    /// Where the suite's prefix and reports are, instead of `target/lago/<suite>`.
    pub fn workdir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.workdir = Some(directory.into());
        self
    }

    /// The limit of each scenario that has none of its own and whose stage has none, instead of
    /// [`limits::SCENARIO`].
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// What [`Scenario::retries`] says of each scenario that does not say it itself and whose stage does not.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Starts workers through a command: its words, before the worker's own. It must pass its standard input and
    /// its environment on, as `nice`, `taskset` or `strace -f -o FILE` do. The variable `LAGO_TEST_LAUNCHER` overrides
    /// it.
    pub fn launcher(mut self, words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.launcher = words.into_iter().map(Into::into).collect();
        self
    }

    /// Runs the suite as the command line says, and writes its reports. The counterpart of libtest's own `main`: return
    /// what it returns from yours.
    ///
    /// It is called in the coordinator and again in every worker, so what stands before it in `main` happens in all
    /// of them.
    ///
    /// Exit codes: 0 when nothing failed, 101 when a scenario failed, 2 when the command line or the suite itself is
    /// wrong, 3 when the environment failed, 128 and the signal's number when interrupted.
    pub fn main(self) -> ExitCode {
        if as_lago::is_wanted() {
            as_lago::main()
        } else if worker::is_wanted() {
            worker::main(&self)
        } else {
            coordinator::main(self)
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn console(&self) -> &ConsoleRules {
        &self.console
    }

    pub(crate) fn what_goes_on_beside(&self) -> &[Beside] {
        &self.beside
    }

    pub(crate) fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Takes those scenarios out of which this says `false`; it is given the number and the name of their stage. Stages
    /// stay, without scenarios if need be.
    pub(crate) fn retain_scenarios(
        &mut self,
        mut keep: impl FnMut(usize, &str, &Scenario) -> bool,
    ) {
        for (number, stage) in self.stages.iter_mut().enumerate() {
            stage.retain(|stage, scenario| keep(number, stage, scenario));
        }
    }

    /// The number of the stage on whose end a stage stands. One that is not declared before it is none.
    pub(crate) fn base(&self, stage: usize) -> Option<usize> {
        match self.stages[stage].base() {
            Base::Previous => stage.checked_sub(1),
            Base::Start => None,
            Base::Stage(name) => self.stages[..stage].iter().position(|other| other.name() == name),
        }
    }

    pub(crate) fn chosen_workdir(&self) -> Option<&Path> {
        self.workdir.as_deref()
    }

    /// What it says about its environment, if it has one.
    pub(crate) fn environment(&self) -> Option<EnvironmentSpec> {
        let init_file = self.init_file.clone()?;
        Some(EnvironmentSpec {
            init_file,
            repositories: self.template_repositories.clone(),
            cached: self.cached,
        })
    }

    pub(crate) fn bring_up_limit(&self) -> Duration {
        self.bring_up_timeout
    }

    pub(crate) fn launcher_words(&self) -> &[String] {
        &self.launcher
    }

    pub(crate) fn find(&self, stage: &str, scenario: &str) -> Option<&Scenario> {
        let stage = self.stages.iter().find(|candidate| candidate.name() == stage)?;
        stage.list().iter().find(|candidate| candidate.name() == scenario)
    }

    /// The limit that holds for a scenario of this suite.
    pub(crate) fn limit(&self, stage: &Stage, scenario: &Scenario) -> Duration {
        scenario.limit().or(stage.limit()).unwrap_or(self.timeout)
    }

    /// How often a scenario of this suite runs again when it fails.
    pub(crate) fn retries_of(&self, stage: &Stage, scenario: &Scenario) -> u32 {
        scenario.chosen_retries().or(stage.chosen_retries()).unwrap_or(self.retries)
    }
}
