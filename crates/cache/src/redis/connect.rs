//! Opens a connection and logs in, all of it by a deadline. The library's own way runs
//! AUTH and SELECT before a timeout can be set, so they are sent from here.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use r2d2_redis::redis::{Cmd, Value, cmd};
#[cfg(feature = "tls")]
use zc_events_net::TlsOptions;
use zc_events_protocol::{Clock, Deadline, Stage};

use super::link::{Answer, Link, Trouble};
use super::reach::{Hurdle, Obstacle, Steps};
use super::refusal;
use super::resolve::{Resolver, Unresolved};
use super::url::RedisUrl;
use crate::{Error, Result};

/// A connection that was not used for longer is asked whether it lives before it is used.
const IDLE: Duration = Duration::from_secs(15);

pub(super) struct Connector {
    pub(super) url: RedisUrl,
    pub(super) clock: Arc<dyn Clock>,
    timeout: Duration,
    max_reply: usize,
    resolver: Resolver,
}

impl Connector {
    pub(super) fn new(url: RedisUrl, clock: Arc<dyn Clock>, timeout: Duration, max_reply: usize) -> Self {
        let resolver = Resolver::new(url.host(), url.port());
        Self { url, clock, timeout, max_reply, resolver }
    }

    /// A connection that is logged in, by the `deadline` or within the connect timeout,
    /// whichever is earlier. Tried once.
    pub(super) fn connect(&self, deadline: Deadline) -> Result<Link> {
        let result = self.approach(deadline, &mut Steps::default()).map_err(|obstacle| obstacle.error);
        match &result {
            Ok(_) => log::debug!("connected to {}", self.url),
            Err(error) => log::debug!("no connection to {}: {error}", self.url),
        }
        result
    }

    /// [`Connector::connect`] step by step. Where it fails, the step is told that failed; what the others showed is noted.
    pub(super) fn approach(&self, deadline: Deadline, steps: &mut Steps) -> Result<Link, Obstacle> {
        let limit = self.clock.deadline(self.timeout).min(deadline);
        let addresses = self.resolve(limit, deadline)?;
        steps.addresses = addresses.iter().map(SocketAddr::ip).collect();
        let dialled = self.clock.now();
        let mut link = self.dial(&addresses, limit, deadline)?;
        steps.connected_in = Some(self.clock.now().saturating_duration_since(dialled));
        #[cfg(feature = "tls")]
        if let Some(options) = self.url.tls() {
            (link, steps.tls) = self.secure(options, link, limit, deadline)?;
        }
        self.log_in(&mut link, limit, deadline).map_err(|error| {
            let said = error.to_string();
            Obstacle { at: Hurdle::Login, said, error }
        })?;
        Ok(link)
    }

    fn resolve(&self, limit: Deadline, deadline: Deadline) -> Result<Vec<SocketAddr>, Obstacle> {
        self.resolver.resolve(&*self.clock, limit).map_err(|unresolved| {
            let (said, error) = match unresolved {
                Unresolved::TimedOut => {
                    ("no name server answered in time".to_owned(), self.too_late("looking up the host name", deadline))
                }
                Unresolved::Failed(why) => {
                    let what = format!("the host name {} of the Redis URL was not found: {why}", self.url.host());
                    (why, Error::Unavailable { what, source: None })
                }
            };
            Obstacle { at: Hurdle::Name, said, error }
        })
    }

    fn dial(&self, addresses: &[SocketAddr], limit: Deadline, deadline: Deadline) -> Result<Link, Obstacle> {
        let mut last = None;
        for (index, address) in addresses.iter().enumerate() {
            // An address that does not answer must not use up the time of the next.
            let left = limit.remaining(&*self.clock);
            let share = left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
            if left.is_zero() {
                break;
            }
            match Link::open(*address, share, self.max_reply, self.clock.now()) {
                Ok(link) => return Ok(link),
                Err(error) => last = Some((*address, error)),
            }
        }
        let (said, error) = match last {
            Some((address, error)) if error.kind() != io::ErrorKind::TimedOut => {
                (error.to_string(), self.unreachable(address, error))
            }
            _ => ("no answer in time".to_owned(), self.too_late("opening the connection", deadline)),
        };
        Err(Obstacle { at: Hurdle::Connect, said, error })
    }

