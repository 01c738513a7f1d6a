//! The engine simulator in the engine's VM.

use std::env;
use std::path::{Path, PathBuf};

use lago_test::lago::cmd;
use lago_test::lago::utils::HostCommand;
use lago_test::{Failure, TestResult};
use ovirt_suite::testlib::in_parallel;
use ovirt_suite::virt::EngineVm;

/// A directory with the programs, instead of the one in which cargo builds them.
const DIRECTORY_VARIABLE: &str = "OVIRT_SIMULATOR_DIR";

/// The simulator, which sets itself up under the name `engine-setup`, and what it puts on its hosts.
const PROGRAMS: [&str; 2] = ["ovirt-engine-simulator", "vdsmd"];

/// Where they go in the VM.
const DIRECTORY: &str = "/usr/libexec/ovirt-engine";

/// By which other names the simulator is what an engine's machine has.
const TOOLS: [&str; 2] = ["engine-setup", "engine-iso-uploader"];

/// Copies the programs into the VM.
pub(crate) fn install(engine: &EngineVm) -> TestResult {
    let scratch = tempfile::tempdir()?;
    engine.run(cmd!("mkdir", "-p", DIRECTORY))?;
    in_parallel(PROGRAMS.map(|program| {
        let stripped = scratch.path().join(program);
        let copy = move || copy(engine, &built(program)?, &stripped);
        (program, copy)
    }))?;
    let program = format!("{DIRECTORY}/{}", PROGRAMS[0]);
    for tool in TOOLS {
        engine.run(cmd!("ln", "-sf", &program, format!("/usr/bin/{tool}")))?;
    }
    Ok(())
}

/// Without what only a debugger reads, which is most of it: ssh is slow in an emulated guest.
fn copy(engine: &EngineVm, program: &Path, stripped: &Path) -> TestResult {
    HostCommand::new("objcopy").arg("--strip-all").args([program, stripped]).run()?;
    let remote = Path::new(DIRECTORY).join(program.file_name().unwrap_or_default());
    engine.copy_to(stripped, &remote)?;
    engine.run(cmd!("chmod", "755", remote))?;
    Ok(())
}

/// A program that was built together with the tests, which lie in `<target>/<profile>/deps`.
fn built(program: &str) -> Result<PathBuf, Failure> {
    let directory = match env::var_os(DIRECTORY_VARIABLE) {
        Some(directory) => PathBuf::from(directory),
        None => env::current_exe()?.ancestors().nth(2).unwrap_or(Path::new(".")).to_owned(),
    };
    let path = directory.join(program);
    if path.is_file() {
        return Ok(path);
    }
    Err(Failure::infrastructure(format!(
        "there is no program {}; build it with: cargo build --package ovirt-engine-simulator",
        path.display()
    )))
}
