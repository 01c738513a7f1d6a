//! Parameters of scenarios.

use std::ops::Deref;

use lago_test::{Context, Failure, FromContext, Needs};

use super::external::ExternalEngine;
use crate::OvirtPrefix;
use crate::api::Connection;
use crate::virt::EngineApi;

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
        let api = prefix.virt_env().engine_vm()?.get_api().map_err(|error| {
            // Nothing is known about what the scenario asserts.
            let failure = Failure::from(error);
            failure
                .causes()
                .iter()
                .rev()
                .fold(Failure::infrastructure(failure.message()), |outer, cause| {
                    outer.context(cause.clone())
                })
        })?;
        Ok(Self(Engine::Own(api)))
    }
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
