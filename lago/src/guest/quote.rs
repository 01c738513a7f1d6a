//! Words for a POSIX shell on the other side.

use std::fmt::Write as _;

/// Appends `word` so that a POSIX shell reads it back as exactly these bytes, whatever they are.
///
/// An ssh command line has to be text here, so a byte that is not part of valid UTF-8 is spelled as a `printf` of its
/// octal value. Such a byte is never a newline, so the command substitution loses nothing.
pub(super) fn push_quoted(line: &mut String, word: &[u8]) {
    if !word.is_empty() && word.iter().copied().all(is_plain) {
        line.extend(word.iter().copied().map(char::from));
        return;
    }
    let mut empty = true;
    for chunk in word.utf8_chunks() {
        if !chunk.valid().is_empty() {
            push_single_quoted(line, chunk.valid());
            empty = false;
        }
        if !chunk.invalid().is_empty() {
            push_octal(line, chunk.invalid());
            empty = false;
        }
    }
    if empty {
        line.push_str("''");
    }
}

/// Whether the byte means itself in every position of a word, the first included.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/._-+:,@%".contains(&byte)
}

fn push_single_quoted(line: &mut String, text: &str) {
    line.push('\'');
    line.push_str(&text.replace('\'', r"'\''"));
    line.push('\'');
}

fn push_octal(line: &mut String, bytes: &[u8]) {
    line.push_str("\"$(printf '");
    for byte in bytes {
        let _ = write!(line, "\\{byte:03o}");
    }
    line.push_str("')\"");
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::process::Command;

    use proptest::prelude::*;

    use super::push_quoted;

    /// What a real shell makes of the quoted words: each one, followed by a NUL.
    fn through_shell(shell: &[&str], words: &[Vec<u8>]) -> Vec<u8> {
        let mut line = String::from("exec printf '%s\\0'");
        for word in words {
            line.push(' ');
            push_quoted(&mut line, word);
        }
        let output = Command::new(shell[0])
            .args(&shell[1..])
            .arg("-c")
            .arg(OsStr::from_bytes(line.as_bytes()))
            .output()
            .expect("a shell");
        assert!(output.status.success(), "{line}: {output:?}");
        output.stdout
    }

    fn expected(words: &[Vec<u8>]) -> Vec<u8> {
        words.iter().flat_map(|word| word.iter().copied().chain([0])).collect()
    }

    fn present(shell: &[&str]) -> bool {
        Command::new(shell[0]).args(&shell[1..]).args(["-c", ":"]).output().is_ok()
    }

    #[test]
    fn hostile_words_survive_every_shell() {
        let words: Vec<Vec<u8>> = [
            b"".as_slice(),
            b"'",
            b"a b",
            b"$(reboot) `reboot` $HOME",
            b"-n",
            b"*",
            b"~",
            b"a\nb\n",
            b"\n",
            b"!x",
            b"#x",
            b"a=b",
            b"\\",
            b"\xff",
            b"\xff\n",
            b"x\xc3(y",
            "h\u{e4}\u{1f980}".as_bytes(),
            b"\xff7",
            b"\r\t\x01\x7f",
            b"%s",
        ]
        .map(Vec::from)
        .to_vec();
        let shells: [&[&str]; 3] = [&["/bin/sh"], &["bash"], &["busybox", "sh"]];
        for shell in shells.into_iter().filter(|shell| present(shell)) {
            assert_eq!(through_shell(shell, &words), expected(&words), "{shell:?}");
        }
    }

    #[test]
    fn plain_words_stay_readable() {
        let mut line = String::new();
        push_quoted(&mut line, b"http://192.168.1.2:80/a%20b");
        assert_eq!(line, "http://192.168.1.2:80/a%20b");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn any_bytes_round_trip_through_sh(
            words in prop::collection::vec(prop::collection::vec(1_u8.., 0..40), 0..6)
        ) {
            // `printf` without an operand prints its format once.
            prop_assume!(!words.is_empty());
            prop_assert_eq!(through_shell(&["/bin/sh"], &words), expected(&words));
        }

        #[test]
        fn shell_syntax_round_trips_through_sh(
            words in prop::collection::vec("[ '\"$`\\\\!*?~#&|;<>(){}\\[\\]=%a\n-]{0,12}", 1..6)
        ) {
            let words: Vec<Vec<u8>> = words.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(through_shell(&["/bin/sh"], &words), expected(&words));
        }
    }
}
