//! Counts the panics of this program: those that a row expects, and all others.

use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// The message of a panic that a row causes, through `panic!("{ON_PURPOSE}")`.
pub(crate) const ON_PURPOSE: &str = "on purpose";

/// Counts panics while it exists, and prints only those that are not expected. There may be one at a time, since a process
/// has one panic hook.
pub(crate) struct PanicCounter {
    expected: Arc<AtomicU64>,
    others: Arc<AtomicU64>,
}

impl PanicCounter {
    /// Expects panics in threads of this name.
    #[must_use]
    pub(crate) fn expecting_thread(name: &'static str) -> Self {
        Self::expecting(move |_| thread::current().name() == Some(name))
    }

    /// Expects panics with the message [`ON_PURPOSE`].
    #[must_use]
    pub(crate) fn expecting_on_purpose() -> Self {
        Self::expecting(|info| info.payload().downcast_ref::<String>().is_some_and(|text| text == ON_PURPOSE))
    }

    fn expecting(is_expected: impl Fn(&PanicHookInfo<'_>) -> bool + Send + Sync + 'static) -> Self {
        let counter = Self { expected: Arc::default(), others: Arc::default() };
        let (expected, others) = (Arc::clone(&counter.expected), Arc::clone(&counter.others));
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if is_expected(info) {
                expected.fetch_add(1, Ordering::SeqCst);
            } else {
                others.fetch_add(1, Ordering::SeqCst);
                print(info);
            }
        }));
        counter
    }

    /// The number of expected panics.
    #[must_use]
    pub(crate) fn expected(&self) -> u64 {
        self.expected.load(Ordering::SeqCst)
    }

    /// The number of all others.
    #[must_use]
    pub(crate) fn others(&self) -> u64 {
        self.others.load(Ordering::SeqCst)
    }
}

impl Drop for PanicCounter {
    /// Restores the default hook. A thread that is panicking may not change it.
    fn drop(&mut self) {
        if !thread::panicking() {
            drop(panic::take_hook());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_are_counted_by_thread() {
        let panics = PanicCounter::expecting_thread("expected");
        for name in ["expected", "expected", "other"] {
            let panicked = thread::Builder::new().name(name.to_owned()).spawn(|| panic!("on purpose")).unwrap();
            assert!(panicked.join().is_err());
        }
        assert_eq!(panics.expected(), 2);
        // Tests run side by side: others may panic, too.
        assert!(panics.others() >= 1);
    }
}
