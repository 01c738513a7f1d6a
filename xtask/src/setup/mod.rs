//! `cargo xtask setup`: installs what is missing, and says what and why.
//!
//! Whether anything is missing is a question to the package database, answered in a fraction of a second, so the
//! other tasks call this every time. What to do about it is planned by pure functions; only the end of each flow
//! runs commands, and only those ask for root.

mod apt;
mod dnf;
mod os_release;
mod packages;
mod privilege;
mod services;
mod subordinate_ids;
pub(crate) mod test_user;

use anyhow::Result;

use self::os_release::{Family, OsRelease};
use self::privilege::User;

/// Options of `cargo xtask setup`.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Installs the missing packages and, for a plain user, the subordinate ids that the private host needs.
pub(crate) fn run(args: &Args) -> Result<()> {
    let family = OsRelease::read()?.family()?;
    let user = User::current()?;
    let needed = packages::needed(family, booted_with_systemd());
    match family {
        Family::Debian => apt::install(&needed, &user, args.dry_run)?,
        Family::Fedora | Family::EnterpriseLinux => dnf::install(&needed, &user, args.dry_run)?,
    }
    subordinate_ids::ensure(&user, args.dry_run)
}

/// The same question as `sd_booted(3)`.
fn booted_with_systemd() -> bool {
    std::path::Path::new("/run/systemd/system").is_dir()
}

/// Prints the names of packages below the reason for which they are installed.
fn print_reasons(missing: &[packages::Needed]) {
    let mut previous = None;
    for package in missing {
        if previous != Some(package.why) {
            println!("  {}:", package.why);
            previous = Some(package.why);
        }
        println!("    {}", package.name);
    }
}
