//! The `zc-events` command as a program: built once, run to its end or beside the test, with an environment of its own.
//!
//! Everything here panics where it does not go as a test expects.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use zc_events::{EventClient, Settings};

use crate::{broker_url, eventually, redis_url, unique};

/// The longest wait for a command. Only a test that fails waits that long: a machine under load is slow.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The variable in which `cargo xtask integration` names the program that it has built with all the tests.
pub const COMMAND: &str = "ZC_EVENTS_TEST_COMMAND";

/// The program. It is built at the first call, unless [`COMMAND`] names one.
pub fn binary() -> &'static Path {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
        if let Some(built) = std::env::var_os(COMMAND) {
            return built.into();
        }
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "zc-events-cli", "--message-format", "json-render-diagnostics"]);
        let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit()).output().unwrap();
        assert!(built.status.success(), "the command does not build");
        let messages = String::from_utf8(built.stdout).unwrap();
        let executable = |line: &str| {
            let message: Value = serde_json::from_str(line).ok()?;
            Some(PathBuf::from(message["executable"].as_str()?))
        };
        messages.lines().rev().find_map(executable).expect("cargo names what it has built")
    });
    &BINARY
}

/// A fleet with unique names on the servers of the tests, and a folder in which commands run.
pub struct Scene {
    folder: TempDir,
    env: Vec<(String, String)>,
    /// Its `STAGING_NAME`.
    pub staging: String,
    /// Its `SERVICE_NAME`.
    pub service: String,
}

impl Scene {
    /// A new fleet without services.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "no two are equal")]
    pub fn new() -> Self {
        let (staging, service) = (unique("cli"), unique("orders"));
        let env = [
            ("BROKER_URL", broker_url()),
            ("EVENTS_REDIS_URL", redis_url()),
            ("STAGING_NAME", staging.clone()),
            ("SERVICE_NAME", service.clone()),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Self { folder: tempfile::tempdir().unwrap(), env, staging, service }
    }

    /// Sets an environment variable of the commands.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Removes all settings.
    pub fn bare(mut self) -> Self {
        self.env.clear();
        self
    }

    /// A client in the same fleet.
    pub fn client(&self) -> EventClient {
        let get = |name: &str| self.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        EventClient::new(Settings::from_lookup(get).unwrap()).unwrap()
    }

    /// Writes a file into the folder in which the commands run.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(words).env_clear().envs(self.env.iter().cloned()).current_dir(self.folder.path());
        command
    }

    /// Runs the command to its end.
    pub fn run(&self, words: &[&str]) -> Ended {
        self.run_with(words, "")
    }

    /// Runs the command to its end, with `input` on stdin.
    pub fn run_with(&self, words: &[&str], input: &str) -> Ended {
        let mut running = self.start(words);
        let mut stdin = running.stdin();
        let input = input.to_owned();
        let writer = std::thread::spawn(move || {
            // The command may end before it has read all of the input.
            let _ = stdin.write_all(input.as_bytes());
        });
        let ended = running.end();
        writer.join().unwrap();
        ended
    }

    /// Starts the command beside the test.
    pub fn start(&self, words: &[&str]) -> Running {
        self.spawn(words, true)
    }

    /// Starts the command beside the test, with stdout as a closed pipe.
    pub fn start_with_closed_stdout(&self, words: &[&str]) -> Running {
        self.spawn(words, false)
    }

    fn spawn(&self, words: &[&str], is_read: bool) -> Running {
        let mut command = self.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let read = std::thread::spawn(move || {
            for line in stdout.lines().take(if is_read { usize::MAX } else { 0 }) {
                let _ = sender.send(line.unwrap());
            }
        });
        let stderr: Arc<Mutex<Vec<u8>>> = Arc::default();
        let said = Arc::clone(&stderr);
        let mut from = child.stderr.take().unwrap();
        let listen = std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut part) {
                said.lock().unwrap().extend_from_slice(&part[..length]);
            }
        });
        Running { child, lines, stderr, threads: vec![read, listen], begun: Instant::now() }
    }
}

/// What a command has printed, and how it ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; -1 where a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it said beside that.
    pub stderr: String,
    /// From its start to its end.
    pub took: Duration,
}

impl Ended {
    /// The lines of stdout as JSON.
    pub fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Fails the test where the exit code is another.
    #[track_caller]
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

/// A running command. Dropping it kills the command.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    stderr: Arc<Mutex<Vec<u8>>>,
    threads: Vec<std::thread::JoinHandle<()>>,
    begun: Instant,
}

impl Running {
    /// The command's stdin. Dropping it closes the pipe.
    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// The next line of stdout.
    #[track_caller]
    pub fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line; on stderr: {}", self.said()))
    }

    /// The next line of stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// What it has said on stderr so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.stderr.lock().unwrap()).into_owned()
    }

    /// Waits until it has said this on stderr.
    #[track_caller]
    pub fn until_said(&self, text: &str) -> &Self {
        eventually(PATIENCE, || self.said().contains(text));
        self
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        let sent = Command::new("sh").args(["-c", &format!("kill -INT {}", self.child.id())]).status().unwrap();
        assert!(sent.success());
    }

    /// SIGKILL. Returns when it is gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended.
    #[track_caller]
    pub fn end(&mut self) -> Ended {
        let status = eventually(PATIENCE, || self.child.try_wait().unwrap());
        let took = self.begun.elapsed();
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
        let stdout = self.lines.try_iter().map(|line| format!("{line}\n")).collect();
        Ended { code: status.code().unwrap_or(-1), stdout, stderr: self.said(), took }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
