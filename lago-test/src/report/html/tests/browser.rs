//! A headless Chromium, driven by the `DevTools` protocol (<https://chromedevtools.github.io/devtools-protocol/>) over a
//! pair of pipes: messages are JSON, each ended by a NUL.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The longest wait for an answer: a browser that starts on a busy machine takes seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// No updates, no reports, nothing that goes out to the network by itself. Real root has no sandbox to give.
const OPTIONS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
];

/// One browser with one page.
#[derive(Debug)]
pub(super) struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    /// What happened that nobody has asked for yet.
    happened: Vec<Value>,
    last: u64,
    session: Option<String>,
    #[expect(dead_code, reason = "removed when the browser has gone")]
    profile: TempDir,
}

/// The two colour schemes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Light,
    Dark,
}

impl Browser {
    pub(super) fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        // It talks on the descriptors 3 and 4.
        let mut child = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#, "chromium"])
            .args(OPTIONS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("HOME", profile.path())
            // It is killed, and what it has in the directory for temporary files would stay.
            .env("TMPDIR", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh runs");
        let commands = child.stdin.take().unwrap();
        let mut stream = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            while stream.read_until(0, &mut message).is_ok_and(|length| length > 0) {
                message.pop();
                let parsed = serde_json::from_slice(&message).expect("messages are JSON");
                if sender.send(parsed).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let (happened, last, session) = (Vec::new(), 0, None);
        let mut browser = Self { child, commands, messages, happened, last, session, profile };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", &attach);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Calls a method and gives its result.
    #[track_caller]
    pub(super) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let id = self.last;
        let mut request = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &self.session {
            request["sessionId"] = session.as_str().into();
        }
        let mut message = request.to_string().into_bytes();
        message.push(0);
        self.commands.write_all(&message).expect("chromium (Debian package chromium) listens");
        let mut answer = self.wait_for(method, |message| message["id"] == id);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    /// The next message that fits. Others are kept.
    #[track_caller]
    fn wait_for(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left).unwrap_or_else(|error| {
                panic!("chromium (Debian package chromium) does not answer {what}: {error}")
            });
            if fits(&message) {
                return message;
            }
            self.happened.push(message);
        }
    }

    /// The page is so wide and in this scheme from now on.
    pub(super) fn look(&mut self, width: u32, scheme: Scheme) {
        let metrics = json!({
            "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false,
        });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
        let value = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let features = json!([
            { "name": "prefers-color-scheme", "value": value },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.call("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// Opens a file, and waits until it is there.
    pub(super) fn open(&mut self, path: &Path) {
        self.happened.clear();
        let url = format!("file://{}", path.display());
        let opened = self.call("Page.navigate", &json!({ "url": url }));
        assert!(opened.get("errorText").is_none(), "{opened}");
        let is_loaded = |message: &Value| message["method"] == "Page.loadEventFired";
        if !self.happened.iter().any(is_loaded) {
            let loaded = self.wait_for("Page.loadEventFired", is_loaded);
            self.happened.push(loaded);
        }
    }

    /// The value of an expression in the page.
    #[track_caller]
    pub(super) fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true,
        });
        let mut result = self.call("Runtime.evaluate", &params);
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {result}");
        result["result"]["value"].take()
    }

    /// Presses a key that has no text, such as Tab.
    pub(super) fn press(&mut self, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let params = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text,
            });
            self.call("Input.dispatchKeyEvent", &params);
        }
    }

    /// What happened in the page since it was opened, of these kinds.
    pub(super) fn happened(&mut self, methods: &[&str]) -> Vec<Value> {
        // Whatever the page has caused so far is told before this answer.
        self.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))");
        let of_kind = |message: &&Value| {
            message["method"].as_str().is_some_and(|method| methods.contains(&method))
        };
        self.happened.iter().filter(of_kind).cloned().collect()
    }

    /// The page from top to bottom in PNGs, each of at most this height.
    pub(super) fn screenshots(&mut self, tallest: u64) -> Vec<Vec<u8>> {
        let size = self.evaluate("[innerWidth, document.documentElement.scrollHeight]");
        let (width, height) = (&size[0], size[1].as_u64().unwrap());
        let tops = (0..height).step_by(usize::try_from(tallest).unwrap());
        let clips: Vec<Value> = tops
            .map(|top| {
                let height = tallest.min(height - top);
                json!({ "x": 0, "y": top, "width": width, "height": height, "scale": 1 })
            })
            .collect();
        let shots = clips.into_iter().map(|clip| {
            let params = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
            let shot = self.call("Page.captureScreenshot", &params);
            BASE64_STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()
        });
        shots.collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its helpers are in its group; it has nothing to save.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}
