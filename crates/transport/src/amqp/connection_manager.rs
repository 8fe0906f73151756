//! Opens the one connection for publishing when it is first needed, and keeps what a new one needs: the topologies and
//! the limit of unconfirmed bytes. `reconnect` restores a lost connection; `publisher` sends over it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use zc_events_protocol::{Deadline, Outcome, Stage, clock};

use super::closing_channel::ClosingChannel;
use super::connection::{BrokerConnection, OnEnd};
use super::declare::{Fallbacks, declare};
use super::failure;
use super::in_flight::InFlight;
use super::options::AmqpOptions;
use super::watchdog::Watchdog;
use crate::{Error, Health, Result, Topology};

/// The least time between a failed attempt and the next one by a caller. Any number of callers thus makes at most ten
/// attempts per second, and all of them get the result.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(100);

/// The connection for publishing, and what is needed to open it again.
pub(super) struct ConnectionManager {
    pub(super) options: AmqpOptions,
    pub(super) in_flight: Arc<InFlight>,
    /// Takes channels that are no longer needed. The thread closes them.
    pub(super) closing_channels: Sender<ClosingChannel>,
    watchdog: Arc<Watchdog>,
    fallbacks: Fallbacks,
    state: Mutex<ManagerState>,
    last_error: Arc<Mutex<Option<(String, Instant)>>>,
    /// Holds one token. The caller that opens the connection takes it.
    attempt_token: (Sender<()>, Receiver<()>),
    /// Tells the thread that the connection was lost.
    lost: Sender<()>,
    /// Disconnects when the broker is closed.
    pub(super) closing: Receiver<()>,
}

#[derive(Default)]
struct ManagerState {
    connection: Option<Arc<BrokerConnection>>,
    /// All topologies that were declared. They are declared again on each new connection.
    topologies: Vec<Topology>,
    opened: u64,
    failed: u64,
    failure: Option<FailedAttempt>,
    closed: bool,
    /// Dropped by closing, which disconnects `closing`.
    open: Option<Sender<()>>,
}

/// A failed attempt to open the connection.
struct FailedAttempt {
    at: Instant,
    error: Error,
    /// The deadline of the attempt.
    deadline: Deadline,
    /// Whether more time would not have helped.
    conclusive: bool,
}

/// The token of an attempt, returned when dropped. If it were lost with a failed attempt, no caller could connect
/// again.
struct AttemptToken<'a>(&'a Sender<()>);

impl Drop for AttemptToken<'_> {
    fn drop(&mut self) {
        // There is one token, and room for one.
        let _ = self.0.try_send(());
    }
}

/// What the thread that restores the connection is told.
pub(super) struct ManagerSignals {
    /// A message for each connection that was lost.
    pub(super) losses: Receiver<()>,
    /// Channels to close.
    pub(super) unneeded: Receiver<ClosingChannel>,
}

impl ConnectionManager {
    pub(super) fn new(options: AmqpOptions, watchdog: Arc<Watchdog>) -> (Arc<Self>, ManagerSignals) {
        let attempt_token = bounded(1);
        // The channel is empty and has room for one message, so this cannot fail.
        let _ = attempt_token.0.try_send(());
        let (open, closing) = bounded(0);
        let (lost, losses) = bounded(1);
        let (closing_channels, unneeded) = unbounded();
        let manager = Self {
            in_flight: InFlight::new(options.in_flight_bytes),
            options,
            closing_channels,
            watchdog,
            fallbacks: Fallbacks::default(),
            state: Mutex::new(ManagerState { open: Some(open), ..ManagerState::default() }),
            last_error: Arc::default(),
            attempt_token,
            lost,
            closing,
        };
        (Arc::new(manager), ManagerSignals { losses, unneeded })
    }

    /// The connection. Opens it if there is none.
    pub(super) fn connection(&self, deadline: Deadline) -> Result<Arc<BrokerConnection>> {
        if let Some(connection) = self.current()? {
            return Ok(connection);
        }
        let failed = self.state().failed;
        // One caller opens the connection, the others wait for it. If the broker refuses, all of them get the error at
        // once.
        if clock::receive(&*self.options.clock, &self.attempt_token.1, deadline).is_err() {
            return Err(failure::timeout(Stage::Connect));
        }
        let attempt_token = AttemptToken(&self.attempt_token.0);
        let opened = match self.current() {
            Ok(None) => self.open_or_share_failure(failed, deadline),
            current => current.transpose().unwrap_or(Err(Error::Closed)),
        };
        drop(attempt_token);
        opened.map_err(|error| self.record_error(error))
    }

    /// The connection, if there is one.
    pub(super) fn current(&self) -> Result<Option<Arc<BrokerConnection>>> {
        let state = self.state();
        if state.closed {
            return Err(Error::Closed);
        }
        Ok(state.connection.as_ref().filter(|connection| connection.is_alive()).cloned())
    }

