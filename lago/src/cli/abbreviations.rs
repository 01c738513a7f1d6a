//! Long options of a verb that are cut short. clap weighs the options of all verbs along with those of the verb itself, while
//! in Lago `lago shutdown --re` could only mean `--reboot`.

use std::ffi::OsString;

use clap::{Arg, Command};

/// The words, with what can only mean one option of the verb written out. What may mean several is left to clap.
pub(super) fn written_out(command: &Command, words: &[OsString]) -> Vec<OsString> {
    let mut words = words.to_vec();
    let Some((position, verb)) = verb(command, &words) else { return words };
    if verb.get_arguments().any(Arg::is_trailing_var_arg_set) {
        return words;
    }
    for word in &mut words[position + 1..] {
        match word.to_str() {
            Some("--") => break,
            Some(text) => {
                if let Some(whole) = whole(command, verb, text) {
                    *word = whole.into();
                }
            }
            None => {}
        }
    }
    words
}

/// The verb among the words, behind the options that stand before it.
fn verb<'a>(command: &'a Command, words: &[OsString]) -> Option<(usize, &'a Command)> {
    let mut position = 1;
    loop {
        let word = words.get(position)?.to_str()?;
        if !word.starts_with('-') {
            return Some((position, command.find_subcommand(word)?));
        }
        position += if takes_next(command, word) { 2 } else { 1 };
    }
}

/// Whether the value of an option is the next word.
fn takes_next(command: &Command, word: &str) -> bool {
    let option = match word.strip_prefix("--") {
        Some(long) if long.contains('=') => None,
        Some(long) => {
            let mut meant = command.get_arguments().filter(|option| begins(option, long));
            meant.next()
        }
        None => {
            let mut letters = word.chars().skip(1);
            let letter = letters.next().filter(|_| letters.next().is_none());
            command.get_arguments().find(|option| letter.is_some() && option.get_short() == letter)
        }
    };
    option.is_some_and(|option| option.get_action().takes_values())
}

/// The option of the verb that a word means, with its value behind `=`.
fn whole(command: &Command, verb: &Command, word: &str) -> Option<String> {
    let text = word.strip_prefix("--").filter(|text| !text.is_empty())?;
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, format!("={value}")),
        None => (text, String::new()),
    };
    let is_whole = |option: &Arg| names(option).any(|known| known == name);
    if command.get_arguments().chain(verb.get_arguments()).any(is_whole) {
        return None;
    }
    let mut meant = verb.get_arguments().filter(|option| begins(option, name));
    let option = meant.next().filter(|_| meant.next().is_none())?;
    Some(format!("--{}{value}", option.get_long()?))
}

fn begins(option: &Arg, beginning: &str) -> bool {
    names(option).any(|name| name.starts_with(beginning))
}

fn names(option: &Arg) -> impl Iterator<Item = &str> {
    let aliases = option.get_all_aliases().into_iter().flatten();
    option.get_long().into_iter().chain(aliases)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Arguments;

    fn of(line: &str) -> String {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let words = written_out(&Arguments::command(), &words);
        words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_options_of_a_verb_go_before_those_of_all() {
        assert_eq!(of("lago shutdown --re vm0"), "lago shutdown --reboot vm0");
        assert_eq!(of("lago -w out collect --out=x"), "lago -w out collect --output=x");
        assert_eq!(
            of("lago --workd stop export --i x"),
            "lago --workd stop export --init-file-name x"
        );
    }

    #[test]
    fn what_is_whole_or_means_several_or_is_no_option_stays() {
        for line in [
            "lago",
            "lago init --template x",
            "lago export --out-format json",
            "lago export -- --i",
            "lago shell vm0 grep --re x",
            "lago no-verb --re",
        ] {
            assert_eq!(of(line), line);
        }
    }
}
