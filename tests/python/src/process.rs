//! A Python process: lines in, lines out. It always ends with its owner.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How long anything may take before a test gives up. A Celery worker is ready after about 2 s.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The number of lines of its stderr that a failure shows.
const SHOWN: usize = 40;

/// A process in its own process group. Dropping it kills the group. If this program dies, the process reads the end of its
/// input and kills its group (`end_with_parent.py`).
pub(super) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Arc<Mutex<VecDeque<String>>>,
}

impl Process {
    pub(super) fn start(command: &mut Command) -> Self {
        let started =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn();
        let mut child = started.unwrap_or_else(|error| {
            panic!("cannot start {:?}: {error}: run `cargo xtask integration`", command.get_program())
        });
        let (sender, lines) = channel();
        read(child.stdout.take(), move |line| drop(sender.send(line)));
        let errors = Arc::<Mutex<VecDeque<String>>>::default();
        let shown = Arc::clone(&errors);
        read(child.stderr.take(), move |line| {
            let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            if shown.len() == SHOWN {
                shown.pop_front();
            }
            shown.push_back(line);
        });
        Self { input: child.stdin.take(), child, lines, errors }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it runs.
    pub(super) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub(super) fn say(&mut self, line: &str) {
        let said = self.input.as_mut().map(|input| input.write_all(format!("{line}\n").as_bytes()));
        assert!(matches!(said, Some(Ok(()))), "the Python process does not listen: {said:?}\n{}", self.errors());
    }

    /// The next line that it says.
    pub(super) fn line(&self, patience: Duration) -> String {
        match self.lines.recv_timeout(patience) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                panic!("the Python process said nothing within {patience:?}\n{}", self.errors())
            }
            Err(RecvTimeoutError::Disconnected) => panic!("the Python process has ended\n{}", self.errors()),
        }
    }

    /// The last lines of its stderr.
    pub(super) fn errors(&self) -> String {
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        Vec::from_iter(errors.iter().cloned()).join("\n")
    }

    /// Sends SIGTERM to the process. Returns whether it ended within `patience`.
    pub(super) fn stop(&mut self, patience: Duration) -> bool {
        signal("TERM", i64::from(self.id()));
        integration_tests::wait_until(patience, || !self.runs()).is_ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Before `wait`: until then no other process can get its id, which is also the group's.
        signal("KILL", -i64::from(self.id()));
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn read(source: Option<impl Read + Send + 'static>, mut take: impl FnMut(String) + Send + 'static) {
    if let Some(source) = source {
        thread::spawn(move || BufReader::new(source).lines().map_while(Result::ok).for_each(&mut take));
    }
}

/// Sends a signal to a process, or to a group where `target` is negative. The shell's own `kill`: the system call would be
/// unsafe code.
fn signal(name: &str, target: i64) {
    let sent = Command::new("sh")
        .args(["-c", r#"kill -s "$0" -- "$1""#, name, &target.to_string()])
        .stderr(Stdio::null())
        .status();
    assert!(sent.is_ok(), "there is no shell to send SIG{name} with");
}

#[cfg(test)]
mod tests {
    use super::*;
    use integration_tests::eventually;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A process that says the number of its child and then waits, the two of them.
    fn family() -> (Process, String) {
        let process = Process::start(Command::new("sh").args(["-c", "sleep 600 & echo $!; wait"]));
        let child = process.line(PATIENCE);
        (process, child)
    }

    /// Gone, or waiting to be noted by its parent.
    fn is_gone(id: &str) -> bool {
        match std::fs::read_to_string(format!("/proc/{id}/stat")) {
            Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
            Err(_) => true,
        }
    }

    #[test]
    fn dropping_it_ends_its_children_too() {
        let (process, child) = family();
        assert!(!is_gone(&child));
        drop(process);
        eventually(PATIENCE, || is_gone(&child));
    }

    #[test]
    fn a_test_that_panics_leaves_nothing_behind() {
        let (sender, receiver) = channel();
        let panicked = thread::spawn(move || {
            let (_process, child) = family();
            sender.send(child).unwrap();
            panic!("on purpose");
        });
        let child = receiver.recv_timeout(PATIENCE).unwrap();
        assert!(panicked.join().is_err());
        eventually(PATIENCE, || is_gone(&child));
    }

    #[test]
    fn a_process_that_ends_is_told_with_what_it_said() {
        let process = Process::start(Command::new("sh").args(["-c", "echo why >&2"]));
        eventually(PATIENCE, || process.errors() == "why");
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| process.line(PATIENCE)));
        let text = told.unwrap_err().downcast_ref::<String>().cloned().unwrap_or_default();
        assert_eq!(text, "the Python process has ended\nwhy");
    }
}
