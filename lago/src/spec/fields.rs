//! Reads the fields of one mapping, saying what is wrong with each.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

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

/// The fields that a mapping may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// Those to write, which messages offer.
    pub(super) documented: &'a [&'a str],
    /// Those that Lago wrote or read once.
    pub(super) tolerated: &'a [&'a str],
}

impl<'a> Known<'a> {
    fn all(&self) -> impl Iterator<Item = &'a str> {
        self.documented.iter().chain(self.tolerated).copied()
    }
}

/// One mapping whose fields are known by name. A field may be written with dashes or with underscores.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    report: &'a Report<'a>,
    map: Option<&'a Map>,
    /// Whether this is no mapping, which has been said.
    is_broken: bool,
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
        known: &Known<'_>,
    ) -> Self {
        let fields = Self {
            report,
            map: map_of(report, node, what),
            is_broken: !matches!(node.value, Value::Map(_) | Value::Null),
            at,
            what,
        };
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

    /// The fields of a mapping in this one.
    pub(super) fn below(&self, name: &str, what: &'static str, known: &Known<'_>) -> Option<Self> {
        let entry = self.get(name)?;
        Some(Self::open(self.report, &entry.node, entry.key, what, known))
    }

    /// A text. A whole number is taken for its digits.
    pub(super) fn string(&self, name: &str) -> Option<Marked<String>> {
        let node = &self.get(name)?.node;
        let value = text_of(self.report, node, name)?;
        Some(Marked { value, at: node.at })
    }

    /// A text that must be there.
    pub(super) fn required(&self, name: &str, help: &str) -> Option<Marked<String>> {
        if self.get(name).is_none() && !self.is_broken {
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

    /// A whole number of `unit` within `range`; a text of digits counts as one.
    pub(super) fn number(
        &self,
        name: &str,
        unit: &str,
        range: RangeInclusive<u64>,
    ) -> Option<Marked<u64>> {
        let node = &self.get(name)?.node;
        let value = match &node.value {
            Value::Integer(value) => Some(*value),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let help =
            format!("write a whole number of {unit} from {} to {}", range.start(), range.end());
        let Some(value) = value else {
            let found = node.value.describe();
            self.mistake(node.at, format!("`{name}` is {found}"), help);
            return None;
        };
        let Some(value) = u64::try_from(value).ok().filter(|value| range.contains(value)) else {
            self.mistake(node.at, format!("`{name}` cannot be {value}"), help);
            return None;
        };
        Some(Marked { value, at: node.at })
    }

    pub(super) fn address(&self, name: &str, example: &str) -> Option<Marked<Ipv4Addr>> {
        self.parsed(name, "IPv4", example)
    }

    pub(super) fn address6(&self, name: &str, example: &str) -> Option<Marked<Ipv6Addr>> {
        self.parsed(name, "IPv6", example)
    }

    fn parsed<T: FromStr>(&self, name: &str, family: &str, example: &str) -> Option<Marked<T>> {
        let text = self.string(name)?;
        let Ok(value) = text.value.parse() else {
            self.mistake(
                text.at,
                format!("`{name}` is {:?}, which is no {family} address", text.value),
                format!("write an address such as {example}"),
            );
            return None;
        };
        Some(Marked { value, at: text.at })
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
        let Value::List(items) = &entry.node.value else {
            self.wrong_type(&entry.node, name, "a list, each item after a `-`");
            return &[];
        };
        items
    }

    /// A mapping as it is.
    pub(super) fn map(&self, name: &str) -> Option<&'a Map> {
        let node = &self.get(name)?.node;
        let Value::Map(map) = &node.value else {
            self.wrong_type(node, name, "a mapping, `name: value` on each line");
            return None;
        };
        Some(map)
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

    fn report_unknown(&self, known: &Known<'_>) {
        for (key, entry) in self.map.into_iter().flat_map(|map| &map.entries) {
            if !known.all().any(|name| canonical(name) == canonical(key)) {
                self.mistake(
                    entry.key,
                    format!("{} has no field `{key}`", self.what),
                    suggest(key, known.documented.iter().copied()),
                );
            }
        }
        for name in known.all() {
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

/// What to write instead of `name`: the candidate that is meant if one is close, and all of them unless they are many.
pub(super) fn suggest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str, IntoIter: Clone>,
) -> String {
    /// More than these are a list to search rather than to read.
    const FEW: usize = 6;
    let candidates = candidates.into_iter();
    let all = candidates.clone().collect::<Vec<_>>();
    match names::closest(name, candidates) {
        Some(candidate) if (2..=FEW).contains(&all.len()) => {
            format!("did you mean `{candidate}`? write one of: {}", all.join(", "))
        }
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("write one of: {}", all.join(", ")),
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
pub(super) fn bool_of(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}
