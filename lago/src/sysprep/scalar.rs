//! Values in the seed's YAML.

/// `text` as a YAML string: as it is where YAML takes that for a string of the same characters, else quoted.
pub(super) fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// `text` in double quotes. A JSON string is a YAML string too.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Letters, digits and inner punctuation, and nothing that YAML 1.1 or 1.2 reads as a number, a boolean or null.
fn is_plain(text: &str) -> bool {
    const NOT_STRINGS: [&str; 11] =
        ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "inf", "nan"];
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(inner)
        && !NOT_STRINGS.contains(&text.to_ascii_lowercase().as_str())
}
