//! Installing through dnf. Its flow has been tried on no machine yet, only its parts by the tests below.

use std::process::Command;

use anyhow::{Result, bail};

use super::packages::Needed;
use super::privilege::{self, User};
use crate::command;

/// Installs those of the needed packages that are missing. dnf renews its lists and waits for its lock by itself.
pub(crate) fn install(needed: &[Needed], user: &User, dry_run: bool) -> Result<()> {
    let missing = missing(needed)?;
    if missing.is_empty() {
        println!("setup: all {} packages are installed", needed.len());
        return Ok(());
    }
    println!("setup: {} of {} packages are missing", missing.len(), needed.len());
    super::print_reasons(&missing);
    let argv = argv(&missing);
    if dry_run {
        println!("  would run: {}", argv.join(" "));
        return Ok(());
    }
    privilege::run_as_root(user, &argv)?;
    let left: Vec<_> = self::missing(needed)?.iter().map(|package| package.name).collect();
    if !left.is_empty() {
        bail!("dnf install ended well, and these are still not installed: {}", left.join(", "));
    }
    Ok(())
}

fn argv(missing: &[Needed]) -> Vec<String> {
    let fixed = ["dnf", "install", "--assumeyes", "--setopt=install_weak_deps=False"];
    fixed.into_iter().chain(missing.iter().map(|package| package.name)).map(str::to_owned).collect()
}

/// `rpm -q` fails when one of the packages is not installed, and still tells of the others.
fn missing(needed: &[Needed]) -> Result<Vec<Needed>> {
    let names = needed.iter().map(|package| package.name);
    let output =
        command::ask(Command::new("rpm").args(["-q", "--queryformat", "%{NAME}\\n"]).args(names))?;
    Ok(not_in(needed, &String::from_utf8_lossy(&output.stdout)))
}

fn not_in(needed: &[Needed], installed: &str) -> Vec<Needed> {
    let is_installed = |package: &&Needed| installed.lines().any(|line| line == package.name);
    needed.iter().filter(|package| !is_installed(package)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDED: [Needed; 2] = [
        Needed { name: "gcc", why: "compile", optional: false },
        Needed { name: "dnsmasq", why: "names", optional: false },
    ];

    #[test]
    fn a_package_is_missing_when_rpm_does_not_name_it_alone_on_its_line() {
        let missing = not_in(&NEEDED, "gcc\npackage dnsmasq is not installed\n");
        assert_eq!(missing, [NEEDED[1]]);
        assert_eq!(
            argv(&missing).join(" "),
            "dnf install --assumeyes --setopt=install_weak_deps=False dnsmasq"
        );
    }
}
