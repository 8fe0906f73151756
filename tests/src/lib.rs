//! What the tests of `tests/tests/` share: the servers' URLs, names that nobody else uses, and waiting for a condition.
//!
//! Nothing here starts a server. `cargo xtask integration` does, and names it in the environment; without one these
//! tests fail instead of being skipped.

pub mod chaos;
pub mod command;
pub mod proxy;
pub mod python;
pub mod raw;
pub mod tls;

use std::time::{Duration, Instant};

/// The RabbitMQ to test against, from `ZC_EVENTS_TEST_BROKER_URL`.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn broker_url() -> String {
    required("ZC_EVENTS_TEST_BROKER_URL")
}

/// The Redis to test against, from `ZC_EVENTS_TEST_REDIS_URL`.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn redis_url() -> String {
    required("ZC_EVENTS_TEST_REDIS_URL")
}

fn required(name: &str) -> String {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => value,
        _ => panic!("{name} is not set: run `cargo xtask integration`"),
    }
}

/// `prefix` and something that no other test, run or machine has: for queues, exchanges and keys, so that tests can run
/// side by side on the same servers.
#[must_use]
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", uuid::Uuid::new_v4().simple())
}

/// What [`eventually`] can wait for: `true`, or a value.
pub trait Condition {
    /// What is there once the condition is met.
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
/// let answer = integration_tests::eventually(Duration::from_secs(5), || {
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
    fn names_are_never_used_twice() {
        let names = [unique("queue"), unique("queue")];
        assert!(names[0].starts_with("queue-"));
        assert_ne!(names[0], names[1]);
    }

    #[test]
    #[should_panic(expected = "NO_SUCH_VARIABLE is not set: run `cargo xtask integration`")]
    fn a_missing_server_fails_the_test_and_says_what_to_run() {
        required("NO_SUCH_VARIABLE");
    }

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

    #[test]
    fn the_servers_answer() {
        for url in [broker_url(), redis_url()] {
            std::net::TcpStream::connect(proxy::address(&url)).unwrap();
        }
    }
}
