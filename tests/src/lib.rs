//! What the tests in `tests/tests/` share: the URLs of the servers, unique names, a proxy, and waiting for a condition.
//!
//! `cargo xtask integration` starts the servers and puts their URLs into the environment. Without them these tests fail;
//! they are never skipped.

#![allow(missing_debug_implementations, reason = "not published: only the tests of this workspace use it")]

pub mod amqp_client;
pub mod command;
pub mod proxy;
pub mod raw;
pub mod scheduler_delay;
pub mod tls;

pub use test_support::{eventually, in_own_process, wait_until};

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

/// The variable `name`, which `cargo xtask integration` sets.
///
/// # Panics
/// If it is missing or empty.
#[must_use]
pub fn required(name: &str) -> String {
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
        let _ = required("NO_SUCH_VARIABLE");
    }

    #[test]
    fn the_servers_answer() {
        for url in [broker_url(), redis_url()] {
            std::net::TcpStream::connect(proxy::address(&url)).unwrap();
        }
    }
}
