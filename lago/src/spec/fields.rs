//! Reads the fields of one mapping, saying what is wrong with each.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use super::diagnostic::{Mark, Report};
use super::names;
use super::tree::{Entry, Map, Node, Value};
use super::types::JsonMap;

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Marked<T> {
    pub(super) value: T,
    pub(super) at: Mark,
}

/// One mapping whose fields are known by name. A field may be written with dashes or with underscores.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    report: &'a Report<'a>,
    map: Option<&'a Map>,
    /// Where to point when something is missing.
    pub(super) at: Mark,
    /// What the mapping describes: "a domain".
    what: &'static str,
}

impl<'a> Fields<'a> {
    /// Opens a mapping and reports every field that is not `known`. Nothing at all counts as an empty mapping; anything
    /// else is reported and read as one.
    pub(super) fn open(
        report: &'a Report<'a>,
        node: &'a Node,
        at: Mark,
        what: &'static str,
        known: &[&str],
    ) -> Self {
        let fields = Self { report, map: map_of(report, node, what), at, what };
        fields.report_unknown(known);
        fields
    }

    pub(super) fn mistake(&self, at: Mark, message: impl Into<String>, help: impl Into<String>) {
        self.report.mistake(at, message, help);
    }

    /// The field's value, unless it is absent or null.
    pub(super) fn get(&self, name: &str) -> Option<&'a Entry> {
        self.spellings(name).map(|(_, entry)| entry).find(|entry| !entry.node.value.is_null())
    }

    /// A text. A whole number is taken for its digits.
    pub(super) fn string(&self, name: &str) -> Option<Marked<String>> {
        let node = &self.get(name)?.node;
        let value = text_of(self.report, node, name)?;
        Some(Marked { value, at: node.at })
    }

    /// A text that must be there.
    pub(super) fn required(&self, name: &str, help: &str) -> Option<Marked<String>> {
        if self.get(name).is_none() {
            self.mistake(self.at, format!("{} has no `{name}`", self.what), help);
        }
        self.string(name)
    }

    pub(super) fn bool(&self, name: &str) -> Option<bool> {
        let node = &self.get(name)?.node;
        let value = match &node.value {
            Value::Bool(value) => Some(*value),
            Value::String(text) => bool_of(text),
            _ => None,
        };
        if value.is_none() {
            self.wrong_type(node, name, "true or false");
        }
        value
    }

    /// A whole number within `range`; a text of digits counts as one.
    pub(super) fn number(&self, name: &str, range: RangeInclusive<u64>) -> Option<Marked<u64>> {
        let node = &self.get(name)?.node;
        let value = match &node.value {
            Value::Integer(value) => Some(*value),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let help = format!("write a whole number from {} to {}", range.start(), range.end());
        let Some(value) = value else {
            let found = node.value.describe();
            self.mistake(node.at, format!("`{name}` is {found}"), help);
            return None;
        };
        match u64::try_from(value).ok().filter(|value| range.contains(value)) {
            Some(value) => Some(Marked { value, at: node.at }),
            None => {
                self.mistake(node.at, format!("`{name}` cannot be {value}"), help);
                None
            }
        }
    }

    pub(super) fn address(&self, name: &str, example: &str) -> Option<Marked<Ipv4Addr>> {
        let text = self.string(name)?;
        match text.value.parse() {
            Ok(value) => Some(Marked { value, at: text.at }),
            Err(_) => {
                self.mistake(
                    text.at,
                    format!("`{name}` is {:?}, which is no IPv4 address", text.value),
                    format!("write an address such as {example}"),
                );
                None
            }
        }
    }

    /// One of several words.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.string(name)?;
        let found = words.iter().find(|(word, _)| *word == text.value);
        if found.is_none() {
            let candidates = words.iter().map(|(word, _)| *word);
            self.mistake(
                text.at,
                format!("`{name}` cannot be {:?}", text.value),
                suggest(&text.value, candidates),
            );
        }
        found.map(|(_, value)| *value)
    }

    /// A list of texts; one text alone counts as a list of one.
    pub(super) fn strings(&self, name: &str) -> Vec<String> {
        let Some(entry) = self.get(name) else { return Vec::new() };
        texts_of(self.report, &entry.node, name)
    }

    /// A list; anything else is reported and read as an empty one.
    pub(super) fn list(&self, name: &str) -> &'a [Node] {
        let Some(entry) = self.get(name) else { return &[] };
        match &entry.node.value {
            Value::List(items) => items,
            _ => {
                self.wrong_type(&entry.node, name, "a list, each item after a `-`");
                &[]
            }
        }
    }

    /// A mapping as it is.
    pub(super) fn map(&self, name: &str) -> Option<&'a Map> {
        match &self.get(name)?.node.value {
            Value::Map(map) => Some(map),
            _ => {
                self.wrong_type(
                    &self.get(name)?.node,
                    name,
                    "a mapping, `name: value` on each line",
                );
                None
            }
        }
    }

    /// A mapping whose content only its reader understands.
    pub(super) fn json(&self, name: &str) -> Option<JsonMap> {
        self.map(name).map(Map::to_json)
    }

    fn wrong_type(&self, node: &Node, name: &str, expected: &str) {
        let found = node.value.describe();
        self.mistake(node.at, format!("`{name}` is {found}"), format!("write {expected}"));
    }

    fn spellings(&self, name: &str) -> impl Iterator<Item = (&'a String, &'a Entry)> {
        let name = canonical(name);
        let entries = self.map.into_iter().flat_map(|map| &map.entries);
        entries.filter(move |(key, _)| canonical(key) == name)
    }

    fn report_unknown(&self, known: &[&str]) {
        for (key, entry) in self.map.into_iter().flat_map(|map| &map.entries) {
            if !known.iter().any(|name| canonical(name) == canonical(key)) {
                self.mistake(
                    entry.key,
                    format!("{} has no field `{key}`", self.what),
                    suggest(key, known.iter().copied()),
                );
            }
        }
        for name in known {
            if let Some((key, second)) = self.spellings(name).nth(1) {
                self.mistake(
                    second.key,
                    format!("`{key}` is the same field as `{name}`, and both are written"),
                    "remove one of the two",
                );
            }
        }
    }
}

