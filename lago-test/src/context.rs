//! Where a scenario's parameters come from.

use std::collections::BTreeSet;

use lago::{Prefix, Vm};

use crate::result::Failure;

/// What the worker knows when it runs a scenario: the source of every parameter.
#[derive(Debug)]
pub struct Context {
    pub(crate) suite: String,
    pub(crate) stage: String,
    pub(crate) scenario: String,
    pub(crate) prefix: Option<Prefix>,
}

impl Context {
    /// The suite's name.
    pub fn suite(&self) -> &str {
        &self.suite
    }

    /// The name of the stage that the scenario belongs to.
    pub fn stage(&self) -> &str {
        &self.stage
    }

    /// The scenario's name.
    pub fn scenario(&self) -> &str {
        &self.scenario
    }

    /// The prefix that the scenario runs against.
    pub fn prefix(&self) -> Result<&Prefix, Failure> {
        self.prefix.as_ref().ok_or_else(|| {
            Failure::infrastructure("the suite has no init file, so there is no prefix")
        })
    }

    /// A VM of the prefix, by its name in the init file.
    pub fn vm(&self, name: &str) -> Result<Vm, Failure> {
        Ok(self.prefix()?.vm(name)?.clone())
    }
}

/// A type that a scenario can have as a parameter.
///
/// Implement it for what your suites need often: a client of the service under test, say.
///
/// ```
/// use lago_test::{Context, Failure, FromContext};
///
/// struct Greeting(String);
///
/// impl FromContext for Greeting {
///     fn from_context(context: &Context) -> Result<Self, Failure> {
///         Ok(Self(format!("hello from {}", context.scenario())))
///     }
/// }
/// ```
pub trait FromContext: Sized {
    /// Adds what the parameter needs of the environment. The harness asks before anything runs, so that a suite that
    /// names a VM which its init file does not have is refused at once.
    fn requires(needs: &mut Needs) {
        let _ = needs;
    }

    /// Makes the parameter, in the worker, right before the scenario runs.
    fn from_context(context: &Context) -> Result<Self, Failure>;
}

/// What a scenario needs of the environment, as its parameters say.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Needs {
    environment: bool,
    vms: BTreeSet<String>,
}

impl Needs {
    /// An environment, whatever VMs it has.
    pub fn environment(&mut self) {
        self.environment = true;
    }

    /// The VM of this name.
    pub fn vm(&mut self, name: impl Into<String>) {
        self.environment = true;
        self.vms.insert(name.into());
    }

    /// Whether there must be an environment.
    pub fn needs_environment(&self) -> bool {
        self.environment
    }

    /// The VMs that there must be, by name.
    pub fn vms(&self) -> impl Iterator<Item = &str> {
        self.vms.iter().map(String::as_str)
    }
}
