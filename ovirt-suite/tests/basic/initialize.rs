//! The machines become what they are, and the engine is set up.

use std::path::Path;

use lago_test::{TestResult, ensure};
use ovirt_suite::OvirtPrefix;
use ovirt_suite::constants::ENGINE_SERVICE;
use ovirt_suite::testlib::{WhichEngine, in_parallel};

use crate::simulator;

/// From the package, where cargo starts its tests.
pub(crate) const ANSWERS: &str = "tests/basic/engine-answer-file.conf";

/// The storage becomes storage, and the engine's machine gets what the engine is set up from.
pub(crate) fn deploy(prefix: OvirtPrefix) -> TestResult {
    let scripts = || Ok(prefix.deploy()?);
    if !WhichEngine::from_env()?.is_simulated() {
        return scripts();
    }
    let simulator = || simulator::install(prefix.virt_env().engine_vm()?);
    let steps: [(&str, &(dyn Fn() -> TestResult + Sync)); 2] =
        [("the scripts", &scripts), ("the simulator", &simulator)];
    in_parallel(steps)
}

pub(crate) fn initialize_engine(prefix: OvirtPrefix) -> TestResult {
    let engine = prefix.virt_env().engine_vm()?;
    engine.engine_setup(Some(Path::new(ANSWERS)))?;
    ensure!(engine.service(ENGINE_SERVICE)?.alive()?, "{ENGINE_SERVICE} does not run");
    let api = engine.get_api()?.api()?;
    let product = api.product_info.unwrap_or_default();
    let version = product.version.unwrap_or_default();
    ensure!(version.major == Some(4), "this is no engine of version 4: {version:?}");
    Ok(())
}
