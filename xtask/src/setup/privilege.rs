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
    command::run(&mut as_root(user, argv, command::in_path("sudo"))?)
}

/// The command that runs `argv` as root.
pub(crate) fn as_root(user: &User, argv: &[String], sudo: bool) -> Result<Command> {
    let mut command = match (user.is_root(), sudo) {
        (true, _) => {
            let mut command = Command::new(&argv[0]);
            command.args(&argv[1..]);
            command
        }
        (false, true) => {
            let mut command = Command::new("sudo");
            command.arg("--").args(argv);
            command
        }
        (false, false) => {
            let mut command = Command::new(&argv[0]);
            command.args(&argv[1..]);
            bail!(
                "{} is not root and sudo is not installed. Run this as root, then try again:\n  {}",
                user.name,
                command::shown(&command)
            );
        }
    };
    // A password is asked for on the terminal by sudo itself, never read from what is piped in.
    command.stdin(std::process::Stdio::inherit());
    Ok(command)
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
        let shown = |id| command::shown(&as_root(&user(id), &argv(), true).unwrap());
        assert_eq!(shown(0), "apt-get install gcc");
        assert_eq!(shown(1000), "sudo -- apt-get install gcc");
    }

    #[test]
    fn without_sudo_the_error_holds_the_command_to_run() {
        let error = as_root(&user(1000), &argv(), false).unwrap_err().to_string();
        assert!(error.ends_with("\n  apt-get install gcc"), "{error}");
    }
}
