//! Opens a connection and logs in, all by one deadline. The redis crate sends AUTH and SELECT before a timeout can be set,
//! so this file sends them itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use r2d2_redis::redis::{Cmd, Value, cmd};
use zc_events_net::{ConnectFailure, ConnectStep, ConnectTrace, DialError, ResolveError, dial, resolve};
use zc_events_protocol::{Clock, Deadline, Stage};

use super::connection::{RedisConnection, Reply};
use super::error_mapping;
use super::io_failure::IoFailure;
use super::url::RedisUrl;
use crate::{Error, Result};

/// A connection that was idle for longer must answer PING before it is used.
const IDLE: Duration = Duration::from_secs(15);
/// The reason of a step that ended by its deadline.
#[cfg(feature = "tls")]
const NO_ANSWER: &str = "no answer in time";

pub(super) struct RedisConnector {
    pub(super) url: RedisUrl,
    pub(super) clock: Arc<dyn Clock>,
    timeout: Duration,
    max_reply: usize,
}

type Failure = ConnectFailure<Error>;

impl RedisConnector {
    pub(super) fn new(url: RedisUrl, clock: Arc<dyn Clock>, timeout: Duration, max_reply: usize) -> Self {
        Self { url, clock, timeout, max_reply }
    }

    /// Opens a connection and logs in, by the `deadline` or within the connect timeout, whichever is earlier. Tries once.
    pub(super) fn connect(&self, deadline: Deadline) -> Result<RedisConnection> {
        let result = self.connect_traced(deadline, &mut ConnectTrace::default()).map_err(|failure| failure.error);
        match &result {
            Ok(_) => log::debug!("connected to {}", self.url),
            Err(error) => log::debug!("no connection to {}: {error}", self.url),
        }
        result
    }

    /// [`RedisConnector::connect`], noting each step.
    pub(super) fn connect_traced(
        &self,
        deadline: Deadline,
        trace: &mut ConnectTrace,
    ) -> Result<RedisConnection, Failure> {
        let clock = &*self.clock;
        let limit = clock.deadline(self.timeout).min(deadline);
        let addresses = resolve(self.url.host(), self.url.port(), clock, limit)
            .map_err(|error| self.not_resolved(&error, deadline))?;
        trace.addresses = addresses.iter().map(SocketAddr::ip).collect();
        let dialled = clock.now();
        let socket = dial(&addresses, clock, limit).map_err(|error| self.not_dialled(error, deadline))?;
        trace.connected_in = Some(clock.now().saturating_duration_since(dialled));
        let connection = RedisConnection::new(socket, self.max_reply, clock.now());
        #[cfg(feature = "tls")]
        let connection = self.start_tls(connection, limit, deadline, trace)?;
        let mut connection = connection;
        self.log_in(&mut connection, limit, deadline)
            .map_err(|error| ConnectFailure::new(ConnectStep::Login, error.to_string(), error))?;
        Ok(connection)
    }

    fn not_resolved(&self, error: &ResolveError, deadline: Deadline) -> Failure {
        let reason = error.to_string();
        let error = match error {
            ResolveError::TimedOut => self.timed_out("looking up the host name", deadline),
            _ => {
                let what = format!("the host name {} of the Redis URL cannot be resolved: {reason}", self.url.host());
                Error::Unavailable { what, source: None }
            }
        };
        ConnectFailure::new(ConnectStep::Resolve, reason, error)
    }

    fn not_dialled(&self, error: DialError, deadline: Deadline) -> Failure {
        let reason = error.to_string();
        let address = match error.address {
            Some(address) if !error.is_timeout() => address.ip(),
            _ => {
                let error = self.timed_out("opening the connection", deadline);
                return ConnectFailure::new(ConnectStep::Connect, reason, error);
            }
        };
        let what = match error.source.kind() {
            std::io::ErrorKind::ConnectionRefused => {
                format!("nothing listens at {} ({address}): is Redis running there?", self.url.address())
            }
            _ => format!("no connection to Redis at {} ({address})", self.url.address()),
        };
        let error = Error::Unavailable { what, source: Some(error.source.into()) };
        ConnectFailure::new(ConnectStep::Connect, reason, error)
    }

