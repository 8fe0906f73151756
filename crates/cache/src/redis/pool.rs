//! The pool: r2d2 holds, counts and drops the connections. A connection that is new is dialled by the caller that borrows
//! it. The documentation of this module says why.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use r2d2::ManageConnection;
use zc_events_protocol::{Deadline, Stage};

use super::connection::RedisConnection;
use super::connector::RedisConnector;
use super::fair_semaphore::{FairSemaphore, Permit};
use crate::{Error, Result};

/// How long r2d2 may take to lend a connection. It has one for each permit, and makes a new one at once.
const LEND: std::ops::RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(1);

/// A connection of the pool. It is dialled when it is first lent, since r2d2 would dial on threads of its own, knows no
/// caller's deadline, hides the reason of a failure, and tries again in the background.
#[derive(Debug, Default)]
pub(super) struct LazyConnection(Option<RedisConnection>);

/// Makes connections for r2d2, and says which of them are broken.
struct ConnectionManager;

impl ManageConnection for ConnectionManager {
    type Connection = LazyConnection;
    type Error = Infallible;

    fn connect(&self) -> Result<LazyConnection, Infallible> {
        Ok(LazyConnection::default())
    }

    fn is_valid(&self, _: &mut LazyConnection) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, connection: &mut LazyConnection) -> bool {
        connection.0.as_ref().is_some_and(|connection| !connection.is_clean())
    }
}

pub(super) struct RedisPool {
    pub(super) connector: Arc<RedisConnector>,
    connections: r2d2::Pool<ConnectionManager>,
    permits: Arc<FairSemaphore>,
}

/// A borrowed connection. r2d2 gets the connection back before the next caller gets the permit.
pub(super) struct ConnectionLease {
    connection: r2d2::PooledConnection<ConnectionManager>,
    _permit: Permit,
}

impl RedisPool {
    pub(super) fn new(connector: Arc<RedisConnector>, size: u32) -> Self {
        let connections = r2d2::Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            // Without these two there is no thread that closes idle connections.
            .idle_timeout(None)
            .max_lifetime(None)
            .test_on_check_out(false)
            .build_unchecked(ConnectionManager);
        Self { connector, connections, permits: FairSemaphore::new(size) }
    }

    /// Lends a connection that works as far as this side knows, by the deadline.
    pub(super) fn lend(&self, deadline: Deadline) -> Result<ConnectionLease> {
        let clock = &*self.connector.clock;
        let no_connection = || Error::Timeout { stage: Stage::Pool };
        let permit = self.permits.acquire(clock, deadline).ok_or_else(no_connection)?;
        let wait = deadline.remaining(clock).clamp(*LEND.start(), *LEND.end());
        let mut connection = self.connections.get_timeout(wait).map_err(|_| no_connection())?;
        let alive = connection.0.as_mut().is_some_and(|connection| self.connector.is_alive(connection, deadline));
        if !alive {
            connection.0 = None;
            connection.0 = Some(self.connector.connect(deadline)?);
        }
        Ok(ConnectionLease { connection, _permit: permit })
    }
}

impl ConnectionLease {
    pub(super) fn connection(&mut self) -> Result<&mut RedisConnection> {
        let what = || Error::Unavailable { what: "there is no connection to Redis".to_owned(), source: None };
        self.connection.0.as_mut().ok_or_else(what)
    }
}

impl fmt::Debug for RedisPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.connections.state().fmt(f)
    }
}
