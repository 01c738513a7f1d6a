//! The format for grep: a line for each value, with the keys that lead to it.

use serde_json::Value;

use super::scalar;

/// The root of what `lago status` prints, which is in no path.
const ROOT: &str = "Prefix";

pub(super) fn render(value: &Value) -> String {
    let mut lines = Vec::new();
    let is_filled = |inner: &&Value| inner.as_object().is_some_and(|map| !map.is_empty());
    descend(value.get(ROOT).filter(is_filled).unwrap_or(value), "", &mut lines);
    lines.join("\n")
}

/// Items of a list have the path of the list.
fn descend(value: &Value, path: &str, lines: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let below = if path.is_empty() { key.clone() } else { format!("{path}/{key}") };
                descend(value, &below, lines);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| descend(item, path, lines)),
        other if path.is_empty() => lines.push(scalar(other)),
        other => lines.push(format!("{path}: {}", scalar(other))),
    }
}
