//! What the run ran on and with.

use maud::{Markup, html};

use super::super::text::clean;
use super::record::{Environment, Record};
use super::words;
use crate::events::{EnvironmentFacts, VmFacts};

/// The section on the environment: versions, acceleration, VMs, templates, states.
pub(super) fn environment(record: &Record) -> Markup {
    let environment = &record.environment;
    let facts = environment.facts.as_ref();
    html! {
        section aria-labelledby="environment" {
            h2 id="environment" { "Environment" }
            dl.facts {
                @if let Some(failed) = &environment.failed {
                    dt { "Bring-up" } dd { "failed: " (clean(failed)) }
                }
                @if let Some((took, from_cache)) = environment.up {
                    dt { "Bring-up" }
                    dd {
                        (words::milliseconds(took)) ", "
                        @if from_cache { "from the cache" } @else { "by a boot" }
                    }
                }
                @if let Some(states) = &environment.reused {
                    dt { "Bring-up" } dd { "that of an earlier run was used; states: " (states.join(", ")) }
                }
                @if let Some(end) = &environment.end { dt { "At the end" } dd { (clean(end)) } }
                dt { "Machine" } dd { (clean(&record.machine.hostname)) }
                dt { "Kernel" } dd { (clean(&record.machine.kernel)) }
                @if let Some(facts) = facts { (machine(facts)) }
                dt { "lago-test" } dd { (record.version) }
                dt { "Command line" } dd { code { (clean(&record.arguments.join(" "))) } }
            }
            @if let Some(facts) = facts { (vms(&facts.vms)) }
            (states(environment))
        }
    }
}

fn machine(facts: &EnvironmentFacts) -> Markup {
    let kind = match facts.acceleration.as_str() {
        "kvm" => "hardware virtualization (kvm)",
        "tcg" => "software emulation (tcg)",
        other => other,
    };
    html! {
        @if facts.processors.is_some() || facts.processor.is_some() {
            dt { "Processors" }
            dd {
                @if let Some(count) = facts.processors { (count) }
                @if let Some(name) = &facts.processor { " × " (clean(name)) }
            }
        }
        @if let Some(memory) = facts.memory_mib { dt { "Memory" } dd { (memory) " MiB" } }
        dt { "Acceleration" } dd { (clean(kind)) }
        dt { "Host" } dd { (clean(&facts.host)) }
        dt { "lago" } dd { (clean(&facts.lago)) }
        @if let Some(qemu) = &facts.qemu { dt { "QEMU" } dd { (clean(qemu)) } }
        @if let Some(libvirt) = &facts.libvirt { dt { "libvirt" } dd { (clean(libvirt)) } }
    }
}

fn vms(vms: &[VmFacts]) -> Markup {
    html! {
        @if !vms.is_empty() {
            h3 { "VMs" }
            div.cards {
                @for vm in vms {
                    article.card {
                        h4 { (vm.name) }
                        dl.facts {
                            @if let Some(ip) = vm.ip { dt { "Address" } dd { (ip) } }
                            dt { "Processors" } dd { (vm.processors) }
                            dt { "Memory" } dd { (vm.memory_mib) " MiB" }
                            @for template in &vm.templates {
                                dt { "Template of " (clean(&template.dev)) }
                                dd {
                                    (clean(&template.version))
                                    @if let Some(digest) = &template.digest { br; code.digest { (clean(digest)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn states(environment: &Environment) -> Markup {
    html! {
        @if !environment.states.is_empty() {
            h3 { "States" }
            table.states {
                thead { tr { th scope="col" { "State" } th scope="col" { "Saved" } } }
                tbody {
                    @for (name, saved) in &environment.states {
                        tr {
                            th scope="row" { (name) }
                            td {
                                @match saved {
                                    Ok(took) => { "in " (words::milliseconds(*took)) },
                                    Err(reason) => { "no: " (clean(reason)) },
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
