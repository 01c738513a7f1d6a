//! Text that may hold any bytes, made fit for XML and for a reader.

/// Columns between tab stops.
const TAB: usize = 8;

/// Drops terminal colours and cursor movements, expands tabs, makes every line end a `\n`, shows other control
/// characters as their pictures (NUL as `␀`), and replaces what XML cannot hold by U+FFFD.
pub(super) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut column = 0;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\r' if rest.as_str().starts_with('\n') => {}
            '\n' | '\r' => {
                cleaned.push('\n');
                column = 0;
            }
            '\t' => {
                let width = TAB - column % TAB;
                cleaned.extend(std::iter::repeat_n(' ', width));
                column += width;
            }
            '\u{1b}' if control_sequence(rest.as_str()).is_some() => {
                rest = rest.as_str()[control_sequence(rest.as_str()).unwrap_or(0)..].chars();
            }
            other => {
                cleaned.push(presentable(other));
                column += 1;
            }
        }
    }
    cleaned
}

/// The length of the control sequence (`[`, parameters, a final letter) that follows an escape character.
fn control_sequence(after_escape: &str) -> Option<usize> {
    let bytes = after_escape.as_bytes();
    if bytes.first() != Some(&b'[') {
        return None;
    }
    let end = bytes.iter().skip(1).position(|byte| !matches!(byte, 0x20..=0x3f))? + 1;
    matches!(bytes[end], 0x40..=0x7e).then_some(end + 1)
}

fn presentable(c: char) -> char {
    match c {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        other => other,
    }
}

/// The first line that has something in it, for an attribute.
pub(super) fn first_line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_would_swallow_is_dropped_or_shown() {
        assert_eq!(clean("\u{1b}[1;31mred\u{1b}[0m"), "red");
        assert_eq!(clean("\u{1b}]0;title"), "␛]0;title");
        assert_eq!(clean("a\tb\r\nc\rd\0"), "a       b\nc\nd␀");
        assert_eq!(clean("]]>\u{ffff}\u{1b}[12"), "]]>\u{fffd}␛[12");
    }

    proptest! {
        #[test]
        fn nothing_is_left_that_xml_cannot_hold(text in any::<String>()) {
            let bad = |c: char| {
                matches!(c, '\0'..='\u{9}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
            };
            prop_assert_eq!(clean(&text).chars().find(|&c| bad(c)), None);
        }

        #[test]
        fn plain_lines_stay_as_they_are(text in "[a-z<&>\"' \n\\]ä€😀]*") {
            prop_assert_eq!(clean(&text), text);
        }
    }
}
