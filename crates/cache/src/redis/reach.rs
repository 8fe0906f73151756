//! How far one gets towards a server, step by step, for diagnosis. The steps are those of every
//! connection, in `connect`.

use std::net::IpAddr;
use std::time::Duration;

use zc_events_protocol::Deadline;

use super::RedisOptions;
use super::connect::Connector;
use crate::Error;

/// A step towards a connection that is logged in, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Hurdle {
    /// Looking up the host's name.
    Name,
    /// The TCP connection.
    Connect,
    /// TLS, where the URL asks for it.
    Tls,
    /// The login, and the choice of the database.
    Login,
}

/// Where it ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Obstacle {
    /// At which step.
    pub at: Hurdle,
    /// Why: of the first two steps in the system's words, without advice.
    pub said: String,
    /// The error that a caller would get.
    pub error: Error,
}

/// How far one gets.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Reach {
    /// Host and port.
    pub place: String,
    /// What the host's name means, where that was found out.
    pub addresses: Vec<IpAddr>,
    /// How long connecting took, where it succeeded.
    pub connected_in: Option<Duration>,
    /// Whether the URL asks for TLS.
    pub tls: bool,
    /// What was agreed on, such as `TLS 1.3`.
    pub agreed: Option<&'static str>,
    /// At which step it ended, and why; `None` where one got in.
    pub obstacle: Option<Obstacle>,
}

impl Reach {
    /// Whether this step succeeded.
    #[must_use]
    pub fn has_passed(&self, hurdle: Hurdle) -> bool {
        self.obstacle.as_ref().is_none_or(|obstacle| obstacle.at > hurdle)
    }
}

/// What the steps showed.
#[derive(Default)]
pub(super) struct Steps {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) connected_in: Option<Duration>,
    /// What was agreed on, such as `TLS 1.3`.
    pub(super) tls: Option<&'static str>,
}

/// Opens a connection, logs in, and closes it again. Blocks for the options' connect timeout
/// at most, and until the deadline.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use zc_events_cache::redis::{Hurdle, RedisOptions, RedisUrl, reach};
/// use zc_events_protocol::{Clock, SystemClock};
///
/// let options = RedisOptions::new(RedisUrl::parse("redis://:secret@localhost:1")?, Arc::new(SystemClock));
/// let reached = reach(&options, SystemClock.deadline(Duration::from_secs(5)));
/// assert!(reached.has_passed(Hurdle::Name) && !reached.has_passed(Hurdle::Connect));
/// # Ok::<(), zc_events_cache::Error>(())
/// ```
#[must_use]
pub fn reach(options: &RedisOptions, deadline: Deadline) -> Reach {
    let RedisOptions { url, connect_timeout, max_reply, clock, .. } = options.clone();
    let (place, tls) = (url.place(), url.tls().is_some());
    let connector = Connector::new(url, clock, connect_timeout, max_reply);
    let mut steps = Steps::default();
    let obstacle = connector.approach(deadline, &mut steps).err();
    Reach { place, addresses: steps.addresses, connected_in: steps.connected_in, tls, agreed: steps.tls, obstacle }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use zc_events_protocol::SystemClock;

    use super::super::RedisUrl;
    use super::super::testing::{CANARY, Server, healthy, within};
    use super::*;

    fn towards(url: &str) -> Reach {
        reach(&RedisOptions::new(RedisUrl::parse(url).unwrap(), Arc::new(SystemClock)), within(5000))
    }

    #[test]
    fn each_step_is_told_apart_without_the_password() {
        let refusing = Server::answering(|_| Some("-WRONGPASS invalid username-password pair\r\n".to_owned()));
        for (url, hurdle) in [
            (format!("redis://:{CANARY}@name.invalid"), Hurdle::Name),
            (format!("redis://:{CANARY}@127.0.0.1:1"), Hurdle::Connect),
            (refusing.url(), Hurdle::Login),
        ] {
            let reached = towards(&url);
            let Obstacle { at, said, error } = reached.obstacle.as_ref().unwrap();
            assert_eq!(*at, hurdle, "{error}");
            assert!(!said.is_empty());
            assert_eq!(reached.addresses.is_empty(), hurdle == Hurdle::Name);
            assert_eq!(reached.connected_in.is_some(), hurdle == Hurdle::Login);
            assert!(!format!("{reached:?} {error}").contains(CANARY));
        }
    }

    #[test]
    fn who_gets_in_has_passed_all_steps() {
        let server = Server::answering(healthy);
        let reached = towards(&server.url());
        assert!(reached.obstacle.is_none() && reached.has_passed(Hurdle::Login), "{reached:?}");
        assert_eq!(reached.place, server.address.to_string());
    }
}
