//! One test: a function, with what the harness must know about it.

use std::fmt;
use std::time::Duration;

use crate::console_watch::ConsoleRules;
use crate::context::{Context, Needs};
use crate::handler::ScenarioFn;
use crate::requirement::{Requirement, Verdict};
use crate::result::{Failure, TestResult};

/// One test of a stage.
///
/// Usually made by [`scenarios!`](crate::scenarios) from a function; [`Scenario::new`] names one that has no name of
/// its own, such as a closure.
pub struct Scenario {
    name: String,
    function: Box<dyn Fn(&Context) -> TestResult + Send + Sync>,
    needs: Needs,
    requirements: Vec<Box<dyn Requirement>>,
    timeout: Option<Duration>,
    continue_on_failure: bool,
    console: ConsoleRules,
    retries: Option<u32>,
    unstable: Option<String>,
    ignored: Option<String>,
}

impl Scenario {
    /// A scenario with a name of its own: letters, digits, `_` and `-`.
    pub fn new<F, S>(name: impl Into<String>, function: F) -> Self
    where
        F: ScenarioFn<S>,
    {
        Self {
            name: name.into(),
            function: Box::new(move |context| function.call(context)),
            needs: F::needs(),
            requirements: Vec::new(),
            timeout: None,
            continue_on_failure: false,
            console: ConsoleRules::default(),
            retries: None,
            unstable: None,
            ignored: None,
        }
    }

    /// Ends it when it has run for so long, as [`Outcome::TimedOut`](crate::Outcome::TimedOut). Otherwise its stage's
    /// limit holds, then its suite's, then [`limits::SCENARIO`](crate::limits::SCENARIO).
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Skips it when the requirement is not met. Several may be given; the first unmet one is the reason.
    pub fn requires(mut self, requirement: impl Requirement) -> Self {
        self.requirements.push(Box::new(requirement));
        self
    }

    /// Does not run it unless that is asked for: by `--ignored`, which runs only such scenarios and what they stand on, or
    /// by `--include-ignored`. Otherwise it is reported as skipped with this reason, and what comes after it runs as if
    /// it were not there.
    pub fn ignored(mut self, reason: impl Into<String>) -> Self {
        self.ignored = Some(reason.into());
        self
    }

    /// Does not block what follows when it fails.
    pub fn continue_on_failure(mut self) -> Self {
        self.continue_on_failure = true;
        self
    }

    /// Console lines that this regular expression finds are no failure while it runs:
    /// [`Suite::allow_console`](crate::Suite::allow_console).
    pub fn allow_console(mut self, expression: impl Into<String>) -> Self {
        self.console.allowed.push(expression.into());
        self
    }

    /// Runs it again when it fails, at most so many times, each time from the state that it found the first time. If it
    /// passes then, it is [flaky](crate::Outcome::Flaky), which every report shows. Otherwise what its stage says
    /// holds, then what its suite says, then 0.
    ///
    /// Where the environment is in no saved state, this costs a snapshot before the scenario.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }

