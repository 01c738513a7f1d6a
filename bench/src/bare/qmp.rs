//! QEMU's monitor: what bare QEMU is told to do.
//!
//! <https://www.qemu.org/docs/master/interop/qmp-spec.html>

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

/// How long QEMU may take to make its sockets.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// How long one command may take, and how long a migration.
const LIMIT: Duration = Duration::from_secs(60);

/// How often to look at something that takes a while.
const INTERVAL: Duration = Duration::from_millis(5);

/// Faster than any disk: bytes a second.
const NO_LIMIT: u64 = 1 << 40;

/// A connection to a monitor.
pub(super) struct Monitor(BufReader<UnixStream>);

impl Monitor {
    pub(super) fn open(socket: &Path) -> Result<Self> {
        let stream = connect(socket)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let mut monitor = Self(BufReader::new(stream));
        monitor.read()?;
        monitor.execute("qmp_capabilities", &json!({}))?;
        Ok(monitor)
    }

    pub(super) fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let question = json!({ "execute": command, "arguments": arguments });
        writeln!(self.0.get_mut(), "{question}")?;
        loop {
            let mut answer = self.read()?;
            if let Some(error) = answer.get("error") {
                bail!("QEMU refused {command}: {error}");
            }
            // All else are events.
            if let Some(result) = answer.get_mut("return") {
                return Ok(result.take());
            }
        }
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.0.read_line(&mut line).context("reading from QEMU's monitor")? == 0 {
            bail!("QEMU closed its monitor");
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// Writes the memory of a machine that stands still to a file.
    pub(super) fn migrate_to(&mut self, file: &Path) -> Result<()> {
        self.execute("migrate-set-parameters", &json!({ "max-bandwidth": NO_LIMIT }))?;
        let uri = format!("exec:cat > '{}'", file.display());
        self.execute("migrate", &json!({ "uri": uri }))?;
        self.wait_for("query-migrate", "completed")
    }

    /// Waits until a state is reached.
    pub(super) fn wait_for(&mut self, query: &str, wanted: &str) -> Result<()> {
        let end = Instant::now() + LIMIT;
        loop {
            let answer = self.execute(query, &json!({}))?;
            if answer["status"] == wanted {
                return Ok(());
            }
            if answer["status"] == "failed" || Instant::now() > end {
                bail!("QEMU does not get to {wanted}: {query} says {answer}");
            }
            thread::sleep(INTERVAL);
        }
    }
}

/// Connects to a socket that QEMU makes as it starts.
pub(super) fn connect(socket: &Path) -> Result<UnixStream> {
    let end = Instant::now() + OPEN_LIMIT;
    loop {
        match UnixStream::connect(socket) {
            Err(_) if Instant::now() < end => thread::sleep(INTERVAL),
            connected => {
                return connected.with_context(|| format!("connecting to {}", socket.display()));
            }
        }
    }
}
