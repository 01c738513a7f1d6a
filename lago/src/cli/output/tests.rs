use serde_json::{Value, json};

use super::OutFormat;

/// Has something of everything that `lago status` and `lago snapshot --list` may print.
fn example() -> Value {
    json!({
        "Prefix": {
            "UUID": "1b9d",
            "Networks": { "lan": { "gateway": "192.168.200.1", "management": true, "status": "up" } },
            "VMs": {
                "server": {
                    "status": "running",
                    "root password": "123456",
                    "snapshots": "",
                    "metadata": {},
                    "groups": ["web", "db"],
                    "disks": [{ "name": "root", "dev": "vda", "metadata": { "size": 12, "time": 1.5 } }],
                    "nothing": null,
                    "off": false,
                },
            },
        }
    })
}

/// What Python's `json`, `PyYAML` 6.0 and Lago's own two formats make of the example, a line break behind it.
#[test]
fn every_format_is_lagos() {
    insta::assert_snapshot!("default", OutFormat::Default.render_as_lago(&example()));
    insta::assert_snapshot!("flat", OutFormat::Flat.render_as_lago(&example()));
    insta::assert_snapshot!("json", OutFormat::Json.render_as_lago(&example()));
    insta::assert_snapshot!("yaml", OutFormat::Yaml.render_as_lago(&example()));
}

/// What Lago's formatter makes of it.
#[test]
fn flat_items_stand_behind_those_before_them_where_lago_prints_them_so() {
    let lists = json!({ "vm": {
        "groups": ["web", "db"],
        "mixed": [1, { "k": 2 }, 3],
        "nested": [["a"], "b", { "c": 1, "d": [2, 3] }],
        "none": [],
    } });
    let lagos = "\
vm/groups: web
vm/groups: web: db
vm/mixed: 1
vm/mixed: 1/k: 2
vm/mixed: 1: 3
vm/nested: a
vm/nested: a: b
vm/nested: a: b/c: 1
vm/nested: a: b/d: 2
vm/nested: a: b/d: 2: 3
";
    assert_eq!(OutFormat::Flat.render_as_lago(&lists), lagos);
    let ours = "\
vm/groups: web
vm/groups: db
vm/mixed: 1
vm/mixed/k: 2
vm/mixed: 3
vm/nested: a
vm/nested: b
vm/nested/c: 1
vm/nested/d: 2
vm/nested/d: 3
";
    assert_eq!(OutFormat::Flat.render(&lists), ours);
}

#[test]
fn a_list_of_names_is_a_name_a_line() {
    let names = json!(["default", "second"]);
    assert_eq!(OutFormat::Default.render(&names), "default\nsecond\n");
    assert_eq!(OutFormat::Flat.render(&names), "default\nsecond\n");
    assert_eq!(OutFormat::Json.render(&names), "[\n    \"default\",\n    \"second\"\n]\n");
    assert_eq!(OutFormat::Yaml.render(&names), "- default\n- second\n\n");
}

#[test]
fn json_is_ascii() {
    let text = OutFormat::Json.render(&json!("a\u{7f}b\u{e9}\u{1f600}\u{1}\n\"\\"));
    assert_eq!(text, "\"a\\u007fb\\u00e9\\ud83d\\ude00\\u0001\\n\\\"\\\\\"\n");
}

/// Each with what `PyYAML` 6.0 writes for it.
#[test]
fn yaml_quotes_what_would_be_read_as_something_else() {
    let long = "word ".repeat(30).trim_end().to_owned();
    let folded = format!("{}\n  {}", "word ".repeat(16).trim_end(), "word ".repeat(14).trim_end());
    for (value, written) in [
        ("", "''"),
        ("123456", "'123456'"),
        ("0x1f", "'0x1f'"),
        ("1_000", "'1_000'"),
        ("12:30:45", "'12:30:45'"),
        ("1.5", "'1.5'"),
        ("1e3", "1e3"),
        ("1.0e+3", "'1.0e+3'"),
        (".inf", "'.inf'"),
        ("yes", "'yes'"),
        ("y", "y"),
        ("null", "'null'"),
        ("~", "'~'"),
        ("<<", "'<<'"),
        ("=", "'='"),
        ("2015-11-16", "'2015-11-16'"),
        ("2015-11-16T10:00:00Z", "'2015-11-16T10:00:00Z'"),
        ("192.168.200.1", "192.168.200.1"),
        ("cubswin:)", "cubswin:)"),
        ("a: b", "'a: b'"),
        ("a #b", "'a #b'"),
        ("- a", "'- a'"),
        ("it's", "it's"),
        ("'it", "'''it'"),
        ("trailing ", "'trailing '"),
        ("one\ntwo", "'one\n\n  two'"),
        ("tab\there", "\"tab\\there\""),
        ("bell\u{7}", "\"bell\\a\""),
        ("caf\u{e9}", "caf\u{e9}"),
        (&*long, &*folded),
    ] {
        let text = OutFormat::Yaml.render(&json!({ "key": value }));
        assert_eq!(text, format!("key: {written}\n\n"), "{value:?}");
    }
}