    /// Why there is no connection. `None` if there is one, or if no attempt was made.
    pub(super) fn connect_error(&self) -> Result<Option<Error>> {
        Ok(match self.current()? {
            Some(_) => None,
            None => self.state().failure.as_ref().map(|failure| duplicate(&failure.error)),
        })
    }

    pub(super) fn declare(&self, topology: &Topology, deadline: Deadline) -> Result<()> {
        loop {
            let connection = self.connection(deadline)?;
            if topology.queues.iter().any(|queue| queue.exclusive) {
                // An exclusive queue must be declared on this connection, since it is deleted with its connection.
                connection.flow_control.wait_until_unblocked(&*self.options.clock, deadline)?;
            }
            // A broker that blocks a connection reads nothing from it. It reads from a new connection until that one
            // publishes.
            let spare = match connection.flow_control.blocked() {
                Some(_) => Some(self.open("declaring", || None, deadline).map_err(|error| self.record_error(error))?),
                None => None,
            };
            let connection = spare.as_ref().unwrap_or(&connection);
            let fallbacks = self.fallbacks.len();
            match declare(connection, topology, &self.fallbacks, true, deadline) {
                Ok(()) => break,
                Err(_) if self.fallbacks.len() > fallbacks => {}
                Err(error) => return Err(self.record_error(error)),
            }
        }
        let mut state = self.state();
        if !state.topologies.contains(topology) {
            state.topologies.push(topology.clone());
        }
        Ok(())
    }

    /// Opens another connection, with all topologies declared.
    fn open(&self, purpose: &str, on_end: impl Fn() -> Option<OnEnd>, deadline: Deadline) -> Result<BrokerConnection> {
        // Cloned before the call, since the state would stay locked during it.
        let topologies = self.state().topologies.clone();
        self.open_declaring(purpose, on_end, topologies, deadline)
    }

    /// Opens another connection, with all topologies and `own` declared.
    pub(super) fn open_with(&self, purpose: &str, own: &Topology, deadline: Deadline) -> Result<BrokerConnection> {
        let mut topologies = self.state().topologies.clone();
        topologies.push(own.clone());
        self.open_declaring(purpose, || None, topologies, deadline)
    }

    /// Opens another connection without declaring anything.
    pub(super) fn open_bare(&self, purpose: &str, deadline: Deadline) -> Result<BrokerConnection> {
        self.current()?;
        BrokerConnection::open(&self.options, &self.watchdog, purpose, None, deadline)
            .map_err(|error| self.record_error(error))
    }

    /// Forgets the queues and exchanges of a topology, so that they are not declared again.
    pub(super) fn forget(&self, gone: &Topology) {
        self.state().topologies.retain_mut(|topology| topology.subtract(gone));
    }

