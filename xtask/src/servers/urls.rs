//! Where servers are, and how tests find them.

use std::ffi::OsString;

/// The variables that the tests in `tests/` read.
const TEST_BROKER_URL: &str = "ZC_EVENTS_TEST_BROKER_URL";
/// See [`TEST_BROKER_URL`].
const TEST_REDIS_URL: &str = "ZC_EVENTS_TEST_REDIS_URL";

/// The URLs of a RabbitMQ and a Redis.
#[derive(Clone)]
pub(crate) struct Urls {
    pub(crate) broker: String,
    pub(crate) redis: String,
}

impl Urls {
    /// The variables in which the tests find the servers.
    pub(crate) fn environment(&self) -> [(String, OsString); 2] {
        [(TEST_BROKER_URL, &self.broker), (TEST_REDIS_URL, &self.redis)]
            .map(|(name, url)| (name.to_owned(), url.into()))
    }
}
