//! Which lines of a console are trouble.

use std::cell::OnceCell;

use regex::{Regex, RegexSet};

/// What a Linux kernel writes when something is broken that no test can be trusted on: what the line reports, and an
/// expression that finds it.
///
/// A kernel panic comes last of its kind: what led to it is worth more than the word.
const KERNEL: [(&str, &str); 6] = [
    ("a kernel oops", r"\bOops: |: [0-9a-f]{4} \[#\d+\]|\bkernel BUG at |\bBUG: "),
    ("a hung task", r"\bINFO: task .+ blocked for more than \d+ seconds"),
    // That of a cgroup as well: `Memory cgroup out of memory: Killed process`.
    ("an out-of-memory kill", r"\b[Oo]ut of memory: Kill(?:ed)? process"),
    (
        "a file system error",
        r"\bEXT[234]-fs error|\bXFS \(\S+\): .*(?i:corrupt|I/O error|shut)|\bBTRFS (?:critical|error)|\bRemounting filesystem read-only",
    ),
    ("a disk error", r"\bI/O error,? (?:on )?dev "),
    ("a kernel panic", r"\bKernel panic - not syncing"),
];

/// What the expressions above find and what is no fault of the guest's: processors that stand still for a while because
/// the host is busy with other things, as under software emulation.
const NO_FAULT: [&str; 2] = [r"\bBUG: soft lockup", r"\bBUG: workqueue lockup"];

/// What a suite, a stage or a scenario says about consoles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ConsoleRules {
    /// More trouble: its name and its expression.
    pub(crate) patterns: Vec<(String, String)>,
    /// Expressions of lines that are none.
    pub(crate) allowed: Vec<String>,
}

impl ConsoleRules {
    /// What is wrong with the expressions.
    pub(crate) fn problems(&self) -> impl Iterator<Item = String> {
        let expressions = self.patterns.iter().map(|(_, expression)| expression);
        expressions.chain(&self.allowed).filter_map(|expression| {
            let error = Regex::new(expression).err()?;
            Some(format!("`{expression}` is no regular expression: {error}"))
        })
    }
}

/// The trouble that is looked for.
#[derive(Debug, Clone)]
pub(crate) struct Patterns {
    names: Vec<String>,
    set: RegexSet,
    no_fault: RegexSet,
}

impl Patterns {
    /// The kernel's, and those that a suite adds.
    ///
    /// Expressions that are none have been refused before; should one come here, only the kernel's hold.
    pub(crate) fn new(rules: &ConsoleRules) -> Self {
        let kernel = KERNEL.map(|(name, expression)| (name.to_owned(), expression.to_owned()));
        let all: Vec<_> = rules.patterns.iter().cloned().chain(kernel).collect();
        let set = RegexSet::new(all.iter().map(|(_, expression)| expression));
        Self {
            set: set.unwrap_or_else(|_| RegexSet::empty()),
            names: all.into_iter().map(|(name, _)| name).collect(),
            no_fault: RegexSet::new(NO_FAULT).unwrap_or_else(|_| RegexSet::empty()),
        }
    }

    /// What a line reports, if that is trouble and not allowed.
    pub(crate) fn name_of(&self, line: &str, allowed: &Allowed) -> Option<&str> {
        let first = self.set.matches(line).into_iter().next()?;
        let is_trouble = !self.no_fault.is_match(line) && !allowed.has(line);
        is_trouble.then(|| self.names[first].as_str())
    }
}

/// Lines that are no trouble in one scenario.
#[derive(Debug, Default)]
pub(crate) struct Allowed {
    expressions: Vec<String>,
    /// Made for the first line that needs it: most consoles never have one.
    set: OnceCell<RegexSet>,
}

