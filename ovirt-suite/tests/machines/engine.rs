use std::path::Path;

use lago_test::lago::{Cmd, cmd};
use lago_test::{Failure, TestResult, ensure, fail};
use ovirt_suite::constants::ENGINE_SERVICE;
use ovirt_suite::virt::EngineVm;
use ovirt_suite::{Error, OvirtPrefix};

fn engine(prefix: &OvirtPrefix) -> Result<EngineVm, Failure> {
    Ok(prefix.virt_env().engine_vm()?.clone())
}

pub(crate) fn a_missing_service_is_named(prefix: OvirtPrefix) -> TestResult {
    let error = engine(&prefix)?.get_api_now().expect_err("there is no engine");
    let Error::EngineService { state, .. } = &error else { fail!("{error}") };
    ensure!(state == "it is missing", "{error}");
    Ok(())
}

pub(crate) fn a_snapshot_that_cannot_be_is_refused_before_anything_rests(
    prefix: OvirtPrefix,
) -> TestResult {
    let error = prefix.create_snapshots("../outside", true).expect_err("it is no name");
    ensure!(error.to_string().contains("cannot be the name of a snapshot"), "{error}");
    let error = prefix.revert_snapshots("../outside").expect_err("there is none");
    ensure!(error.to_string().contains("there is no snapshot"), "{error}");
    let written = [prefix.ovirt_paths().at_rest(), prefix.ovirt_paths().at_rest_in("../outside")];
    ensure!(written.iter().all(|path| !path.exists()), "something was written down");
    Ok(())
}

pub(crate) fn a_script_makes_the_engine(prefix: OvirtPrefix) -> TestResult {
    let engine = engine(&prefix)?;
    prefix.deploy()?;
    ensure!(engine.service(ENGINE_SERVICE)?.exists()?, "the script was not run");
    Ok(())
}

pub(crate) fn a_service_that_does_not_run_is_named(prefix: OvirtPrefix) -> TestResult {
    let error = engine(&prefix)?.get_api_now().expect_err("the engine does not run");
    let Error::EngineService { state, .. } = &error else { fail!("{error}") };
    ensure!(state == "it is inactive", "{error}");
    Ok(())
}

pub(crate) fn answers_are_a_secret_and_setup_must_succeed(prefix: OvirtPrefix) -> TestResult {
    let engine = engine(&prefix)?;
    let directory = Path::new("tests/machines");
    engine.engine_setup(Some(&directory.join("answers.conf")))?;
    let read = |name: &str| Ok::<_, Failure>(engine.run(cmd!("cat", name))?.stdout().into_owned());
    ensure!(read("/root/setup.answers")?.contains("adminPassword=str:123456"));
    ensure!(
        read("/root/setup.permissions")?.starts_with("-rw------- "),
        "others can read the password"
    );
    let arguments = read("/root/setup.arguments")?;
    let Some((options, used)) = arguments.trim().rsplit_once(' ') else { fail!("{arguments}") };
    ensure!(options == "--accept-defaults --offline", "{options}");
    ensure!(
        !engine.output(&cmd!("test", "-e", used))?.success(),
        "the answers are still in {used}"
    );

    let error = engine.engine_setup(Some(&directory.join("broken.conf"))).expect_err("it says so");
    let text = error.to_string();
    ensure!(text.contains("engine-setup on VM engine ended with exit code 3"), "{text}");
    ensure!(text.contains("the database does not start"), "{text}");
    let missing = engine.engine_setup(Some(Path::new("nowhere.conf"))).expect_err("there is none");
    ensure!(matches!(missing, Error::File { .. }), "{missing}");
    Ok(())
}

pub(crate) fn an_engine_without_an_authority_is_named(prefix: OvirtPrefix) -> TestResult {
    let engine = engine(&prefix)?;
    engine.service(ENGINE_SERVICE)?.start()?;
    let error = engine.get_api_now().expect_err("it has no authority");
    let Error::NoAuthority { reason, .. } = &error else { fail!("{error}") };
    ensure!(reason.contains("/etc/pki/ovirt-engine/ca.pem"), "{error}");
    Ok(())
}

pub(crate) fn an_api_that_does_not_answer_is_named(prefix: OvirtPrefix) -> TestResult {
    let engine = engine(&prefix)?;
    let directory = tempfile::tempdir()?;
    let args =
        ["req", "-x509", "-days", "2", "-subj", "/CN=an authority", "-nodes", "-newkey", "ec"];
    let more = ["-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", "key", "-out", "ca.pem"];
    lago_test::lago::utils::HostCommand::new("openssl")
        .args(args)
        .args(more)
        .current_dir(directory.path())
        .run()?;
    engine.run(Cmd::sh("mkdir -p /etc/pki/ovirt-engine"))?;
    engine.copy_to(directory.path().join("ca.pem"), "/etc/pki/ovirt-engine/ca.pem")?;
    engine.service(ENGINE_SERVICE)?.start()?;
    let error = engine.get_api_now().expect_err("nothing listens");
    ensure!(matches!(error, Error::EngineApi { .. }), "{error}");
    ensure!(error.to_string().contains("the API does not answer"), "{error}");
    Ok(())
}
