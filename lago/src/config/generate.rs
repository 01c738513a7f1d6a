//! The settings as a file to begin with.

use std::fmt::Write as _;

use super::keys::{self, Fallback, SECTION};
use super::{Config, Entry, Sources};

/// How long lines of comments become.
const WIDTH: usize = 79;

const HEADER: &str = "Settings of lago. This file goes to ~/.config/lago/lago.conf for one user, or to \
    /etc/lago/lago.conf for all. What is set in the first of these wins: the environment variable (LAGO_ACCEL, or \
    LAGO__LAGO__ACCEL with the section), the user's file, the system's file. The values here are the defaults; a \
    line with `#` before its key is one that depends on the user, or has no value.";

/// A configuration file with all settings, what each is for, and their defaults.
///
/// ```
/// assert!(lago::config::generate().contains("\naccel = auto\n"));
/// ```
pub fn generate() -> String {
    let defaults = Config::from_sources(&Sources::default())
        .expect("where nobody has set anything nothing is wrong");
    let mut text = comment(HEADER);
    write!(text, "\n[{SECTION}]\n").expect("writing to a string cannot fail");
    for entry in defaults.entries() {
        text.push('\n');
        text.push_str(&described(entry));
    }
    text
}

fn described(entry: &Entry) -> String {
    let (mark, without) = match keys::find(entry.key).map(|key| key.fallback) {
        Some(Fallback::Nothing(meaning)) => ("#", format!(" Without it: {meaning}.")),
        Some(Fallback::OfTheUser) => ("#", String::new()),
        Some(Fallback::Fixed) | None => ("", String::new()),
    };
    let mut text = comment(&format!("{}.{without}", capitalised(entry.description)));
    let line = format!("{mark}{} = {}", entry.key, entry.value);
    writeln!(text, "{}", line.trim_end()).expect("writing to a string cannot fail");
    text
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The text as lines of a comment.
fn comment(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            line.replace_range(1.., "");
        }
        line.push(' ');
        line.push_str(word);
    }
    lines + &line + "\n"
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::Origin;

    fn read(text: &str) -> Config {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("lago.conf");
        fs::write(&file, text).unwrap();
        let sources = Sources { environment: Vec::new(), files: vec![file] };
        Config::from_sources(&sources).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn values(config: &Config) -> Vec<(&'static str, String)> {
        config.entries().iter().map(|entry| (entry.key, entry.value.clone())).collect()
    }

    #[test]
    fn what_is_generated_means_the_defaults() {
        let defaults = Config::from_sources(&Sources::default()).unwrap();
        let generated = read(&generate());
        assert_eq!(values(&generated), values(&defaults));
        let set = |key| generated.get(key).unwrap().origin != Origin::Default;
        assert!(set("accel") && set("start_limit") && set("cache_size"));
        assert!(!set("store") && !set("libvirt_uri"));
    }

    /// A person takes the `#` away to change a value, and may change nothing then.
    #[test]
    fn a_line_without_its_mark_means_the_default_too() {
        let defaults = Config::from_sources(&Sources::default()).unwrap();
        let has_value = |line: &str| line.contains(" = ");
        let unmarked: String = generate()
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(key) if !key.starts_with(' ') && has_value(key) => format!("{key}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let all = read(&unmarked);
        assert_eq!(values(&all), values(&defaults));
        assert_ne!(all.get("store").unwrap().origin, Origin::Default);
    }

    #[test]
    fn every_setting_is_explained_in_lines_that_fit_a_terminal() {
        let text = generate();
        for key in &keys::KEYS {
            let at =
                |line: &str| line.trim_start_matches('#').starts_with(&format!("{} =", key.name));
            let position = text.lines().position(at).unwrap_or_else(|| panic!("no {}", key.name));
            assert!(text.lines().nth(position - 1).unwrap().starts_with("# "), "{}", key.name);
        }
        assert!(
            text.lines()
                .filter(|line| line.starts_with('#') && line.contains(' '))
                .all(|line| { line.contains(" = ") || line.chars().count() <= WIDTH })
        );
    }
}
