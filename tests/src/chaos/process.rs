//! This process as the system sees it: threads, descriptors, memory; and the panics in it. Only counts.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many threads it has.
///
/// # Errors
/// There is no `/proc`.
pub fn threads() -> std::io::Result<usize> {
    Ok(fs::read_dir("/proc/self/task")?.count())
}

/// How many files, sockets and the like it has open.
///
/// # Errors
/// There is no `/proc`.
pub fn descriptors() -> std::io::Result<usize> {
    // The one that reads the folder is among them.
    Ok(fs::read_dir("/proc/self/fd")?.count() - 1)
}

/// How many of the descriptors are ends of pipes.
///
/// # Errors
/// There is no `/proc`.
pub fn pipe_ends() -> std::io::Result<usize> {
    let targets = fs::read_dir("/proc/self/fd")?.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    Ok(targets.filter(|target| target.to_string_lossy().starts_with("pipe:")).count())
}

/// How many KiB of it are in memory.
///
/// # Errors
/// There is no `/proc`, or it is not as expected.
pub fn resident_kib() -> std::io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let size = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    size.ok_or_else(|| std::io::Error::other("/proc/self/status does not say how much memory is in use"))
}

/// Counts panics while it exists. One at a time, since the hook is the process's.
pub struct Panics {
    expected: Arc<AtomicUsize>,
    others: Arc<AtomicUsize>,
}

impl Panics {
    /// Begins to count. Those in threads of the name `expected` are counted by themselves, and not printed.
    #[must_use]
    pub fn expecting(expected: &'static str) -> Self {
        let panics = Self { expected: Arc::default(), others: Arc::default() };
        let (within, others) = (Arc::clone(&panics.expected), Arc::clone(&panics.others));
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if thread::current().name() == Some(expected) {
                within.fetch_add(1, Ordering::SeqCst);
            } else {
                others.fetch_add(1, Ordering::SeqCst);
                print(info);
            }
        }));
        panics
    }

    /// How many there were in threads of that name.
    #[must_use]
    pub fn expected(&self) -> usize {
        self.expected.load(Ordering::SeqCst)
    }

    /// How many there were in any other thread.
    #[must_use]
    pub fn others(&self) -> usize {
        self.others.load(Ordering::SeqCst)
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        // A thread that is panicking may not change the hook.
        if !thread::panicking() {
            drop(std::panic::take_hook());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_are_counted_by_thread() {
        let panics = Panics::expecting("expected");
        for name in ["expected", "expected", "other"] {
            let panicked = thread::Builder::new().name(name.to_owned()).spawn(|| panic!("on purpose")).unwrap();
            assert!(panicked.join().is_err());
        }
        assert_eq!(panics.expected(), 2);
        // Tests run side by side: others may panic, too.
        assert!(panics.others() >= 1);
    }

    #[test]
    fn the_system_knows_this_process() {
        let (_reader, _writer) = std::io::pipe().unwrap();
        assert!(threads().unwrap() > 0 && resident_kib().unwrap() > 0);
        let pipe_ends = pipe_ends().unwrap();
        assert!(pipe_ends >= 2 && pipe_ends <= descriptors().unwrap());
    }
}
