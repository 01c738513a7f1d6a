//! Where each value of an init file was written.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::diagnostic::{Mark, Report};
use super::fields::canonical;
use super::tree::{Node, Value};

/// The file that an [`InitFile`](super::InitFile) was read from and the place of each of its values, so that what is
/// found out later still points at the line to change.
#[derive(Clone, Default)]
pub(super) struct Origin {
    file: PathBuf,
    text: String,
    marks: HashMap<String, Mark>,
}

/// Two init files that say the same are equal, wherever they say it.
impl PartialEq for Origin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The places are many and say nothing to a reader.
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Origin").field(&self.file).finish()
    }
}

impl Origin {
    /// Notes the place of every value below `root`.
    pub(super) fn record(file: &Path, text: &str, root: &Node) -> Self {
        let mut marks = HashMap::new();
        record(&mut marks, "", root, root.at);
        Self { file: file.to_owned(), text: text.to_owned(), marks }
    }

    /// The file.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// A report that points into this file.
    pub(super) fn report(&self) -> Report<'_> {
        Report::new(&self.file, &self.text)
    }

    /// The place of a value, its fields spelled with underscores, or of the innermost thing around it that was written.
    pub(super) fn mark(&self, path: &[&str]) -> Mark {
        (0..=path.len())
            .rev()
            .find_map(|length| self.marks.get(&joined(&path[..length])))
            .copied()
            .unwrap_or_default()
    }
}

/// Things that have a name are marked at the name, plain values at the value.
fn record(marks: &mut HashMap<String, Mark>, path: &str, node: &Node, at: Mark) {
    marks.insert(path.to_owned(), at);
    match &node.value {
        Value::Map(map) => {
            for (key, entry) in &map.entries {
                let at = match entry.node.value {
                    Value::Map(_) | Value::Null => entry.key,
                    _ => entry.node.at,
                };
                record(marks, &format!("{path}/{key}"), &entry.node, at);
                marks.entry(format!("{path}/{}", canonical(key))).or_insert(at);
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                record(marks, &format!("{path}/{index}"), item, item.at);
            }
        }
        _ => {}
    }
}

fn joined(path: &[&str]) -> String {
    path.iter().flat_map(|part| ["/", part]).collect()
}
