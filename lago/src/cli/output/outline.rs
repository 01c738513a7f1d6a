//! The format for people.

use serde_json::{Map, Value};

use super::scalar;

/// What each level is indented by.
const INDENT: &str = "    ";

pub(super) fn render(value: &Value) -> String {
    indented(value, "")
}

fn indented(value: &Value, indent: &str) -> String {
    match value {
        Value::Object(map) => mapping(map, indent),
        Value::Array(items) => list(items, indent),
        other => scalar(other),
    }
}

fn mapping(map: &Map<String, Value>, indent: &str) -> String {
    let deeper = format!("{indent}{INDENT}");
    let mut lines = Vec::new();
    for (key, value) in map {
        match value {
            Value::Object(inner) if inner.is_empty() => {}
            Value::Object(_) => {
                lines.push(format!("{indent}[{key}]:"));
                let below = indented(value, &deeper);
                if !below.is_empty() {
                    lines.push(below);
                }
            }
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            other => lines.push(format!("{indent}{key}: {}", indented(other, &deeper))),
        }
    }
    lines.join("\n")
}

/// A list below a key begins on a line of its own. Of an item that takes several lines only the first is indented.
fn list(items: &[Value], indent: &str) -> String {
    let begin = (!indent.is_empty()).then(String::new);
    let items = items.iter().map(|item| format!("{indent}{}", indented(item, "")));
    begin.into_iter().chain(items).collect::<Vec<_>>().join("\n")
}
