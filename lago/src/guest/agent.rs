//! The QEMU guest agent: what works in a guest without network and sshd.
//!
//! The commands and their answers are QEMU's: <https://qemu-project.gitlab.io/qemu/interop/qemu-ga-ref.html>.

use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::{GuestError, Result};

/// How long an agent may take for an answer. It takes a quarter of a second under software emulation.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How long an agent may take to bring its guest's file systems to rest. It has to write all that waits to be written.
pub const FREEZE_LIMIT: Duration = Duration::from_secs(30);

/// How long to wait between two tries of [`Agent::wait`].
const PAUSE: Duration = Duration::from_millis(50);

/// How much of a file is asked for at once. libvirt takes answers up to 4 MiB.
const READ_BYTES: usize = 1 << 20;

/// What an agent that copies a file is doing.
const READ: &str = "read a file";

/// How long one try of [`Agent::wait`] may take; libvirt counts whole seconds.
const TRY_LIMIT: Duration = Duration::from_secs(1);

/// The way to the agent of one guest.
pub trait AgentChannel: Send + Sync {
    /// Sends a command and returns the answer, both as JSON.
    ///
    /// # Errors
    /// What went wrong, in libvirt's words.
    fn ask(&self, question: &str, limit: Duration) -> Result<String, AgentFault>;
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentFault {
    /// Nobody answers.
    Silent(String),
    /// The agent answers that it cannot.
    Refused(String),
}

/// What became of a program that the agent ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentOutput {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i64>,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
}

/// The QEMU guest agent of one guest.
#[derive(Clone)]
pub struct Agent {
    vm: String,
    channel: Arc<dyn AgentChannel>,
}

impl Agent {
    /// Nothing is asked yet.
    pub fn new(vm: impl Into<String>, channel: Arc<dyn AgentChannel>) -> Self {
        Self { vm: vm.into(), channel }
    }

    /// Whether the agent answers, within [`ANSWER_LIMIT`].
    ///
    /// # Errors
    /// [`GuestError::Agent`] when it does not.
    pub fn ping(&self) -> Result<()> {
        self.command("answer", "guest-ping", &json!({}), ANSWER_LIMIT).map(drop)
    }

