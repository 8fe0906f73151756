//! A shell that stops the servers if this program dies without a chance to do so itself (SIGKILL, out of memory).
//! Otherwise it does nothing.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::failure::{Failure, Result};
use crate::process::Process;

/// Reads `watch GROUP` and `done`. If the input ends without a `done`, this program has died.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
groups=
while read -r word group; do
    case $word in
        watch) groups="$groups -$group" ;;
        done) exit 0 ;;
    esac
done
test -z "$groups" || kill -s KILL -- $groups
rm -rf -- "$1"
"#;

/// Dropping it ends the shell, which then stops nothing.
pub(super) struct CleanupGuard {
    shell: Child,
    to_shell: Option<ChildStdin>,
}

impl CleanupGuard {
    /// Starts a shell that kills what it watches, and then removes `folder`.
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "cleanup-guard"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| Failure::says(format!("cannot start a shell: {error}")))?;
        let to_shell = shell.stdin.take();
        Ok(CleanupGuard { shell, to_shell })
    }

    /// Watches the process and its group from now on.
    pub(super) fn watch(&mut self, process: &Process) {
        self.say(&format!("watch {}\n", process.id()));
    }

    fn say(&mut self, line: &str) {
        let said = self.to_shell.as_mut().map(|to_shell| to_shell.write_all(line.as_bytes()));
        if let Some(Err(error)) = said {
            log::warn!("servers will outlive this program if it is killed: {error}");
        }
    }
}

impl Drop for CleanupGuard {
    fn drop(&mut self) {
        self.say("done\n");
        self.to_shell = None;
        drop(self.shell.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Process {
        Process::start("sleep", Command::new("sleep").arg("600")).unwrap()
    }

    #[test]
    fn our_death_is_the_end_of_what_is_watched_and_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut watched = [sleeper(), sleeper()];
        let mut guard = CleanupGuard::of(folder.path()).unwrap();
        watched.iter().for_each(|process| guard.watch(process));
        // What the system does with a dead program's pipes.
        guard.to_shell = None;
        guard.shell.wait().unwrap();
        for process in &mut watched {
            let killed = process.wait(&crate::interrupt::Interrupt::deaf(), None).unwrap();
            assert!(killed.is_some_and(|status| !status.success()));
        }
        assert!(!folder.path().exists());
    }

    #[test]
    fn nothing_happens_where_all_is_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut watched = sleeper();
        let mut guard = CleanupGuard::of(folder.path()).unwrap();
        guard.watch(&watched);
        drop(guard);
        assert!(watched.ended().is_none());
        assert!(folder.path().exists());
    }
}
