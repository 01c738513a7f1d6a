use std::fs;
use std::time::Duration;

use lago_test::lago::guest::Cmd;
use lago_test::lago::virt::VmState;
use lago_test::lago::{Vm, cmd};
use lago_test::{
    Failure, TestResult, assert_true_within, assert_true_within_short, ensure, seconds,
};

use crate::{Client, Server};

/// Down and up again, while other guests keep the machine busy.
const REBOOT_LIMIT: Duration = Duration::from_secs(90);

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

fn boot_id(vm: &Vm) -> Result<String, Failure> {
    Ok(vm.run(cmd!("cat", BOOT_ID))?.stdout().into_owned())
}

pub(crate) fn a_paused_vm_does_nothing_until_it_is_resumed(
    client: Client,
    server: Server,
) -> TestResult {
    let before = boot_id(&client)?;
    client.pause()?;
    client.pause()?;
    ensure!(client.state()? == VmState::Paused && client.alive()?);
    let ping = cmd!("ping", "-c", "1", "-W", "1", "client");
    ensure!(!server.output(&ping)?.success());
    let error = client.run(cmd!("true")).expect_err("it stands still").to_string();
    ensure!(error.contains("paused"), "{error}");
    client.resume()?;
    client.resume()?;
    assert_true_within(seconds(20), || Ok(server.output(&ping)?.success()))?;
    ensure!(boot_id(&client)? == before);
    Ok(())
}

/// The code by which vda starts goes, so that the client comes back only if it starts from its first disk, on SATA.
pub(crate) fn a_guest_is_told_to_start_anew_by_its_agent(client: Client) -> TestResult {
    let before = boot_id(&client)?;
    client.run(Cmd::sh(
        "echo kept >/root/kept; dd if=/dev/zero of=/dev/vda bs=440 count=1 conv=notrunc && sync",
    ))?;
    client.reboot(REBOOT_LIMIT)?;
    ensure!(boot_id(&client)? != before);
    ensure!(client.run(cmd!("cat", "/root/kept"))?.stdout() == "kept\n");
    Ok(())
}

pub(crate) fn a_guest_without_an_agent_is_told_by_the_power_button(client: Client) -> TestResult {
    let before = boot_id(&client)?;
    client.guest_agent()?.stop()?;
    ensure!(client.agent().ping().is_err());
    client.reboot(REBOOT_LIMIT)?;
    ensure!(boot_id(&client)? != before);
    Ok(())
}

pub(crate) fn an_nmi_reaches_the_kernel(server: Server) -> TestResult {
    server.run(cmd!("dmesg", "-n", "8"))?;
    server.inject_nmi()?;
    assert_true_within_short(|| {
        Ok(fs::read_to_string(server.console_log())?.contains("NMI received"))
    })
}

pub(crate) fn a_crash_loses_what_was_not_written(client: Client) -> TestResult {
    client.run(Cmd::sh("echo written >/root/written && sync; echo lost >/root/lost"))?;
    client.crash()?;
    ensure!(client.state()? == VmState::Down);
    let error = client.crash().expect_err("there is no power to cut").to_string();
    ensure!(error.contains("client is not running"), "{error}");
    client.start()?;
    client.wait_for_ssh(REBOOT_LIMIT)?;
    let files = client.output(&cmd!("cat", "/root/written", "/root/lost"))?;
    ensure!(files.stdout() == "written\n", "{}", files.stdout());
    Ok(())
}

pub(crate) fn a_guest_shuts_down(client: Client) -> TestResult {
    client.shutdown(seconds(30))?;
    ensure!(client.state()? == VmState::Down);
    assert_true_within(seconds(30), || {
        Ok(fs::read_to_string(client.console_log())?.contains("mini: poweroff"))
    })?;
    client.shutdown(seconds(30))?;
    let error = client.reboot(seconds(1)).expect_err("it is down").to_string();
    ensure!(error.contains("`lago start client`"), "{error}");
    Ok(())
}

pub(crate) fn a_guest_that_does_not_listen_stays_up(server: Server) -> TestResult {
    server.run(Cmd::sh("service acpid stop; service qemu-guest-agent stop"))?;
    let error = server.shutdown(seconds(2)).expect_err("nobody listens").to_string();
    for part in ["VM server to power off", "power button", "running", "`lago stop server`"] {
        ensure!(error.contains(part), "{part:?} is not in: {error}");
    }
    server.run(cmd!("true"))?;
    Ok(())
}
