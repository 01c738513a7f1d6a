//! The output formats of `--out-format`. They are Lago's, byte for byte, as scripts read them.

mod flat;
mod json;
mod outline;
mod yaml;

use clap::ValueEnum;
use serde_json::Value;

use crate::config::Config;
use flat::Items;

/// How a verb prints what it found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum OutFormat {
    /// An indented outline for people. What is empty is left out.
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
    /// The one of the setting `out_format`. A verb that needs the settings says what is wrong with them.
    pub(super) fn of_the_settings() -> Self {
        let set = Config::load().ok().map(|config| config.out_format);
        set.and_then(|format| Self::from_str(&format, false).ok()).unwrap_or_default()
    }

    /// The value as text that ends with a newline.
    pub(super) fn render(self, value: &Value) -> String {
        self.render_with(value, Items::Alone)
    }

    /// What Lago prints too, byte for byte.
    pub(super) fn render_as_lago(self, value: &Value) -> String {
        self.render_with(&sorted(value), Items::Repeated)
    }

    fn render_with(self, value: &Value, items: Items) -> String {
        let mut text = match self {
            Self::Default => outline::render(value),
            Self::Json => json::render(value),
            Self::Yaml => yaml::render(value),
            Self::Flat => flat::render(value, items),
        };
        text.push('\n');
        text
    }
}

/// The value with the keys of all its mappings in the order of their code points, as Lago prints them.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> =
                map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        scalar => scalar.clone(),
    }
}

/// A value that is no mapping and no list, in the words of Python.
fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
