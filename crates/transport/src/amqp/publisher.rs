//! Publishing: one connection, opened when needed, and an r2d2 pool of its channels.
//! Opening the connection is done here and not by the pool, so that its failure is told at
//! once and not by the pool's patience running out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use r2d2::{HandleError, ManageConnection, Pool};
use zc_events_protocol::{Deadline, Outcome, Stage, clock};

use super::channel::ConfirmChannel;
use super::declare::declare;
use super::failure;
use super::link::Link;
use super::options::AmqpOptions;
use super::watchdog::Watchdog;
use crate::{Error, Health, Outgoing, Receipt, Result, Topology};

/// How long opening a channel on an open connection may take.
const OPEN_CHANNEL: Duration = Duration::from_secs(5);

/// The publishing side of a broker.
pub(super) struct Publisher {
    shared: Arc<Shared>,
    pool: Pool<Channels>,
    marks: Marks,
}

/// What the pool's manager and the publisher share.
struct Shared {
    options: AmqpOptions,
    watchdog: Arc<Watchdog>,
    state: Mutex<State>,
    /// Holds one token; whoever opens the connection has it.
    turn: (Sender<()>, Receiver<()>),
    closing: Receiver<()>,
}

#[derive(Default)]
struct State {
    link: Option<Arc<Link>>,
    /// All that was ever declared; repeated on each new connection.
    topologies: Vec<Topology>,
    last_error: Option<String>,
    closed: bool,
    /// Dropped by closing, which ends all that hold `closing`.
    open: Option<Sender<()>>,
}

impl Publisher {
    pub(super) fn new(options: AmqpOptions, watchdog: Arc<Watchdog>) -> Self {
        let turn = bounded(1);
        let (open, closing) = bounded(0);
        let state = Mutex::new(State { open: Some(open), ..State::default() });
        // An empty channel of capacity one: this cannot fail.
        let _ = turn.0.try_send(());
        let channels = options.channels;
        let shared = Arc::new(Shared { options, watchdog, state, turn, closing });
        let pool = Pool::builder()
            .max_size(channels)
            .min_idle(Some(0))
            // The reaper would drop channels, which is a blocking call.
            .idle_timeout(None)
            .max_lifetime(None)
            .test_on_check_out(true)
            .connection_timeout(OPEN_CHANNEL)
            .error_handler(Box::new(Quiet))
            .build_unchecked(Channels(Arc::clone(&shared)));
        Self { shared, pool, marks: Marks::new() }
    }

    pub(super) fn send(&self, message: &Outgoing<'_>, deadline: Deadline) -> Result<Receipt> {
        let clock = &*self.shared.options.clock;
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
            let link = self.shared.link(deadline)?;
            link.gate.pass(clock, deadline)?;
            let channel = self.channel(deadline)?;
            match channel.publish(message, message_id, deadline) {
                // The channel had died unnoticed; nothing was sent.
                Err(Error::Unavailable { outcome: Outcome::NotSent, .. }) if !retried => retried = true,
                Err(error) => return Err(self.shared.note(error)),
                Ok(receipt) => return Ok(receipt),
            }
        }
    }

    pub(super) fn declare(&self, topology: &Topology, deadline: Deadline) -> Result<()> {
        let link = self.shared.link(deadline)?;
        declare(&link, topology, true, deadline).map_err(|error| self.shared.note(error))?;
        let mut state = self.shared.state();
        if !state.topologies.contains(topology) {
            state.topologies.push(topology.clone());
        }
        Ok(())
    }

    /// Opens a connection of the same kind for somebody else, with all topologies declared,
    /// and with the channel whose end tells of this broker's closing.
    pub(super) fn open_link(&self, deadline: Deadline) -> Result<(Link, Receiver<()>)> {
        if self.shared.state().closed {
            return Err(Error::Closed);
        }
        let closing = self.shared.closing.clone();
        let link = self.shared.open(deadline).map_err(|error| self.shared.note(error))?;
        Ok((link, closing))
    }

    pub(super) fn health(&self) -> Health {
        let state = self.shared.state();
        let link = state.link.as_ref().filter(|link| link.is_alive());
        Health {
            connected: link.is_some(),
            blocked: link.and_then(|link| link.gate.blocked()),
            last_error: state.last_error.clone(),
        }
    }

    pub(super) fn close(&self, deadline: Deadline) -> Result<()> {
        let link = {
            let mut state = self.shared.state();
            state.closed = true;
            state.open = None;
            state.link.take()
        };
        link.map_or(Ok(()), |link| link.close(deadline))
    }

    fn channel(&self, deadline: Deadline) -> Result<Arc<ConfirmChannel>> {
        let left = deadline.remaining(&*self.shared.options.clock);
        match self.pool.get_timeout(left) {
            // Lent for the time of handing over; what it holds outlives the loan.
            Ok(channel) => Ok(Arc::clone(&channel)),
            Err(_) => Err(failure::timeout(Stage::Pool)),
        }
    }
}

impl Shared {
    /// The connection, opened where there is none.
    fn link(&self, deadline: Deadline) -> Result<Arc<Link>> {
        if let Some(link) = self.current()? {
            return Ok(link);
        }
        // One opens, the others wait for it: with a refusing broker all are told at once.
        if clock::receive(&*self.options.clock, &self.turn.1, deadline).is_err() {
            return Err(failure::timeout(Stage::Connect));
        }
        let opened = match self.current() {
            Ok(None) => self.reopen(deadline),
            current => current.transpose().unwrap_or(Err(Error::Closed)),
        };
        let _ = self.turn.0.try_send(());
        opened.map_err(|error| self.note(error))
    }

    fn current(&self) -> Result<Option<Arc<Link>>> {
        let state = self.state();
        if state.closed {
            return Err(Error::Closed);
        }
        Ok(state.link.as_ref().filter(|link| link.is_alive()).cloned())
    }

    fn reopen(&self, deadline: Deadline) -> Result<Arc<Link>> {
        let link = Arc::new(self.open(deadline)?);
        log::info!("connected to the broker for publishing");
        let mut state = self.state();
        if state.closed {
            return Err(Error::Closed);
        }
        let old = state.link.replace(Arc::clone(&link));
        drop(state);
        drop(old);
        Ok(link)
    }

    fn open(&self, deadline: Deadline) -> Result<Link> {
        let link = Link::open(&self.options, &self.watchdog, deadline)?;
        let topologies = self.state().topologies.clone();
        for topology in &topologies {
            declare(&link, topology, false, deadline)?;
        }
        Ok(link)
    }

    fn note(&self, error: Error) -> Error {
        self.state().last_error = Some(error.to_string());
        error
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens and judges channels for the pool.
struct Channels(Arc<Shared>);

impl ManageConnection for Channels {
    type Connection = Arc<ConfirmChannel>;
    type Error = Error;

    fn connect(&self) -> Result<Arc<ConfirmChannel>> {
        let deadline = self.0.options.clock.deadline(OPEN_CHANNEL);
        let link = self.0.link(deadline)?;
        ConfirmChannel::open(&link, deadline).map(Arc::new)
    }

    /// Asks nothing of the broker.
    fn is_valid(&self, channel: &mut Arc<ConfirmChannel>) -> Result<()> {
        let current = self.0.current()?;
        let is_current = current.is_some_and(|link| Arc::ptr_eq(&link, channel.link()));
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
