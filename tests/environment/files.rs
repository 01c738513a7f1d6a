use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use lago_test::lago::cmd;
use lago_test::lago::prefix::Prefix;
use lago_test::{TestResult, ensure};

use crate::Client;

fn scratch(prefix: &Prefix, name: &str) -> std::io::Result<PathBuf> {
    let directory = prefix.paths().prefix().join("scratch").join(name);
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

pub(crate) fn a_file_goes_in_and_out(client: Client, prefix: Prefix) -> TestResult {
    let directory = scratch(&prefix, "file")?;
    let (local, back) = (directory.join("program"), directory.join("back"));
    let content: Vec<u8> = (0..=u8::MAX).cycle().take(700_001).collect();
    fs::write(&local, &content)?;
    fs::set_permissions(&local, fs::Permissions::from_mode(0o750))?;

    client.copy_to(&local, "/root/program")?;
    let listed = client.run(cmd!("stat", "-c", "%a %s", "/root/program"))?;
    ensure!(listed.stdout() == "750 700001\n", "{}", listed.stdout());
    client.copy_from("/root/program", &back)?;
    ensure!(fs::read(&back)? == content);
    ensure!(fs::metadata(&back)?.permissions().mode() & 0o777 == 0o750);
    Ok(())
}

pub(crate) fn a_directory_goes_in_and_out(client: Client, prefix: Prefix) -> TestResult {
    let directory = scratch(&prefix, "directory")?;
    let (local, back) = (directory.join("tree"), directory.join("back"));
    fs::create_dir_all(local.join("a b/empty"))?;
    fs::write(local.join("a b/it's"), "one")?;
    fs::write(local.join("two"), "")?;

    client.copy_to(&local, "/root/tree")?;
    let listed = client.run(cmd!("find", "/root/tree", "-mindepth", "1"))?;
    let mut listed: Vec<_> = listed.stdout().lines().map(str::to_owned).collect();
    listed.sort();
    let expected =
        ["/root/tree/a b", "/root/tree/a b/empty", "/root/tree/a b/it's", "/root/tree/two"];
    ensure!(listed == expected, "{listed:?}");
    client.copy_from("/root/tree", &back)?;
    ensure!(fs::read_to_string(back.join("a b/it's"))? == "one");
    ensure!(back.join("a b/empty").is_dir() && back.join("two").is_file());
    Ok(())
}

pub(crate) fn a_missing_file_is_named(client: Client, prefix: Prefix) -> TestResult {
    let directory = scratch(&prefix, "missing")?;
    let out = client.copy_from("/no/such/file", directory.join("x")).expect_err("it is missing");
    ensure!(out.to_string().contains("/no/such/file"), "{out}");
    let into = client.copy_to(directory.join("absent"), "/root/x").expect_err("it is missing");
    ensure!(into.to_string().contains("missing/absent"), "{into}");
    Ok(())
}
