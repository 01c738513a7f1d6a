//! The guest agent of a bare machine, on the socket that QEMU makes for it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lago::guest::{AgentChannel, AgentFault};

use super::qmp;

/// The way to the agent, which is asked one thing at a time.
pub(super) struct Socket {
    path: PathBuf,
    one_at_a_time: Mutex<()>,
}

impl Socket {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, one_at_a_time: Mutex::default() }
    }

    fn try_ask(&self, question: &str, limit: Duration) -> anyhow::Result<String> {
        let mut stream = qmp::connect(&self.path)?;
        stream.set_read_timeout(Some(limit))?;
        writeln!(stream, "{question}")?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        anyhow::ensure!(!answer.is_empty(), "the agent's socket was closed");
        Ok(answer)
    }
}

impl AgentChannel for Socket {
    fn ask(&self, question: &str, limit: Duration) -> Result<String, AgentFault> {
        let _turn = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        self.try_ask(question, limit).map_err(|error| AgentFault::Silent(format!("{error:#}")))
    }
}
