//! What goes on beside the scenarios as long as an environment is up.

use std::fmt;
use std::sync::Arc;

use lago::Prefix;

use crate::result::Failure;

/// What a suite has started beside its scenarios. It ends when this is dropped.
pub(crate) type Running = Box<dyn Send>;

type Start = dyn Fn(&Prefix) -> Result<Running, Failure> + Send + Sync;

/// How it is started.
#[derive(Clone)]
pub(crate) struct Beside(Arc<Start>);

impl Beside {
    pub(crate) fn new<T: Send + 'static>(
        start: impl Fn(&Prefix) -> Result<T, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |prefix| start(prefix).map(|running| Box::new(running) as Running)))
    }

    pub(crate) fn start(&self, prefix: &Prefix) -> Result<Running, Failure> {
        (self.0)(prefix).map_err(|failure| {
            failure.without_location().context("what goes on beside the scenarios did not start")
        })
    }
}

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Beside")
    }
}
