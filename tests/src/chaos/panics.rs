//! The panics of this program: those that a row means, and those that it does not.

use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a panic says, through `panic!("{ON_PURPOSE}")`, that is meant.
pub(super) const ON_PURPOSE: &str = "on purpose";

/// Counts panics in all threads of this program, and keeps quiet about those that are meant, until it is dropped.
pub(super) struct Panics(Arc<[AtomicU64; 2]>);

impl Panics {
    /// Begins.
    pub(super) fn watch() -> Self {
        let (counts, before) = (Arc::<[AtomicU64; 2]>::default(), panic::take_hook());
        let counted = Arc::clone(&counts);
        panic::set_hook(Box::new(move |info| {
            let is_meant = info.payload().downcast_ref::<String>().is_some_and(|text| text == ON_PURPOSE);
            counted[usize::from(!is_meant)].fetch_add(1, Ordering::SeqCst);
            if !is_meant {
                before(info);
            }
        }));
        Self(counts)
    }

    /// How many said [`ON_PURPOSE`].
    pub(super) fn on_purpose(&self) -> u64 {
        self.0[0].load(Ordering::SeqCst)
    }

    /// How many did not.
    pub(super) fn others(&self) -> u64 {
        self.0[1].load(Ordering::SeqCst)
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        // To the default, which is what this program had before.
        let _ = panic::take_hook();
    }
}