    /// Waits until the agent answers.
    ///
    /// # Errors
    /// [`GuestError::Agent`] with the last try's failure when the limit passes.
    pub fn wait(&self, limit: Duration) -> Result<()> {
        let started = Instant::now();
        loop {
            match self.command("answer", "guest-ping", &json!({}), TRY_LIMIT) {
                Ok(_) => return Ok(()),
                Err(error) if started.elapsed() >= limit => return Err(error),
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// The time that the guest's clock shows.
    ///
    /// # Errors
    /// [`GuestError::Agent`].
    pub fn time(&self) -> Result<SystemTime> {
        const WHAT: &str = "tell the time";
        let answer = self.command(WHAT, "guest-get-time", &json!({}), ANSWER_LIMIT)?;
        let nanoseconds = answer.as_u64().ok_or_else(|| self.error(WHAT, said(&answer)))?;
        Ok(UNIX_EPOCH + Duration::from_nanos(nanoseconds))
    }

    /// Sets the guest's clock.
    ///
    /// # Errors
    /// [`GuestError::Agent`]; also when the clock is right, but the agent could not write it to the clock chip.
    pub fn set_time(&self, time: SystemTime) -> Result<()> {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanoseconds = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        let arguments = json!({ "time": nanoseconds });
        self.command("set the time", "guest-set-time", &arguments, ANSWER_LIMIT).map(drop)
    }

    /// Runs a program in the guest to its end. It is looked up on the agent's `PATH`; no shell is involved.
    ///
    /// # Errors
    /// [`GuestError::Agent`] when it cannot be run, or has not ended when the limit passes; it runs on then.
    pub fn exec(&self, program: &str, arguments: &[&str], limit: Duration) -> Result<AgentOutput> {
        const WHAT: &str = "run a program";
        let started = Instant::now();
        let question = json!({ "path": program, "arg": arguments, "capture-output": true });
        let answer = self.command(WHAT, "guest-exec", &question, ANSWER_LIMIT)?;
        let pid = json!({ "pid": answer["pid"] });
        loop {
            let status = self.command(WHAT, "guest-exec-status", &pid, ANSWER_LIMIT)?;
            if status["exited"] == true {
                return Ok(AgentOutput {
                    code: status["exitcode"].as_i64(),
                    stdout: self.decoded(WHAT, &status["out-data"])?,
                    stderr: self.decoded(WHAT, &status["err-data"])?,
                });
            }
            if started.elapsed() >= limit {
                let detail = format!("`{program}` has not ended within {limit:?}");
                return Err(self.error(WHAT, AgentFault::Refused(detail)));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Copies a file of the guest to `to`, within the limit.
    ///
    /// # Errors
    /// [`GuestError::Agent`] when it cannot be read, or the limit passes; what was read until then has been written.
    pub fn read_file(&self, path: &str, to: &mut dyn Write, limit: Duration) -> Result<()> {
        let started = Instant::now();
        let question = json!({ "path": path, "mode": "r" });
        let handle = self.command(READ, "guest-file-open", &question, ANSWER_LIMIT)?;
        let read = self.read_handle(&handle, to, limit.saturating_sub(started.elapsed()));
        let question = json!({ "handle": handle });
        let closed = self.command(READ, "guest-file-close", &question, ANSWER_LIMIT);
        read.and(closed.map(drop))
    }

    fn read_handle(&self, handle: &Value, to: &mut dyn Write, limit: Duration) -> Result<()> {
        let started = Instant::now();
        let question = json!({ "handle": handle, "count": READ_BYTES });
        loop {
            let answer = self.command(READ, "guest-file-read", &question, ANSWER_LIMIT)?;
            let bytes = self.decoded(READ, &answer["buf-b64"])?;
            to.write_all(&bytes).map_err(|error| {
                self.error(READ, AgentFault::Refused(format!("it cannot be written here: {error}")))
            })?;
            if answer["eof"] == true {
                return Ok(());
            }
            if started.elapsed() >= limit {
                let detail = format!("it is longer than what comes within {limit:?}");
                return Err(self.error(READ, AgentFault::Refused(detail)));
            }
        }
    }

    fn decoded(&self, what: &'static str, data: &Value) -> Result<Vec<u8>> {
        let text = data.as_str().unwrap_or_default();
        BASE64.decode(text).map_err(|error| {
            let detail = format!("its answer is not base64: {error}");
            self.error(what, AgentFault::Refused(detail))
        })
    }

    /// Brings the file systems to rest until [`thaw`](Self::thaw), and returns how many. What is written meanwhile waits.
    ///
    /// # Errors
    /// [`GuestError::Agent`].
    pub fn freeze(&self) -> Result<u64> {
        const WHAT: &str = "freeze the file systems";
        let answer = self.command(WHAT, "guest-fsfreeze-freeze", &json!({}), FREEZE_LIMIT)?;
        answer.as_u64().ok_or_else(|| self.error(WHAT, said(&answer)))
    }

    /// Lets the file systems go on.
    ///
    /// # Errors
    /// [`GuestError::Agent`].
    pub fn thaw(&self) -> Result<()> {
        let what = "thaw the file systems";
        self.command(what, "guest-fsfreeze-thaw", &json!({}), FREEZE_LIMIT).map(drop)
    }

    fn command(
        &self,
        what: &'static str,
        name: &str,
        arguments: &Value,
        limit: Duration,
    ) -> Result<Value> {
        let question = json!({ "execute": name, "arguments": arguments }).to_string();
        let answer = self.channel.ask(&question, limit).map_err(|fault| self.error(what, fault))?;
        let mut answer: Value = serde_json::from_str(&answer).map_err(|error| {
            self.error(what, AgentFault::Refused(format!("its answer is no JSON: {error}")))
        })?;
        Ok(answer["return"].take())
    }

    fn error(&self, what: &'static str, fault: AgentFault) -> GuestError {
        let detail = match fault {
            AgentFault::Silent(reason) => {
                format!("{reason}; the guest needs the package qemu-guest-agent, running")
            }
            AgentFault::Refused(reason) => reason,
        };
        GuestError::Agent { vm: self.vm.clone(), what, detail }
    }
}

fn said(answer: &Value) -> AgentFault {
    AgentFault::Refused(format!("it said {answer}"))
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("vm", &self.vm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Answers with what it holds, the last one first.
    struct Answers(Mutex<Vec<Result<String, AgentFault>>>);

    impl AgentChannel for Answers {
        fn ask(&self, _: &str, _: Duration) -> Result<String, AgentFault> {
            self.0.lock().unwrap().pop().expect("an answer is left")
        }
    }

    fn agent(answers: impl IntoIterator<Item = Result<&'static str, &'static str>>) -> Agent {
        let mut answers: Vec<_> = answers
            .into_iter()
            .map(|answer| {
                answer.map(str::to_owned).map_err(|reason| AgentFault::Silent(reason.into()))
            })
            .collect();
        answers.reverse();
        Agent::new("server", Arc::new(Answers(Mutex::new(answers))))
    }

    #[test]
    fn the_time_is_read_in_nanoseconds() {
        let time = agent([Ok(r#"{"return":1700000000000000000}"#)]).time().unwrap();
        assert_eq!(time, UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    }

    #[test]
    fn an_agent_that_comes_up_is_waited_for() {
        agent([Err("not connected"), Ok(r#"{"return":{}}"#)]).wait(ANSWER_LIMIT).unwrap();
    }

    #[test]
    fn an_agent_that_stays_away_is_said() {
        let error = agent([Err("not connected")]).wait(Duration::ZERO).unwrap_err().to_string();
        assert!(
            error.starts_with("server: the guest agent did not answer: not connected"),
            "{error}"
        );
    }

    #[test]
    fn a_program_is_waited_for_and_its_output_decoded() {
        let agent = agent([
            Ok(r#"{"return":{"pid":7}}"#),
            Ok(r#"{"return":{"exited":false}}"#),
            Ok(r#"{"return":{"exited":true,"exitcode":3,"out-data":"aGkK"}}"#),
        ]);
        let output = agent.exec("true", &[], ANSWER_LIMIT).unwrap();
        let expected = AgentOutput { code: Some(3), stdout: b"hi\n".into(), stderr: Vec::new() };
        assert_eq!(output, expected);
    }

    #[test]
    fn a_file_is_read_to_its_end() {
        let agent = agent([
            Ok(r#"{"return":1000}"#),
            Ok(r#"{"return":{"count":3,"buf-b64":"aGkK","eof":false}}"#),
            Ok(r#"{"return":{"count":2,"buf-b64":"eW8=","eof":true}}"#),
            Ok(r#"{"return":{}}"#),
        ]);
        let mut content = Vec::new();
        agent.read_file("/etc/motd", &mut content, ANSWER_LIMIT).unwrap();
        assert_eq!(content, b"hi\nyo");
    }

    #[test]
    fn a_file_that_does_not_come_in_time_is_closed_all_the_same() {
        let agent = agent([
            Ok(r#"{"return":1000}"#),
            Ok(r#"{"return":{"count":3,"buf-b64":"aGkK","eof":false}}"#),
            Ok(r#"{"return":{}}"#),
        ]);
        let error = agent.read_file("/dev/zero", &mut Vec::new(), Duration::ZERO).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("did not read a file") && text.contains("0ns"), "{text}");
    }

    #[test]
    fn an_answer_of_another_kind_is_no_number() {
        let error = agent([Ok(r#"{"return":{}}"#)]).freeze().unwrap_err().to_string();
        assert!(error.contains("it said {}"), "{error}");
    }
}
