//! The plain user as whom the tests run a private host when they are root themselves.

use std::process::Command;

use anyhow::{Context, Result};

use super::privilege::{self, User};
use super::subordinate_ids;
use crate::command;

const NAME: &str = "lago-test";

/// Creates the user, with subordinate ids, where it is missing. Returns its name, or nothing for a plain user, as
/// whom the tests run anyway.
pub(crate) fn ensure() -> Result<Option<&'static str>> {
    let actor = User::current()?;
    if !actor.is_root() {
        return Ok(None);
    }
    if lookup()?.is_none() {
        create(&actor)?;
    }
    let user =
        lookup()?.with_context(|| format!("useradd ended well, and there is no user {NAME}"))?;
    subordinate_ids::give(&user, &actor, false)?;
    Ok(Some(NAME))
}

fn create(actor: &User) -> Result<()> {
    println!(
        "setup: the tests are run as root; the user {NAME} is made to test the private host of a plain user"
    );
    let argv = [
        "useradd",
        "--system",
        "--create-home",
        "--home-dir",
        "/var/lib/lago-test",
        "--shell",
        "/bin/sh",
        NAME,
    ];
    privilege::run_as_root(actor, &argv.map(str::to_owned))
}

fn lookup() -> Result<Option<User>> {
    let output = command::ask(Command::new("id").args(["-u", NAME]))?;
    if !output.status.success() {
        return Ok(None);
    }
    let id = String::from_utf8_lossy(&output.stdout).trim().parse()?;
    Ok(Some(User { name: NAME.to_owned(), id }))
}
