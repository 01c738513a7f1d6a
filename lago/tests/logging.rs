//! The log of a program that has no subscriber of its own. Its process is this test's alone.

use std::fs;

use lago::utils::{HostCommand, LOG_FILE, LoggingError, setup_logging};

#[test]
fn commands_are_in_the_log_and_a_second_log_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("logs");
    setup_logging(&logs).unwrap();
    HostCommand::new("echo").arg("two words").run().unwrap();

    let text = fs::read_to_string(logs.join(LOG_FILE)).unwrap();
    assert!(text.contains("running command=\"echo 'two words'\""), "{text}");
    assert!(text.contains("exit status: 0"), "{text}");
    assert!(matches!(setup_logging(&logs), Err(LoggingError::Installed)));
}
