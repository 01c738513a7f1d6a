//! How a plain function becomes a scenario: its parameters are made from the [`Context`].

use crate::context::{Context, FromContext, Needs};
use crate::result::{IntoTestResult, TestResult};

/// A function that can be a scenario: up to eight parameters that are [`FromContext`], and a result that is
/// [`IntoTestResult`]. `Signature` only keeps the implementations apart.
pub trait ScenarioFn<Signature>: Send + Sync + 'static {
    /// What the parameters need.
    fn needs() -> Needs;

    /// Makes the parameters and calls the function.
    fn call(&self, context: &Context) -> TestResult;
}

macro_rules! scenario_fn {
    ($($parameter:ident)*) => {
        impl<F, R, $($parameter),*> ScenarioFn<fn($($parameter),*) -> R> for F
        where
            F: Fn($($parameter),*) -> R + Send + Sync + 'static,
            R: IntoTestResult,
            $($parameter: FromContext),*
        {
            fn needs() -> Needs {
                #[allow(unused_mut, reason = "a function without parameters needs nothing")]
                let mut needs = Needs::default();
                $($parameter::requires(&mut needs);)*
                needs
            }

            fn call(&self, #[allow(unused, reason = "as above")] context: &Context) -> TestResult {
                self($($parameter::from_context(context)?),*).into_test_result()
            }
        }
    };
}

scenario_fn!();
scenario_fn!(A);
scenario_fn!(A B);
scenario_fn!(A B C);
scenario_fn!(A B C D);
scenario_fn!(A B C D E);
scenario_fn!(A B C D E G);
scenario_fn!(A B C D E G H);
scenario_fn!(A B C D E G H I);
