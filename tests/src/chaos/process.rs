//! This process as the system sees it: threads, descriptors, memory; and the panics in it. Only counts.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
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

/// Counts panics while it exists, by the names of the threads. They are printed as ever. One at a time.
pub struct Panics(Arc<Mutex<Vec<String>>>);

impl Panics {
    /// Begins to count.
    #[must_use]
    pub fn count() -> Self {
        let names: Arc<Mutex<Vec<String>>> = Arc::default();
        let (seen, print) = (Arc::clone(&names), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |info| {
            let name = thread::current().name().unwrap_or("unnamed").to_owned();
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(name);
            print(info);
        }));
        Self(names)
    }

    /// How many there were in threads of this name, and how many in others.
    #[must_use]
    pub fn within(&self, thread: &str) -> (usize, usize) {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let within = names.iter().filter(|name| *name == thread).count();
        (within, names.len() - within)
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
        let panics = Panics::count();
        for name in ["one", "one", "other"] {
            let panicked = thread::Builder::new().name(name.to_owned()).spawn(|| panic!("on purpose")).unwrap();
            assert!(panicked.join().is_err());
        }
        let (within, others) = panics.within("one");
        // Tests run side by side: others may panic, too.
        assert!(within == 2 && others >= 1, "{within} {others}");
    }

    #[test]
    fn the_system_knows_this_process() {
        let before = descriptors().unwrap();
        let file = fs::File::open("/proc/self/status").unwrap();
        assert!(threads().unwrap() > 0 && resident_kib().unwrap() > 0);
        assert!(descriptors().unwrap() > 0 && before > 0);
        drop(file);
    }
}
