//! Exports of environments with real VMs, and what is made of them elsewhere.

mod faults;
mod forms;

use std::path::Path;

use lago::Prefix;
use lago_system_tests::{lago, run};

/// Exports a prefix with the command, and these options.
fn export(prefix: &Prefix, options: &[&str]) -> lago_system_tests::Ran {
    let path = prefix.paths().prefix().to_string_lossy().into_owned();
    let args = ["--prefix-path", &path, "export"].into_iter().chain(options.iter().copied());
    run(&mut lago(args))
}

/// The names of the files in a directory, hidden ones too.
fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
