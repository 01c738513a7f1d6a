use std::path::PathBuf;

use lago_test::lago::virt::NewDisk;
use lago_test::lago::{Prefix, Vm, cmd};
use lago_test::{Failure, TestResult, assert_true_within, ensure, seconds};

use crate::Server;

fn said(vm: &Vm, script: &str) -> Result<String, Failure> {
    Ok(vm.run(cmd!("sh", "-c", script))?.stdout().trim().to_owned())
}

/// The guest's name of the disk with this serial number.
fn find(vm: &Vm, serial: &str) -> Result<Option<String>, Failure> {
    let script = format!("grep -l '^{serial}' /sys/block/vd*/serial 2>/dev/null || true");
    let found = said(vm, &script)?;
    Ok(found.strip_suffix("/serial").and_then(|path| path.rsplit('/').next()).map(str::to_owned))
}

fn gone(vm: &Vm, serial: &str) -> TestResult {
    assert_true_within(seconds(30), || Ok(find(vm, serial)?.is_none()))
}

/// The file that the VM writes to for a disk.
fn files(prefix: &Prefix, dev: &str) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut directories = vec![prefix.paths().layers(), prefix.paths().images()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.to_string_lossy().ends_with(&format!("{dev}.qcow2")) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Attached, written to, kept by a snapshot, detached, brought back by a revert.
pub(crate) fn an_attached_disk_is_part_of_snapshots(prefix: Prefix, server: Server) -> TestResult {
    let dev = server.attach_disk(&NewDisk::empty(16 << 20))?;
    ensure!(dev == "vdc", "{dev}");
    let mut device = None;
    assert_true_within(seconds(30), || {
        device = find(&server, &dev)?;
        Ok(device.is_some())
    })?;
    let device = device.unwrap_or_default();
    ensure!(said(&server, &format!("cat /sys/block/{device}/size"))? == (16 * 2048).to_string());
    said(&server, &format!("echo first >/dev/{device}; sync"))?;
    prefix.snapshot("with-disk")?;
    said(&server, &format!("echo later >/dev/{device}; sync"))?;

    server.detach_disk(&dev)?;
    gone(&server, &dev)?;
    prefix.snapshot("without-disk")?;
    prefix.revert("with-disk")?;
    ensure!(said(&server, &format!("head -n 1 /dev/{device}"))? == "first");

    prefix.revert("without-disk")?;
    ensure!(find(&server, &dev)?.is_none());
    prefix.delete_snapshot("with-disk")?;
    prefix.revert("without-disk")?;
    let left = files(&prefix, &dev)?;
    ensure!(left.len() <= 1, "{left:?}");
    prefix.delete_snapshot("without-disk")?;
    Ok(())
}

pub(crate) fn an_attached_disk_is_there_after_a_restart(server: Server) -> TestResult {
    let first = server.attach_disk(&NewDisk::empty(8 << 20).dev("vdx"))?;
    server.stop()?;
    let second = server.attach_disk(&NewDisk::empty(8 << 20))?;
    let third = server.attach_disk(&NewDisk::empty(8 << 20).dev("sdx"))?;
    ensure!((first.as_str(), second.as_str(), third.as_str()) == ("vdx", "vdy", "sdx"));
    server.start()?;
    server.wait_for_ssh(seconds(60))?;
    ensure!(find(&server, &first)?.is_some() && find(&server, &second)?.is_some());
    server.detach_disk(&first)?;
    gone(&server, &first)?;
    server.stop()?;
    for dev in [&second, &third] {
        server.detach_disk(dev)?;
    }
    server.start()?;
    server.wait_for_ssh(seconds(60))?;
    ensure!(find(&server, &second)?.is_none());
    Ok(())
}

pub(crate) fn what_cannot_be_attached_or_detached_is_said(server: Server) -> TestResult {
    let disk = || NewDisk::empty(1 << 20);
    for (dev, part) in [
        ("vda", "there is one by that name already"),
        ("hdx", "SATA disks cannot be attached"),
        ("vdaaa", "that is no device"),
        ("x", "that is no device"),
    ] {
        let error = server.attach_disk(&disk().dev(dev)).expect_err("it cannot").to_string();
        ensure!(error.contains(part), "{dev}: {error}");
    }
    let missing = server.attach_disk(&NewDisk::on_image("/no/such/image")).expect_err("no image");
    ensure!(format!("{missing:?}").contains("/no/such/image"), "{missing:?}");
    for (dev, part) in [("vda", "one of the init file"), ("vdz", "none of that name")] {
        let error = server.detach_disk(dev).expect_err("it cannot").to_string();
        ensure!(error.contains(part), "{dev}: {error}");
    }
    let error = server.attach_nic("lagoon").expect_err("no such network").to_string();
    ensure!(error.contains("there are lan, storage"), "{error}");
    let error = server.detach_nic(0).expect_err("it is of the init file").to_string();
    ensure!(error.contains("one of the init file"), "{error}");

    // Two free ports, and no third.
    let attached = [server.attach_disk(&disk())?, server.attach_disk(&disk())?];
    let error = server.attach_disk(&disk()).expect_err("there is no port left").to_string();
    ensure!(error.contains("room for few devices"), "{error}");
    for dev in attached {
        server.detach_disk(&dev)?;
    }
    let dev = server.attach_disk(&disk())?;
    server.detach_disk(&dev)?;
    Ok(())
}

pub(crate) fn an_attached_nic_gets_its_planned_address(
    prefix: Prefix,
    server: Server,
) -> TestResult {
    let nic = server.attach_nic("storage")?;
    ensure!(nic.number() == 2 && nic.net() == "storage", "{nic:?}");
    let taken = prefix.vms().flat_map(Vm::nics).any(|other| other.ip == nic.ip());
    ensure!(!taken, "{}", nic.ip());
    gets_address(&server, nic.mac(), &nic.ip().to_string())?;

    nic.set_link(false)?;
    nic.set_link(true)?;
    prefix.snapshot("with-nic")?;
    server.detach_nic(2)?;
    ensure!(server.nic(2).is_err() && device_of(&server, nic.mac())?.is_none());
    prefix.revert("with-nic")?;
    gets_address(&server, nic.mac(), &nic.ip().to_string())?;
    server.detach_nic(2)?;
    prefix.delete_snapshot("with-nic")?;
    Ok(())
}

fn device_of(vm: &Vm, mac: &str) -> Result<Option<String>, Failure> {
    let found = said(vm, &format!("grep -l '^{mac}' /sys/class/net/*/address || true"))?;
    Ok(found.split('/').nth(4).map(str::to_owned))
}

fn gets_address(vm: &Vm, mac: &str, address: &str) -> TestResult {
    let mut device = None;
    assert_true_within(seconds(30), || {
        device = device_of(vm, mac)?;
        Ok(device.is_some())
    })?;
    let device = device.unwrap_or_default();
    let client = format!(
        "ip link set {device} up; ROUTES=no udhcpc -q -n -t 10 -T 1 -i {device} -s /usr/share/udhcpc/default.script; \
         ip -4 -o addr show dev {device}"
    );
    let shown = said(vm, &client)?;
    ensure!(shown.contains(&format!(" {address}/24 ")), "{shown}");
    Ok(())
}