impl Allowed {
    /// What any of these allows.
    pub(crate) fn by<'a>(rules: impl IntoIterator<Item = &'a ConsoleRules>) -> Self {
        let expressions = rules.into_iter().flat_map(|rules| rules.allowed.clone()).collect();
        Self { expressions, set: OnceCell::new() }
    }

    fn has(&self, line: &str) -> bool {
        let set = || RegexSet::new(&self.expressions).unwrap_or_else(|_| RegexSet::empty());
        self.set.get_or_init(set).is_match(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(line: &str) -> Option<String> {
        let patterns = Patterns::new(&ConsoleRules::default());
        patterns.name_of(line, &Allowed::default()).map(str::to_owned)
    }

    /// Lines of real kernels.
    #[test]
    fn trouble_has_its_name() {
        for (line, name) in [
            ("[   61.1] Kernel panic - not syncing: sysrq triggered crash", "a kernel panic"),
            (
                "login: [    9.9] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100",
                "a kernel panic",
            ),
            (
                "[   22.5] BUG: kernel NULL pointer dereference, address: 0000000000000000",
                "a kernel oops",
            ),
            (
                "[   22.5] BUG: unable to handle page fault for address: ffffc90000a3",
                "a kernel oops",
            ),
            ("[   22.5] Oops: 0002 [#1] PREEMPT SMP NOPTI", "a kernel oops"),
            (
                "[   22.5] general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP",
                "a kernel oops",
            ),
            ("[   22.5] kernel BUG at fs/ext4/inode.c:2721!", "a kernel oops"),
            (
                "[  242.1] INFO: task jbd2/vda2-8:180 blocked for more than 120 seconds.",
                "a hung task",
            ),
            (
                "[   31.0] Out of memory: Killed process 312 (tail) total-vm:99320kB, anon-rss:96kB",
                "an out-of-memory kill",
            ),
            (
                "[   31.0] Out of memory: Kill process 312 (tail) score 904 or sacrifice child",
                "an out-of-memory kill",
            ),
            (
                "[   31.0] Memory cgroup out of memory: Killed process 99 (stress)",
                "an out-of-memory kill",
            ),
            (
                "[   12.0] EXT4-fs error (device vda2): ext4_lookup:1855: inode #2: comm ls: iget: bad",
                "a file system error",
            ),
            ("[   12.0] EXT4-fs (vda2): Remounting filesystem read-only", "a file system error"),
            (
                "[   12.0] XFS (vda1): Metadata corruption detected at xfs_agi_verify+0x8a",
                "a file system error",
            ),
            ("[   12.0] XFS (dm-0): log I/O error -5", "a file system error"),
            (
                "[   12.0] XFS (dm-0): Log I/O Error (0x2) detected at xlog_ioend_work. Shutting down filesystem.",
                "a file system error",
            ),
            ("[   12.0] BTRFS error (device vda2): bad tree block start", "a file system error"),
            (
                "[   12.0] blk_update_request: I/O error, dev vdb, sector 2048 op 0x0:(READ)",
                "a disk error",
            ),
            (
                "[   12.0] I/O error, dev vda, sector 1234 op 0x1:(WRITE) flags 0x800",
                "a disk error",
            ),
            (
                "[   12.0] Buffer I/O error on dev vdb, logical block 0, async page read",
                "a disk error",
            ),
        ] {
            assert_eq!(name_of(line).as_deref(), Some(name), "{line}");
        }
    }

    #[test]
    fn what_a_healthy_guest_says_is_no_trouble() {
        for line in [
            "mini: up after 3.21 s",
            "[    0.0] ACPI BIOS Error (bug): Could not resolve symbol",
            "[    0.1] [Firmware Bug]: TSC doesn't count with P0 frequency!",
            "[    2.5] EXT4-fs (vda2): mounted filesystem with ordered data mode. Quota mode: none.",
            "[    2.5] EXT4-fs (vda2): recovery complete",
            "[    2.5] XFS (vda1): Mounting V5 Filesystem",
            "[    2.5] BTRFS info (device vda2): using crc32c",
            "[   99.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [swapper/0:0]",
            "[   99.0] BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!",
            "[   99.0] rcu: INFO: rcu_preempt self-detected stall on CPU",
            "[  OK  ] Started systemd-oomd.service - Userspace Out-Of-Memory (OOM) Killer.",
        ] {
            assert_eq!(name_of(line), None, "{line}");
        }
    }

    #[test]
    fn patterns_are_added_and_lines_allowed() {
        let rules = ConsoleRules {
            patterns: vec![("a warning".into(), r"WARNING: CPU: \d+".into())],
            allowed: vec!["Kernel panic .* sysrq".into()],
        };
        let patterns = Patterns::new(&rules);
        let allowed = Allowed::by([&rules]);
        let name_of = |line| patterns.name_of(line, &allowed);
        assert_eq!(name_of("[ 1.0] WARNING: CPU: 0 PID: 7 at kernel/x.c:1"), Some("a warning"));
        assert_eq!(name_of("[ 1.0] Kernel panic - not syncing: sysrq triggered crash"), None);
        assert_eq!(name_of("Kernel panic - not syncing: Fatal exception"), Some("a kernel panic"));
    }

    #[test]
    fn an_expression_that_is_none_is_a_problem() {
        let rules = ConsoleRules {
            patterns: vec![("x".into(), "(".into())],
            allowed: vec!["[".into(), "fine".into()],
        };
        let problems: Vec<_> = rules.problems().collect();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].starts_with("`(` is no regular expression: "), "{problems:?}");
    }

    #[test]
    fn the_kernels_expressions_are_right() {
        for (_, expression) in KERNEL {
            Regex::new(expression).unwrap();
        }
        RegexSet::new(NO_FAULT).unwrap();
    }
}
