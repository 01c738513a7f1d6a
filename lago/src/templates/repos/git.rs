//! Git repositories, by the program `git`.

use std::env;
use std::path::Path;
use std::time::Duration;

use crate::templates::error::TemplateError;
use crate::utils::{CommandError, HostCommand, error_chain};

/// How long a clone may take. Only the newest state is fetched, and manifests are small.
const CLONE_LIMIT: Duration = Duration::from_secs(600);

/// How long a server of git may send less than [`LEAST_RATE`].
const SILENCE_LIMIT: Duration = Duration::from_secs(60);

/// Bytes a second.
const LEAST_RATE: u32 = 1000;

/// What git may talk: not `ext`, by which an address runs a program.
const PROTOCOLS: &str = "file:git:http:https:ssh";

/// How git reaches a server over ssh; a user who has set it knows why.
const SSH_VARIABLE: &str = "GIT_SSH_COMMAND";

/// Fetches the newest state of the repository at `url` into the new directory `directory`.
///
/// Links in it become plain files, so that none leads out of it; nothing of it is run; nobody is asked for a password.
pub(super) fn clone(url: &str, directory: &Path) -> Result<(), TemplateError> {
    let silence = format!("http.lowSpeedTime={}", SILENCE_LIMIT.as_secs());
    let rate = format!("http.lowSpeedLimit={LEAST_RATE}");
    let settings = [
        "core.symlinks=false",
        "core.hooksPath=/dev/null",
        "http.followRedirects=initial",
        "advice.detachedHead=false",
        &silence,
        &rate,
    ];
    let mut command = HostCommand::new("git")
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .args(["clone", "--quiet", "--no-local", "--depth", "1", "--single-branch", "--no-tags"])
        .args(["--template=", "--"])
        .arg(url)
        .arg(directory)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "true")
        .env("GIT_ALLOW_PROTOCOL", PROTOCOLS)
        .env("LC_ALL", "C")
        .remedy("install it with `apt-get install git` or `dnf install git`")
        .limit(CLONE_LIMIT);
    if env::var_os(SSH_VARIABLE).is_none() {
        command = command.env(SSH_VARIABLE, "ssh -o BatchMode=yes -o ConnectTimeout=30");
    }
    command
        .run()
        .map(drop)
        .map_err(|error| TemplateError::Git { url: hide(url), reason: hide(&reason(error)) })
}

/// What to say of git: its command line, of which most are settings, explains nothing.
fn reason(error: CommandError) -> String {
    match error {
        CommandError::Failed { stderr, .. } => stderr,
        CommandError::TimedOut { limit, stderr, .. } => {
            format!("git did not end within {limit:?}; it wrote: {stderr}")
        }
        other => error_chain(&other),
    }
}

/// A text without the names and passwords in its addresses, between `://` and `@`.
fn hide(text: &str) -> String {
    let mut shown = String::new();
    for word in text.split_inclusive(char::is_whitespace) {
        let hidden = word.split_once("://").and_then(|(scheme, rest)| {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let (_, host) = authority.rsplit_once('@')?;
            Some(format!("{scheme}://{host}{path}"))
        });
        shown.push_str(hidden.as_deref().unwrap_or(word));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden() {
        assert_eq!(
            hide(
                "git clone -- https://me:secret@x/a.git /dir\nfatal: 'https://me:secret@x/a.git/' is gone"
            ),
            "git clone -- https://x/a.git /dir\nfatal: 'https://x/a.git/' is gone"
        );
        for text in ["git clone -- git@example.org:a.git /dir", "https://x/a@b", ""] {
            assert_eq!(hide(text), text);
        }
    }
}
