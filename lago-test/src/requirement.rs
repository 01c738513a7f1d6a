//! Conditions under which a scenario runs at all; otherwise it is skipped, with the reason.

use crate::context::Context;
use crate::result::Failure;

/// A condition on the environment that the worker checks right before a scenario.
///
/// Any function from a [`Context`] is one:
///
/// ```
/// use lago_test::{Context, Failure, Scenario, Verdict};
///
/// fn lunar(_: &Context) -> Result<Verdict, Failure> {
///     Ok(Verdict::Unmet("the moon is not full".into()))
/// }
///
/// let scenario = Scenario::new("howl", || {}).requires(lunar);
/// ```
pub trait Requirement: Send + Sync + 'static {
    /// Whether the scenario can run here.
    fn check(&self, context: &Context) -> Result<Verdict, Failure>;
}

/// What a [`Requirement`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The scenario can run.
    Met,
    /// The scenario is skipped for this reason.
    Unmet(String),
}

impl<F> Requirement for F
where
    F: Fn(&Context) -> Result<Verdict, Failure> + Send + Sync + 'static,
{
    fn check(&self, context: &Context) -> Result<Verdict, Failure> {
        self(context)
    }
}
