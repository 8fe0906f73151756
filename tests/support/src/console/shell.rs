//! A shell to run commands in: a folder of its own, an environment of its own, and `zc-events` in its path.

use std::io::{PipeReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a command may take, and how long one that runs beside others may take for its last lines. A machine under
/// load is slow; only a test that fails waits that long.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often the system is asked whether a command that has closed its output has ended.
const POLL: Duration = Duration::from_millis(2);

/// A shell of a document's section.
pub struct Shell {
    folder: TempDir,
    env: Vec<(String, String)>,
    shown_as: Vec<(String, String)>,
    code: i32,
    /// Lives as long as the shell.
    _fixture: Box<dyn std::any::Any>,
}

impl Shell {
    /// A shell with this `zc-events`. `fixture` lives as long as the shell. The commands see no variable of the tests'
    /// environment but `PATH`.
    ///
    /// # Panics
    /// If its folder cannot be made.
    #[must_use]
    pub fn new(binary: &Path, fixture: impl std::any::Any) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::fs::create_dir(folder.path().join("work")).unwrap();
        let program = bin.join("zc-events");
        // As on a terminal, unless something else is asked for.
        let script = format!(
            "#!/bin/sh\ncase \" $* \" in *' --output '*) exec '{0}' \"$@\" ;; *) exec '{0}' --output pretty \"$@\" ;; esac\n",
            binary.display()
        );
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        let env = vec![("PATH".to_owned(), path)];
        Self { folder, env, shown_as: Vec::new(), code: 0, _fixture: Box::new(fixture) }
    }

    /// Sets an environment variable of the commands.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Where a command prints `actual`, the document shows `shown`.
    #[must_use]
    pub fn shown_as(mut self, actual: impl Into<String>, shown: &str) -> Self {
        self.shown_as.push((actual.into(), shown.to_owned()));
        self
    }

    /// Writes a file into the folder in which the commands run.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join("work").join(name), text).unwrap();
    }

    /// Runs a command and returns its output.
    ///
    /// # Panics
    /// If the command takes longer than 2 minutes.
    pub fn run(&mut self, command: &str) -> String {
        if command == "echo $?" {
            return format!("{}\n", self.code);
        }
        let (mut child, mut output) = self.spawn(command);
        let deadline = Instant::now() + PATIENCE;
        let status = output.read_until(deadline, |_| false).then(|| wait(&mut child, deadline)).flatten();
        let Some(status) = status else {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("`{command}` did not end within {PATIENCE:?}; it printed\n{}", output.text());
        };
        self.code = status.code().unwrap_or(-1);
        self.as_shown(output.text())
    }

    /// Starts a command in the background and returns when it has printed its first line.
    ///
    /// # Panics
    /// If the command ends before, or prints nothing within 2 minutes.
    #[must_use]
    pub fn start(&self, command: &str) -> Background {
        let (child, mut output) = self.spawn(&format!("exec {command}"));
        output.read_until(Instant::now() + PATIENCE, |text| text.contains('\n'));
        let background = Background { child, output };
        assert!(background.output.text().contains('\n'), "`{command}` printed no line: {}", background.output.text());
        background
    }

    fn spawn(&self, command: &str) -> (Child, Output) {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).env_clear().envs(self.env.iter().cloned());
        shell.current_dir(self.folder.path().join("work")).stdin(Stdio::null());
        shell.stdout(writer.try_clone().unwrap()).stderr(writer);
        (shell.spawn().unwrap(), Output::read(reader))
    }

    fn as_shown(&self, mut text: String) -> String {
        for (actual, shown) in &self.shown_as {
            text = text.replace(actual, shown);
        }
        text
    }
}

/// A command that runs in the background. It is killed when the test ends before it.
pub struct Background {
    child: Child,
    output: Output,
}

impl Background {
    /// Interrupts the command once it has printed `lines` lines, and returns its output. Missing lines show in the
    /// comparison.
    ///
    /// # Panics
    /// If the command does not end within 2 minutes.
    #[must_use]
    pub fn end(mut self, shell: &Shell, lines: usize) -> String {
        self.output.read_until(Instant::now() + PATIENCE, |text| text.lines().count() >= lines);
        let interrupt = format!("kill -INT {}", self.child.id());
        // It may have ended by itself.
        let _ = Command::new("sh").args(["-c", &interrupt]).stderr(Stdio::null()).status();
        let deadline = Instant::now() + PATIENCE;
        let ended = self.output.read_until(deadline, |_| false) && wait(&mut self.child, deadline).is_some();
        assert!(ended, "the command does not end; it printed\n{}", self.output.text());
        shell.as_shown(self.output.text())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a command that has closed its output. None where it still runs at the deadline.
fn wait(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::park_timeout(POLL);
    }
}

/// The output of a command, stdout and stderr together, as on a terminal.
struct Output {
    parts: Receiver<Vec<u8>>,
    read: Vec<u8>,
}

impl Output {
    fn read(mut pipe: PipeReader) -> Self {
        let (sender, parts) = channel();
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut part) {
                if sender.send(part[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { parts, read: Vec::new() }
    }

    /// Reads until the text is as wanted, every writer has closed it, or the deadline passes. Returns false at the
    /// deadline.
    fn read_until(&mut self, deadline: Instant, wanted: impl Fn(&str) -> bool) -> bool {
        while !wanted(&self.text()) {
            match self.parts.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(part) => self.read.extend(part),
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
        true
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.read).into_owned()
    }
}
