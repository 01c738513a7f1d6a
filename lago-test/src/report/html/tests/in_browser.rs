//! The report as a browser has it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::browser::{Browser, Scheme};
use super::{Written, many};
use crate::outcome::Outcome;

/// A phone's width and a desktop's.
const WIDTHS: [u32; 2] = [360, 1280];

const SCHEMES: [Scheme; 2] = [Scheme::Light, Scheme::Dark];

/// Opens everything that can be opened.
const OPEN_ALL: &str =
    "for (const details of document.querySelectorAll('details')) details.open = true";

/// A browser with the report on the sample run.
fn with_sample() -> (Browser, Written) {
    let written = Written::sample();
    let mut browser = Browser::start();
    browser.look(1280, Scheme::Light);
    browser.open(&written.path);
    (browser, written)
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect()
}

/// The scenarios that are to be seen.
fn shown(browser: &mut Browser) -> Vec<String> {
    let names = browser.evaluate(
        "[...document.querySelectorAll('.entry')].filter((entry) => entry.checkVisibility())
            .map((entry) => entry.querySelector('.name').textContent)",
    );
    strings(&names).into_iter().map(str::to_owned).collect()
}

#[test]
fn it_fits_any_width_and_can_be_read_in_any_light() {
    let (mut browser, written) = with_sample();
    for (width, scheme) in
        WIDTHS.into_iter().flat_map(|width| SCHEMES.map(|scheme| (width, scheme)))
    {
        browser.look(width, scheme);
        browser.open(&written.path);
        browser.evaluate(OPEN_ALL);
        let wide = browser.evaluate("document.documentElement.scrollWidth");
        assert_eq!(wide, width, "{scheme:?}");
        let contrast = browser.evaluate(include_str!("contrast.js"));
        assert_eq!(contrast["bad"], json!([]), "{width} {scheme:?}");
        assert!(contrast["seen"].as_u64().unwrap() > 200, "{contrast}");
    }
}

#[test]
fn it_fetches_nothing_and_nothing_goes_wrong() {
    let (mut browser, written) = with_sample();
    browser.evaluate(OPEN_ALL);
    let fetched = browser.happened(&["Network.requestWillBeSent"]);
    let urls: Vec<_> =
        fetched.iter().filter_map(|event| event["params"]["request"]["url"].as_str()).collect();
    assert_eq!(urls, [format!("file://{}", written.path.display())]);
    let told = browser.happened(&[
        "Log.entryAdded",
        "Runtime.consoleAPICalled",
        "Runtime.exceptionThrown",
        "Network.loadingFailed",
    ]);
    assert_eq!(told, Vec::<Value>::new());
}

#[test]
fn a_policy_stands_behind_that() {
    let (mut browser, _written) = with_sample();
    browser.evaluate(
        "const image = new Image(); image.src = 'http://127.0.0.1:9/x.png'; document.body.append(image);
         document.body.insertAdjacentHTML('beforeend', '<p onclick=\"0\" style=\"color: red\" id=probe>x</p>')",
    );
    let color = browser.evaluate("getComputedStyle(document.getElementById('probe')).color");
    assert_ne!(color, "rgb(255, 0, 0)");
    let told = browser.happened(&["Log.entryAdded"]);
    let told: Vec<_> =
        told.iter().map(|event| event["params"]["entry"]["text"].to_string()).collect();
    assert!(told.iter().any(|text| text.contains("img-src")), "{told:#?}");
}

#[test]
fn the_keyboard_comes_everywhere() {
    let (mut browser, _written) = with_sample();
    let count = browser.evaluate(
        "(() => {
            const of_use = 'a[href], button, input, summary, [tabindex=\"0\"]';
            window.elements = [...document.querySelectorAll(of_use)]
                .filter((element) => element.checkVisibility() && !element.disabled);
            return window.elements.length;
        })()",
    );
    let count = count.as_i64().unwrap();
    assert!(count > 30, "{count}");
    for expected in 0..count {
        browser.press("Tab", 9);
        let focused = browser.evaluate(
            "(() => {
                const element = document.activeElement;
                const { outlineStyle, outlineWidth } = getComputedStyle(element);
                return {
                    number: window.elements.indexOf(element),
                    html: element.outerHTML.slice(0, 80),
                    style: outlineStyle,
                    width: parseFloat(outlineWidth),
                };
            })()",
        );
        assert_eq!(focused["number"], expected, "{focused}");
        assert_ne!(focused["style"], "none", "{focused}");
        assert!(focused["width"].as_f64().unwrap() >= 2.0, "{focused}");
    }

    browser.evaluate("document.querySelector('.entry > summary').focus()");
    browser.press("Enter", 13);
    assert_eq!(browser.evaluate("document.querySelector('.entry').open"), true);
}

