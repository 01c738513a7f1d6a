//! Prototypes: named sets of fields that domains, and other prototypes, are based on.

use indexmap::IndexMap;

use super::diagnostic::Report;
use super::fields::{canonical, suggest};
use super::tree::{Entry, Map, Node, Value};

/// Gives every domain and every prototype below `root` what it inherits.
pub(super) fn apply(root: &mut Node, report: &Report<'_>) {
    let Value::Map(top) = &mut root.value else { return };
    let prototypes = match top.entries.get("prototypes").map(|entry| &entry.node.value) {
        Some(Value::Map(map)) => map.entries.clone(),
        _ => IndexMap::new(),
    };
    let inheritance = Inheritance { prototypes, report };
    for section in ["prototypes", "domains"] {
        let Some(entry) = top.entries.get_mut(section) else { continue };
        let Value::Map(members) = &mut entry.node.value else { continue };
        for (name, member) in &mut members.entries {
            let mut chain: Vec<String> = Vec::new();
            if section == "prototypes" {
                chain.push(name.clone());
            }
            inheritance.fill(&mut member.node, &mut chain);
        }
    }
}

struct Inheritance<'a> {
    prototypes: IndexMap<String, Entry>,
    report: &'a Report<'a>,
}

impl Inheritance<'_> {
    /// Adds to `node` what its prototype has and it lacks. `chain` names the prototypes that lead here.
    fn fill(&self, node: &mut Node, chain: &mut Vec<String>) {
        let Some((name, parent)) = self.take_parent(node) else { return };
        if chain.contains(&name) {
            self.report_cycle(&name, chain, &parent);
            return;
        }
        let Some(prototype) = self.prototypes.get(&name) else {
            self.report_missing(&name, &parent);
            return;
        };
        chain.push(name);
        let mut inherited = prototype.node.clone();
        self.fill(&mut inherited, chain);
        merge(node, inherited);
    }

    /// Removes `based-on` and returns the name that it has.
    fn take_parent(&self, node: &mut Node) -> Option<(String, Entry)> {
        let Value::Map(map) = &mut node.value else { return None };
        let key = map.entries.keys().find(|key| canonical(key) == "based_on")?.clone();
        let parent = map.entries.shift_remove(&key)?;
        match &parent.node.value {
            Value::String(name) => Some((name.clone(), parent)),
            Value::Null => None,
            other => {
                self.report.mistake(
                    parent.node.at,
                    format!("`{key}` is {}", other.describe()),
                    "write the name of one prototype",
                );
                None
            }
        }
    }

    fn report_cycle(&self, name: &str, chain: &[String], parent: &Entry) {
        let start = chain.iter().position(|link| link == name).unwrap_or_default();
        let circle = &chain[start..];
        // The circle is met once from each of its members: one report is enough.
        if circle.iter().any(|link| link.as_str() < name) {
            return;
        }
        let circle = circle.iter().map(String::as_str).chain([name]);
        self.report.mistake(
            parent.node.at,
            format!("prototypes go in a circle: {}", circle.collect::<Vec<_>>().join(" -> ")),
            "remove one `based-on` of the circle",
        );
    }

    fn report_missing(&self, name: &str, parent: &Entry) {
        let help = if self.prototypes.is_empty() {
            "write it under `prototypes`, or remove `based-on`".to_owned()
        } else {
            suggest(name, self.prototypes.keys().map(String::as_str))
        };
        self.report.mistake(parent.node.at, format!("the prototype {name:?} does not exist"), help);
    }
}

/// Adds what `inherited` has and `own` lacks. Mappings are merged at every depth; lists and plain values are replaced
/// as a whole.
fn merge(own: &mut Node, inherited: Node) {
    if own.value.is_null() {
        // A domain without fields of its own: all that it says comes from its prototype.
        own.value = Value::Map(Map::default());
    }
    let (Value::Map(own), Value::Map(inherited)) = (&mut own.value, inherited.value) else {
        return;
    };
    for (key, entry) in inherited.entries {
        let same = own.entries.keys().find(|own| canonical(own) == canonical(&key)).cloned();
        match same {
            Some(same) => merge_value(&mut own.entries[&same].node, entry.node),
            None => {
                own.entries.insert(key, entry);
            }
        }
    }
}

fn merge_value(own: &mut Node, inherited: Node) {
    if let (Value::Map(_), Value::Map(_)) = (&own.value, &inherited.value) {
        merge(own, inherited);
    }
}
