//! Publishing: an r2d2 pool of the channels of one connection. `connection_manager` opens that connection, and not the
//! pool, so that a failure is reported at once and not after the pool's timeout.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crossbeam_channel::Receiver;
use r2d2::{HandleError, ManageConnection, Pool, PooledConnection};
use zc_events_protocol::{Deadline, Outcome, Stage};

use super::channel::ConfirmChannel;
use super::connection::BrokerConnection;
use super::connection_manager::ConnectionManager;
use super::failure;
use super::in_flight::ConfirmSource;
use super::inspect::inspect;
use super::message_ids::MessageIds;
use super::options::AmqpOptions;
use super::reconnect::ReconnectThread;
use super::remove::remove;
use super::watchdog::Watchdog;
use crate::{Error, Health, Inspection, Outgoing, Receipt, Result, Topology};

/// How long opening a channel on an open connection may take.
const OPEN_CHANNEL: Duration = Duration::from_secs(5);

/// The publishing side of a broker.
pub(super) struct Publisher {
    manager: Arc<ConnectionManager>,
    pool: Pool<ChannelFactory>,
    message_ids: MessageIds,
    _reconnect_thread: ReconnectThread,
}

impl Publisher {
    pub(super) fn new(options: AmqpOptions, watchdog: Arc<Watchdog>) -> std::io::Result<Self> {
        let channels = options.channels;
        let (manager, signals) = ConnectionManager::new(options, watchdog);
        let reconnect_thread = ReconnectThread::start(Arc::clone(&manager), signals)?;
        let pool = Pool::builder()
            .max_size(channels)
            .min_idle(Some(0))
            // The reaper would drop channels, which blocks.
            .idle_timeout(None)
            .max_lifetime(None)
            .test_on_check_out(true)
            .connection_timeout(OPEN_CHANNEL)
            .error_handler(Box::new(LogPoolErrors))
            .build_unchecked(ChannelFactory(Arc::clone(&manager)));
        Ok(Self { manager, pool, message_ids: MessageIds::new(), _reconnect_thread: reconnect_thread })
    }

    pub(super) fn options(&self) -> &AmqpOptions {
        &self.manager.options
    }

    pub(super) fn send(&self, message: &Outgoing<'_>, deadline: Deadline) -> Result<Receipt> {
        let clock = &*self.manager.options.clock;
        let fresh;
        let message_id = match &message.properties.message_id {
            Some(id) => id,
            None => {
                fresh = self.message_ids.next();
                &fresh
            }
        };
        let mut retried = false;
        loop {
            let connection = self.manager.connection(deadline)?;
            connection.flow_control.wait_until_unblocked(clock, deadline)?;
            let Some(permit) = self.manager.in_flight.acquire(message.body.len(), clock, deadline) else {
                return Err(match connection.flow_control.blocked() {
                    Some((_, reason)) => Error::Blocked { reason },
                    None => failure::timeout(Stage::InFlight),
                });
            };
            connection.flow_control.wait_until_unblocked(clock, deadline)?;
            // Lent only while sending, so that other callers wait for the pool, each until its own deadline, and not
            // behind a message that the broker does not accept.
            let channel = self.channel(deadline)?;
            match channel.publish(message, message_id, permit, deadline) {
                // The channel had ended unnoticed, and nothing was sent.
                Err(Error::Unavailable { outcome: Outcome::NotSent, .. }) if !retried => retried = true,
                Err(error) => return Err(self.manager.record_error(error)),
                Ok(Some(receipt)) => return Ok(receipt),
                // Repeated without a limit: each nack costs a channel, and a full queue nacks many messages at once.
                Ok(None) if deadline.has_passed(clock) => return Err(failure::timeout(Stage::Pool)),
                Ok(None) => {}
            }
        }
    }

    pub(super) fn declare(&self, topology: &Topology, deadline: Deadline) -> Result<()> {
        self.manager.declare(topology, deadline)
    }

    /// Opens another connection, with all topologies and `own` declared, for a subscription. The receiver disconnects
    /// when this broker is closed.
    pub(super) fn open_connection(
        &self,
        purpose: &str,
        own: &Topology,
        deadline: Deadline,
    ) -> Result<(BrokerConnection, Receiver<()>)> {
        self.manager.current()?;
        let closing = self.manager.closing.clone();
        let connection =
            self.manager.open_with(purpose, own, deadline).map_err(|error| self.manager.record_error(error))?;
        Ok((connection, closing))
    }

    /// Uses a connection of its own, since a call may cost the connection.
    pub(super) fn inspect(&self, wanted: &Topology, deadline: Deadline) -> Result<Inspection> {
        let connection = self.manager.open_bare("looking", deadline)?;
        inspect(&connection, wanted, deadline).map_err(|error| self.manager.record_error(error))
    }

    /// Forgets the topology first, so that a connection that is restored meanwhile does not declare it again.
    pub(super) fn remove(&self, topology: &Topology, deadline: Deadline) -> Result<()> {
        self.manager.forget(topology);
        let connection = self.manager.open_bare("deleting", deadline)?;
        remove(&connection, topology, deadline).map_err(|error| self.manager.record_error(error))
    }

    pub(super) fn health(&self) -> Health {
        self.manager.health()
    }

    pub(super) fn close(&self, deadline: Deadline) -> Result<()> {
        self.manager.close().map_or(Ok(()), |connection| connection.close(deadline))
    }

    fn channel(&self, deadline: Deadline) -> Result<PooledConnection<ChannelFactory>> {
        let left = deadline.remaining(&*self.manager.options.clock);
        match self.pool.get_timeout(left) {
            Ok(channel) => Ok(channel),
            Err(_) => {
                // Without a connection, that is the reason; otherwise all channels are in use.
                Err(self.manager.connect_error()?.unwrap_or(failure::timeout(Stage::Pool)))
            }
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        // Unconfirmed messages keep the connection until their receipts are dropped.
        drop(self.manager.close());
    }
}

/// Opens and checks channels for the pool.
struct ChannelFactory(Arc<ConnectionManager>);

impl ManageConnection for ChannelFactory {
    type Connection = Arc<ConfirmChannel>;
    type Error = Error;

    fn connect(&self) -> Result<Arc<ConfirmChannel>> {
        let open = || {
            let deadline = self.0.options.clock.deadline(OPEN_CHANNEL);
            let connection = self.0.connection(deadline)?;
            // A broker that blocks a connection reads nothing from it, so the attempt would cost the connection.
            connection.flow_control.wait_until_unblocked(&*self.0.options.clock, deadline)?;
            ConfirmChannel::open(&connection, self.0.closing_channels.clone(), deadline).map(Arc::new)
        };
        // A panic would cost the pool one of its places for good.
        let channel = catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| {
            let why = "the client library panicked".to_owned();
            Err(failure::lost("opening a channel", why, Outcome::NotSent))
        })?;
        let source: Weak<ConfirmChannel> = Arc::downgrade(&channel);
        let source: Weak<dyn ConfirmSource> = source;
        self.0.in_flight.register(source);
        Ok(channel)
    }

    /// Makes no call to the broker.
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

/// Only logs errors of the pool's threads: the caller that waits for the channel gets them.
#[derive(Debug)]
struct LogPoolErrors;

impl HandleError<Error> for LogPoolErrors {
    fn handle_error(&self, error: Error) {
        log::debug!("opening a channel failed: {error}");
    }
}
