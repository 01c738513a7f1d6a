use std::process::Stdio;
use std::time::Duration;

use lago_system_tests::{lago, run};
use lago_test::lago::guest::Output;
use lago_test::lago::virt::Impairment;
use lago_test::lago::{Prefix, Vm, cmd};
use lago_test::{Failure, TestResult, assert_true_within, assert_true_within_short, ensure};

use crate::{Client, Server};

/// How long it may take until a packet gets through again, among other things for the guests' ARP.
const SOON: Duration = Duration::from_secs(20);

fn ping(vm: &Vm, to: &str, count: u32, limit: u32) -> Result<Output, Failure> {
    let (count, limit) = (count.to_string(), limit.to_string());
    Ok(vm.output(&cmd!("ping", "-c", count, "-i", "0.05", "-W", limit, to))?)
}

/// Whether one packet comes back within a second. On a busy machine it may not although nothing is in its way.
fn reaches(vm: &Vm, to: &str) -> Result<bool, Failure> {
    Ok(ping(vm, to, 1, 1)?.success())
}

/// The second card: ssh goes through the first one.
pub(crate) fn a_pulled_cable_is_seen_by_the_guest(client: Client, server: Server) -> TestResult {
    let (cable, other) = (server.nic(1)?, server.nics()[1].ip.to_string());
    assert_true_within_short(|| reaches(&client, &other))?;
    let carrier = || server.run(cmd!("cat", "/sys/class/net/eth1/carrier"));
    cable.set_link(false)?;
    ensure!(!cable.link()?);
    assert_true_within(SOON, || Ok(carrier()?.stdout() == "0\n"))?;
    ensure!(!reaches(&client, &other)?);
    cable.set_link(true)?;
    assert_true_within(SOON, || Ok(carrier()?.stdout() == "1\n" && reaches(&client, &other)?))?;
    ensure!(cable.link()? && server.nic(0)?.link()?);
    Ok(())
}

pub(crate) fn packets_are_lost_until_it_is_cleared(client: Client, server: Server) -> TestResult {
    let (card, address) = (server.nic(1)?, server.nics()[1].ip.to_string());
    let all = Impairment { loss_percent: 100.0, ..Impairment::default() };
    card.impair(&all)?;
    ensure!(!reaches(&client, &address)?);
    // Only what comes to this card is lost: the other card, and what others get, is not.
    assert_true_within(SOON, || Ok(reaches(&client, "server")? && reaches(&server, "client")?))?;

    card.impair(&Impairment { loss_percent: 50.0, ..all })?;
    let output = ping(&client, &address, 60, 5)?;
    let text = output.stdout();
    let received: u32 = text
        .split(", ")
        .find_map(|part| part.strip_suffix(" packets received"))
        .ok_or_else(|| Failure::new(format!("no summary: {text}")))?
        .parse()?;
    ensure!((8..=52).contains(&received), "{received} of 60 came back");
    card.clear()?;
    assert_true_within(SOON, || {
        Ok(ping(&client, &address, 20, 5)?.stdout().contains(" 20 packets received"))
    })
}

/// Where the kernel has netem the delay is there; elsewhere it says what is missing, and changes nothing.
pub(crate) fn a_delay_needs_a_kernel_that_can(client: Client, server: Server) -> TestResult {
    let (card, address) = (server.nic(1)?, server.nics()[1].ip.to_string());
    let late = Impairment {
        delay: Duration::from_millis(700),
        loss_percent: 100.0,
        ..Impairment::default()
    };
    if let Err(error) = card.impair(&late) {
        ensure!(error.to_string().contains("sch_netem"), "{error}");
        // All would be lost if what cannot be done as a whole had been done in part.
        return assert_true_within(SOON, || reaches(&client, &address));
    }
    card.impair(&Impairment { loss_percent: 0.0, ..late })?;
    let output = ping(&client, &address, 1, 20)?;
    let text = output.stdout();
    let time = text.split("time=").nth(1).and_then(|rest| rest.split(' ').next());
    ensure!(time.unwrap_or_default().parse::<f64>()? >= 700.0, "{text}");
    card.clear()?;
    Ok(())
}

pub(crate) fn parted_vms_reach_the_host_and_not_each_other(
    prefix: Prefix,
    client: Client,
    server: Server,
) -> TestResult {
    let both = |expected: bool| -> Result<bool, Failure> {
        let storage = server.nics()[1].ip.to_string();
        Ok(reaches(&client, "server")? == expected
            && reaches(&client, &storage)? == expected
            && reaches(&server, "client")? == expected)
    };
    assert_true_within_short(|| both(true))?;
    let partition = prefix.partition(&[&client], &[&server])?;
    ensure!(both(false)?);
    let gateway = prefix.networks().next().expect("there is a network").gateway().to_string();
    assert_true_within(SOON, || Ok(reaches(&client, &gateway)? && reaches(&server, &gateway)?))?;
    let second = prefix.partition(&[&server], &[&client])?;
    partition.heal()?;
    ensure!(both(false)?, "the second one is still there");
    drop(second);
    assert_true_within(SOON, || both(true))?;
    let error = prefix.partition(&[&server, &client], &[&client]).expect_err("it is in both");
    ensure!(error.to_string().contains("client cannot be parted from itself"), "{error}");
    Ok(())
}

/// This program's other scenario ends with its process: here one is left as a killed process leaves it.
pub(crate) fn another_process_heals_what_a_killed_one_left(
    prefix: Prefix,
    client: Client,
    server: Server,
) -> TestResult {
    prefix.partition(&[&client], &[&server])?.leave();
    server.nic(1)?.set_link(false)?;
    client.nic(1)?.impair(&Impairment { loss_percent: 100.0, ..Impairment::default() })?;
    ensure!(!reaches(&client, "server")?);
    let mut heal =
        lago(["--prefix-path".as_ref(), prefix.paths().prefix().as_os_str(), "heal".as_ref()]);
    run(heal.stdin(Stdio::null())).ok();
    ensure!(server.nic(1)?.link()?);
    let storage = server.nics()[1].ip.to_string();
    assert_true_within(SOON, || Ok(reaches(&client, "server")? && reaches(&client, &storage)?))
}

pub(crate) fn a_revert_ends_faults(prefix: Prefix, client: Client, server: Server) -> TestResult {
    prefix.partition(&[&client], &[&server])?.leave();
    server.nic(1)?.impair(&Impairment { loss_percent: 100.0, ..Impairment::default() })?;
    prefix.revert("start")?;
    let storage = server.nics()[1].ip.to_string();
    assert_true_within(SOON, || Ok(reaches(&client, "server")? && reaches(&client, &storage)?))
}