#[test]
fn a_filter_and_a_search_show_what_is_asked_for() {
    let (mut browser, _written) = with_sample();
    let all = shown(&mut browser);
    assert_eq!(all.len(), 12);
    let press =
        |outcome: &str| format!("document.querySelector('[data-filter={outcome}]').click()");
    browser.evaluate(&press("blocked"));
    assert_eq!(shown(&mut browser), ["clients_reconnect", "still_serves"]);
    browser.evaluate(&press("timed-out"));
    assert_eq!(shown(&mut browser), ["fetch_large_file", "clients_reconnect", "still_serves"]);
    let found = browser.evaluate("document.querySelector('[role=status]').textContent");
    assert_eq!(found, "3 of 12 shown");
    browser.evaluate(&press("blocked"));
    browser.evaluate(&press("timed-out"));
    assert_eq!(shown(&mut browser), all);

    // It is in the output only, which is not open.
    browser.evaluate(
        "(() => {
            const search = document.getElementById('search');
            search.value = 'Unavailable alert';
            search.dispatchEvent(new Event('input'));
            return new Promise((done) => setTimeout(done, 400));
        })()",
    );
    assert_eq!(shown(&mut browser), ["fetch_page_by_name"]);

    // A link leads there, whatever is filtered.
    browser.evaluate("document.querySelector('.failure a[href$=upgrade_packages]').click()");
    browser.evaluate("new Promise((done) => setTimeout(done, 100))");
    assert_eq!(shown(&mut browser), all);
    let focused = browser.evaluate(
        "[document.activeElement.tagName, document.activeElement.parentElement.id, document.activeElement.parentElement.open]",
    );
    assert_eq!(focused, json!(["SUMMARY", "s.upgrade.upgrade_packages", true]));
}

#[test]
fn the_timeline_leads_to_the_scenarios_and_can_be_magnified() {
    let (mut browser, _written) = with_sample();
    browser.evaluate(
        "document.querySelector('.bar[data-target$=server_comes_back] rect')
            .dispatchEvent(new MouseEvent('click', { bubbles: true }))",
    );
    browser.evaluate("new Promise((done) => setTimeout(done, 100))");
    let open = browser.evaluate("document.getElementById('s.failover.server_comes_back').open");
    assert_eq!(open, true);
    browser.evaluate("document.querySelector('[data-zoom=in]').click()");
    let widths = browser.evaluate(
        "[document.querySelector('.plot').clientWidth / document.querySelector('.chart').clientWidth,
          document.documentElement.scrollWidth]",
    );
    assert_eq!(widths, json!([2, 1280]), "it scrolls within itself");
}

#[test]
fn it_reads_without_its_script() {
    let written = Written::sample();
    let mut browser = Browser::start();
    browser.call("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    browser.look(1280, Scheme::Light);
    browser.open(&written.path);
    assert_eq!(shown(&mut browser).len(), 12);
    let tools = browser.evaluate(
        "[...document.querySelectorAll('.tools')].filter((tools) => tools.checkVisibility()).length",
    );
    assert_eq!(tools, 0, "what would do nothing is not there");
}

#[test]
fn ten_thousand_scenarios_are_opened_and_filtered() {
    let events = many(10_000, |number| match number {
        7777 => Outcome::Errored { message: "the one".into() },
        _ => Outcome::Passed,
    });
    let written = Written::of(tempfile::tempdir().unwrap(), events);
    let mut browser = Browser::start();
    browser.look(360, Scheme::Light);
    browser.open(&written.path);
    assert_eq!(browser.evaluate("document.documentElement.scrollWidth"), 360);
    browser.evaluate("document.querySelector('[data-filter=errored]').click()");
    assert_eq!(shown(&mut browser), ["scenario_07777"]);
}

/// By the rules of axe-core (<https://github.com/dequelabs/axe-core>), when `LAGO_AXE` names its `axe.min.js`.
#[test]
fn it_is_accessible() {
    let Some(axe) = env::var_os("LAGO_AXE") else { return };
    let axe = fs::read_to_string(axe).unwrap();
    let (mut browser, written) = with_sample();
    for scheme in SCHEMES {
        browser.look(360, scheme);
        browser.open(&written.path);
        browser.evaluate(OPEN_ALL);
        browser.evaluate(&format!("{axe}; 0"));
        let found = browser.evaluate(
            "axe.run().then(({ violations }) => violations.map(({ id, nodes }) =>
                `${id}: ${nodes.map((node) => node.html.slice(0, 100) + node.failureSummary).join(' | ')}`))",
        );
        assert_eq!(found, json!([]), "{scheme:?}");
    }
}

/// For eyes: writes pictures of the report into the directory that `LAGO_PICTURES` names; of that of the sample run, or of
/// the one that `LAGO_REPORT` names.
#[test]
#[ignore = "writes pictures and judges nothing"]
fn pictures() {
    let directory = env::var_os("LAGO_PICTURES").expect("LAGO_PICTURES names a directory");
    let (mut browser, written) = with_sample();
    let report = env::var_os("LAGO_REPORT").map_or(written.path.clone(), PathBuf::from);
    for width in WIDTHS {
        for scheme in SCHEMES {
            browser.look(width, scheme);
            browser.open(&report);
            browser.evaluate(
                "for (const entry of document.querySelectorAll('.entry.failed')) entry.open = true",
            );
            for (number, picture) in browser.screenshots(1000).into_iter().enumerate() {
                let name = format!("{width}-{scheme:?}-{number}.png");
                fs::write(Path::new(&directory).join(name), picture).unwrap();
            }
        }
    }
}
