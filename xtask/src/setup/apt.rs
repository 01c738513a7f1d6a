//! Installing through apt.

mod answers;
mod plan;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};

use self::plan::{Plan, QEMU_SYSTEM, QEMU_UTILS};
use super::packages::Needed;
use super::privilege::{self, User};
use super::services;
use crate::command;

/// How long another apt may hold its lock. An unattended upgrade at boot takes minutes.
const LOCK_LIMIT: Duration = Duration::from_secs(600);

/// How often an update that met the lock is tried again; installing waits for its lock by itself.
const LOCK_INTERVAL: Duration = Duration::from_secs(3);

/// Package lists older than this name versions that the archive may have deleted since.
const LISTS_LIMIT: Duration = Duration::from_secs(7 * 24 * 3600);

const LISTS: &str = "/var/lib/apt/lists";

/// Installs those of the needed packages that are missing.
pub(crate) fn install(needed: &[Needed], user: &User, dry_run: bool) -> Result<()> {
    let missing = missing(needed)?;
    if missing.is_empty() {
        println!("setup: all {} packages are installed", needed.len());
        return Ok(());
    }
    println!("setup: {} of {} packages are missing", missing.len(), needed.len());
    super::print_reasons(&missing);
    let update_first = lists_are_old();
    if dry_run {
        return rehearse(&missing, update_first);
    }
    if update_first {
        update(user, "the package lists are missing or more than a week old")?;
    }
    carry_out(needed, user, update_first)
}

/// Says what would be run. Without lists the versions are unknown, and so is the command.
fn rehearse(missing: &[Needed], update_first: bool) -> Result<()> {
    if update_first {
        println!("  would run: apt-get update, and then install these");
        return Ok(());
    }
    let plan = plan(missing)?;
    if let Some(argv) = services::planned(&plan.install) {
        println!("  would run: {}", argv.join(" "));
    }
    if !plan.install.is_empty() {
        println!("  would run: {}", plan.argv(LOCK_LIMIT).join(" "));
    }
    Ok(())
}

/// Installs; once more with renewed lists when that fails with lists that were not renewed before.
fn carry_out(needed: &[Needed], user: &User, updated: bool) -> Result<()> {
    let outcome = install_missing(needed, user);
    let Err(error) = &outcome else { return Ok(()) };
    if updated || !privilege::available(user) {
        return outcome;
    }
    eprintln!("setup: {error:#}");
    update(user, "the packages could not be installed from the lists at hand")?;
    install_missing(needed, user)
}

fn install_missing(needed: &[Needed], user: &User) -> Result<()> {
    let plan = plan(&missing(needed)?)?;
    if plan.install.is_empty() {
        return Ok(());
    }
    services::mask(&plan.install, user)?;
    privilege::run_as_root(user, &plan.argv(LOCK_LIMIT))?;
    verify(needed, &plan)
}

/// Asks apt what it has, and says what is out of the ordinary.
fn plan(missing: &[Needed]) -> Result<Plan> {
    let names = missing.iter().map(|package| package.name);
    let candidates = command::answer(Command::new("apt-cache").arg("policy").args(names))?;
    let versions = command::answer(Command::new("apt-cache").args(["madison", QEMU_UTILS]))?;
    let plan = Plan::new(
        missing,
        &answers::candidates(&candidates),
        installed(&[QEMU_UTILS])?.get(QEMU_UTILS).map(String::as_str),
        &answers::versions(&versions),
    )?;
    for package in &plan.left_out {
        println!(
            "setup: this release has no {}, and all else works without ({})",
            package.name, package.why
        );
    }
    if let Some(pins) = &plan.pins {
        println!(
            "setup: {QEMU_UTILS} {} is installed and does not go with {QEMU_SYSTEM} {}; both are installed from \
             one release: {QEMU_UTILS} becomes {}",
            pins.utils_before, pins.system, pins.utils
        );
    }
    Ok(plan)
}

fn verify(needed: &[Needed], plan: &Plan) -> Result<()> {
    let left = missing(needed)?;
    let left: Vec<_> = left
        .iter()
        .filter(|package| plan.install.contains(package))
        .map(|package| package.name)
        .collect();
    if !left.is_empty() {
        bail!("apt-get install ended well, and these are still not installed: {}", left.join(", "));
    }
    println!("setup: {} packages were installed", plan.install.len());
    Ok(())
}

fn missing(needed: &[Needed]) -> Result<Vec<Needed>> {
    let names: Vec<_> = needed.iter().map(|package| package.name).collect();
    let installed = installed(&names)?;
    Ok(needed.iter().filter(|package| !installed.contains_key(package.name)).copied().collect())
}

/// The versions of those packages that are installed. `dpkg-query` fails when it does not know one of the names, and
/// still tells of the others.
fn installed(names: &[&str]) -> Result<BTreeMap<String, String>> {
    let format = "--showformat=${Package}\\t${db:Status-Status}\\t${Version}\\n";
    let output = command::ask(Command::new("dpkg-query").args(["--show", format]).args(names))?;
    Ok(answers::installed(&String::from_utf8_lossy(&output.stdout)))
}

fn lists_are_old() -> bool {
    newest_list().and_then(|time| time.elapsed().ok()).is_none_or(|age| age > LISTS_LIMIT)
}

/// When apt last changed its lists. An update that brings nothing new still touches this directory.
fn newest_list() -> Option<SystemTime> {
    let has_lists = fs::read_dir(LISTS).ok()?.flatten().any(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().contains("_Packages")
    });
    has_lists.then(|| fs::metadata(LISTS).ok()?.modified().ok()).flatten()
}

/// Renews the package lists. Unlike installing, this does not wait for another apt's lock by itself.
fn update(user: &User, why: &str) -> Result<()> {
    let argv = ["env", "LC_ALL=C", "apt-get", "update"].map(str::to_owned);
    println!("setup: {why}");
    let started = Instant::now();
    loop {
        let mut update = privilege::as_root(user, &argv)?;
        println!("$ {}", command::shown(&update));
        let output = update.output().context("cannot start apt-get update")?;
        if output.status.success() {
            return Ok(());
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        if !answers::met_a_lock(&stderr) {
            bail!("`{}` ended with {}:\n{}", command::shown(&update), output.status, stderr.trim());
        }
        if started.elapsed() > LOCK_LIMIT {
            let limit = command::seconds(LOCK_LIMIT);
            bail!("waited {limit} for another apt to release its lock:\n{}", stderr.trim());
        }
        println!("setup: another apt is running; waiting for it");
        thread::sleep(LOCK_INTERVAL);
    }
}
