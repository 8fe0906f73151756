//! Tests beside real servers that measure time or start hundreds of threads: a program of their own, in which one test
//! runs at a time. Other programs may run beside it, so each bound on a duration allows for the delay of the scheduler.

mod interop;
mod reply_store_load;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits for the other tests of this program. A test holds the guard until it ends.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