    #[cfg(feature = "tls")]
    fn start_tls(
        &self,
        connection: RedisConnection,
        limit: Deadline,
        deadline: Deadline,
        trace: &mut ConnectTrace,
    ) -> Result<RedisConnection, Failure> {
        let Some(options) = self.url.tls() else { return Ok(connection) };
        let failure = |reason: String, error| ConnectFailure::new(ConnectStep::Tls, reason, error);
        // The files are read for each connection, because certificates are renewed.
        let connector = zc_events_net::TlsConnector::new(options, self.url.host()).map_err(|error| {
            let why = format!("the TLS settings in the Redis URL cannot be used: {error}");
            failure(error.to_string(), Error::Config { why })
        })?;
        match connection.secure(&connector, &*self.clock, limit) {
            Ok((connection, version)) => {
                trace.tls_version = Some(version);
                Ok(connection)
            }
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                Err(failure(NO_ANSWER.to_owned(), self.timed_out("opening the connection", deadline)))
            }
            Err(error) => {
                let reason = zc_events_net::explain(&error).unwrap_or_else(|| error.to_string());
                let what = format!(
                    "no TLS with Redis at {}: {reason} (ssl_ca_certs=PATH in the URL names the CA certificate of the server)",
                    self.url.address()
                );
                Err(failure(reason, Error::Unavailable { what, source: Some(error.into()) }))
            }
        }
    }

    fn timed_out(&self, doing: &str, deadline: Deadline) -> Error {
        self.io_error(doing, Stage::Connect, deadline, IoFailure::TimedOut)
    }

    fn log_in(&self, connection: &mut RedisConnection, limit: Deadline, deadline: Deadline) -> Result<()> {
        let send = |connection: &mut RedisConnection, command: &Cmd| -> Result<Reply> {
            self.call(connection, command, limit)
                .map_err(|failure| self.io_error("logging in", Stage::Connect, deadline, failure))
        };
        if self.url.username().is_some() || self.url.password().is_some() {
            let password = self.url.password().unwrap_or_default();
            let mut reply = match self.url.username() {
                Some(username) => send(connection, cmd("AUTH").arg(username).arg(password))?,
                None => send(connection, cmd("AUTH").arg(password))?,
            };
            if self.url.username().is_some() && reply.as_ref().is_err_and(error_mapping::has_no_users) {
                reply = send(connection, cmd("AUTH").arg(password))?;
            }
            reply.map_err(|error| error_mapping::login_refused(&self.url, &error))?;
        }
        if self.url.db() != 0 {
            let doing = format!("database {}", self.url.db());
            send(connection, cmd("SELECT").arg(self.url.db()))?
                .map_err(|error| error_mapping::refused(&self.url, &doing, &error))?;
        }
        Ok(())
    }

    /// Whether an idle connection still works. Costs no round trip after a short idle time.
    pub(super) fn is_alive(&self, connection: &mut RedisConnection, deadline: Deadline) -> bool {
        if !connection.is_quiet() {
            log::debug!("an idle connection to {} was closed by the server", self.url);
            return false;
        }
        if connection.idle(&*self.clock) < IDLE {
            return true;
        }
        let until = self.clock.deadline(Duration::from_secs(1)).min(deadline);
        let pong = self.call(connection, &cmd("PING"), until);
        let alive = matches!(pong, Ok(Ok(Value::Status(word))) if word == "PONG");
        if !alive {
            log::debug!("an idle connection to {} does not answer PING", self.url);
        }
        alive
    }

    /// Sends one command and reads its reply.
    pub(super) fn call(
        &self,
        connection: &mut RedisConnection,
        command: &Cmd,
        until: Deadline,
    ) -> Result<Reply, IoFailure> {
        connection.call(&command.get_packed_command(), 1, &*self.clock, until)?.pop().ok_or(IoFailure::Garbage)
    }

    /// The error for a caller whose connection failed while `doing`.
    pub(super) fn io_error(&self, doing: &str, stage: Stage, deadline: Deadline, failure: IoFailure) -> Error {
        error_mapping::io_failed(&self.url, doing, stage, deadline.has_passed(&*self.clock), failure)
    }
}
