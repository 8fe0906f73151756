//! Child processes, each in a process group of its own, none of which outlives its owner.
//!
//! The group keeps the terminal's Ctrl-C away from servers while tests still use them: only this program gets it,
//! and stops its children in the right order.

use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;

const POLL: Duration = Duration::from_millis(50);

/// A running child. Dropping it kills its whole group, unless [`Process::leave_running`] was said.
pub(crate) struct Process {
    name: String,
    child: Child,
    ended: Option<ExitStatus>,
    owned: bool,
}

/// To whom a polite SIGTERM goes. What is still there after the grace is killed, group and all, either way.
#[derive(Clone, Copy)]
pub(crate) enum Polite {
    /// The process itself: it stops its own helpers.
    Leader,
    /// Everything in its group.
    Group,
}

impl Process {
    /// Starts `command` in a new process group, without input.
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Self> {
        let child =
            command.stdin(Stdio::null()).process_group(0).spawn().map_err(|error| {
                Failure::says(format!("cannot start {name} ({:?}): {error}", command.get_program()))
            })?;
        log::debug!("started {name}, process {}", child.id());
        Ok(Self { name: name.to_owned(), child, ended: None, owned: true })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has. Does not wait.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().unwrap_or(None);
        }
        self.ended
    }

    /// Waits until it ends, the deadline passes (None) or a signal arrives.
    pub(crate) fn wait(&mut self, interrupt: &Interrupt, deadline: Option<Instant>) -> Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.ended() {
                return Ok(Some(status));
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(None);
            }
            interrupt.pause(POLL)?;
        }
    }

    /// SIGTERM, up to `grace` of waiting, then SIGKILL to the group. Blocks; takes little more than `grace`.
    pub(crate) fn stop(&mut self, polite: Polite, grace: Duration) {
        let id = i64::from(self.id());
        if self.ended().is_none() {
            signal("TERM", if matches!(polite, Polite::Leader) { id } else { -id });
            let deadline = Instant::now() + grace;
            while self.ended().is_none() && Instant::now() < deadline {
                std::thread::sleep(POLL);
            }
            if self.ended.is_none() {
                log::warn!("{} did not stop within {} s: killed", self.name, grace.as_secs());
            }
        }
        self.kill();
    }

    /// From here on it is somebody else's to stop.
    pub(crate) fn leave_running(&mut self) {
        self.owned = false;
    }

    /// SIGKILL to whatever is left of the group; the child itself is reaped.
    pub(crate) fn kill(&mut self) {
        signal("KILL", -i64::from(self.id()));
        if self.ended.is_none() {
            drop(self.child.kill());
            self.ended = self.child.wait().ok();
        }
        self.owned = false;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.owned {
            self.kill();
        }
    }
}

/// Sends a signal to a process, or to a group if `target` is negative. That nobody is there is fine.
///
/// `kill` is the shell's own: the program of that name is missing from small machines, and the system call would be
/// this project's only unsafe code.
fn signal(name: &str, target: i64) {
    let sent = Command::new("sh")
        .args(["-c", r#"kill -s "$0" -- "$1""#, name, &target.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if let Err(error) = sent {
        log::warn!("cannot send SIG{name} to {target}: {error}");
    }
}

/// Runs `command` to its end within `limit`, and gives its verdict and the end of what it printed.
///
/// An error if it cannot be started, takes too long (it is killed) or a signal arrives.
pub(crate) fn run_quietly(
    name: &str,
    command: &mut Command,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<(ExitStatus, String)> {
    let unusable = |error: std::io::Error| Failure::says(format!("cannot keep the output of {name}: {error}"));
    let mut output = tempfile::tempfile().map_err(unusable)?;
    command.stdout(output.try_clone().map_err(unusable)?).stderr(output.try_clone().map_err(unusable)?);
    let mut process = Process::start(name, command)?;
    let status = process.wait(interrupt, Some(Instant::now() + limit))?;
    let mut text = Vec::new();
    output.seek(SeekFrom::Start(0)).map_err(unusable)?;
    output.read_to_end(&mut text).map_err(unusable)?;
    let text = last_lines(&String::from_utf8_lossy(&text), 15);
    match status {
        Some(status) => Ok((status, text)),
        None => Err(Failure::says(format!("{name} gave no answer within {} s", limit.as_secs()))),
    }
}

/// The last `count` lines that are not blank.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn quiet() -> Interrupt {
        Interrupt::deaf()
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// Gone, or a zombie that its parent has yet to reap.
    fn is_gone(id: &str) -> bool {
        match std::fs::read_to_string(Path::new("/proc").join(id).join("stat")) {
            Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
            Err(_) => true,
        }
    }

    fn wait_for(mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !condition() {
            assert!(Instant::now() < deadline, "did not happen within 20 s");
            std::thread::yield_now();
        }
    }

    /// A parent that ignores SIGTERM and a child of its own, whose id is written to `folder`.
    fn stubborn_family(folder: &Path) -> (Process, String) {
        let file = folder.join("child");
        let script = format!(
            "trap '' TERM; sh -c 'trap \"\" TERM; while :; do sleep 1; done' & echo $! > {0}.new; mv {0}.new {0}; wait",
            file.display()
        );
        let process = Process::start("family", &mut shell(&script)).unwrap();
        wait_for(|| file.exists());
        let child = std::fs::read_to_string(&file).unwrap().trim().to_owned();
        assert!(!is_gone(&child));
        (process, child)
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn stopping_kills_what_ignores_sigterm_and_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let (mut process, child) = stubborn_family(folder.path());
        process.stop(Polite::Group, Duration::from_millis(100));
        assert!(process.ended().is_some_and(|status| !status.success()));
        wait_for(|| is_gone(&child));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn dropping_kills_the_group() {
        let folder = tempfile::tempdir().unwrap();
        let (process, child) = stubborn_family(folder.path());
        let parent = process.id().to_string();
        drop(process);
        wait_for(|| is_gone(&child) && is_gone(&parent));
    }

    #[test]
    fn output_and_verdict_come_back() {
        let (status, text) =
            run_quietly("it", &mut shell("echo one; echo two >&2; exit 3"), Duration::from_secs(20), &quiet()).unwrap();
        assert_eq!((status.code(), text.as_str()), (Some(3), "one\ntwo"));
    }

    #[test]
    fn a_program_that_never_ends_is_an_error() {
        let refused = run_quietly("it", &mut shell("while :; do sleep 1; done"), Duration::from_millis(200), &quiet());
        assert!(refused.unwrap_err().to_string().contains("no answer"));
    }

    #[test]
    fn a_missing_program_is_an_error_that_names_it() {
        let refused =
            run_quietly("it", &mut Command::new("/no/such/program"), Duration::from_secs(20), &quiet()).unwrap_err();
        assert!(refused.to_string().contains("/no/such/program"), "{refused}");
    }

    #[test]
    fn a_signal_ends_the_wait_for_a_child() {
        let (sender, receiver) = crossbeam_channel::unbounded();
        sender.send(2).unwrap();
        let refused =
            run_quietly("it", &mut shell("sleep 60"), Duration::from_secs(60), &Interrupt::from_channel(receiver));
        assert!(matches!(refused, Err(Failure::Interrupted(2))));
    }

    #[test]
    fn last_lines_skips_blank_ones() {
        assert_eq!(last_lines("a\n\nb\nc\n\n", 2), "b\nc");
        assert_eq!(last_lines("", 2), "");
    }
}
