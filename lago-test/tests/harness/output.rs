//! What scenarios print: caught whole, shown live when asked, fit for every report.

use lago_test::events::What;

use crate::run::{Fixture, Ran};

crate::trials![
    output_belongs_to_its_scenario,
    any_bytes_make_a_valid_report,
    fifty_megabytes_are_kept_and_cut_in_the_report,
    nocapture_shows_lines_with_their_scenario,
];

fn log(ran: &Ran, scenario: &str) -> Option<Vec<u8>> {
    let path = ran.events().into_iter().find_map(|event| match event.what {
        What::ScenarioFinished { scenario: name, output, .. } if name == scenario => {
            output.map(|output| output.path)
        }
        _ => None,
    })?;
    Some(std::fs::read(ran.prefix().join(path)).unwrap())
}

fn output_belongs_to_its_scenario() {
    let ran = Fixture::new("printing").run();
    let hello = log(&ran, "says_hello").unwrap();
    assert_eq!(hello, b"hello from the scenario\nand from its standard error\n");
    assert_eq!(log(&ran, "child_prints").unwrap(), b"from a child\nand its errors\n");
    assert_eq!(log(&ran, "quiet"), None);
    assert!(!ran.stdout().contains("hello from the scenario"), "{}", ran.stdout());
}

fn any_bytes_make_a_valid_report() {
    let ran = Fixture::new("printing").run();
    assert_eq!(ran.exit_code(), Some(101));
    let junit = ran.valid_junit();
    assert!(junit.contains("red nul:␀ bad:\u{fffd}\u{fffd} cdata:]]&gt;"), "{junit}");
    assert!(junit.contains("unfinished title; after"), "{junit}");
    assert!(junit.contains(r#"<failure message="bold ␀ ]]&gt; "#), "{junit}");
    assert!(log(&ran, "any_bytes").unwrap().contains(&0xff), "the log has the bytes as they were");
}

fn fifty_megabytes_are_kept_and_cut_in_the_report() {
    let ran = Fixture::new("loud").run();
    assert_eq!(ran.words(), ["only::much failed", "only::says_hello passed"]);
    assert_eq!(log(&ran, "much").unwrap().len(), 15 + (800 << 16) + 15);

    let junit = ran.valid_junit();
    assert!(junit.len() < 3 << 20, "{} bytes", junit.len());
    for text in ["the first line", "the last line", "bytes cut; the whole output is"] {
        assert!(junit.contains(text), "{text}");
    }
    assert!(ran.stdout().len() < 100 << 10, "{} bytes", ran.stdout().len());
}

fn nocapture_shows_lines_with_their_scenario() {
    let ran = Fixture::new("printing").args(&["--nocapture"]).run();
    let stdout = ran.stdout();
    let lines: Vec<_> = stdout.lines().collect();
    assert!(lines.contains(&"[only::says_hello] hello from the scenario"), "{stdout}");
    assert!(lines.contains(&"[only::says_hello] and from its standard error"), "{stdout}");
    assert!(!stdout.contains("---- output ----"), "shown twice: {stdout}");
}