    #[cfg(feature = "tls")]
    fn secure(
        &self,
        options: &TlsOptions,
        link: Link,
        limit: Deadline,
        deadline: Deadline,
    ) -> Result<(Link, Option<&'static str>), Obstacle> {
        let not_secured = |said: String, error| Obstacle { at: Hurdle::Tls, said, error };
        // Read for each connection: certificates are renewed.
        let connector = zc_events_net::TlsConnector::new(options, self.url.host()).map_err(|error| {
            let why = format!("the Redis URL asks for TLS with what cannot be used: {error}");
            not_secured(error.to_string(), Error::Config { why })
        })?;
        match link.secure(&connector, &*self.clock, limit) {
            Ok((link, version)) => Ok((link, Some(version))),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err(not_secured("no answer in time".to_owned(), self.too_late("opening the connection", deadline)))
            }
            Err(error) => {
                let said = zc_events_net::explain(&error).unwrap_or_else(|| error.to_string());
                let what = format!(
                    "no TLS with Redis at {}: {said} (ssl_ca_certs=PATH in the URL names who vouches for the server)",
                    self.url.place()
                );
                Err(not_secured(said, Error::Unavailable { what, source: Some(error.into()) }))
            }
        }
    }

    fn unreachable(&self, address: SocketAddr, error: io::Error) -> Error {
        let what = match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                format!("nothing listens at {} ({}): is Redis running there?", self.url.place(), address.ip())
            }
            _ => format!("no connection to Redis at {} ({})", self.url.place(), address.ip()),
        };
        Error::Unavailable { what, source: Some(error.into()) }
    }

    fn too_late(&self, doing: &str, deadline: Deadline) -> Error {
        refusal::trouble(&self.url, doing, Stage::Connect, deadline.has_passed(&*self.clock), Trouble::TimedOut)
    }

    fn log_in(&self, link: &mut Link, limit: Deadline, deadline: Deadline) -> Result<()> {
        let ask = |link: &mut Link, command: &Cmd| -> Result<Answer> {
            self.ask(link, command, limit)
                .map_err(|trouble| self.trouble("logging in", Stage::Connect, deadline, trouble))
        };
        if self.url.username().is_some() || self.url.password().is_some() {
            let password = self.url.password().unwrap_or_default();
            let mut answer = match self.url.username() {
                Some(username) => ask(link, cmd("AUTH").arg(username).arg(password))?,
                None => ask(link, cmd("AUTH").arg(password))?,
            };
            if self.url.username().is_some() && answer.as_ref().is_err_and(refusal::knows_no_users) {
                answer = ask(link, cmd("AUTH").arg(password))?;
            }
            answer.map_err(|error| refusal::login_refused(&self.url, &error))?;
        }
        if self.url.db() != 0 {
            let doing = format!("database {}", self.url.db());
            ask(link, cmd("SELECT").arg(self.url.db()))?
                .map_err(|error| refusal::refused(&self.url, &doing, &error))?;
        }
        Ok(())
    }

    /// Whether a connection that nobody used for a while still serves: without a round
    /// trip if the while was short.
    pub(super) fn is_alive(&self, link: &mut Link, deadline: Deadline) -> bool {
        if !link.is_quiet() {
            log::debug!("a connection to {} was closed while nobody used it", self.url);
            return false;
        }
        if link.idle(&*self.clock) < IDLE {
            return true;
        }
        let until = self.clock.deadline(Duration::from_secs(1)).min(deadline);
        let pong = self.ask(link, &cmd("PING"), until);
        let alive = matches!(pong, Ok(Ok(Value::Status(word))) if word == "PONG");
        if !alive {
            log::debug!("a connection to {} died while nobody used it", self.url);
        }
        alive
    }

    /// Sends one command.
    pub(super) fn ask(&self, link: &mut Link, command: &Cmd, until: Deadline) -> Result<Answer, Trouble> {
        link.call(&command.get_packed_command(), 1, &*self.clock, until)?.pop().ok_or(Trouble::Garbage)
    }

    pub(super) fn trouble(&self, doing: &str, stage: Stage, deadline: Deadline, trouble: Trouble) -> Error {
        refusal::trouble(&self.url, doing, stage, deadline.has_passed(&*self.clock), trouble)
    }
}
