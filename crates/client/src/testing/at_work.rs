//! Which message the present thread works on: what a handler waits for is not what the test waits for, whichever client it uses.

use std::cell::Cell;

thread_local! {
    static JOB: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The thread works on a message, for as long as this lives.
pub(crate) struct AtWork(Option<u64>);

/// Says that the thread works on the message of this number.
pub(crate) fn at_work(job: u64) -> AtWork {
    AtWork(JOB.replace(Some(job)))
}

/// The message that the thread works on.
pub(super) fn job() -> Option<u64> {
    JOB.get()
}

impl Drop for AtWork {
    fn drop(&mut self) {
        JOB.set(self.0);
    }
}
