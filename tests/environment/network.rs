use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use lago_system_tests::lago;
use lago_test::lago::{Prefix, Vm, cmd};
use lago_test::{TestResult, Vms, assert_true_within, ensure, seconds};
use rustix::process::{Pid, Signal, kill_process};

use crate::{Client, Server};

/// The second NIC has no ssh that waits for it, so its lease may come a moment after the first one's.
pub(crate) fn every_nic_has_its_planned_address(vms: Vms) -> TestResult {
    for vm in vms.iter() {
        for (index, nic) in vm.nics().iter().enumerate() {
            let device = format!("eth{index}");
            let mac = vm.run(cmd!("cat", format!("/sys/class/net/{device}/address")))?;
            ensure!(
                mac.stdout().trim() == nic.mac,
                "{device} of {} has {}",
                vm.name(),
                mac.stdout()
            );
            assert_true_within(seconds(30), || {
                let shown = vm.run(cmd!("ip", "-4", "-o", "addr", "show", "dev", &device))?;
                Ok(shown.stdout().contains(&format!(" {}/24 ", nic.ip)))
            })?;
        }
    }
    let [server, client] = &vms[..] else { panic!("there are two VMs") };
    ensure!(server.nics().len() == 2 && client.nics()[1].ip.to_string() == "192.168.91.77");
    Ok(())
}

pub(crate) fn the_default_route_is_the_management_networks(vms: Vms) -> TestResult {
    for vm in vms.iter() {
        let table = vm.run(cmd!("ip", "route"))?;
        let table = table.stdout();
        let routes: Vec<_> = table.lines().filter(|line| line.starts_with("default")).collect();
        ensure!(
            routes.len() == 1 && routes[0].trim() == "default via 192.168.90.1 dev eth0",
            "{} has {routes:?}",
            vm.name()
        );
    }
    Ok(())
}

pub(crate) fn names_resolve(client: Client, server: Server) -> TestResult {
    let management = server.ip().to_string();
    let storage = server.nics()[1].ip.to_string();
    for (name, address) in [
        ("server", &*management),
        ("server-eth0", &management),
        ("server-lan", &management),
        ("server-eth1", &storage),
        ("server-storage", &storage),
        ("client-eth1", "192.168.91.77"),
        ("registry.example", "192.168.90.1"),
    ] {
        for name_server in ["192.168.90.1", "192.168.91.1"] {
            let found = lookup(&client, name, name_server)?;
            let addresses: Vec<_> =
                found.lines().filter_map(|l| l.strip_prefix("Address:")).collect();
            ensure!(
                addresses.len() == 1 && addresses[0].trim() == address,
                "{name_server} should say that {name} is {address}: {found}"
            );
        }
    }
    let unknown = client.output(&cmd!("nslookup", "no-such-name.example").limit(seconds(20)))?;
    ensure!(!unknown.success(), "{}", unknown.stdout());
    Ok(())
}

/// What each name server that the guest may ask says.
fn lookup(vm: &Vm, name: &str, server: &str) -> Result<String, lago_test::Failure> {
    let answer = vm.output(&cmd!("nslookup", "-type=a", name, server).limit(seconds(20)))?;
    let answer = answer.stdout().into_owned();
    Ok(answer.split_once("Name:").map_or(answer.clone(), |(_, found)| found.to_owned()))
}

pub(crate) fn the_vms_reach_each_other_by_name(client: Client, server: Server) -> TestResult {
    client.run(cmd!("ping", "-c", "1", "-W", "5", "server"))?;
    server.run(cmd!("ping", "-c", "1", "-W", "5", "client"))?;
    server.run(cmd!("ping", "-c", "1", "-W", "5", "192.168.91.77"))?;
    Ok(())
}

/// A page of the server, as a browser on this machine gets it.
fn page(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    std::io::read_to_string(stream)
}

pub(crate) fn a_port_of_a_vm_is_one_of_this_machine(server: Server, prefix: Prefix) -> TestResult {
    server.run(cmd!("httpd", "-p", "8080", "-h", "/var/www"))?;
    let forward = server.forward(8080)?;
    ensure!(forward.address().ip().is_loopback());
    let pages: Vec<_> = (0..3).map(|_| page(forward.address())).collect::<Result<_, _>>()?;
    ensure!(pages.iter().all(|page| page.contains("it works")), "{pages:?}");
    let taken = server.forward_on(80, forward.port()).expect_err("the port is taken");
    ensure!(taken.to_string().contains("for port 80 of VM server"), "{taken}");
    let address = forward.address();
    drop(forward);
    ensure!(TcpStream::connect(address).is_err());

    let mut command = lago(["--prefix-path".as_ref(), prefix.paths().prefix().as_os_str()]);
    let mut child = command.args(["forward", "server", "8080"]).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line)?;
    let shown = line.trim().parse().map(page);
    kill_process(Pid::from_child(&child), Signal::TERM)?;
    ensure!(child.wait()?.success());
    ensure!(shown??.contains("it works"));
    Ok(())
}
