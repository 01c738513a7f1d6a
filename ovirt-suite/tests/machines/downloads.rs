//! A server that goes on beside the scenarios, for all guests.

use std::fs;
use std::io::Write as _;

use lago_test::lago::utils::HostCommand;
use lago_test::lago::{Cmd, Prefix, cmd};
use lago_test::limits::SHORT;
use lago_test::{Failure, TestResult, assert_equals_within, ensure};
use ovirt_suite::OvirtPrefix;
use ovirt_suite::repos::RepoServer;
use ovirt_suite::testlib::in_parallel;
use tempfile::TempDir;

/// Not the one at which `lago ovirt serve` serves.
const PORT: u16 = 8586;

/// What guests download at once.
const PACKAGE: (&str, usize) = ("package", 1 << 20);

/// More than the buffers between server and guest hold, so that nobody has all of it who does not read.
const LARGE: (&str, usize) = ("large", 16 << 20);

/// How many downloads each guest begins at once.
const AT_ONCE: usize = 4;

/// Begins a download, and does not read it to its end before somebody says so.
const SLOW: &str = "{ wget -q -O - \"$1\" | { until [ -e /tmp/go ]; do sleep 0.1; done; \
                    sha256sum | cut -d' ' -f1 >/tmp/sum; }; } >/dev/null 2>&1 </dev/null &";

/// Prints the digest of each download.
const FAST: &str = "url=$1; shift; for n in \"$@\"; do wget -q -O - \"$url\" | sha256sum | cut -d' ' -f1 & done; wait";

/// What the suite has going on beside its scenarios: the directory goes with its server.
pub(crate) fn serve(prefix: &Prefix) -> Result<(RepoServer, TempDir), Failure> {
    let dir = tempfile::tempdir()?;
    for (name, size) in [PACKAGE, LARGE] {
        fs::write(dir.path().join(name), content(size))?;
    }
    Ok((RepoServer::on_management_at(prefix, PORT, dir.path())?, dir))
}

fn content(size: usize) -> Vec<u8> {
    (0..=250_u8).cycle().take(size).collect()
}

fn url(prefix: &OvirtPrefix, (name, _): (&str, usize)) -> Result<String, Failure> {
    let network = prefix.networks().next().ok_or_else(|| Failure::new("there is no network"))?;
    Ok(format!("http://{}:{PORT}/{name}", network.gateway()))
}

fn digest((_, size): (&str, usize)) -> Result<String, Failure> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(&content(size))?;
    let output = HostCommand::new("sha256sum").arg(file.path()).run()?.stdout_text();
    Ok(output.split_whitespace().next().unwrap_or_default().to_owned())
}

pub(crate) fn guests_download_at_once_beside_one_that_is_slow(prefix: OvirtPrefix) -> TestResult {
    let (package, digest) = (url(&prefix, PACKAGE)?, digest(PACKAGE)?);
    let [slow, ..] = prefix.virt_env().vms() else { return Err(Failure::new("there are no VMs")) };
    slow.run(Cmd::sh(SLOW).arg(url(&prefix, LARGE)?))?;
    in_parallel(prefix.virt_env().vms().iter().map(|vm| {
        let (url, digest) = (&package, &digest);
        let download = move || {
            let numbers = (0..AT_ONCE).map(|n| n.to_string());
            let output = vm.run(Cmd::sh(FAST).arg(url).args(numbers))?.stdout().into_owned();
            let whole = output.lines().filter(|line| line == digest).count();
            ensure!(whole == AT_ONCE, "{whole} of {AT_ONCE} downloads were whole: {output}");
            Ok(())
        };
        (vm.name(), download)
    }))
}

pub(crate) fn a_download_outlives_its_scenario(prefix: OvirtPrefix) -> TestResult {
    let slow = &prefix.virt_env().vms()[0];
    let unread = slow.output(&cmd!("test", "-s", "/tmp/sum"))?;
    ensure!(!unread.success(), "it was not slow");
    slow.run(cmd!("touch", "/tmp/go"))?;
    assert_equals_within(SHORT, digest(LARGE)?, || {
        let output = slow.output(&cmd!("cat", "/tmp/sum"))?;
        Ok(output.stdout().trim().to_owned())
    })
}
