//! Numbers, times and links as the report writes them.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::duration::spoken;

/// A duration in milliseconds: `240 ms`, `1.5 s`, `2 min 30 s`.
pub(super) fn milliseconds(count: u64) -> String {
    if count < 1000 { format!("{count} ms") } else { spoken(Duration::from_millis(count)) }
}

/// A duration in microseconds.
pub(super) fn microseconds(count: u64) -> String {
    milliseconds(count / 1000)
}

/// A share of a whole as a number for an attribute, in per cent.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0".to_owned();
    }
    // Thousandths of a per cent: finer than any screen.
    let thousandths = u128::from(part) * 100_000 / u128::from(whole);
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `1 scenario`, `2 scenarios`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A day and a time for people.
pub(super) fn date(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M:%S UTC").to_string()
}

/// A time of day.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S%.3f UTC").to_string()
}

/// A time for programs.
pub(super) fn machine_date(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// A path below the report's directory as a relative URL (RFC 3986, sections 2.3 and 4.2).
pub(super) fn link(path: &Path) -> String {
    let mut url = String::from("./");
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                url.push(char::from(byte));
            }
            // Writing to a string does not fail.
            other => drop(write!(url, "%{other:02X}")),
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact_enough_for_a_screen() {
        assert_eq!(percent(1, 3), "33.333");
        assert_eq!(percent(1, 2), "50");
        assert_eq!(percent(0, 7), "0");
        assert_eq!(percent(7, 7), "100");
        assert_eq!(percent(1, 0), "0");
        assert_eq!(percent(u64::MAX, u64::MAX), "100");
        assert_eq!(percent(1, 1_000_000), "0");
    }

    #[test]
    fn links_hold_any_path_and_never_leave_the_directory_by_a_scheme() {
        assert_eq!(link(Path::new("scenarios/a.b.log")), "./scenarios/a.b.log");
        assert_eq!(link(Path::new("javascript:x")), "./javascript%3Ax");
        assert_eq!(link(Path::new("a b/ä#?%")), "./a%20b/%C3%A4%23%3F%25");
    }

    #[test]
    fn times_are_told() {
        let at = DateTime::from_timestamp_millis(1_700_000_000_250).unwrap();
        assert_eq!(date(at), "14 November 2023, 22:13:20 UTC");
        assert_eq!(time(at), "22:13:20.250 UTC");
        assert_eq!(machine_date(at), "2023-11-14T22:13:20.250Z");
        assert_eq!([999, 1500, 150_000].map(milliseconds), ["999 ms", "1.5 s", "2 min 30 s"]);
        assert_eq!([1, 2].map(|count| counted(count, "lane")), ["1 lane", "2 lanes"]);
    }
}
