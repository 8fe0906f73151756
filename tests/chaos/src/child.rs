//! This program once more, as a process that a row may kill.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::row::Done;
use super::rows;

/// A child process. Dropping it kills it; so does the death of this program, whose end of its input it reads.
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

    /// The next line that it said (see [`say`]), if it comes in time; None also when it has ended.
    #[must_use]
    pub fn line(&self, patience: Duration) -> Option<String> {
        self.lines.recv_timeout(patience).ok()
    }

    /// SIGKILL. Returns when it is gone; what it said before can still be read.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// How it ended, if it does within `patience`.
    #[must_use]
    pub fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) => return Some(status),
                _ if Instant::now() >= deadline => return None,
                // tidy: allow(thread::sleep) because a process has no channel that tells of its end
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

/// In a child: tells the row a line.
pub fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}

/// Is the child of the row `name`, until its function returns or the parent is gone.
pub(super) fn be(name: &str) -> Done {
    let row = rows::ALL.iter().find(|row| row.name == name).ok_or("no such row")?;
    let child = row.child.ok_or("the row has no child")?;
    thread::spawn(|| {
        let mut rest = Vec::new();
        let _ = std::io::stdin().lock().read_to_end(&mut rest);
        std::process::exit(3);
    });
    child()
}
