//! `--list`, as libtest prints it.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use libtest_mimic::FormatSetting;
use serde_json::json;

/// One scenario of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Listed {
    /// `stage::scenario`.
    pub(in super::super) name: String,
    /// Why it is ignored, if it is.
    pub(in super::super) ignored: Option<String>,
}

/// Prints a list. That nobody reads it to its end is no error.
pub(in super::super) fn list(listed: &[Listed], format: FormatSetting) -> io::Result<()> {
    match io::stdout().write_all(text(listed, format).as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

fn text(listed: &[Listed], format: FormatSetting) -> String {
    match format {
        FormatSetting::Json => json(listed),
        FormatSetting::Terse => lines(listed),
        FormatSetting::Pretty => {
            let gap = if listed.is_empty() { "" } else { "\n" };
            let plural = if listed.len() == 1 { "" } else { "s" };
            format!("{}{gap}{} test{plural}, 0 benchmarks\n", lines(listed), listed.len())
        }
    }
}

fn lines(listed: &[Listed]) -> String {
    listed.iter().fold(String::new(), |mut text, listed| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}: test", listed.name);
        text
    })
}

fn json(listed: &[Listed]) -> String {
    let ignored = listed.iter().filter(|listed| listed.ignored.is_some()).count();
    let begin = json!({ "type": "suite", "event": "discovery" });
    let tests = listed.iter().map(|listed| {
        json!({
            "type": "test",
            "event": "discovered",
            "name": listed.name,
            "ignore": listed.ignored.is_some(),
            "ignore_message": listed.ignored.as_deref().unwrap_or_default(),
        })
    });
    let end = json!({
        "type": "suite",
        "event": "completed",
        "tests": listed.len(),
        "benchmarks": 0,
        "total": listed.len(),
        "ignored": ignored,
    });
    let mut text = String::new();
    for line in std::iter::once(begin).chain(tests).chain([end]) {
        let _ = writeln!(text, "{line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, ignored: Option<&str>) -> Listed {
        Listed { name: name.to_owned(), ignored: ignored.map(ToOwned::to_owned) }
    }

    #[test]
    fn lists_are_as_libtest_prints_them() {
        let two = [listed("deploy::install", None), listed("serve::fetch", Some("slow"))];
        assert_eq!(
            text(&two, FormatSetting::Pretty),
            "deploy::install: test\nserve::fetch: test\n\n2 tests, 0 benchmarks\n"
        );
        assert_eq!(text(&two, FormatSetting::Terse), "deploy::install: test\nserve::fetch: test\n");
        assert_eq!(
            text(&two[..1], FormatSetting::Pretty),
            "deploy::install: test\n\n1 test, 0 benchmarks\n"
        );
        assert_eq!(text(&[], FormatSetting::Pretty), "0 tests, 0 benchmarks\n");
        assert_eq!(text(&[], FormatSetting::Terse), "");
        insta::assert_snapshot!(text(&two, FormatSetting::Json));
    }
}