/// A field's name with one spelling of its dashes.
pub(super) fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

/// "did you mean", or all that there is if nothing is close.
pub(super) fn suggest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str, IntoIter: Clone>,
) -> String {
    let candidates = candidates.into_iter();
    match names::closest(name, candidates.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("write one of: {}", candidates.collect::<Vec<_>>().join(", ")),
    }
}

/// Reads a text and reports anything else.
pub(super) fn text_of(report: &Report<'_>, node: &Node, name: &str) -> Option<String> {
    match &node.value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        other => {
            let help = match other {
                Value::Bool(_) | Value::Float(_) => "put it in quotes, so that it is read as text",
                _ => "write a text",
            };
            report.mistake(node.at, format!("`{name}` is {}", other.describe()), help);
            None
        }
    }
}

/// Reads a list of texts, or one text as a list of one.
pub(super) fn texts_of(report: &Report<'_>, node: &Node, name: &str) -> Vec<String> {
    match &node.value {
        Value::Null => Vec::new(),
        Value::List(items) => items.iter().filter_map(|item| text_of(report, item, name)).collect(),
        _ => text_of(report, node, name).into_iter().collect(),
    }
}

fn map_of<'a>(report: &Report<'_>, node: &'a Node, what: &str) -> Option<&'a Map> {
    match &node.value {
        Value::Map(map) => Some(map),
        Value::Null => None,
        other => {
            report.mistake(
                node.at,
                format!("{what} is a mapping, but this is {}", other.describe()),
                "write `field: value` lines, indented below it",
            );
            None
        }
    }
}

/// The words for yes and no of YAML 1.1, in which Lago's own files are written.
fn bool_of(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}
