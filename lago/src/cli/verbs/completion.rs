use std::io::Write as _;

use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use super::ssh_config::this_program;
use crate::cli::completion::VARIABLE;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The shell that is to read it: `source <(lago completion bash)` in its startup file.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shell {
    /// GNU's.
    Bash,
    /// `~/.config/fish/completions/lago.fish` is the place for its output.
    Fish,
    /// After `compinit`.
    Zsh,
}

/// Both names of the program.
const NAMES: [&str; 2] = ["lago", "lagocli"];

impl Arguments {
    pub(in crate::cli) fn run(&self) -> anyhow::Result<()> {
        let shell: &dyn EnvCompleter = match self.shell {
            Shell::Bash => &Bash,
            Shell::Fish => &Fish,
            Shell::Zsh => &Zsh,
        };
        let program = this_program()?.to_string_lossy().into_owned();
        let mut script = Vec::new();
        for name in NAMES {
            shell.write_registration(VARIABLE, name, name, &program, &mut script)?;
        }
        Ok(std::io::stdout().write_all(&script)?)
    }
}
