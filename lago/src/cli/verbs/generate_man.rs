use std::path::PathBuf;

use clap::CommandFactory as _;

use crate::utils::FileError;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The directory, such as `/usr/local/share/man/man1`. It is made unless it exists.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Arguments {
    /// A page for the command, and one for each verb: `lago-start.1`.
    pub(in crate::cli) fn run(&self) -> anyhow::Result<()> {
        let directory = &self.directory;
        // Everybody reads manuals.
        std::fs::create_dir_all(directory).map_err(FileError::io("create", directory))?;
        let command = crate::cli::Arguments::command();
        Ok(clap_mangen::generate_to(command, directory)
            .map_err(FileError::io("write to", directory))?)
    }
}
