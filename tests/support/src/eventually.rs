//! Waiting for a condition.

use std::time::{Duration, Instant};

/// What [`eventually`] can wait for: `true`, or a value.
pub trait Condition {
    /// The value of a condition that is met.
    type Value;
    /// The value, if the condition is met.
    fn met(self) -> Option<Self::Value>;
}

impl Condition for bool {
    type Value = ();
    fn met(self) -> Option<()> {
        self.then_some(())
    }
}

impl<T> Condition for Option<T> {
    type Value = T;
    fn met(self) -> Option<T> {
        self
    }
}

/// Asks until `condition` gives `true` or a value, and returns that value. It is asked at least once, and once more when
/// time is up.
///
/// ```
/// use std::time::Duration;
/// let mut questions = 0;
/// let answer = test_support::eventually(Duration::from_secs(5), || {
///     questions += 1;
///     (questions == 3).then_some("yes")
/// });
/// assert_eq!(answer, "yes");
/// ```
///
/// # Panics
/// If it is not met within `patience`; the message names the caller's line.
#[track_caller]
pub fn eventually<C: Condition>(patience: Duration, condition: impl FnMut() -> C) -> C::Value {
    // Not a closure: it would have no caller's line.
    match wait_until(patience, condition) {
        Ok(value) => value,
        Err(late) => panic!("{late}"),
    }
}

/// [`eventually`] for programs that must go on.
///
/// # Errors
/// It is not met within `patience`; the text says no more than that.
pub fn wait_until<C: Condition>(patience: Duration, mut condition: impl FnMut() -> C) -> Result<C::Value, String> {
    let deadline = Instant::now() + patience;
    let mut pause = Duration::from_millis(1);
    loop {
        let last = Instant::now() >= deadline;
        if let Some(value) = condition().met() {
            return Ok(value);
        }
        if last {
            return Err(format!("did not happen within {patience:?}"));
        }
        // tidy: allow(thread::sleep) between two questions; the condition decides, not the pause
        std::thread::sleep(pause.min(deadline.saturating_duration_since(Instant::now())));
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "did not happen within 20ms")]
    fn what_never_happens_fails_the_test() {
        eventually(Duration::from_millis(20), || false);
    }

    #[test]
    fn what_has_happened_needs_no_patience() {
        eventually(Duration::ZERO, || true);
        assert_eq!(eventually(Duration::ZERO, || Some(7)), 7);
    }
}
