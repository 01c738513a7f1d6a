//! A bad line: what comes to a VM is late, or does not come.
//!
//! Delay is made by netem, a queueing discipline of the kernel's (`tc-netem(8)`). Loss is made by nftables, because
//! kernels that are made small for containers and clouds often lack netem.

use std::time::Duration;

use serde_json::Value;

use super::{nft, require_here};
use crate::Result;
use crate::host::Host;
use crate::utils::{CommandError, HostCommand};
use crate::virt::{VirtError, Vm};

/// The longest delay: netem counts in 32 bits.
const LONGEST_DELAY: Duration = Duration::from_secs(60 * 60);

/// How many packets may be on their way. With netem's own 1000, a fast line with a long delay would lose some.
const QUEUE: u32 = 100_000;

/// One in how many is the smallest loss.
const LOSS_STEPS: u32 = 10_000;

/// How bad a line is, for what comes *to* a VM's card. What goes out is not touched: a card of its peer is impaired for
/// that. So the round trip of a ping takes longer by one delay, whichever side sends it.
///
/// ```
/// # use std::time::Duration;
/// # use lago::virt::Impairment;
/// let bad = Impairment {
///     delay: Duration::from_millis(200),
///     loss_percent: 5.0,
///     ..Impairment::default()
/// };
/// # let _ = bad;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Impairment {
    /// How much later each packet comes; an hour at most.
    pub delay: Duration,
    /// By how much the delay of each packet differs from that at most, at random. Packets may overtake each other.
    pub jitter: Duration,
    /// How many of a hundred packets are lost, at random, in steps of a hundredth.
    pub loss_percent: f64,
}

impl Impairment {
    /// Whether nothing is impaired.
    pub fn is_none(&self) -> bool {
        self.delay.is_zero() && self.lost() == 0
    }

    /// What `tc qdisc replace dev DEVICE root` is told to make the delay; nothing without one.
    pub fn netem(&self) -> Vec<String> {
        if self.delay.is_zero() {
            return Vec::new();
        }
        let micros = |time: Duration| format!("{}us", time.as_micros());
        let mut arguments = vec!["netem".to_owned(), "limit".to_owned(), QUEUE.to_string()];
        arguments.extend(["delay".to_owned(), micros(self.delay)]);
        if !self.jitter.is_zero() {
            arguments.push(micros(self.jitter));
        }
        arguments
    }

    /// How many of [`LOSS_STEPS`] packets are lost.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is checked to be from 0 to 100"
    )]
    fn lost(&self) -> u32 {
        (self.loss_percent * f64::from(LOSS_STEPS) / 100.0).round() as u32
    }

    fn check(&self) -> Result<(), String> {
        if !(0.0..=100.0).contains(&self.loss_percent) {
            return Err(format!("{} of a hundred packets cannot be lost", self.loss_percent));
        }
        if self.delay > LONGEST_DELAY {
            return Err(format!("a delay of {:?} is longer than an hour", self.delay));
        }
        if self.jitter > self.delay {
            return Err(format!(
                "a delay of {:?} cannot differ by {:?}: some packets would come before they are sent",
                self.delay, self.jitter
            ));
        }
        Ok(())
    }
}

/// Impairs what comes to a VM's card on this device, in place of what was there.
pub(in crate::virt) fn apply(vm: &Vm, tap: &str, impairment: &Impairment) -> Result<()> {
    impairment.check().map_err(|reason| VirtError::Faults { reason })?;
    let host = vm.host();
    require_here(host)?;
    // What a kernel may not be able to do comes first.
    delay(vm, tap, impairment)?;
    let table = table_of(tap);
    if impairment.lost() == 0 {
        return nft::remove(host, &table);
    }
    nft::put(host, &table, &chain(tap, impairment.lost())).inspect_err(|_| {
        if let Err(error) = remove_delay(host, tap) {
            tracing::warn!("{error}");
        }
    })
}

/// Removes what impairs the cards of these VMs.
pub(super) fn remove_all<'a>(host: &Host, vms: impl Iterator<Item = &'a Vm>) -> Result<()> {
    let stems: Vec<String> = vms.map(Vm::tap_stem).collect();
    for stem in &stems {
        nft::remove_all(host, &table_of(stem))?;
    }
    for tap in delayed(host)? {
        if stems.iter().any(|stem| tap.starts_with(stem)) {
            delete_delay(host, &tap)?;
        }
    }
    Ok(())
}

fn table_of(tap: &str) -> String {
    format!("lago-loss-{tap}")
}

