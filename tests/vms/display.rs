use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use lago_system_tests::rfb::{NO_SECURITY, Viewer};
use lago_test::lago::{Prefix, Vm};
use lago_test::{Failure, TestResult, ensure};

use crate::{Client, Server};

pub(crate) fn a_display_wants_its_password(prefix: Prefix, server: Server) -> TestResult {
    let file = prefix.paths().vnc_password("server");
    ensure!(fs::metadata(file)?.permissions().mode() & 0o7777 == 0o600);
    let password = server.vnc_password()?.unwrap_or_default();
    ensure!(password.len() == 8, "it has {} letters", password.len());
    let display = server.forward_vnc(0)?;
    ensure!(
        server.vnc_port()? == Some(display.target().port()) && display.target().ip().is_loopback()
    );

    let size = Viewer::connect(display.address())?.enter(&password)?;
    ensure!(size.is_some_and(|(width, height)| width >= 640 && height >= 400), "{size:?}");
    let wrong = Viewer::connect(display.address())?.enter("wrong123")?;
    ensure!(wrong.is_none(), "another password lets in: {wrong:?}");
    let viewer = Viewer::connect(display.address())?;
    ensure!(!viewer.security.contains(&NO_SECURITY), "{:?}", viewer.security);
    let entered = viewer.enter_without_password();
    ensure!(!matches!(entered, Ok(true)), "no password lets in");
    Ok(())
}

pub(crate) fn a_display_is_there_after_a_revert_and_in_a_fork(
    prefix: Prefix,
    server: Server,
) -> TestResult {
    let password = server.vnc_password()?.unwrap_or_default();
    let display = server.forward_vnc(0)?;
    prefix.snapshot("shown")?;
    prefix.revert("shown")?;
    ensure!(Viewer::connect(display.address())?.enter(&password)?.is_some());
    let fork = prefix.fork("shown", prefix.paths().forks().join("display"))?;
    let seen = look(fork.vm("server")?, &password);
    fork.destroy()?;
    prefix.delete_snapshot("shown")?;
    ensure!(seen?, "the fork has another password");
    Ok(())
}

fn look(vm: &Vm, password: &str) -> Result<bool, Failure> {
    Ok(Viewer::connect(vm.forward_vnc(0)?.address())?.enter(password)?.is_some())
}

pub(crate) fn a_vm_without_a_display_says_so(client: Client) -> TestResult {
    ensure!(client.vnc_port()?.is_none() && client.vnc_password()?.is_none());
    let error = client.forward_vnc(0).expect_err("it has none").to_string();
    ensure!(error.contains("`graphics: vnc`"), "{error}");
    Ok(())
}
