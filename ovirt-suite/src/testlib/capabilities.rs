//! Scenarios that only some environments can run.

use lago_test::{Context, Failure, Requirement, Verdict};

use super::external::{ENGINE_CAPABILITIES, ExternalEngine, HOST_CAPABILITIES};
use crate::virt::OvirtVirtEnv;

/// A requirement on what the engine or the hosts can do, as their `ovirt-capabilities` in the init file say.
#[derive(Debug, Clone)]
pub struct Capable {
    who: Who,
    capabilities: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum Who {
    Engine,
    Hosts,
}

/// The engine can do all of this; otherwise the scenario is skipped, with what it cannot do as the reason.
pub fn engine(capabilities: impl IntoIterator<Item = impl Into<String>>) -> Capable {
    Capable { who: Who::Engine, capabilities: capabilities.into_iter().map(Into::into).collect() }
}

/// Each of these is something that some host can do; otherwise the scenario is skipped, with what none can do as the reason.
pub fn hosts(capabilities: impl IntoIterator<Item = impl Into<String>>) -> Capable {
    Capable { who: Who::Hosts, capabilities: capabilities.into_iter().map(Into::into).collect() }
}

impl Requirement for Capable {
    fn check(&self, context: &Context) -> Result<Verdict, Failure> {
        if ExternalEngine::from_env().is_some() {
            let (name, count) = match self.who {
                Who::Engine => (ENGINE_CAPABILITIES, 1),
                Who::Hosts => (HOST_CAPABILITIES, usize::MAX),
            };
            return Ok(self.verdict(count, &ExternalEngine::words(name)));
        }
        let env = OvirtVirtEnv::new(context.prefix()?)?;
        let (count, known) = match self.who {
            Who::Engine => match env.engine_vm() {
                Ok(engine) => (1, engine.capabilities().to_vec()),
                Err(_) => (0, Vec::new()),
            },
            Who::Hosts => {
                let hosts = env.host_vms();
                let all = hosts.iter().flat_map(|host| host.capabilities().iter().cloned());
                (hosts.len(), all.collect())
            }
        };
        Ok(self.verdict(count, &known))
    }
}

impl Capable {
    /// `count` is how many there are, and `known` what they can do.
    fn verdict(&self, count: usize, known: &[String]) -> Verdict {
        let missing: Vec<&str> = self
            .capabilities
            .iter()
            .filter(|capability| !known.contains(capability))
            .map(String::as_str)
            .collect();
        match (self.who, count) {
            (Who::Engine, 0) => Verdict::Unmet("there is no engine".to_owned()),
            (Who::Hosts, 0) => Verdict::Unmet("there are no hosts".to_owned()),
            _ if missing.is_empty() => Verdict::Met,
            (Who::Engine, _) => {
                Verdict::Unmet(format!("the engine has not the capability {}", missing.join(", ")))
            }
            (Who::Hosts, _) => {
                Verdict::Unmet(format!("no host has the capability {}", missing.join(", ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn what_nobody_can_do_is_the_reason() {
        let needs = hosts(["snapshot-live-merge", "sr-iov", "numa"]);
        assert_eq!(
            needs.verdict(2, &words(&["sr-iov"])),
            Verdict::Unmet("no host has the capability snapshot-live-merge, numa".to_owned())
        );
        let all = words(&["numa", "sr-iov", "snapshot-live-merge", "more"]);
        assert_eq!(needs.verdict(2, &all), Verdict::Met);
        let engine = engine(["ovn"]);
        let reason = "the engine has not the capability ovn".to_owned();
        assert_eq!(engine.verdict(1, &[]), Verdict::Unmet(reason));
    }

    #[test]
    fn an_environment_without_hosts_or_engine_skips_and_does_not_crash() {
        let none = Vec::<String>::new();
        let reason = |verdict| match verdict {
            Verdict::Unmet(reason) => reason,
            Verdict::Met => panic!("met"),
        };
        assert_eq!(reason(hosts(none.clone()).verdict(0, &[])), "there are no hosts");
        assert_eq!(reason(engine(none).verdict(0, &[])), "there is no engine");
    }
}
