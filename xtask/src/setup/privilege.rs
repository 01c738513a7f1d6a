//! Who runs this, and how what needs root is run.

use std::process::Command;

use anyhow::{Result, bail};

use crate::command;

/// The user who runs this.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// The name, as `id -un` tells it.
    pub(crate) name: String,
    /// The effective user id.
    pub(crate) id: u32,
}

impl User {
    /// Asks `id`.
    pub(crate) fn current() -> Result<Self> {
        let id = command::answer(Command::new("id").arg("-u"))?.trim().parse()?;
        let name = command::answer(Command::new("id").arg("-un"))?.trim().to_owned();
        Ok(Self { name, id })
    }

    /// Whether this is root.
    pub(crate) fn is_root(&self) -> bool {
        self.id == 0
    }
}

/// Runs a command as root: directly for root, through sudo for anyone else, who is shown what it is.
pub(crate) fn run_as_root(user: &User, argv: &[String]) -> Result<()> {
    command::run(&mut as_root(user, argv)?)
}

/// Whether anything can be run as root at all.
pub(crate) fn available(user: &User) -> bool {
    user.is_root() || command::in_path("sudo")
}

/// The command that runs `argv` as root.
pub(crate) fn as_root(user: &User, argv: &[String]) -> Result<Command> {
    elevated(user, argv, command::in_path("sudo"))
}

fn elevated(user: &User, argv: &[String], sudo: bool) -> Result<Command> {
    let mut direct = Command::new(&argv[0]);
    direct.args(&argv[1..]);
    if user.is_root() {
        return Ok(direct);
    }
    if !sudo {
        bail!(
            "{} is not root and sudo is not installed. Run this as root, then try again:\n  {}",
            user.name,
            command::shown(&direct)
        );
    }
    let mut through_sudo = Command::new("sudo");
    through_sudo.arg("--").args(argv);
    Ok(through_sudo)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv() -> Vec<String> {
        ["apt-get", "install", "gcc"].map(str::to_owned).to_vec()
    }

    fn user(id: u32) -> User {
        User { name: "ann".into(), id }
    }

    #[test]
    fn root_runs_it_directly_and_others_through_sudo() {
        let shown = |id| command::shown(&elevated(&user(id), &argv(), true).unwrap());
        assert_eq!(shown(0), "apt-get install gcc");
        assert_eq!(shown(1000), "sudo -- apt-get install gcc");
    }

    #[test]
    fn without_sudo_the_error_holds_the_command_to_run() {
        let error = elevated(&user(1000), &argv(), false).unwrap_err().to_string();
        assert!(error.ends_with("\n  apt-get install gcc"), "{error}");
    }
}
