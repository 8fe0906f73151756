//! How long to wait before the next attempt: exponential, with full jitter, so that a fleet does not reconnect all at
//! once. It only computes.

use std::time::Duration;

/// Upper bounds of the first and of the longest pause. An attempt costs a broker little, so the longest pause is short:
/// after an outage of any length, the connection is back within 3 s and the time that connecting takes.
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(3);

/// The pauses of one series of failures.
#[derive(Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next pause: between 0 and the bound, which doubles each time.
    pub(super) fn next(&mut self) -> Duration {
        let bound = FIRST.saturating_mul(2u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(fastrand::f64())
    }

    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_within_their_bounds_and_start_over() {
        let mut longest = Duration::ZERO;
        for _ in 0..100 {
            let mut backoff = Backoff::default();
            assert!(backoff.next() <= FIRST);
            for _ in 0..50 {
                longest = longest.max(backoff.next());
            }
            backoff.reset();
            assert!(backoff.next() <= FIRST);
        }
        assert!(longest <= LONGEST && longest > LONGEST / 2, "{longest:?}");
    }
}
