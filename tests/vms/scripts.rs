use std::fs;

use lago_test::lago::guest::{Cmd, GuestStatus};
use lago_test::lago::{Prefix, cmd};
use lago_test::{TestResult, ensure};

use crate::Client;

pub(crate) fn a_script_has_its_arguments_and_its_exit_code(
    client: Client,
    prefix: Prefix,
) -> TestResult {
    let script = prefix.paths().prefix().join("script.sh");
    fs::write(&script, "#!/usr/bin/awk -f\nBEGIN { print ARGV[1] \"|\" ARGV[2]; exit 7 }\n")?;
    let output = client.ssh_script(&script, ["two words", "it's"])?;
    ensure!(output.stdout() == "two words|it's\n", "{}{}", output.stdout(), output.stderr());
    ensure!(output.status == GuestStatus::Code(7), "{}", output.status);
    let missing = client.ssh_script(prefix.paths().prefix().join("none"), [""; 0]);
    let error = missing.expect_err("there is none").to_string();
    ensure!(error.contains("none"), "{error}");
    Ok(())
}

/// A command line takes 30,000 bytes.
pub(crate) fn a_script_of_any_size_runs(client: Client) -> TestResult {
    let mut script = String::from("read line && echo \"input: $line\"\n");
    script.extend(std::iter::repeat_n("x=$((${x:-0} + 1)) # counted\n", 40_000));
    script.push_str("echo $x $1");
    let output = client.run(Cmd::script(script).arg("done"))?;
    ensure!(output.stdout() == "40000 done\n", "{}", output.stdout());
    Ok(())
}

pub(crate) fn a_script_leaves_nothing_behind(client: Client) -> TestResult {
    let files = || client.run(cmd!("ls", "/tmp")).map(|output| output.stdout().into_owned());
    let before = files()?;
    client.output(&Cmd::script("exit 3"))?;
    client.output(&Cmd::script("kill -TERM $$"))?;
    ensure!(files()? == before, "{}", files()?);
    Ok(())
}
