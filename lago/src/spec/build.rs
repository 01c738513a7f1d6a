//! Reads the `build` steps of a disk: options of virt-customize
//! (<https://libguestfs.org/virt-customize.1.html>), as far as they change the image.

use std::path::Path;

use indexmap::IndexMap;

use super::diagnostic::{Mark, Report};
use super::fields::{Fields, Known, text_of, texts_of};
use super::names;
use super::tree::{Map, Node, Value};
use super::types::{BuildStep, DiskKind, FileSource};

const TOOL: &str = "virt-customize";

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Argument {
    Nothing,
    Text,
    /// A file of this machine.
    File,
    /// A file of this machine, a colon, and where it goes.
    FileTo,
    /// A selector: where the password of root, or whatever it is, comes from.
    Password,
    /// A user and a selector.
    UserPassword,
    /// A user, and where the key comes from. Nothing stands for root and the key of the prefix.
    SshKey,
}

/// The options that there are. Those that choose the image are lago's, and what is not known cannot be cached: an option may
/// read files, of which a layer has to be made anew when they change.
const OPTIONS: &[(&str, Argument)] = &[
    ("append-line", Argument::Text),
    ("attach", Argument::File),
    ("attach-format", Argument::Text),
    ("chmod", Argument::Text),
    ("chown", Argument::Text),
    ("copy", Argument::Text),
    ("copy-in", Argument::FileTo),
    ("delete", Argument::Text),
    ("edit", Argument::Text),
    ("firstboot", Argument::File),
    ("firstboot-command", Argument::Text),
    ("firstboot-install", Argument::Text),
    ("hostname", Argument::Text),
    ("install", Argument::Text),
    ("link", Argument::Text),
    ("memsize", Argument::Text),
    ("mkdir", Argument::Text),
    ("move", Argument::Text),
    ("network", Argument::Nothing),
    ("no-logfile", Argument::Nothing),
    ("no-network", Argument::Nothing),
    ("no-selinux-relabel", Argument::Nothing),
    ("password", Argument::UserPassword),
    ("password-crypto", Argument::Text),
    ("root-password", Argument::Password),
    ("run", Argument::File),
    ("run-command", Argument::Text),
    ("scrub", Argument::Text),
    ("selinux-relabel", Argument::Nothing),
    ("sm-attach", Argument::Password),
    ("sm-credentials", Argument::UserPassword),
    ("sm-register", Argument::Nothing),
    ("sm-remove", Argument::Nothing),
    ("sm-unregister", Argument::Nothing),
    ("smp", Argument::Text),
    ("ssh-inject", Argument::SshKey),
    ("tar-in", Argument::FileTo),
    ("timezone", Argument::Text),
    ("touch", Argument::Text),
    ("truncate", Argument::Text),
    ("truncate-recursive", Argument::Text),
    ("uninstall", Argument::Text),
    ("update", Argument::Nothing),
    ("upload", Argument::FileTo),
    ("write", Argument::Text),
];

/// What an argument takes from this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    Nothing,
    /// The content of a file or directory.
    File,
    /// A password, which belongs into a file.
    Secret,
}

/// An argument of an option: the part that is or names what comes from this machine, and what is around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Split<'a> {
    pub(crate) before: &'a str,
    pub(crate) input: Input,
    pub(crate) value: &'a str,
    pub(crate) after: &'a str,
}

impl<'a> Split<'a> {
    /// Splits the argument of an option of virt-customize.
    pub(crate) fn of(option: &str, argument: &'a str) -> Self {
        let whole = |input| Self { before: "", input, value: argument, after: "" };
        match argument_of(option) {
            Some(Argument::File) => whole(Input::File),
            Some(Argument::FileTo) => {
                let end = argument.find(':').unwrap_or(argument.len());
                let (value, after) = argument.split_at(end);
                Self { value, after, ..whole(Input::File) }
            }
            Some(Argument::Password) => Self::of_selector(argument, 0),
            Some(Argument::UserPassword | Argument::SshKey) => {
                Self::of_selector(argument, argument.find(':').map_or(0, |colon| colon + 1))
            }
            _ => whole(Input::Nothing),
        }
    }

    /// A selector that begins at `start`: `file:NAME` or `password:PASSWORD`, perhaps after `locked:`.
    fn of_selector(argument: &'a str, start: usize) -> Self {
        const LOCKED: &str = "locked:";
        let start = start + if argument[start..].starts_with(LOCKED) { LOCKED.len() } else { 0 };
        let selectors = [("file:", Input::File), ("password:", Input::Secret)];
        let found = selectors.into_iter().find(|(word, _)| argument[start..].starts_with(word));
        match found {
            Some((word, input)) => {
                let (before, value) = argument.split_at(start + word.len());
                Self { before, input, value, after: "" }
            }
            None => Self { before: "", input: Input::Nothing, value: argument, after: "" },
        }
    }
}

fn argument_of(option: &str) -> Option<Argument> {
    OPTIONS.iter().find(|(name, _)| *name == option).map(|(_, argument)| *argument)
}

/// Reads the steps of a disk.
pub(super) fn read_all(
    fields: &Fields<'_>,
    kind: &DiskKind,
    directory: &Path,
    report: &Report<'_>,
) -> Vec<BuildStep> {
    let steps = fields.list("build");
    if let Some(entry) = fields.get("build").filter(|_| !steps.is_empty()) {
        refuse_kind(entry.key, kind, report);
    }
    steps.iter().filter_map(|step| read(step, directory, report)).collect()
}

