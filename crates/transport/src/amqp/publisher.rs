//! Publishing: an r2d2 pool of the channels of one connection. Opening that connection is
//! the business of `keeper` and not of the pool, so that its failure is told at once and
//! not by the pool's patience running out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crossbeam_channel::Receiver;
use r2d2::{HandleError, ManageConnection, Pool, PooledConnection};
use zc_events_protocol::{Deadline, Outcome, Stage};

use super::channel::ConfirmChannel;
use super::connection::BrokerConnection;
use super::failure;
use super::in_flight::Source;
use super::inspect::inspect;
use super::keeper::{Keeper, Running};
use super::options::AmqpOptions;
use super::remove::remove;
use super::watchdog::Watchdog;
use crate::{Error, Health, Inspection, Outgoing, Receipt, Result, Topology};

/// How long opening a channel on an open connection may take.
const OPEN_CHANNEL: Duration = Duration::from_secs(5);

/// The publishing side of a broker.
pub(super) struct Publisher {
    keeper: Arc<Keeper>,
    pool: Pool<Channels>,
    marks: Marks,
    _running: Running,
}

impl Publisher {
    pub(super) fn new(options: AmqpOptions, watchdog: Arc<Watchdog>) -> std::io::Result<Self> {
        let channels = options.channels;
        let (keeper, running) = Keeper::start(options, watchdog)?;
        let pool = Pool::builder()
            .max_size(channels)
            .min_idle(Some(0))
            // The reaper would drop channels, which is a blocking call.
            .idle_timeout(None)
            .max_lifetime(None)
            .test_on_check_out(true)
            .connection_timeout(OPEN_CHANNEL)
            .error_handler(Box::new(Quiet))
            .build_unchecked(Channels(Arc::clone(&keeper)));
        Ok(Self { keeper, pool, marks: Marks::new(), _running: running })
    }

    pub(super) fn send(&self, message: &Outgoing<'_>, deadline: Deadline) -> Result<Receipt> {
        let clock = &*self.keeper.options.clock;
        let fresh;
        let message_id = match &message.properties.message_id {
            Some(id) => id,
            None => {
                fresh = self.marks.next();
                &fresh
            }
        };
        let mut retried = false;
        loop {
            let connection = self.keeper.connection(deadline)?;
            connection.gate.pass(clock, deadline)?;
            let Some(room) = self.keeper.in_flight.room(message.body.len(), clock, deadline) else {
                return Err(match connection.gate.blocked() {
                    Some((_, reason)) => Error::Blocked { reason },
                    None => failure::timeout(Stage::InFlight),
                });
            };
            connection.gate.pass(clock, deadline)?;
            // Lent for the time of handing over, so that others wait for the pool, each until his own
            // deadline, and not behind a message that the broker does not take.
            let channel = self.channel(deadline)?;
            match channel.publish(message, message_id, room, deadline) {
                // The channel had died unnoticed; nothing was sent.
                Err(Error::Unavailable { outcome: Outcome::NotSent, .. }) if !retried => retried = true,
                Err(error) => return Err(self.keeper.note(error)),
                Ok(Some(receipt)) => return Ok(receipt),
                // As often as it takes: each nack costs a channel, and many come at once from a full queue.
                Ok(None) if deadline.has_passed(clock) => return Err(failure::timeout(Stage::Pool)),
                Ok(None) => {}
            }
        }
    }

    pub(super) fn declare(&self, topology: &Topology, deadline: Deadline) -> Result<()> {
        self.keeper.declare(topology, deadline)
    }

    /// Opens a connection of the same kind for somebody else, with all topologies and his own declared,
    /// and with the channel whose end tells of this broker's closing.
    pub(super) fn open_connection(
        &self,
        purpose: &str,
        own: &Topology,
        deadline: Deadline,
    ) -> Result<(BrokerConnection, Receiver<()>)> {
        self.keeper.current()?;
        let closing = self.keeper.closing.clone();
        let connection = self.keeper.open_with(purpose, own, deadline).map_err(|error| self.keeper.note(error))?;
        Ok((connection, closing))
    }

