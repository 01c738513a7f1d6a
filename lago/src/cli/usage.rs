//! Reading the command line, and saying what is wrong with it.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};

use clap::error::ErrorKind;
use clap::{Command, CommandFactory as _, Parser as _};

use super::{Arguments, abbreviations, plugins};

/// How clap begins a usage, and how Lago did, which scripts look for.
const USAGE: (&str, &str) = ("Usage:", "usage:");

/// Reads the command line.
pub(super) fn parse(words: &[OsString]) -> Result<Arguments, clap::Error> {
    let words = abbreviations::written_out(&Arguments::command(), words);
    let error = match Arguments::try_parse_from(&words) {
        Ok(arguments) => return Ok(arguments),
        Err(error) => error,
    };
    let shows_help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if shows_help
        && let Err(with_plugins) = command().try_get_matches_from(&words)
        && with_plugins.kind() == error.kind()
    {
        return Err(with_plugins);
    }
    Err(error)
}

/// The command with the programs that are verbs.
pub(super) fn command() -> Command {
    let command = Arguments::command();
    let built_in = Arguments::command();
    let others = plugins::all().into_iter().filter(|(verb, _)| {
        built_in.get_subcommands().all(|known| known.get_name() != verb) && verb != "help"
    });
    others.fold(command, |command, (verb, program)| {
        let about = format!("Run {}", program.display());
        command.subcommand(Command::new(verb).about(about).disable_help_flag(true))
    })
}

/// The error for a word that is neither a verb nor a program.
pub(super) fn unknown_verb(word: &OsString) -> clap::Error {
    let word = word.to_string_lossy();
    let mut command = Arguments::command();
    command.build();
    let near = command
        .get_subcommands()
        .map(Command::get_name)
        .filter(|name| strsim::jaro_winkler(name, &word) > 0.8)
        .max_by(|one, other| {
            strsim::jaro_winkler(one, &word).total_cmp(&strsim::jaro_winkler(other, &word))
        });
    let tip = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let message = format!(
        "there is no verb `{word}`, and no program `lago-{word}` or `lagocli-{word}` on the PATH{tip}"
    );
    command.error(ErrorKind::InvalidSubcommand, message)
}

/// Prints help or what is wrong, with the usage in any case.
pub(super) fn print(error: &clap::Error, words: &[OsString]) {
    let rendered = error.render();
    let to_stderr = error.use_stderr();
    let is_terminal =
        if to_stderr { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
    let text = if is_terminal { rendered.ansi().to_string() } else { rendered.to_string() };
    let mut text = text.replace(USAGE.0, USAGE.1);
    if !text.contains(USAGE.1) && error.kind() != ErrorKind::DisplayVersion {
        text = format!("{}\n\n{}\n", text.trim_end(), usage(words));
    }
    // A closed stream is the reader's choice, not a failure.
    let _ = if to_stderr {
        std::io::stderr().write_all(text.as_bytes())
    } else {
        std::io::stdout().write_all(text.as_bytes())
    };
}

/// The usage of the innermost verb among the words.
fn usage(words: &[OsString]) -> String {
    let mut command = Arguments::command();
    command.build();
    let mut innermost = &mut command;
    for word in words.iter().skip(1).filter_map(|word| word.to_str()) {
        if innermost.find_subcommand(word).is_some() {
            innermost = innermost.find_subcommand_mut(word).expect("it was just found");
        }
    }
    innermost.render_usage().to_string().replace(USAGE.0, USAGE.1)
}
