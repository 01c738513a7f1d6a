//! Parameters of scenarios.

use std::ops::Deref;

use lago_test::{Context, Failure, FromContext, Needs};

use super::external::ExternalEngine;
use crate::api::Connection;
use crate::virt::EngineApi;
use crate::{Error, OvirtPrefix};

/// The engine's API: of the engine that the environment names, or else of the prefix's, which is waited for.
#[derive(Debug, Clone)]
pub struct OvirtApi(Engine);

#[derive(Debug, Clone)]
enum Engine {
    Own(EngineApi),
    External(Connection),
}

impl Deref for OvirtApi {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match &self.0 {
            Engine::Own(api) => api,
            Engine::External(connection) => connection,
        }
    }
}

impl FromContext for OvirtApi {
    fn requires(needs: &mut Needs) {
        if ExternalEngine::from_env().is_none() {
            needs.environment();
        }
    }

    fn from_context(context: &Context) -> Result<Self, Failure> {
        if let Some(engine) = ExternalEngine::from_env() {
            return engine.connect().map(Engine::External).map(Self);
        }
        let prefix = OvirtPrefix::new(context.prefix()?.clone())?;
        let api = prefix.virt_env().engine_vm()?.get_api().map_err(unreachable)?;
        Ok(Self(Engine::Own(api)))
    }
}

/// Without the engine nothing is known about what the scenario asserts.
fn unreachable(error: Error) -> Failure {
    let failure = Failure::from(error);
    let texts =
        std::iter::once(failure.message()).chain(failure.causes().iter().map(String::as_str));
    let mut texts: Vec<&str> = texts.collect();
    let deepest = Failure::infrastructure(texts.pop().unwrap_or_default());
    texts.into_iter().rev().fold(deepest, Failure::context)
}

/// The whole environment as a parameter.
impl FromContext for OvirtPrefix {
    fn requires(needs: &mut Needs) {
        needs.environment();
    }

    fn from_context(context: &Context) -> Result<Self, Failure> {
        Ok(Self::new(context.prefix()?.clone())?)
    }
}

#[cfg(test)]
mod tests {
    use lago_test::FailureKind;

    use super::*;

    #[test]
    fn an_engine_that_is_not_there_is_no_failed_assertion() {
        let path = "answers".into();
        let source = std::io::Error::other("no such disk");
        let failure = unreachable(Error::File { path, source });
        assert_eq!(failure.kind(), FailureKind::Infrastructure);
        assert_eq!(failure.message(), "cannot read answers");
        assert_eq!(failure.causes(), ["no such disk"]);
    }
}
