//! Images of CDs in the ISO domain.

use std::fs;

use lago_test::lago::cmd;
use lago_test::limits::SHORT;
use lago_test::{TestResult, assert_true_within, ensure};
use ovirt_suite::testlib::OvirtApi;
use ovirt_suite::{Error, OvirtPrefix};

use crate::names::ISO;
use crate::site::{ISO_PATH, NFS_SERVER};

/// Under which directory an ISO domain has its files.
const DIRECTORY: &str = "images/11111111-1111-1111-1111-111111111111";

/// What no upload may change.
static CONTENT: [u8; 100_001] = [0xCD; 100_001];

/// The NFS server has the file, and the engine lists it. What cannot be uploaded is an error, and leaves nothing.
pub(crate) fn add_iso(prefix: OvirtPrefix, api: OvirtApi) -> TestResult {
    let scratch = tempfile::tempdir()?;
    let image = scratch.path().join("tools.iso");
    fs::write(&image, CONTENT)?;
    let engine = prefix.virt_env().engine_vm()?;
    engine.add_iso(&image, ISO)?;

    let domain = api.storage_domains().named(ISO)?;
    let directory = format!("{ISO_PATH}/{}/{DIRECTORY}", domain.id()?);
    let server = prefix.virt_env().get_vm(NFS_SERVER)?;
    let stored = server.run(cmd!("cat", format!("{directory}/tools.iso")))?;
    ensure!(stored.stdout_bytes() == CONTENT.as_slice(), "the server has another file");
    let files = api.storage_domains().of(&domain)?.files();
    assert_true_within(SHORT, || Ok(files.find("tools.iso")?.is_some()))?;

    for (domain, said) in [("absent", "no storage domain absent"), (ISO, "in the domain already")] {
        let error = engine.add_iso(&image, domain).expect_err("it cannot be uploaded");
        ensure!(matches!(error, Error::Guest { .. }), "{error:?}");
        ensure!(error.to_string().contains(said), "{error}");
    }
    let names = server.run(cmd!("ls", directory))?;
    ensure!(names.stdout().trim() == "tools.iso", "the domain has {}", names.stdout());
    Ok(())
}
