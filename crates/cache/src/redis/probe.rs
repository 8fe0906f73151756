//! Probes a server: how far an attempt to connect comes, step by step. The steps are those of every connection (`connector`).

use zc_events_net::{ConnectTrace, Probe};
use zc_events_protocol::Deadline;

use super::connector::RedisConnector;
use super::options::RedisOptions;
use crate::Error;

/// How far an attempt to connect to a Redis server came.
pub type RedisProbe = Probe<Error>;

/// Opens a connection, logs in, and closes it again. Blocks until the deadline, and no longer than the connect timeout of
/// `options`.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use zc_events_cache::redis::{ConnectStep, RedisOptions, RedisUrl, probe};
/// use zc_events_protocol::{Clock, SystemClock};
///
/// let options = RedisOptions::new(RedisUrl::parse("redis://:secret@localhost:1")?, Arc::new(SystemClock));
/// let probe = probe(&options, SystemClock.deadline(Duration::from_secs(5)));
/// assert!(probe.has_passed(ConnectStep::Resolve) && !probe.has_passed(ConnectStep::Connect));
/// # Ok::<(), zc_events_cache::Error>(())
/// ```
#[must_use]
pub fn probe(options: &RedisOptions, deadline: Deadline) -> RedisProbe {
    let RedisOptions { url, connect_timeout, max_reply, clock, .. } = options.clone();
    let (address, tls) = (url.address(), url.tls().is_some());
    let connector = RedisConnector::new(url, clock, connect_timeout, max_reply);
    let mut trace = ConnectTrace::default();
    let failure = connector.connect_traced(deadline, &mut trace).err();
    Probe::new(address, tls, trace, failure)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use zc_events_net::ConnectStep;
    use zc_events_protocol::SystemClock;

    use super::super::RedisUrl;
    use super::super::fake_server::{CANARY, FakeServer, healthy, within};
    use super::*;

    fn probed(url: &str) -> RedisProbe {
        probe(&RedisOptions::new(RedisUrl::parse(url).unwrap(), Arc::new(SystemClock)), within(20_000))
    }

    #[test]
    fn the_failed_step_is_named_without_the_password() {
        let refusing = FakeServer::answering(|_| Some("-WRONGPASS invalid username-password pair\r\n".to_owned()));
        for (url, step) in [
            (format!("redis://:{CANARY}@name.invalid"), ConnectStep::Resolve),
            (format!("redis://:{CANARY}@127.0.0.1:1"), ConnectStep::Connect),
            (refusing.url(), ConnectStep::Login),
        ] {
            let probe = probed(&url);
            let failure = probe.failure.as_ref().unwrap();
            assert_eq!(failure.step, step, "{}", failure.error);
            assert!(!failure.reason.is_empty());
            assert_eq!(probe.trace.addresses.is_empty(), step == ConnectStep::Resolve);
            assert_eq!(probe.trace.connected_in.is_some(), step == ConnectStep::Login);
            assert!(!format!("{probe:?} {}", failure.error).contains(CANARY));
        }
    }

    #[test]
    fn a_login_that_succeeds_has_passed_all_steps() {
        let server = FakeServer::answering(healthy);
        let probe = probed(&server.url());
        assert!(probe.failure.is_none() && probe.has_passed(ConnectStep::Login), "{probe:?}");
        assert_eq!(probe.address, server.address.to_string());
    }
}
