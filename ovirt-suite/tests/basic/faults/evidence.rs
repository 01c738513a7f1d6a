//! What is left to read when something has failed: the engine's log, and what the harness collects after each failure.

use std::fs;

use lago_test::lago::cmd;
use lago_test::lago::collect::CollectOptions;
use lago_test::{Failure, TestResult, ensure};
use ovirt_suite::OvirtPrefix;
use tempfile::TempDir;

/// The engine's log, one of the artifacts of its VM.
const ENGINE_LOG: &str = "/var/log/ovirt-engine/engine.log";

/// The engine's log has all of these words in one line.
pub(crate) fn assert_engine_says(prefix: &OvirtPrefix, words: &[&str]) -> TestResult {
    let log = prefix.virt_env().engine_vm()?.run(cmd!("cat", ENGINE_LOG))?;
    ensure!(has_line(&log.stdout(), words), "no line of the engine's log has {words:?}");
    Ok(())
}

/// Evidence of what is now, of all VMs.
pub(crate) struct Evidence(TempDir);

impl Evidence {
    /// Collects it.
    pub(crate) fn collect(prefix: &OvirtPrefix, title: &str) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        prefix.collect(directory.path(), &CollectOptions::new(title))?;
        Ok(Self(directory))
    }

    /// A file of it has all of these words in one line.
    pub(crate) fn assert_says(&self, file: &str, words: &[&str]) -> TestResult {
        let text = fs::read(self.0.path().join(file)).map_err(|error| {
            let overview = fs::read_to_string(self.0.path().join("README.txt")).unwrap_or_default();
            Failure::new(format!("the evidence has no {file}: {error}\n{overview}"))
        })?;
        let has = has_line(&String::from_utf8_lossy(&text), words);
        ensure!(has, "no line of the evidence's {file} has {words:?}");
        Ok(())
    }

    /// The engine's log is there, and has these words.
    pub(crate) fn assert_engine_says(&self, words: &[&str]) -> TestResult {
        self.assert_says(&format!("engine/artifacts{ENGINE_LOG}"), words)
    }
}

fn has_line(text: &str, words: &[&str]) -> bool {
    text.lines().any(|line| words.iter().all(|word| line.contains(word)))
}
