//! The init file as a tree in which every key and value knows its place.
//!
//! YAML and JSON take the same way: JSON is read as the YAML that it is, so both give equal trees and equal marks.

use std::fmt;

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned, UserMessageFormatter};

use super::diagnostic::{Mark, Report};

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) at: Mark,
}

/// A value as the file has it, before anything is known about what it means.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    String(String),
    List(Vec<Node>),
    Map(Map),
}

/// A mapping in the order of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Map {
    pub(super) entries: IndexMap<String, Entry>,
    /// Keys that were written again, with the place of the second.
    duplicates: Vec<(String, Mark)>,
}

/// A value and the place of its key.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: Mark,
    pub(super) node: Node,
    /// Whether the value has a YAML anchor (`&name`).
    pub(super) anchored: bool,
}

impl Value {
    /// What this is, for "expected a list, found ...".
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Bool(value) => format!("`{value}`"),
            Self::Integer(value) => format!("the number {value}"),
            Self::Float(value) => format!("the number {value}"),
            Self::String(value) => format!("the text {value:?}"),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a mapping".to_owned(),
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(super) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Integer(value) => serde_json::Number::from_i128(*value)
                .map_or_else(|| value.to_string().into(), Into::into),
            Self::Float(value) => (*value).into(),
            Self::String(value) => value.as_str().into(),
            Self::List(items) => items.iter().map(|item| item.value.to_json()).collect(),
            Self::Map(map) => map.to_json().into(),
        }
    }
}

impl Map {
    pub(super) fn to_json(&self) -> serde_json::Map<String, serde_json::Value> {
        self.entries.iter().map(|(key, entry)| (key.clone(), entry.node.value.to_json())).collect()
    }
}

/// Reads the text into a tree. Says what is wrong and returns `None` if it is no YAML, or if nothing is in it.
pub(super) fn read(text: &str, report: &Report<'_>) -> Option<Node> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // `yes` is a word until a field wants a boolean; `0123` and `1_000` are text, not other numbers.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Node>(text, options) {
        Ok(mut root) => {
            report_duplicates(&root, report);
            mark_anchors(&mut root, text);
            Some(root)
        }
        Err(error) => {
            report_syntax(&error, report);
            None
        }
    }
}

fn report_syntax(error: &serde_saphyr::Error, report: &Report<'_>) {
    let help = match error.without_snippet() {
        serde_saphyr::Error::MultipleDocuments { .. } => {
            "keep one document: remove the line `---` and what does not belong to it"
        }
        serde_saphyr::Error::UnknownAnchor { .. } => {
            "write the value above with `&` and this name before it, or correct the name"
        }
        _ => "check the indentation, the brackets and the quotes here and on the line above",
    };
    let text = error.render_with_formatter(&UserMessageFormatter);
    // The place is in the mark already.
    let message = text.split_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    report.mistake(
        error.location().map(mark).unwrap_or_default(),
        format!("this is not valid YAML or JSON: {message}"),
        help,
    );
}

fn report_duplicates(node: &Node, report: &Report<'_>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| report_duplicates(item, report)),
        Value::Map(map) => {
            for (key, second) in &map.duplicates {
                let first = map.entries[key].key;
                report.mistake(
                    *second,
                    format!("`{key}` is written twice in the same mapping"),
                    format!("remove this one or the one on line {}", first.line),
                );
            }
            map.entries.values().for_each(|entry| report_duplicates(&entry.node, report));
        }
        _ => {}
    }
}

/// Notes which values of the top level have an anchor: the parser resolves anchors without telling.
fn mark_anchors(root: &mut Node, text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    let Value::Map(map) = &mut root.value else { return };
    for entry in map.entries.values_mut() {
        let Some(line) = lines.get(entry.key.line.saturating_sub(1)) else { continue };
        let after_key: String =
            line.chars().skip(entry.key.column - 1 + entry.key.length).collect();
        entry.anchored = after_key
            .trim_start()
            .strip_prefix(':')
            .is_some_and(|value| value.trim_start().starts_with('&'));
    }
}

fn mark(location: Location) -> Mark {
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    Mark {
        line: number(location.line()),
        column: number(location.column()),
        length: number(location.span().len()),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { at: mark(spanned.defined), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::default();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            let at = mark(key.defined);
            let node = access.next_value()?;
            if map.entries.contains_key(&key.value) {
                map.duplicates.push((key.value, at));
            } else {
                map.entries.insert(key.value, Entry { key: at, node, anchored: false });
            }
        }
        Ok(Value::Map(map))
    }
}
