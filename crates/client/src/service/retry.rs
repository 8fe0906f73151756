//! When a failed event is retried: the policy of a handler, and the delays that have a queue. `engine/republish` puts
//! messages into those queues.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::handler_error::HandlerError;

/// The possible delays. Each has its own queue, because in a mixed queue a message would wait for the message before it.
pub(crate) const RETRY_DELAYS: [Duration; 7] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(60 * 60),
];

/// Whether and when an event is retried after its handler failed.
///
/// The event waits in one of seven queues of the broker, `<service>-events.retry.<delay>`, with delays from 1 s to 1 h.
/// After its last attempt it is dead-lettered.
///
/// ```
/// use std::time::Duration;
/// use zc_events::{HandlerError, Retry};
///
/// // Ten attempts, the second about 2 s after the first, each pause four times as long, up to 15 minutes.
/// let patient = Retry::attempts(10).backoff(Duration::from_secs(2), Duration::from_secs(900));
/// // Only errors that may pass are retried.
/// let choosy = Retry::attempts(3).when(|error: &HandlerError| error.downcast_ref::<std::io::Error>().is_some());
/// ```
#[derive(Clone)]
pub struct Retry {
    attempts: u32,
    first: Duration,
    longest: Duration,
    when: Option<Arc<Judge>>,
}

/// Decides which errors are retried.
type Judge = dyn Fn(&HandlerError) -> bool + Send + Sync;

impl Retry {
    /// So many attempts in all, at least one. The first pause is about 1 s; each further pause is four times as long, up to
    /// 1 h.
    #[must_use]
    pub fn attempts(attempts: u32) -> Self {
        Self {
            attempts: attempts.max(1),
            first: RETRY_DELAYS[0],
            longest: RETRY_DELAYS[RETRY_DELAYS.len() - 1],
            when: None,
        }
    }

    /// One attempt.
    #[must_use]
    pub fn never() -> Self {
        Self::attempts(1)
    }

    /// Sets the first pause and the longest pause. Each pause is multiplied by a random number from 0.5 to 1.5; then the
    /// nearest delay with a queue is used.
    #[must_use]
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.first = first;
        self.longest = longest;
        self
    }

    /// Retries only after errors for which `when` returns true.
    #[must_use]
    pub fn when(mut self, when: impl Fn(&HandlerError) -> bool + Send + Sync + 'static) -> Self {
        self.when = Some(Arc::new(when));
        self
    }

    /// The number of attempts in all.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.attempts
    }

    /// The pause after an attempt that failed with `error`; `None` after the last attempt.
    pub(super) fn pause(&self, attempt: u32, error: &HandlerError) -> Option<Duration> {
        let hopeless =
            attempt >= self.attempts || error.is_permanent() || self.when.as_ref().is_some_and(|when| !when(error));
        if hopeless {
            return None;
        }
        Some(error.wanted_pause().unwrap_or_else(|| {
            let longest = self.longest.min(RETRY_DELAYS[RETRY_DELAYS.len() - 1]);
            let due = self.first.saturating_mul(4u32.saturating_pow(attempt.saturating_sub(1))).min(longest);
            nearest(due.mul_f64(0.5 + fastrand::f64()).min(longest))
        }))
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("attempts", &self.attempts)
            .field("first", &self.first)
            .field("longest", &self.longest)
            .field("judges", &self.when.is_some())
            .finish()
    }
}

/// The retry delay that is nearest by ratio.
fn nearest(pause: Duration) -> Duration {
    let ratio = |delay: &Duration| {
        let (a, b) = (delay.as_secs_f64(), pause.as_secs_f64().max(0.001));
        if a > b { a / b } else { b / a }
    };
    RETRY_DELAYS.into_iter().min_by(|a, b| ratio(a).total_cmp(&ratio(b))).unwrap_or(RETRY_DELAYS[0])
}

/// The longest retry delay within `left`, or the shortest one if all are longer. The message waits for the rest in the
/// next queue. A moment too long does no harm.
pub(super) fn delay_within(left: Duration) -> Duration {
    const MOMENT: Duration = Duration::from_millis(100);
    RETRY_DELAYS.into_iter().rev().find(|delay| *delay <= left.saturating_add(MOMENT)).unwrap_or(RETRY_DELAYS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_within_bounds_and_differ() {
        let policy = Retry::attempts(6);
        let error = HandlerError::new("no");
        for _ in 0..200 {
            let pauses: Vec<_> = (1..6).map(|attempt| policy.pause(attempt, &error).unwrap().as_secs()).collect();
            assert!(pauses[0] <= 5 && (1..=15).contains(&pauses[1]) && (60..=900).contains(&pauses[4]), "{pauses:?}");
            assert!(pauses.iter().all(|pause| RETRY_DELAYS.iter().any(|delay| delay.as_secs() == *pause)));
        }
        let seen: std::collections::HashSet<_> = (0..200).filter_map(|_| policy.pause(2, &error)).collect();
        assert!(seen.len() > 1, "no jitter");
        assert_eq!(policy.pause(6, &error), None);
    }

    #[test]
    fn the_handler_has_its_say() {
        let policy = Retry::attempts(3).when(|error| error.to_string() != "hopeless");
        assert_eq!(policy.pause(1, &HandlerError::new("hopeless")), None);
        assert_eq!(policy.pause(1, &HandlerError::new("no").permanent()), None);
        let after = Duration::from_secs(90);
        assert_eq!(policy.pause(1, &HandlerError::new("no").retry_after(after)), Some(after));
        assert_eq!(Retry::never().pause(1, &HandlerError::new("no")), None);
        assert_eq!(Retry::attempts(0).limit(), 1);
    }

    #[test]
    fn no_backoff_overflows() {
        let policy = Retry::attempts(u32::MAX).backoff(Duration::MAX, Duration::MAX);
        assert!(policy.pause(u32::MAX - 1, &HandlerError::new("no")).is_some());
        let quick = Retry::attempts(9).backoff(Duration::ZERO, Duration::ZERO);
        assert_eq!(quick.pause(8, &HandlerError::new("no")), Some(RETRY_DELAYS[0]));
    }

    #[test]
    fn a_long_way_is_gone_in_steps() {
        assert_eq!(delay_within(Duration::from_secs(7200)), Duration::from_secs(3600));
        assert_eq!(delay_within(Duration::from_secs(59)), Duration::from_secs(15));
        assert_eq!(delay_within(Duration::ZERO), Duration::from_secs(1));
    }
}
