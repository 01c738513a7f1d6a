//! Where settings come from, and which source wins.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ini::{Ini, ParseOption};

use super::error::ConfigError;
use super::keys::{self, Key, SECTION};
use crate::utils::FileError;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody has set it.
    Default,
    /// An environment variable.
    Environment(String),
    /// A file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
        }
    }
}

/// The sources of settings, other than the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Environment variables; those that do not begin with `LAGO_` are not looked at.
    pub environment: Vec<(OsString, OsString)>,
    /// Files, the most important one first. One that does not exist is no error.
    pub files: Vec<PathBuf>,
}

/// A value that somebody has set.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) key: &'static Key,
    pub(super) value: String,
    pub(super) origin: Origin,
}

impl Sources {
    /// The settings, the most important source first, and warnings.
    pub(super) fn settings(&self) -> Result<(Vec<Setting>, Vec<String>), ConfigError> {
        let mut settings = Vec::new();
        let mut warnings = Vec::new();
        for (name, value) in &self.environment {
            let Some(name) = name.to_str() else { continue };
            let value = value.to_string_lossy().into_owned();
            match variable(name)? {
                // An empty variable is the usual way to unset one.
                Variable::Key(key) if !value.is_empty() => {
                    settings.push(Setting {
                        key,
                        value,
                        origin: Origin::Environment(name.to_owned()),
                    });
                }
                Variable::OnlyLagos(key) => {
                    let origin = Origin::Environment(name.to_owned());
                    warnings.extend(said_to_lago(&origin, &key, &value));
                }
                Variable::Typo(warning) => warnings.push(warning),
                _ => {}
            }
        }
        for path in &self.files {
            settings.extend(read_file(path, &mut warnings)?);
        }
        Ok((settings, warnings))
    }
}

/// What Lago decides by it is no mistake, so it is only worth a warning where something else does the same here.
fn said_to_lago(origin: &Origin, key: &str, value: &str) -> Option<String> {
    match keys::instead(key) {
        Some(instead) if !value.trim().is_empty() => {
            Some(format!("{origin}: `{key}` decides nothing here; {instead}"))
        }
        _ => {
            tracing::debug!("{origin}: this is a setting of Lago that decides nothing here");
            None
        }
    }
}

enum Variable {
    Key(&'static Key),
    /// The key that Lago knows.
    OnlyLagos(String),
    Typo(String),
    Other,
}

fn variable(name: &str) -> Result<Variable, ConfigError> {
    let origin = || Origin::Environment(name.to_owned());
    if let Some((section, key)) = name.strip_prefix("LAGO__").and_then(|rest| rest.split_once("__"))
    {
        let (section, key) = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
        let known = known(&section, &key, origin)?;
        return Ok(known.map_or(Variable::OnlyLagos(key), Variable::Key));
    }
    let Some(key) = name.strip_prefix("LAGO_") else { return Ok(Variable::Other) };
    let key = key.to_ascii_lowercase();
    // Other programs use variables of this form too, so that an unknown one is no error.
    if keys::is_only_lagos(&key) && key != "prefix_name" {
        return Ok(Variable::OnlyLagos(key));
    }
    Ok(match (keys::find(&key), keys::nearest(&key)) {
        (Some(key), _) => Variable::Key(key),
        (None, Some(near)) => Variable::Typo(format!(
            "the environment variable {name} is no setting of lago; did you mean LAGO_{}?",
            near.to_ascii_uppercase()
        )),
        (None, None) => Variable::Other,
    })
}

/// The setting, or nothing for one that only Lago has.
fn known(
    section: &str,
    key: &str,
    origin: impl Fn() -> Origin,
) -> Result<Option<&'static Key>, ConfigError> {
    if keys::is_section_of_lago(section) {
        return Ok(if section == "init" { keys::find(key) } else { None });
    }
    if section != SECTION {
        let (what, advice) =
            (format!("section `{section}`"), format!("the section is `{SECTION}`"));
        return Err(ConfigError::Unknown { origin: origin(), what, advice });
    }
    if keys::is_only_lagos(key) {
        return Ok(None);
    }
    let unknown = || {
        let (what, advice) = (format!("key `{key}`"), keys::advice(key));
        ConfigError::Unknown { origin: origin(), what, advice }
    };
    keys::find(key).map(Some).ok_or_else(unknown)
}

fn read_file(path: &Path, warnings: &mut Vec<String>) -> Result<Vec<Setting>, ConfigError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::io("read", path)(error).into()),
    };
    let syntax = |(line, column, reason)| ConfigError::Syntax {
        path: path.to_owned(),
        line,
        column,
        reason,
    };
    check_lines(&text).map_err(syntax)?;
    let ini =
        parse(&text).map_err(|error| syntax((error.line, error.col, error.msg.into_owned())))?;
    let mut settings: Vec<Setting> = Vec::new();
    for (section, properties) in &ini {
        let section = section.unwrap_or_default();
        for (name, value) in properties {
            let name = name.trim();
            let before = settings.iter().filter(|setting| setting.key.name == name).count();
            let line = line_of(&text, section, name, before);
            let origin = Origin::File { path: path.to_owned(), line };
            let Some(key) = known(section.trim(), name, || origin.clone())? else {
                warnings.extend(said_to_lago(&origin, name, value));
                continue;
            };
            // The same under another name.
            let is_there = settings.iter().any(|setting| setting.key.name == key.name);
            if before > 0 || is_there {
                return Err(ConfigError::Duplicate { origin, key: name.to_owned() });
            }
            settings.push(Setting { key, value: value.trim().to_owned(), origin });
        }
    }
    Ok(settings)
}

fn parse(text: &str) -> Result<Ini, ini::ParseError> {
    // As Python's configparser reads them: passwords and paths hold quotes and backslashes.
    let options =
        ParseOption { enabled_quote: false, enabled_escape: false, ..ParseOption::default() };
    Ini::load_from_str_opt(text, options)
}

/// The parser takes a line without `=` for the beginning of the next line's key, and reports it there if at all.
fn check_lines(text: &str) -> Result<(), (usize, usize, String)> {
    let is_good = |line: &str| match line.chars().next() {
        None | Some('#' | ';') => true,
        Some('[') => line.ends_with(']'),
        Some(_) => line.contains(['=', ':']),
    };
    match text.lines().position(|line| !is_good(line.trim())) {
        Some(line) => {
            Err((line + 1, 1, "this is neither `[section]` nor `key = value`".to_owned()))
        }
        None => Ok(()),
    }
}

/// The line (from 1) of the key's occurrence after the first `skip` ones. The parser knows it but does not tell.
fn line_of(text: &str, section: &str, key: &str, skip: usize) -> usize {
    let mut current = "";
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            current = name;
        } else if current == section && line.split(['=', ':']).next().map(str::trim) == Some(key) {
            lines.push(number + 1);
        }
    }
    lines.get(skip).or(lines.last()).copied().unwrap_or(1)
}
