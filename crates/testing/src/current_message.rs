//! Which message the present thread works on: what a handler waits for is not what the test waits for, whichever client it uses.

use std::cell::Cell;

thread_local! {
    static JOB: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The thread begins to work on the message of this number.
pub(crate) fn begin(job: u64) {
    JOB.set(Some(job));
}

/// The thread works on no message any more.
pub(crate) fn end() {
    JOB.set(None);
}

/// The message that the thread works on.
pub(crate) fn job() -> Option<u64> {
    JOB.get()
}