    /// Says that it is known to fail now and then, or always, and why. In a run with `LAGO_TOLERATE_UNSTABLE=1` a failure
    /// of it is a [known failure](crate::Outcome::KnownFailure), with which the run can pass. Otherwise it is a failure
    /// like any other, with the reason in its message.
    ///
    /// Either way a failure leaves the environment as it should not be, and so blocks what stands on it, unless it is
    /// [`continue_on_failure`](Self::continue_on_failure) too.
    pub fn unstable(mut self, reason: impl Into<String>) -> Self {
        self.unstable = Some(reason.into());
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn console(&self) -> &ConsoleRules {
        &self.console
    }

    pub(crate) fn needs(&self) -> &Needs {
        &self.needs
    }

    pub(crate) fn limit(&self) -> Option<Duration> {
        self.timeout
    }

    /// Why it does not run unless that is asked for.
    pub(crate) fn ignore_reason(&self) -> Option<&str> {
        self.ignored.as_deref()
    }

    pub(crate) fn blocks_others(&self) -> bool {
        !self.continue_on_failure
    }

    pub(crate) fn chosen_retries(&self) -> Option<u32> {
        self.retries
    }

    /// Why it is known to fail, if it is.
    pub(crate) fn unstable_reason(&self) -> Option<&str> {
        self.unstable.as_deref()
    }

    /// Checks the requirements, makes the parameters and runs the function. Called in the worker only.
    pub(crate) fn run(&self, context: &Context) -> TestResult {
        for requirement in &self.requirements {
            if let Verdict::Unmet(reason) = requirement.check(context)? {
                return Err(Failure::skipped(reason));
            }
        }
        (self.function)(context)
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What [`scenarios!`](crate::scenarios) takes: a function, or a [`Scenario`]. `Signature` only keeps the
/// implementations apart.
pub trait IntoScenario<Signature>: Sized {
    /// The scenario.
    fn into_scenario(self) -> Scenario;

    /// [`Scenario::timeout`].
    fn timeout(self, limit: Duration) -> Scenario {
        self.into_scenario().timeout(limit)
    }

    /// [`Scenario::ignored`].
    fn ignored(self, reason: impl Into<String>) -> Scenario {
        self.into_scenario().ignored(reason)
    }

    /// [`Scenario::requires`].
    fn requires(self, requirement: impl Requirement) -> Scenario {
        self.into_scenario().requires(requirement)
    }

    /// [`Scenario::allow_console`].
    fn allow_console(self, expression: impl Into<String>) -> Scenario {
        self.into_scenario().allow_console(expression)
    }

    /// [`Scenario::retries`].
    fn retries(self, retries: u32) -> Scenario {
        self.into_scenario().retries(retries)
    }

    /// [`Scenario::unstable`].
    fn unstable(self, reason: impl Into<String>) -> Scenario {
        self.into_scenario().unstable(reason)
    }
}

/// The `Signature` of a [`Scenario`] as [`IntoScenario`].
#[derive(Debug)]
pub struct Ready;

impl IntoScenario<Ready> for Scenario {
    fn into_scenario(self) -> Scenario {
        self
    }
}

impl<F, S> IntoScenario<(S,)> for F
where
    F: ScenarioFn<S>,
{
    fn into_scenario(self) -> Scenario {
        Scenario::new(function_name::<F>(), self)
    }
}

/// The last segment of a function's path.
fn function_name<F>() -> &'static str {
    let path = std::any::type_name::<F>();
    let without_parameters = path.split('<').next().unwrap_or(path);
    without_parameters.rsplit("::").next().unwrap_or(without_parameters)
}

/// A scenario whose failure does not block those that follow it.
pub fn continue_on_failure<S>(scenario: impl IntoScenario<S>) -> Scenario {
    scenario.into_scenario().continue_on_failure()
}

/// A stage's ordered list of scenarios, from functions and [`Scenario`]s.
///
/// ```
/// use lago_test::{continue_on_failure, minutes, scenarios, IntoScenario as _, Scenario};
///
/// fn install_server() {}
/// fn fetch_page() {}
/// fn fetch_large_file() {}
///
/// let list: Vec<Scenario> = scenarios![
///     install_server,
///     fetch_page.timeout(minutes(2)),
///     continue_on_failure(fetch_large_file),
///     Scenario::new("by_hand", || {}),
/// ];
/// ```
#[macro_export]
macro_rules! scenarios {
    ($($scenario:expr),* $(,)?) => {
        ::std::vec![$($crate::IntoScenario::into_scenario($scenario)),*]
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::FromContext;

    struct Server;

    impl FromContext for Server {
        fn requires(needs: &mut Needs) {
            needs.vm("server");
        }

        fn from_context(_: &Context) -> Result<Self, Failure> {
            Ok(Self)
        }
    }

    struct Broken;

    impl FromContext for Broken {
        fn from_context(_: &Context) -> Result<Self, Failure> {
            Err(Failure::infrastructure("no such thing"))
        }
    }

    fn plain() {}
    fn with_parameters(_: Server, _: Server) {}
    fn with_other_error(_: Broken) -> Result<(), std::fmt::Error> {
        Err(std::fmt::Error)
    }
    fn generic<T: 'static>() {}

    fn context() -> Context {
        Context { suite: "s".into(), stage: "g".into(), scenario: "x".into(), prefix: None }
    }

    #[test]
    fn names_come_from_functions() {
        let list = scenarios![
            plain,
            with_parameters,
            continue_on_failure(generic::<Vec<std::string::String>>).timeout(Duration::ZERO),
        ];
        let names: Vec<_> = list.iter().map(Scenario::name).collect();
        assert_eq!(names, ["plain", "with_parameters", "generic"]);
        assert!(!list[2].blocks_others());
        assert_eq!(list[2].limit(), Some(Duration::ZERO));
    }

    #[test]
    fn parameters_say_what_they_need() {
        let scenario = with_parameters.into_scenario();
        assert_eq!(scenario.needs().vms().collect::<Vec<_>>(), ["server"]);
        scenario.run(&context()).unwrap();
        assert_eq!(*plain.into_scenario().needs(), Needs::default());
    }

    #[test]
    fn a_parameter_that_cannot_be_made_ends_the_scenario() {
        let failure = with_other_error.into_scenario().run(&context()).unwrap_err();
        assert_eq!(failure.message(), "no such thing");
    }

    #[test]
    fn the_first_unmet_requirement_is_the_reason() {
        let scenario = plain
            .requires(|_: &Context| Ok(Verdict::Met))
            .requires(|_: &Context| Ok(Verdict::Unmet("no hosts".into())))
            .requires(|_: &Context| Ok(Verdict::Unmet("no engine".into())));
        assert_eq!(scenario.run(&context()).unwrap_err().message(), "no hosts");
    }
}
