//! From the text of a setting to its value, or what it should be.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::layers::{Origin, Setting};
use crate::host::AccelerationChoice;
use crate::spec::{NoSubnetRange, SubnetRange, parse_size};
use crate::templates::is_url;

pub(super) fn path(setting: &Setting) -> Result<PathBuf, String> {
    if setting.value.is_empty() {
        return Err("it should be the path of a directory".to_owned());
    }
    Ok(resolve(&setting.value, &setting.origin))
}

/// Paths and addresses, separated by `:`.
pub(super) fn paths(setting: &Setting) -> Vec<PathBuf> {
    let parts = split(&setting.value).into_iter().map(|part| part.trim().to_owned());
    let parts = parts.filter(|part| !part.is_empty());
    parts
        .map(|part| if is_url(&part) { part.into() } else { resolve(&part, &setting.origin) })
        .collect()
}

/// Splits at colons, but for those of addresses: behind their scheme, and before a port.
fn split(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for piece in text.split(':') {
        let joins = parts.last().is_some_and(|last| {
            let scheme = matches!(last.trim(), "http" | "https") && piece.starts_with("//");
            let host = is_url(last.trim()) && !last.trim()["https://".len()..].contains('/');
            scheme || host && piece.starts_with(|c: char| c.is_ascii_digit())
        });
        match parts.last_mut().filter(|_| joins) {
            Some(last) => {
                last.push(':');
                last.push_str(piece);
            }
            None => parts.push(piece.to_owned()),
        }
    }
    parts
}

/// `~` is the home directory; other relative paths are relative to the file that they are in.
fn resolve(text: &str, origin: &Origin) -> PathBuf {
    let path = Path::new(text);
    if let (Ok(rest), Some(home)) = (path.strip_prefix("~"), env::home_dir()) {
        return home.join(rest);
    }
    match origin {
        Origin::File { path: file, .. } => file.parent().unwrap_or(Path::new("")).join(path),
        _ => path.to_owned(),
    }
}

pub(super) fn accel(setting: &Setting) -> Result<AccelerationChoice, String> {
    let value = setting.value.to_ascii_lowercase();
    value.parse().map_err(|_| "it should be one of auto, kvm, tcg".to_owned())
}

pub(super) fn level(setting: &Setting) -> Result<LevelFilter, String> {
    let wanted = || "it should be one of off, error, warn, info, debug, trace".to_owned();
    // A number would be taken too, but means the opposite of what it means in Python.
    if setting.value.contains(|c: char| c.is_ascii_digit()) || setting.value.is_empty() {
        return Err(wanted());
    }
    setting.value.parse().map_err(|_| wanted())
}

pub(super) fn duration(setting: &Setting) -> Result<Duration, String> {
    let text = setting.value.as_str();
    let (digits, unit) = match text.char_indices().next_back() {
        Some((end, 's')) => (&text[..end], 1),
        Some((end, 'm')) => (&text[..end], 60),
        Some((end, 'h')) => (&text[..end], 3600),
        _ => (text, 1),
    };
    let number = digits.trim_end().parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    match number {
        Some(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => {
            Err("it should be a time such as 600, 600s, 10m or 1h, and more than nothing"
                .to_owned())
        }
    }
}

/// A word on one line; nothing is what the default is.
pub(super) fn word(setting: &Setting) -> Result<Option<String>, String> {
    if setting.value.contains(char::is_control) {
        return Err("it should have no control characters in it".to_owned());
    }
    Ok(Some(setting.value.clone()).filter(|value| !value.is_empty()))
}

pub(super) fn vm_provider(setting: &Setting) -> Result<Option<String>, String> {
    let value = word(setting)?;
    match value.as_deref() {
        None | Some("local-libvirt" | "ssh") => Ok(value),
        Some(_) => Err("it should be one of local-libvirt, ssh".to_owned()),
    }
}

pub(super) fn count(setting: &Setting) -> Result<u32, String> {
    let count = setting.value.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "it should be a whole number, and more than nothing".to_owned())
}

/// The formats of `--out-format`, that without one first.
pub(super) const OUT_FORMATS: [&str; 4] = ["default", "json", "yaml", "flat"];

pub(super) fn out_format(setting: &Setting) -> Result<String, String> {
    let format = OUT_FORMATS.into_iter().find(|format| *format == setting.value);
    format
        .map(str::to_owned)
        .ok_or_else(|| format!("it should be one of {}", OUT_FORMATS.join(", ")))
}

pub(super) fn switch(setting: &Setting) -> Result<bool, String> {
    match setting.value.to_ascii_lowercase().as_str() {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err("it should be one of on, off".to_owned()),
    }
}

pub(super) fn size(setting: &Setting) -> Result<u64, String> {
    parse_size(&setting.value)
        .map_err(|_| "it should be a size such as 512M or 10G, and more than nothing".to_owned())
}

pub(super) fn subnet_range(setting: &Setting) -> Result<SubnetRange, String> {
    setting.value.parse().map_err(|error: NoSubnetRange| error.to_string())
}

/// A size in bytes with the largest unit that it has a whole number of.
pub(super) fn shown_size(bytes: u64) -> String {
    let unit = [("T", 40), ("G", 30), ("M", 20), ("K", 10)];
    let whole = unit.into_iter().find(|(_, power)| bytes != 0 && bytes.trailing_zeros() >= *power);
    whole.map_or_else(|| bytes.to_string(), |(suffix, power)| format!("{}{suffix}", bytes >> power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_may_stand_among_paths() {
        assert_eq!(split("/a:b:/c"), ["/a", "b", "/c"]);
        assert_eq!(split("https://x/a.json"), ["https://x/a.json"]);
        assert_eq!(split("/a:https://x:8443/a.json:/b"), ["/a", "https://x:8443/a.json", "/b"]);
        assert_eq!(split("http://x/a:http://y/b"), ["http://x/a", "http://y/b"]);
        assert_eq!(split("http:/a"), ["http", "/a"]);
    }
}