/// An empty disk has no system, and a file that is used as it is is somebody's.
fn refuse_kind(at: Mark, kind: &DiskKind, report: &Report<'_>) {
    match kind {
        DiskKind::Empty { .. } => {
            let message = "an empty disk has no system that `build` could change";
            report.mistake(at, message, "remove `build`, or write `type: template`");
        }
        DiskKind::File {
            source: FileSource::Path(_) | FileSource::Url { path: Some(_), .. },
            make_a_copy: false,
        } => {
            let message = "`build` would change the file itself";
            report.mistake(at, message, "write `make_a_copy: true`");
        }
        _ => {}
    }
}

fn read(node: &Node, directory: &Path, report: &Report<'_>) -> Option<BuildStep> {
    const STEPS: Known = Known { documented: &[TOOL], tolerated: &[] };
    let fields = Fields::open(report, node, node.at, "a build step", &STEPS);
    let options = fields.map(TOOL)?;
    Some(BuildStep::VirtCustomize(customize_options(options, directory, report)))
}

fn customize_options(
    options: &Map,
    directory: &Path,
    report: &Report<'_>,
) -> IndexMap<String, Vec<String>> {
    let read = options.entries.iter().map(|(name, entry)| {
        let node = &entry.node;
        let arguments = match &node.value {
            Value::List(_) => texts_of(report, node, name),
            Value::Null => Vec::new(),
            _ => text_of(report, node, name).into_iter().filter(|text| !text.is_empty()).collect(),
        };
        let known = argument_of(name);
        match known {
            None => unknown(name, entry.key, report),
            Some(argument) => check(name, argument, &arguments, node.at, report),
        }
        let arguments = arguments.into_iter();
        let absolute = arguments.map(|text| absolute(name, text, directory, node.at, report));
        (name.clone(), absolute.collect())
    });
    read.collect()
}

fn unknown(name: &str, at: Mark, report: &Report<'_>) {
    let help = match name {
        "commands-from-file" => "write what is in the file here".to_owned(),
        "add" | "a" | "domain" | "d" | "connect" | "c" | "format" | "dry-run" | "n" => {
            "remove it: lago says which image is changed".to_owned()
        }
        _ => match names::closest(name, OPTIONS.iter().map(|(name, _)| *name)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("its manual lists them: `man {TOOL}`"),
        },
    };
    report.mistake(at, format!("`{name}` is no option of {TOOL} that lago knows"), help);
}

fn check(name: &str, argument: Argument, arguments: &[String], at: Mark, report: &Report<'_>) {
    let mistake = |message: String, help: &str| report.mistake(at, message, help);
    match argument {
        Argument::Nothing if !arguments.is_empty() => {
            mistake(format!("`{name}` takes no argument"), "write nothing behind the colon");
        }
        Argument::Nothing | Argument::SshKey if arguments.is_empty() => {}
        _ if arguments.is_empty() => {
            mistake(format!("`{name}` has no argument"), "write one behind the colon");
        }
        Argument::FileTo if arguments.iter().any(|text| !text.contains(":/")) => {
            let help = "write the file, a colon, and an absolute path in the guest";
            mistake(format!("`{name}` does not say where the file goes"), help);
        }
        Argument::SshKey if arguments.iter().any(|text| !text.contains(':')) => {
            let help = "write `USER:file:KEY.pub`, or nothing for root and the key of the prefix";
            mistake(format!("`{name}` does not say which key"), help);
        }
        _ => {}
    }
}

/// The argument with its file by an absolute path: relative ones start from the init file.
fn absolute(
    option: &str,
    argument: String,
    directory: &Path,
    at: Mark,
    report: &Report<'_>,
) -> String {
    let Split { before, input, value, after } = Split::of(option, &argument);
    if input != Input::File {
        return argument;
    }
    if value.starts_with('$') {
        report.mistake(
            at,
            format!("`{option}` names its file by a variable that is not known here: {value}"),
            "write a path; a relative one starts from the init file",
        );
        return argument;
    }
    let path = directory.join(value);
    if !after.is_empty() && path.to_string_lossy().contains(':') {
        report.mistake(
            at,
            format!(
                "the file of `{option}` lies at {}, and {TOOL} takes the colon in it for its end",
                path.display()
            ),
            "move it to a directory without a colon in its path",
        );
    }
    format!("{before}{}{after}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split<'a>(option: &str, argument: &'a str) -> (&'a str, Input, &'a str, &'a str) {
        let Split { before, input, value, after } = Split::of(option, argument);
        (before, input, value, after)
    }

    #[test]
    fn what_comes_from_this_machine_is_found_in_arguments() {
        use Input::{File, Nothing, Secret};
        let cases = [
            (("touch", "/a:b"), ("", Nothing, "/a:b", "")),
            (("run", "/x/a:b.sh"), ("", File, "/x/a:b.sh", "")),
            (("upload", "/x/a:/root/b:c"), ("", File, "/x/a", ":/root/b:c")),
            (("root-password", "password:a:b"), ("password:", Secret, "a:b", "")),
            (("root-password", "locked:file:/x"), ("locked:file:", File, "/x", "")),
            (("root-password", "random"), ("", Nothing, "random", "")),
            (("password", "me:password:x"), ("me:password:", Secret, "x", "")),
            (("password", "me:disabled"), ("", Nothing, "me:disabled", "")),
            (("ssh-inject", "root:file:/k.pub"), ("root:file:", File, "/k.pub", "")),
            (("ssh-inject", "root:string:ssh-x"), ("", Nothing, "root:string:ssh-x", "")),
        ];
        for ((option, argument), expected) in cases {
            assert_eq!(split(option, argument), expected, "{option} {argument}");
        }
    }
}
