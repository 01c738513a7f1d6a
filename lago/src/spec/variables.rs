//! Variables in the texts of an init file.

use std::path::Path;

use super::tree::{Node, Value};

/// The variable that stands for the directory of the init file.
const INIT_FILE_DIRECTORY: &str = "LAGO_INITFILE_PATH";

/// Replaces `$LAGO_INITFILE_PATH` and `${LAGO_INITFILE_PATH}` in every text below `node`.
///
/// Other variables stay: what they stand for is known only when the prefix is made.
pub(super) fn expand(node: &mut Node, directory: &Path) {
    match &mut node.value {
        Value::String(text) if text.contains('$') => {
            *text = expanded(text, INIT_FILE_DIRECTORY, &directory.to_string_lossy());
        }
        Value::List(items) => items.iter_mut().for_each(|item| expand(item, directory)),
        Value::Map(map) => {
            map.entries.values_mut().for_each(|entry| expand(&mut entry.node, directory));
        }
        _ => {}
    }
}

/// Replaces `$NAME` and `${NAME}` in a text, leaving longer names that begin with `NAME` alone.
///
/// ```
/// use lago::spec::expanded;
///
/// assert_eq!(expanded("$LAGO_PREFIX_PATH/images", "LAGO_PREFIX_PATH", "/env"), "/env/images");
/// assert_eq!(expanded("${HOME}s", "HOME", "/root"), "/roots");
/// assert_eq!(expanded("$HOMES", "HOME", "/root"), "$HOMES");
/// ```
pub fn expanded(text: &str, name: &str, value: &str) -> String {
    let text = text.replace(&format!("${{{name}}}"), value);
    let bare = format!("${name}");
    let mut result = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find(&bare) {
        let (before, found) = rest.split_at(start);
        let after = &found[bare.len()..];
        let is_whole = !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        result.push_str(before);
        result.push_str(if is_whole { value } else { &bare });
        rest = after;
    }
    result + rest
}
