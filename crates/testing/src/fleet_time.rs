//! The clock of a fleet, as a test moves it.

#![allow(clippy::panic, reason = "a test fails by panicking, and tests call this")]

use std::time::Duration;

use crate::fleet::Fleet;

impl Fleet {
    /// Waits until no work is left now: each message is handled, or waits for a time in the future. The clock does not
    /// move.
    ///
    /// # Panics
    /// If nothing happens for 20 s of real time and work is left, such as a handler that does not return; and after
    /// 2 minutes of real time. The text says what is left.
    #[track_caller]
    pub fn settle(&self) {
        if let Err(left) = self.harness.settle() {
            panic!("{left}");
        }
    }

    /// Moves the clock by this time. Retries, deadlines and expirations in between happen when they are due. Waits like
    /// [`Fleet::settle`] before and after.
    ///
    /// # Panics
    /// As for [`Fleet::settle`].
    #[track_caller]
    pub fn advance(&self, by: Duration) {
        if let Err(left) = self.harness.advance(by) {
            panic!("{left}");
        }
    }

    /// Waits until the condition holds. The clock moves whenever no other work is left.
    ///
    /// # Panics
    /// If the condition does not hold within a day of the test's time, or within the real time that [`Fleet::settle`]
    /// allows.
    #[track_caller]
    pub fn until(&self, condition: impl Fn() -> bool) {
        if let Err(left) = self.harness.until(condition) {
            panic!("{left}");
        }
    }
}
