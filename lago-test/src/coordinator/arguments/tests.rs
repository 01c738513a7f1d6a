use super::*;
use clap::CommandFactory as _;

fn parsed(words: &[&str]) -> Arguments {
    Arguments::try_parse_from(std::iter::once(&"suite").chain(words)).unwrap()
}

fn refused(words: &[&str]) -> String {
    Arguments::try_parse_from(std::iter::once(&"suite").chain(words)).unwrap_err().to_string()
}

#[test]
fn what_libtests_users_type_is_understood() {
    Arguments::command().debug_assert();
    let all = parsed(&[
        "fetch",
        "--skip",
        "large",
        "--exact",
        "--skip=-x",
        "post",
        "--test-threads=2",
        "--test-threads",
        "3",
        "--nocapture",
        "--no-capture",
        "--color=never",
        "-Zunstable-options",
        "--format",
        "json",
        "--report-time",
        "--show-output",
        "--logfile",
        "log",
        "--test",
        "--bench",
        "--include-ignored",
        "--exclude-should-panic",
        "--fail-fast",
    ]);
    assert_eq!(all.filters, ["fetch", "post"]);
    assert_eq!(all.skip, ["large", "-x"]);
    assert_eq!(all.test_threads, Some(3), "the last one counts");
    assert!(
        all.exact && all.no_capture && all.report_time && all.show_output && all.include_ignored
    );
    assert_eq!(all.color, Some(ColorSetting::Never));
    assert_eq!(all.format(), FormatSetting::Json);
    assert!(all.fail_fast && !all.only_benchmarks());
    assert!(parsed(&["--bench"]).only_benchmarks());
    assert!(all.refusals().is_empty());
}

#[test]
fn quiet_is_terse_unless_a_format_is_given() {
    assert_eq!(parsed(&[]).format(), FormatSetting::Pretty);
    assert_eq!(parsed(&["-q"]).format(), FormatSetting::Terse);
    assert_eq!(parsed(&["--quiet", "--format", "pretty"]).format(), FormatSetting::Pretty);
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let arguments =
        parsed(&["--shuffle", "--shuffle-seed", "7", "--ensure-time", "--force-run-in-process"]);
    insta::assert_snapshot!(arguments.refusals().join("\n"));
    assert!(refused(&["--test-threads", "0"]).contains("at least one is needed"));
    assert!(refused(&["--test-threads", "many"]).contains("a number from 1 on"));
    assert!(refused(&["--format", "junit"]).contains("--junitxml-file"));
    assert!(refused(&["--format", "xml"]).contains("`pretty`, `terse` or `json`"));
    assert!(refused(&["--ignored", "--include-ignored"]).contains("cannot be used with"));
}

#[test]
fn a_mistyped_option_is_told_with_the_nearest_one() {
    for (typed, meant) in [
        ("--ignord", "--ignored"),
        ("--no-captrue", "--no-capture"),
        ("--test-thread", "--test-threads"),
        ("--fromat", "--format"),
    ] {
        let message = refused(&[typed]);
        assert!(message.contains(typed) && message.contains(&format!("'{meant}'")), "{message}");
    }
}

#[test]
fn help_is_complete() {
    let help = Arguments::command().term_width(100).render_help().to_string();
    insta::assert_snapshot!(help);
}

#[test]
fn the_readme_has_the_variables_and_exit_codes_that_help_has() {
    let readme = include_str!("../../../README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let cells: Vec<_> = rows.map(|cell| cell.replace('`', "")).collect();
    for (name, _) in help::VARIABLES.iter().chain(help::EXIT_CODES) {
        assert!(cells.iter().any(|cell| cell == name), "{name}");
    }
    for variable in cells.iter().filter(|cell| cell.starts_with("LAGO_") && !cell.contains('=')) {
        assert!(help::VARIABLES.iter().any(|(name, _)| name == variable), "{variable}");
    }
}
