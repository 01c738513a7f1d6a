//! Subordinate ids (`subuid(5)`): what a plain user's private host maps its users to.
//!
//! Without them dnsmasq and QEMU fail when they change their groups inside the user namespace.

use std::fs;

use anyhow::Result;

use super::privilege::{self, User};

/// How many ids a user gets: what `useradd` gives too, and enough for every id of a distribution.
const COUNT: u32 = 65_536;

/// Where ranges start when there is none yet, as in `login.defs`.
const FIRST: u32 = 100_000;

/// Which of the two files a range belongs into.
#[derive(Clone, Copy)]
enum Kind {
    Users,
    Groups,
}

impl Kind {
    fn file(self) -> &'static str {
        match self {
            Self::Users => "/etc/subuid",
            Self::Groups => "/etc/subgid",
        }
    }

    fn option(self) -> &'static str {
        match self {
            Self::Users => "--add-subuids",
            Self::Groups => "--add-subgids",
        }
    }
}

/// Gives the user ranges where it has none. Root needs none: its private host has no user namespace.
pub(crate) fn ensure(user: &User, dry_run: bool) -> Result<()> {
    if user.is_root() { Ok(()) } else { give(user, user, dry_run) }
}

/// Gives `user` ranges where it has none, by the hand of `actor`.
pub(super) fn give(user: &User, actor: &User, dry_run: bool) -> Result<()> {
    // A file that is not there holds no range.
    let read = |kind: Kind| fs::read_to_string(kind.file()).unwrap_or_default();
    let Some(argv) = plan(user, &read(Kind::Users), &read(Kind::Groups)) else {
        return Ok(());
    };
    println!(
        "setup: {} has no subordinate ids; without them dnsmasq and QEMU cannot run in a private host of this user",
        user.name
    );
    if dry_run {
        println!("  would run: {}", argv.join(" "));
        return Ok(());
    }
    privilege::run_as_root(actor, &argv)
}

/// The call of `usermod` that adds what is missing, if anything is.
fn plan(user: &User, users: &str, groups: &str) -> Option<Vec<String>> {
    let mut argv = vec!["usermod".to_owned()];
    for (kind, text) in [(Kind::Users, users), (Kind::Groups, groups)] {
        let entries: Vec<_> = entries(text).collect();
        if !entries.iter().any(|entry| entry.is_of(user)) {
            let start = entries.iter().map(Entry::end).max().map_or(FIRST, |end| end.max(FIRST));
            argv.push(kind.option().to_owned());
            argv.push(format!("{start}-{}", start + COUNT - 1));
        }
    }
    argv.push(user.name.clone());
    (argv.len() > 2).then_some(argv)
}

/// One line of the file: `owner:start:count`, the owner by name or by number.
struct Entry<'a> {
    owner: &'a str,
    start: u32,
    count: u32,
}

impl Entry<'_> {
    fn is_of(&self, user: &User) -> bool {
        self.owner == user.name || self.owner.parse() == Ok(user.id)
    }

    /// The first id after the range.
    fn end(&self) -> u32 {
        self.start.saturating_add(self.count)
    }
}

fn entries(text: &str) -> impl Iterator<Item = Entry<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.trim().splitn(3, ':');
        let owner = fields.next()?;
        let start = fields.next()?.parse().ok()?;
        let count = fields.next()?.parse().ok()?;
        Some(Entry { owner, start, count })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> User {
        User { name: "ann".into(), id: 1000 }
    }

    #[test]
    fn a_user_with_both_is_left_alone_by_name_or_by_number() {
        assert_eq!(plan(&ann(), "ann:100000:65536\n", "ann:100000:65536\n"), None);
        assert_eq!(plan(&ann(), "1000:100000:65536\n", "ann:100000:65536\n"), None);
    }

    #[test]
    fn ranges_begin_after_those_of_others() {
        let others = "bob:100000:65536\n# a comment\nkim:231072:65536\nold:1000:10\n";
        let argv = plan(&ann(), others, "").unwrap().join(" ");
        assert_eq!(argv, "usermod --add-subuids 296608-362143 --add-subgids 100000-165535 ann");
    }

    #[test]
    fn only_what_is_missing_is_added() {
        let argv = plan(&ann(), "ann:100000:65536\n", "bob:100000:65536\n").unwrap().join(" ");
        assert_eq!(argv, "usermod --add-subgids 165536-231071 ann");
    }
}
