//! VMs that have died, which is why a scenario failed, whatever it says itself.

use std::fmt::Write as _;

use super::Lane;
use crate::environment::GoneVm;
use crate::outcome::Outcome;
use crate::tell::tell;

impl Lane {
    /// The outcome of a scenario that failed, with what its environment's VMs have to say to it.
    pub(super) fn with_casualties(&self, outcome: Outcome) -> Outcome {
        let Some(environment) = &self.environment else { return outcome };
        if !outcome.is_failure() || self.run.interrupts.signal().is_some() {
            return outcome;
        }
        let found = environment
            .gone_vms()
            .and_then(|gone| Ok((gone, environment.vms_paused_by_io_errors()?)));
        match found {
            Ok((_, held)) if !held.is_empty() => held_still(&outcome, &held),
            Ok((gone, _)) => explained(outcome, &gone),
            Err(failure) => {
                // The scenario's own failure stands.
                tell(format_args!("\nthe VMs cannot be looked at: {}", failure.without_location()));
                outcome
            }
        }
    }
}

/// A scenario in whose environment a VM has died is an error, as nothing is known about what it asserts. One that
/// somebody has turned off is no more than an explanation.
fn explained(outcome: Outcome, gone: &[GoneVm]) -> Outcome {
    let (dead, off): (Vec<_>, Vec<_>) = gone.iter().partition(|vm| vm.ending.is_death());
    let off: Vec<_> =
        off.iter().map(|vm| format!("VM {} is down: {}", vm.name, vm.ending)).collect();
    if dead.is_empty() {
        return match (off.is_empty(), outcome) {
            (false, Outcome::Failed { failure }) => {
                Outcome::Failed { failure: failure.caused_by(off) }
            }
            (false, Outcome::Errored { message }) => {
                Outcome::Errored { message: format!("{message}\n{}", off.join("\n")) }
            }
            (false, hung @ Outcome::TimedOut { .. }) => hung.with_note(&off.join("; ")),
            (_, outcome) => outcome,
        };
    }
    let named: Vec<_> =
        dead.iter().map(|vm| format!("VM {} has died: {}", vm.name, vm.ending)).collect();
    let said = outcome.to_string();
    let mut message = format!("{}; the scenario: {said}", named.join("; "));
    for vm in dead {
        // The error of a command in the guest has quoted them.
        let is_new = vm.last_lines.lines().last().is_some_and(|last| !said.contains(last));
        if is_new {
            // Writing to a string does not fail.
            let _ = write!(message, "\n{}", last_words(vm));
        }
    }
    Outcome::Errored { message }
}

/// Nor is anything known where QEMU holds a VM still. It is no fault of the guest's.
fn held_still(outcome: &Outcome, held: &[&str]) -> Outcome {
    let message = format!(
        "QEMU holds VM {} still, because a disk of it could not be written or read: the disk of this machine with the \
         environment's images may be full; the scenario: {outcome}",
        held.join(" and VM ")
    );
    Outcome::Errored { message }
}

fn last_words(vm: &GoneVm) -> String {
    let lines = vm.last_lines.replace('\n', "\n    ");
    format!("the last lines on the console of {} ({}):\n    {lines}", vm.name, vm.console.display())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lago::virt::VmEnding;

    use super::*;
    use crate::result::Failure;

    fn gone(reason: &str) -> GoneVm {
        GoneVm {
            name: "server".into(),
            ending: VmEnding {
                reason: Some(reason.into()),
                at: Some("12:00".into()),
                log: "/logs/server.log".into(),
            },
            console: "/logs/console/server.log".into(),
            last_lines: "booting\nup".into(),
        }
    }

    fn failed(message: &str) -> Outcome {
        Outcome::Failed { failure: Failure::new(message).without_location() }
    }

    #[test]
    fn a_death_makes_an_error_with_the_last_words() {
        let outcome = explained(failed("no page"), &[gone("crashed")]);
        let expected = "VM server has died: its QEMU has crashed or was killed (12:00); the scenario: no page\n\
                        the last lines on the console of server (/logs/console/server.log):\n    booting\n    up";
        assert_eq!(outcome, Outcome::Errored { message: expected.into() });
        let told = explained(failed("the VM is gone: console: up"), &[gone("crashed")]);
        assert!(!told.to_string().contains("last lines"), "they are there once: {told}");
        let hung = explained(Outcome::timed_out(Duration::from_secs(1)), &[gone("failed")]);
        assert!(hung.to_string().contains("the scenario: timed out"), "{hung}");
    }

    #[test]
    fn a_vm_that_is_held_still_makes_an_error() {
        let outcome = held_still(&failed("no page"), &["server", "client"]);
        let Outcome::Errored { message } = &outcome else { panic!("{outcome}") };
        assert!(message.starts_with("QEMU holds VM server and VM client still"), "{message}");
        assert!(message.ends_with("may be full; the scenario: no page"), "{message}");
    }

    #[test]
    fn what_was_turned_off_explains_and_changes_nothing() {
        let off = "VM server is down: somebody has pulled its plug (12:00)";
        let outcome = explained(failed("no page"), &[gone("destroyed")]);
        assert_eq!(outcome.to_string(), format!("no page\n  caused by: {off}"));
        let hung = explained(Outcome::timed_out(Duration::from_secs(1)), &[gone("destroyed")]);
        assert!(matches!(&hung, Outcome::TimedOut { note: Some(note), .. } if note == off));
        assert_eq!(explained(failed("no page"), &[]), failed("no page"));
    }
}
