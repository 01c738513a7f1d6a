//! The format for grep: a line for each value, with the keys that lead to it.

use serde_json::Value;

use super::scalar;

/// The root of what `lago status` prints, which is in no path.
const ROOT: &str = "Prefix";

/// What becomes of the items of a list, which have no keys of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Items {
    /// Each has a line of its own, behind the path of the list.
    Alone,
    /// Each stands behind those before it, as Lago prints them.
    Repeated,
}

pub(super) fn render(value: &Value, items: Items) -> String {
    let mut lines = Vec::new();
    let is_filled = |inner: &&Value| inner.as_object().is_some_and(|map| !map.is_empty());
    let value = value.get(ROOT).filter(is_filled).unwrap_or(value);
    descend(value, &mut Vec::new(), items, &mut lines);
    lines.join("\n")
}

/// Adds the lines of a value at a path. Lago writes a value onto the end of the path that it stands at, and goes on from
/// there with the next item of the same list.
fn descend(value: &Value, path: &mut Vec<String>, items: Items, lines: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let mut below = [path.as_slice(), std::slice::from_ref(key)].concat();
                descend(value, &mut below, items, lines);
            }
        }
        Value::Array(all) => {
            for item in all {
                match items {
                    Items::Repeated => descend(item, path, items, lines),
                    Items::Alone => descend(item, &mut path.clone(), items, lines),
                }
            }
        }
        other => match path.last_mut() {
            Some(key) => {
                key.push_str(": ");
                key.push_str(&scalar(other));
                lines.push(path.join("/"));
            }
            None => lines.push(scalar(other)),
        },
    }
}
