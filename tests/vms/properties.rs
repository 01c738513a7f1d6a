use lago_system_tests::DISKS;
use lago_test::lago::guest::Cmd;
use lago_test::lago::{Vm, cmd};
use lago_test::{Failure, TestResult, assert_equals_within, ensure, seconds};

use crate::{Client, Server};

pub(crate) fn what_the_init_file_says_is_what_the_guest_sees(server: Server) -> TestResult {
    ensure!(server.cpus() == 2 && said(&server, "nproc")? == "2");
    ensure!(server.memory() == 128);
    let megabytes: u64 =
        said(&server, "awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo")?.parse()?;
    ensure!((90..=128).contains(&megabytes), "{megabytes} MiB");
    ensure!(server.cpu_model() == Some("qemu64"));
    let model = said(&server, "grep -m1 '^model name' /proc/cpuinfo")?;
    ensure!(model.contains("QEMU Virtual CPU"), "{model}");
    ensure!(server.metadata()["rack"] == 7);
    ensure!(server.root_password() == "geheim");
    ensure!(server.iscsi_name() == "iqn.2014-07.org.lago:server");
    let initiator = said(&server, "cat /etc/iscsi/initiatorname.iscsi")?;
    ensure!(initiator == "InitiatorName=iqn.2014-07.org.lago:server", "{initiator}");
    ensure!(server.nics().len() == 2 && server.nic(1)?.net() == "storage");
    let error = server.nic(2).expect_err("there are two").to_string();
    ensure!(error.contains("no NIC number 2; it has 2"), "{error}");
    Ok(())
}

pub(crate) fn disks_are_on_their_buses(server: Server, client: Client) -> TestResult {
    let disks = |vm: &Vm, expected: &str| {
        // SCSI disks are looked for while the guest starts.
        assert_equals_within(seconds(20), expected.to_owned(), || said(vm, DISKS))
    };
    disks(&server, "sda 32 sd\nsdc 48 sd\nvda 1024 vd\nvdb 1 vd")?;
    let cd = said(&server, "head -n 1 /dev/sr0")?;
    ensure!(cd == "a CD of the tests", "{cd}");
    ensure!(!server.output(&Cmd::sh("echo x >/dev/sr0"))?.success(), "a CD can be written to");
    // This kernel has no driver for SATA; the firmware does.
    disks(&client, "vda 1024 vd\nvdb 1 vd")
}

pub(crate) fn the_distribution_is_what_the_file_or_the_guest_says(
    server: Server,
    client: Client,
) -> TestResult {
    ensure!(server.distro()? == "lago-mini 12", "{}", server.distro()?);
    ensure!(client.distro()? == "el9", "{}", client.distro()?);
    let release = client.os_release()?;
    ensure!(release.id == "lago-mini" && release.id_like == ["debian"], "{release:?}");
    Ok(())
}

fn said(vm: &Vm, script: &str) -> Result<String, Failure> {
    Ok(vm.run(cmd!("sh", "-c", script))?.stdout().trim().to_owned())
}
