//! Tests beside real servers that need the machine to themselves, since they measure time or start hundreds of threads:
//! a program of their own, in which one test runs at a time.

mod interop;
mod reply_store;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits for the other tests of this program. A test holds the guard until it ends.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
