//! The output formats of `--out-format`.

use std::fmt::Write as _;

use serde_json::Value;

/// How a verb prints what it found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum OutFormat {
    /// An indented outline for people.
    #[default]
    Default,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// One line a value, `path/to/key: value`, for grep.
    Flat,
}

impl OutFormat {
    /// The value as text that ends with a newline.
    pub(super) fn render(self, value: &Value) -> String {
        match self {
            Self::Default => outline(value),
            Self::Json => format!("{value:#}\n"),
            Self::Yaml => {
                let mut text = serde_saphyr::to_string(value).expect("JSON values are YAML values");
                if !text.ends_with('\n') {
                    text.push('\n');
                }
                text
            }
            Self::Flat => flat(value),
        }
    }
}

fn outline(value: &Value) -> String {
    let mut text = String::new();
    write_outline(&mut text, value, 0);
    text
}

fn write_outline(text: &mut String, value: &Value, depth: usize) {
    let indent = "    ".repeat(depth);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if is_nested(value) {
                    let _ = writeln!(text, "{indent}[{key}]:");
                    write_outline(text, value, depth + 1);
                } else {
                    let _ = writeln!(text, "{indent}{key}: {}", scalar(value));
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                write_outline(text, item, depth);
            }
        }
        scalar_value => {
            let _ = writeln!(text, "{indent}{}", scalar(scalar_value));
        }
    }
}

fn is_nested(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn flat(value: &Value) -> String {
    let mut text = String::new();
    write_flat(&mut text, value, "");
    text
}

fn write_flat(text: &mut String, value: &Value, path: &str) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}/{key}") };
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(key, value)| write_flat(text, value, &below(key)));
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, value) in items.iter().enumerate() {
                write_flat(text, value, &below(&index.to_string()));
            }
        }
        other => {
            let _ = writeln!(text, "{path}: {}", scalar(other));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::OutFormat;

    fn example() -> serde_json::Value {
        serde_json::json!({
            "Prefix": {
                "UUID": "1b9d",
                "VMs": { "server": { "status": "running", "groups": ["web", "db"], "metadata": {} } },
                "ok": true,
            }
        })
    }

    #[test]
    fn outline_is_indented() {
        insta::assert_snapshot!(OutFormat::Default.render(&example()));
    }

    #[test]
    fn flat_has_a_path_on_each_line() {
        insta::assert_snapshot!(OutFormat::Flat.render(&example()));
    }

    #[test]
    fn yaml_reads_back() {
        let text = OutFormat::Yaml.render(&example());
        let back: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(back, example());
    }
}