    fn open_declaring(
        &self,
        purpose: &str,
        on_end: impl Fn() -> Option<OnEnd>,
        topologies: Vec<Topology>,
        deadline: Deadline,
    ) -> Result<BrokerConnection> {
        loop {
            let connection = BrokerConnection::open(&self.options, &self.watchdog, purpose, on_end(), deadline)?;
            let fallbacks = self.fallbacks.len();
            let mut declared = topologies.iter();
            match declared.try_for_each(|topology| declare(&connection, topology, &self.fallbacks, false, deadline)) {
                Ok(()) => return Ok(connection),
                Err(_) if self.fallbacks.len() > fallbacks => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn health(&self) -> Health {
        let (unconfirmed, unconfirmed_bytes) = self.in_flight.count();
        let last_error = self.last_error().clone();
        let state = self.state();
        let connection = state.connection.as_ref().filter(|connection| connection.is_alive());
        Health {
            connected: connection.is_some(),
            node: connection.map(|connection| connection.node().to_owned()),
            blocked: connection.and_then(|connection| connection.flow_control.blocked()),
            last_error_at: last_error.as_ref().map(|(_, at)| *at),
            last_error: last_error.map(|(error, _)| error),
            connections: state.opened,
            unconfirmed,
            unconfirmed_bytes,
        }
    }

    /// Marks the broker as closed. The caller closes the connection that is returned.
    pub(super) fn close(&self) -> Option<Arc<BrokerConnection>> {
        let mut state = self.state();
        state.closed = true;
        state.open = None;
        let connection = state.connection.take();
        // Callers that wait for the end of an alarm must not wait any longer.
        if let Some(connection) = &connection {
            connection.flow_control.unblock();
        }
        connection
    }

    pub(super) fn record_error(&self, error: Error) -> Error {
        if !matches!(error, Error::Closed) {
            *self.last_error() = Some((error.to_string(), self.options.clock.now()));
        }
        error
    }

    /// Opens the connection, unless an attempt that failed meanwhile gives the answer. `failed` is the number of
    /// failures when the caller came.
    fn open_or_share_failure(&self, failed: u64, deadline: Deadline) -> Result<Arc<BrokerConnection>> {
        let clock = &*self.options.clock;
        let next = {
            let state = self.state();
            match &state.failure {
                Some(failure) if state.failed > failed && (failure.conclusive || failure.deadline >= deadline) => {
                    return Err(duplicate(&failure.error));
                }
                Some(failure) => failure.at.checked_add(ATTEMPT_INTERVAL).map(Deadline::at),
                None => None,
            }
        };
        if let Some(next) = next.filter(|next| !next.has_passed(clock)) {
            if next >= deadline {
                return Err(self.state().failure.as_ref().map_or(Error::Closed, |failure| duplicate(&failure.error)));
            }
            if !clock::pause(clock, next, &self.closing) {
                return Err(Error::Closed);
            }
        }
        self.attempt(deadline)
    }

    /// Makes one attempt. The caller holds the token.
    fn attempt(&self, deadline: Deadline) -> Result<Arc<BrokerConnection>> {
        let opened = self.open("publishing", || Some(self.on_end()), deadline);
        let clock = &*self.options.clock;
        let mut state = self.state();
        match opened {
            Ok(_) if state.closed => Err(Error::Closed),
            Ok(connection) => {
                let connection = Arc::new(connection);
                let old = state.connection.replace(Arc::clone(&connection));
                state.opened += 1;
                state.failure = None;
                drop(state);
                drop(old);
                // It may have been lost before it was stored.
                if !connection.is_alive() {
                    let _ = self.lost.try_send(());
                }
                Ok(connection)
            }
            Err(error) => {
                state.failed += 1;
                let conclusive = !deadline.has_passed(clock);
                state.failure = Some(FailedAttempt { at: clock.now(), error: duplicate(&error), deadline, conclusive });
                Err(error)
            }
        }
    }

    fn on_end(&self) -> OnEnd {
        let (lost, last_error, clock) =
            (self.lost.clone(), Arc::clone(&self.last_error), Arc::clone(&self.options.clock));
        Box::new(move |why| {
            let text = format!("the connection was lost: {why}");
            *last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some((text, clock.now()));
            // If the channel is full, the thread has been told already.
            let _ = lost.try_send(());
        })
    }

    fn last_error(&self) -> MutexGuard<'_, Option<(String, Instant)>> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, ManagerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same error for another caller. It keeps only the text of the source.
fn duplicate(error: &Error) -> Error {
    match error {
        Error::Timeout { stage } => failure::timeout(*stage),
        Error::Rejected { why } => Error::Rejected { why: why.clone() },
        Error::Config { why } => Error::Config { why: why.clone() },
        Error::Closed => Error::Closed,
        Error::Unavailable { what, outcome, source } => Error::Unavailable {
            what: what.clone(),
            outcome: *outcome,
            source: source.as_ref().map(|source| source.to_string().into()),
        },
        other => Error::Unavailable { what: other.to_string(), outcome: Outcome::NotSent, source: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::SystemTime;
    use zc_events_protocol::{Clock, SystemClock};

    /// A clock that panics when it is read, after the given number of answers.
    #[derive(Debug)]
    struct PanickingClock(AtomicU32);

    const INTACT: u32 = u32::MAX;

    impl Clock for PanickingClock {
        fn now(&self) -> Instant {
            match self.0.load(Ordering::SeqCst) {
                INTACT => {}
                0 => {
                    self.0.store(INTACT, Ordering::SeqCst);
                    panic!("the clock panics as planned");
                }
                left => self.0.store(left - 1, Ordering::SeqCst),
            }
            Instant::now()
        }

        fn wall(&self) -> SystemTime {
            SystemClock.wall()
        }

        fn at(&self, instant: Instant) -> Receiver<Instant> {
            SystemClock.at(instant)
        }
    }

    #[test]
    fn an_attempt_that_panics_returns_the_token() {
        let clock = Arc::new(PanickingClock(AtomicU32::new(INTACT)));
        let url = "amqp://app:secret@127.0.0.1:1/".parse().unwrap();
        let options = AmqpOptions::new(url).clock(clock.clone());
        // The watchdog gets the real clock, since it must not panic.
        let watchdog = Arc::new(Watchdog::start(Arc::new(SystemClock)).unwrap());
        let (manager, _signals) = ConnectionManager::new(options, watchdog);
        let deadline = || SystemClock.deadline(Duration::from_secs(2));
        let mut panics = 0;
        for answers in 0..10 {
            clock.0.store(answers, Ordering::SeqCst);
            panics += u32::from(catch_unwind(AssertUnwindSafe(|| manager.connection(deadline()))).is_err());
            clock.0.store(INTACT, Ordering::SeqCst);
            let error = manager.connection(deadline()).map(drop).unwrap_err();
            assert!(!error.is_timeout(), "the token is lost: {error}");
        }
        assert!(panics > 0);
    }
}
