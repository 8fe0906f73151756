//! The message that the current thread works on. A wait in a handler is the handler's and not the test's, whichever client
//! the handler uses.

use std::cell::Cell;

thread_local! {
    static MESSAGE: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Sets the number of the message that the thread begins or ceases to work on.
pub(crate) fn set(message: Option<u64>) {
    MESSAGE.set(message);
}

/// The message that the thread works on.
pub(crate) fn get() -> Option<u64> {
    MESSAGE.get()
}
