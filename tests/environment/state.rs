use lago_test::lago::guest::Cmd;
use lago_test::lago::virt::VmState;
use lago_test::lago::{Prefix, cmd};
use lago_test::{TestResult, assert_true_within, ensure, seconds};

use crate::{Client, Server};
use lago_system_tests::{lago, run};

pub(crate) fn everything_is_up(prefix: Prefix) -> TestResult {
    ensure!(prefix.is_running()?);
    for (vm, state) in prefix.states()? {
        ensure!(state == VmState::Running, "{} is {state}", vm.name());
    }
    for net in prefix.networks() {
        ensure!(net.alive()?, "{} is down", net.name());
    }
    Ok(())
}

/// The seed comes after the disks of the init file, so that their letters hold.
pub(crate) fn disks_are_those_of_the_init_file(server: Server) -> TestResult {
    let sectors = server.run(cmd!("cat", "/sys/block/vdb/size"))?;
    ensure!(sectors.stdout().trim() == (64 * 2048).to_string(), "{}", sectors.stdout());
    let disks = server.run(Cmd::sh("cd /sys/block && echo vd*"))?;
    ensure!(disks.stdout() == "vda vdb vdc\n", "{}", disks.stdout());
    Ok(())
}

pub(crate) fn another_process_finds_the_environment(prefix: Prefix) -> TestResult {
    let path = prefix.paths().prefix().as_os_str();
    let with = |args: &[&str]| {
        let mut command = lago(["--prefix-path".as_ref(), path]);
        run(command.args(args)).ok()
    };
    let status: serde_json::Value = serde_json::from_str(&with(&["-f", "json", "status"]))?;
    let server = &status["Prefix"]["VMs"]["server"];
    ensure!(server["status"] == "running", "{status:#}");
    ensure!(server["NICs"]["eth0"]["ip"] == prefix.vm("server")?.ip().to_string(), "{server:#}");
    ensure!(with(&["shell", "client", "-c", "hostname"]) == "client\n");
    Ok(())
}

pub(crate) fn an_unknown_vm_is_told_apart(prefix: Prefix) -> TestResult {
    let error = prefix.vm("router").expect_err("there is no such VM").to_string();
    ensure!(error.contains("router") && error.contains("server, client"), "{error}");
    Ok(())
}

pub(crate) fn the_console_is_recorded(server: Server) -> TestResult {
    server.run(Cmd::sh("echo written to the console >/dev/console"))?;
    assert_true_within(seconds(30), || {
        let log = std::fs::read_to_string(server.console_log())?;
        Ok(log.contains("Starting network") && log.contains("written to the console"))
    })
}

pub(crate) fn a_start_of_what_is_up_changes_nothing(prefix: Prefix) -> TestResult {
    let boot_id = || prefix.vm("client")?.run(cmd!("cat", "/proc/sys/kernel/random/boot_id"));
    let before = boot_id()?;
    prefix.start()?;
    ensure!(boot_id()?.stdout() == before.stdout());
    Ok(())
}

pub(crate) fn a_stopped_vm_comes_back_with_its_disk(
    prefix: Prefix,
    client: Client,
    server: Server,
) -> TestResult {
    client.run(Cmd::sh("echo kept >/root/kept && sync"))?;
    prefix.stop_vms(&["client".to_owned()])?;
    ensure!(client.state()? == VmState::Down);
    let down = client.run(cmd!("true")).expect_err("it is down").to_string();
    ensure!(down.contains("`lago start client`"), "{down}");
    server.run(cmd!("true"))?;

    prefix.start_vms(&["client".to_owned()], seconds(60))?;
    ensure!(client.run(cmd!("cat", "/root/kept"))?.stdout() == "kept\n");
    Ok(())
}
