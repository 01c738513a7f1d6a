//! The serial console and the interactive shell, on a terminal.

use lago_system_tests::Terminal;

use crate::{Session, one_vm};

/// What a terminal sends for Ctrl-].
const LEAVE: &str = "\u{1d}";

#[test]
fn on_a_terminal() {
    let session = Session::new("cli-console");
    session.ok(&["init", &one_vm()]);
    session.ok(&["start"]);

    let mut console = Terminal::start(session.command(&["console", "vm0"]));
    console.wait_for("Escape character");
    console.type_in("\r");
    console.wait_for("login:");
    console.type_in(LEAVE);
    assert_eq!(console.code(), Some(0));

    let mut shell = Terminal::start(session.command(&["shell", "vm0"]));
    shell.type_in("echo $((6*7))-$(tty | cut -c1-8); exit 3\r");
    shell.wait_for("42-/dev/pts");
    assert_eq!(shell.code(), Some(3));

    let mut destroy = Terminal::start(session.command(&["destroy"]));
    destroy.wait_for("[y/N]");
    destroy.type_in("n\r");
    assert_eq!(destroy.code(), Some(1));
    assert!(session.workdir().exists());
    let mut destroy = Terminal::start(session.command(&["destroy"]));
    destroy.wait_for("[y/N]");
    destroy.type_in("y\r");
    assert_eq!(destroy.code(), Some(0));
    assert!(!session.workdir().exists());
}
