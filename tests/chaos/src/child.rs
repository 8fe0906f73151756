//! A child process that runs this program again, which a row may kill.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A child process. Dropping it kills it. It also ends when this program dies, because its input is closed then.
pub struct Child {
    process: std::process::Child,
    lines: Receiver<String>,
}

impl Child {
    /// Runs the `child` of a row with these variables in its environment.
    pub(super) fn start(row: &str, environment: &[(&str, String)]) -> std::io::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--child", row])
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (sender, lines) = channel();
        if let Some(output) = process.stdout.take() {
            thread::spawn(move || {
                BufReader::new(output).lines().map_while(Result::ok).try_for_each(|it| sender.send(it))
            });
        }
        Ok(Self { process, lines })
    }

    /// The next line that the child printed with [`say`]; `None` if no line comes in time, or if the child has ended.
    #[must_use]
    pub fn line(&self, patience: Duration) -> Option<String> {
        self.lines.recv_timeout(patience).ok()
    }

    /// Sends SIGKILL, and returns when the child is gone. [`Child::line`] still returns its earlier lines.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// The exit status, if the child ends within `patience`.
    #[must_use]
    pub fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) => return Some(status),
                _ if Instant::now() >= deadline => return None,
                // tidy: allow(thread::sleep) because no channel reports the end of a process
                _ => thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// In a child: prints a line for the row.
pub fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}

/// In a child: ends this process when the parent is gone, which closes its input.
pub(super) fn end_with_parent() {
    thread::spawn(|| {
        let mut rest = Vec::new();
        let _ = std::io::stdin().lock().read_to_end(&mut rest);
        std::process::exit(3);
    });
}