/// The device is known by its number: one that takes its name later, when the VM starts anew, is not impaired.
fn chain(tap: &str, lost: u32) -> String {
    // No number is below what nftables takes as the largest, so it could not say that all are lost.
    let some = if lost < LOSS_STEPS {
        format!("numgen random mod {LOSS_STEPS} < {lost} ")
    } else {
        String::new()
    };
    format!(
        "  chain out {{\n    type filter hook postrouting priority 0; policy accept;\n    \
         oif \"{tap}\" {some}drop\n  }}\n"
    )
}

fn delay(vm: &Vm, tap: &str, impairment: &Impairment) -> Result<()> {
    let netem = impairment.netem();
    if netem.is_empty() {
        return remove_delay(vm.host(), tap);
    }
    let replace = tc().args(["qdisc", "replace", "dev", tap, "root"]).args(netem);
    match vm.host().run(replace) {
        Err(crate::Error::Command(source)) if lacks_netem(&source) => {
            Err(VirtError::NoNetem { vm: vm.name().to_owned(), source: Box::new(source) }.into())
        }
        replaced => replaced.map(drop),
    }
}

/// What the kernel says through `tc` when it has no such discipline.
fn lacks_netem(error: &CommandError) -> bool {
    matches!(error, CommandError::Failed { stderr, .. } if stderr.contains("qdisc kind is unknown"))
}

fn remove_delay(host: &Host, tap: &str) -> Result<()> {
    if delayed(host)?.iter().any(|device| device == tap) {
        delete_delay(host, tap)?;
    }
    Ok(())
}

fn delete_delay(host: &Host, tap: &str) -> Result<()> {
    host.run(tc().args(["qdisc", "del", "dev", tap, "root"]))?;
    Ok(())
}

/// The devices on which packets are delayed.
fn delayed(host: &Host) -> Result<Vec<String>> {
    if !super::is_here(host) {
        return Ok(Vec::new());
    }
    let output = host.run(tc().args(["-j", "qdisc", "show"]))?;
    devices(&output.stdout).map_err(|reason| VirtError::Faults { reason }.into())
}

fn devices(json: &[u8]) -> Result<Vec<String>, String> {
    let list: Vec<Value> = serde_json::from_slice(json).map_err(|error| format!("tc: {error}"))?;
    let netem = list.iter().filter(|discipline| discipline["kind"] == "netem");
    Ok(netem.filter_map(|discipline| discipline["dev"].as_str()).map(str::to_owned).collect())
}

fn tc() -> HostCommand {
    HostCommand::new("tc")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(impairment: Impairment) -> String {
        impairment.check().unwrap_err()
    }

    #[test]
    fn a_delay_is_told_to_netem_in_microseconds() {
        let delay = Duration::from_millis(150);
        let bad = Impairment { delay, ..Impairment::default() };
        assert_eq!(bad.netem().join(" "), "netem limit 100000 delay 150000us");
        let bad = Impairment { jitter: Duration::from_micros(1500), ..bad };
        assert_eq!(bad.netem().join(" "), "netem limit 100000 delay 150000us 1500us");
        assert!(Impairment { loss_percent: 5.0, ..Impairment::default() }.netem().is_empty());
    }

    #[test]
    fn a_loss_is_counted_in_hundredths_of_a_percent() {
        let lost = |loss_percent| Impairment { loss_percent, ..Impairment::default() }.lost();
        assert_eq!([lost(0.0), lost(0.01), lost(33.333), lost(100.0)], [0, 1, 3333, 10_000]);
        assert!(Impairment { loss_percent: 0.001, ..Impairment::default() }.is_none());
        assert!(chain("a-1-0", 3333).contains("oif \"a-1-0\" numgen random mod 10000 < 3333 drop"));
        assert!(chain("a-1-0", 10_000).contains("oif \"a-1-0\" drop"));
    }

    #[test]
    fn what_no_line_does_is_refused() {
        let second = Duration::from_secs(1);
        for loss_percent in [-1.0, 100.1, f64::NAN] {
            refused(Impairment { loss_percent, ..Impairment::default() });
        }
        assert!(
            refused(Impairment { delay: 3601 * second, ..Impairment::default() }).contains("hour")
        );
        let early = Impairment { delay: second, jitter: 2 * second, loss_percent: 0.0 };
        assert!(refused(early).contains("before they are sent"));
    }

    #[test]
    fn delayed_devices_are_told_from_others() {
        let json = br#"[{"kind":"noqueue","dev":"lo","root":true},
            {"kind":"netem","handle":"8001:","dev":"serv-1f00a2-0","root":true}]"#;
        assert_eq!(devices(json).unwrap(), ["serv-1f00a2-0"]);
        assert_eq!(devices(b"[]").unwrap(), Vec::<String>::new());
    }
}
