//! YAML as Python's `yaml.safe_dump` writes it: blocks, lists as far in as their key, lines of eighty characters, and quotes
//! around texts that YAML 1.1 would read as something else.

use std::sync::LazyLock;

use libyaml_safer::{Emitter, Encoding, Event, MappingStyle, ScalarStyle, SequenceStyle};
use regex::Regex;
use serde_json::Value;

/// What a plain word means that is no text: <https://yaml.org/type/>.
static OTHER_THAN_TEXT: LazyLock<Regex> = LazyLock::new(|| {
    let forms = [
        // null, merge, value
        r"|~|null|Null|NULL|<<|=",
        // bool
        r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF",
        // int: binary, octal, decimal, hexadecimal, in base sixty
        r"[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+",
        r"[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+",
        // float: with a point, in base sixty, infinite, none
        r"[-+]?([0-9][0-9_]*)\.[0-9_]*([eE][-+][0-9]+)?|\.[0-9][0-9_]*([eE][-+][0-9]+)?",
        r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*",
        r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        // timestamp: a day, or an instant
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
        r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?([ \t]*(Z|[-+][0-9]{1,2}(:[0-9]{2})?))?",
    ];
    Regex::new(&format!("^(?:{})$", forms.join("|"))).expect("the expression is well formed")
});

pub(super) fn render(value: &Value) -> String {
    let mut text = Vec::new();
    let mut emitter = Emitter::new();
    emitter.set_output_string(&mut text);
    emitter.set_unicode(true);
    emit(&mut emitter, Event::stream_start(Encoding::Utf8));
    emit(&mut emitter, Event::document_start(None, &[], true));
    write(&mut emitter, value);
    emit(&mut emitter, Event::document_end(true));
    emit(&mut emitter, Event::stream_end());
    drop(emitter);
    String::from_utf8(text).expect("what was asked for is UTF-8")
}

fn write(emitter: &mut Emitter<'_>, value: &Value) {
    match value {
        Value::Object(map) => {
            emit(emitter, Event::mapping_start(None, None, true, MappingStyle::Block));
            for (key, value) in map {
                emit(emitter, text(key));
                write(emitter, value);
            }
            emit(emitter, Event::mapping_end());
        }
        Value::Array(items) => {
            emit(emitter, Event::sequence_start(None, None, true, SequenceStyle::Block));
            for item in items {
                write(emitter, item);
            }
            emit(emitter, Event::sequence_end());
        }
        Value::String(value) => emit(emitter, text(value)),
        other => {
            let word = other.to_string();
            emit(emitter, Event::scalar(None, None, &word, true, false, ScalarStyle::Any));
        }
    }
}

fn text(value: &str) -> Event {
    let is_plain = !OTHER_THAN_TEXT.is_match(value);
    Event::scalar(None, None, value, is_plain, true, ScalarStyle::Any)
}

fn emit(emitter: &mut Emitter<'_>, event: Event) {
    emitter.emit(event).expect("events come in order, and memory takes what is written");
}