    /// Looks over a connection of its own, which may be lost over a question.
    pub(super) fn inspect(&self, wanted: &Topology, deadline: Deadline) -> Result<Inspection> {
        let connection = self.keeper.open_bare("looking", deadline)?;
        inspect(&connection, wanted, deadline).map_err(|error| self.keeper.note(error))
    }

    /// Forgets first: a connection that comes back meanwhile must not declare it again.
    pub(super) fn remove(&self, topology: &Topology, deadline: Deadline) -> Result<()> {
        self.keeper.forget(topology);
        let connection = self.keeper.open_bare("deleting", deadline)?;
        remove(&connection, topology, deadline).map_err(|error| self.keeper.note(error))
    }

    pub(super) fn health(&self) -> Health {
        self.keeper.health()
    }

    pub(super) fn close(&self, deadline: Deadline) -> Result<()> {
        self.keeper.close().map_or(Ok(()), |connection| connection.close(deadline))
    }

    fn channel(&self, deadline: Deadline) -> Result<PooledConnection<Channels>> {
        let left = deadline.remaining(&*self.keeper.options.clock);
        match self.pool.get_timeout(left) {
            Ok(channel) => Ok(channel),
            Err(_) => {
                // Told from a pool whose channels are all in use.
                Err(self.keeper.absence()?.unwrap_or(failure::timeout(Stage::Pool)))
            }
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        // What is out keeps it until its receipts are gone.
        drop(self.keeper.close());
    }
}

/// Opens and judges channels for the pool.
struct Channels(Arc<Keeper>);

impl ManageConnection for Channels {
    type Connection = Arc<ConfirmChannel>;
    type Error = Error;

    fn connect(&self) -> Result<Arc<ConfirmChannel>> {
        let open = || {
            let deadline = self.0.options.clock.deadline(OPEN_CHANNEL);
            let connection = self.0.connection(deadline)?;
            // A broker that blocks a connection reads nothing from it: the attempt would cost the connection.
            connection.gate.pass(&*self.0.options.clock, deadline)?;
            ConfirmChannel::open(&connection, self.0.bin.clone(), deadline).map(Arc::new)
        };
        // A panic would cost the pool the place for good.
        let channel = catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| {
            let why = "the client library panicked".to_owned();
            Err(failure::lost("opening a channel", why, Outcome::NotSent))
        })?;
        let source: Weak<ConfirmChannel> = Arc::downgrade(&channel);
        let source: Weak<dyn Source> = source;
        self.0.in_flight.register(source);
        Ok(channel)
    }

    /// Asks nothing of the broker.
    fn is_valid(&self, channel: &mut Arc<ConfirmChannel>) -> Result<()> {
        let current = self.0.current()?;
        let is_current = current.is_some_and(|connection| Arc::ptr_eq(&connection, channel.connection()));
        if is_current && channel.is_usable() {
            return Ok(());
        }
        let why = "the channel or its connection is gone".to_owned();
        Err(failure::lost("lending a channel", why, Outcome::NotSent))
    }

    fn has_broken(&self, channel: &mut Arc<ConfirmChannel>) -> bool {
        !channel.is_usable()
    }
}

/// What fails in the pool's threads is told to the caller who waits for it.
#[derive(Debug)]
struct Quiet;

impl HandleError<Error> for Quiet {
    fn handle_error(&self, error: Error) {
        log::debug!("opening a channel failed: {error}");
    }
}

/// Message ids for messages that have none: unique among all publishers, cheap to make.
struct Marks {
    prefix: String,
    next: AtomicU64,
}

impl Marks {
    fn new() -> Self {
        Self { prefix: uuid::Uuid::new_v4().simple().to_string(), next: AtomicU64::new(1) }
    }

    fn next(&self) -> String {
        format!("{}-{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }
}
