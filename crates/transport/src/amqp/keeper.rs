//! The one connection for publishing: opened when first needed, brought back when it was
//! lost, by a thread that does nothing else. What is sent over it is the business of
//! `publisher`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, never, select, unbounded};
use zc_events_protocol::{Deadline, Outcome, Stage, clock};

use super::backoff::Backoff;
use super::channel::Discarded;
use super::connection::{BrokerConnection, OnEnd};
use super::declare::{Fallbacks, declare};
use super::failure;
use super::in_flight::InFlight;
use super::options::AmqpOptions;
use super::watchdog::Watchdog;
use crate::{Error, Health, Result, Topology};

/// The least time between a failed attempt and the next one that callers make: however
/// many they are, a dead broker is asked ten times a second, and all are told the answer.
const PACE: Duration = Duration::from_millis(100);

pub(super) struct Keeper {
    pub(super) options: AmqpOptions,
    pub(super) in_flight: Arc<InFlight>,
    /// Where channels go that nobody needs; the thread closes them.
    pub(super) bin: Sender<Discarded>,
    watchdog: Arc<Watchdog>,
    fallbacks: Fallbacks,
    state: Mutex<State>,
    last_error: Arc<Mutex<Option<(String, Instant)>>>,
    /// Holds one token; whoever opens the connection has it.
    turn: (Sender<()>, Receiver<()>),
    /// Tells the thread that the connection was lost.
    lost: Sender<()>,
    pub(super) closing: Receiver<()>,
}

#[derive(Default)]
struct State {
    connection: Option<Arc<BrokerConnection>>,
    /// All that was ever declared; repeated on each new connection.
    topologies: Vec<Topology>,
    opened: u64,
    failed: u64,
    failure: Option<Failure>,
    closed: bool,
    /// Dropped by closing, which ends all that hold `closing`.
    open: Option<Sender<()>>,
}

/// The last attempt to open the connection that failed.
struct Failure {
    at: Instant,
    error: Error,
    /// Until when it was tried.
    deadline: Deadline,
    /// Whether it would have failed with more time, too.
    conclusive: bool,
}

/// The token, given back when dropped: without it nobody would ever connect again, whatever ended the attempt.
struct Turn<'a>(&'a Sender<()>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // There is one token, and room for one.
        let _ = self.0.try_send(());
    }
}

/// The thread that brings the connection back. It ends when this is dropped.
pub(super) struct Running(#[expect(dead_code, reason = "its end is the signal")] Sender<()>);

impl Keeper {
    pub(super) fn start(options: AmqpOptions, watchdog: Arc<Watchdog>) -> std::io::Result<(Arc<Self>, Running)> {
        let turn = bounded(1);
        // An empty channel of capacity one: this cannot fail.
        let _ = turn.0.try_send(());
        let (open, closing) = bounded(0);
        let (lost, losses) = bounded(1);
        let (bin, discarded) = unbounded();
        let (running, stopped) = bounded(0);
        let keeper = Arc::new(Self {
            in_flight: InFlight::new(options.in_flight_bytes),
            options,
            bin,
            watchdog,
            fallbacks: Fallbacks::default(),
            state: Mutex::new(State { open: Some(open), ..State::default() }),
            last_error: Arc::default(),
            turn,
            lost,
            closing,
        });
        let thread = Arc::clone(&keeper);
        thread::Builder::new()
            .name("zc-events-keeper".into())
            .spawn(move || thread.run(&losses, &discarded, &stopped))?;
        Ok((keeper, Running(running)))
    }

    /// The connection, opened where there is none.
    pub(super) fn connection(&self, deadline: Deadline) -> Result<Arc<BrokerConnection>> {
        if let Some(connection) = self.current()? {
            return Ok(connection);
        }
        let failed = self.state().failed;
        // One opens, the others wait for it: with a refusing broker all are told at once.
        if clock::receive(&*self.options.clock, &self.turn.1, deadline).is_err() {
            return Err(failure::timeout(Stage::Connect));
        }
        let turn = Turn(&self.turn.0);
        let opened = match self.current() {
            Ok(None) => self.take_turn(failed, deadline),
            current => current.transpose().unwrap_or(Err(Error::Closed)),
        };
        drop(turn);
        opened.map_err(|error| self.note(error))
    }

    /// The connection, where there is one.
    pub(super) fn current(&self) -> Result<Option<Arc<BrokerConnection>>> {
        let state = self.state();
        if state.closed {
            return Err(Error::Closed);
        }
        Ok(state.connection.as_ref().filter(|connection| connection.is_alive()).cloned())
    }

    /// Why there is no connection; `None` where there is one, or nobody has tried.
    pub(super) fn absence(&self) -> Result<Option<Error>> {
        Ok(match self.current()? {
            Some(_) => None,
            None => self.state().failure.as_ref().map(|failure| again(&failure.error)),
        })
    }

    pub(super) fn declare(&self, topology: &Topology, deadline: Deadline) -> Result<()> {
        loop {
            let connection = self.connection(deadline)?;
            if topology.queues.iter().any(|queue| queue.exclusive) {
                // It would go with any other connection.
                connection.gate.pass(&*self.options.clock, deadline)?;
            }
            // A broker that blocks a connection reads nothing from it; another one it reads until that publishes.
            let spare = match connection.gate.blocked() {
                Some(_) => Some(self.open("declaring", || None, deadline).map_err(|error| self.note(error))?),
                None => None,
            };
            let connection = spare.as_ref().unwrap_or(&connection);
            let fallbacks = self.fallbacks.len();
            match declare(connection, topology, &self.fallbacks, true, deadline) {
                Ok(()) => break,
                Err(_) if self.fallbacks.len() > fallbacks => {}
                Err(error) => return Err(self.note(error)),
            }
        }
        let mut state = self.state();
        if !state.topologies.contains(topology) {
            state.topologies.push(topology.clone());
        }
        Ok(())
    }

    /// Opens a connection of the same kind, with all topologies declared.
    fn open(&self, purpose: &str, on_end: impl Fn() -> Option<OnEnd>, deadline: Deadline) -> Result<BrokerConnection> {
        // Not in the call: the state would be locked until it ends.
        let topologies = self.state().topologies.clone();
        self.open_declaring(purpose, on_end, topologies, deadline)
    }

    /// Opens a connection of the same kind, with all topologies and one of its own declared.
    pub(super) fn open_with(&self, purpose: &str, own: &Topology, deadline: Deadline) -> Result<BrokerConnection> {
        let mut topologies = self.state().topologies.clone();
        topologies.push(own.clone());
        self.open_declaring(purpose, || None, topologies, deadline)
    }

    /// Opens a connection on which nothing is declared.
    pub(super) fn open_bare(&self, purpose: &str, deadline: Deadline) -> Result<BrokerConnection> {
        self.current()?;
        BrokerConnection::open(&self.options, &self.watchdog, purpose, None, deadline).map_err(|error| self.note(error))
    }

    /// Forgets what was declared of a topology.
    pub(super) fn forget(&self, gone: &Topology) {
        self.state().topologies.retain_mut(|topology| topology.lose(gone));
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
            blocked: connection.and_then(|connection| connection.gate.blocked()),
            last_error_at: last_error.as_ref().map(|(_, at)| *at),
            last_error: last_error.map(|(error, _)| error),
            connections: state.opened,
            unconfirmed,
            unconfirmed_bytes,
        }
    }

    /// Ends everything; what is left of the connection is for the caller to close.
    pub(super) fn close(&self) -> Option<Arc<BrokerConnection>> {
        let mut state = self.state();
        state.closed = true;
        state.open = None;
        let connection = state.connection.take();
        // Who waits for the alarm's end need not any more.
        if let Some(connection) = &connection {
            connection.gate.open();
        }
        connection
    }

    pub(super) fn note(&self, error: Error) -> Error {
        if !matches!(error, Error::Closed) {
            *self.last_error() = Some((error.to_string(), self.options.clock.now()));
        }
        error
    }

    /// Opens the connection, unless an attempt that failed meanwhile says enough. `failed`
    /// is how many had failed when the caller came.
    fn take_turn(&self, failed: u64, deadline: Deadline) -> Result<Arc<BrokerConnection>> {
        let clock = &*self.options.clock;
        let next = {
            let state = self.state();
            match &state.failure {
                Some(failure) if state.failed > failed && (failure.conclusive || failure.deadline >= deadline) => {
                    return Err(again(&failure.error));
                }
                Some(failure) => failure.at.checked_add(PACE).map(Deadline::at),
                None => None,
            }
        };
        if let Some(next) = next.filter(|next| !next.has_passed(clock)) {
            if next >= deadline {
                return Err(self.state().failure.as_ref().map_or(Error::Closed, |failure| again(&failure.error)));
            }
            if !clock::pause(clock, next, &self.closing) {
                return Err(Error::Closed);
            }
        }
        self.attempt(deadline)
    }

    /// The caller holds the token.
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
                // Its end may have been told before it was in its place.
                if !connection.is_alive() {
                    let _ = self.lost.try_send(());
                }
                Ok(connection)
            }
            Err(error) => {
                state.failed += 1;
                let conclusive = !deadline.has_passed(clock);
                state.failure = Some(Failure { at: clock.now(), error: again(&error), deadline, conclusive });
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
            // A full channel means that it was told already.
            let _ = lost.try_send(());
        })
    }

    /// The thread: nothing to do while all is well.
    fn run(&self, losses: &Receiver<()>, discarded: &Receiver<Discarded>, stopped: &Receiver<()>) {
        let clock = &*self.options.clock;
        let mut backoff = Backoff::default();
        let mut due: Option<Instant> = None;
        let mut kept: Vec<Discarded> = Vec::new();
        loop {
            // Closes all the others.
            kept.retain(|channel| channel.hindrance().is_some());
            let opened = match kept.first().map(Discarded::hindrance) {
                None => never(),
                Some(Some(opened)) => opened,
                Some(None) => continue,
            };
            let alarm = due.map_or_else(never, |due| clock.at(due));
            select! {
                recv(stopped) -> _ => return,
                recv(discarded) -> channel => kept.extend(channel),
                recv(opened) -> _ => {}
                recv(losses) -> _ => due = due.or_else(|| clock.now().checked_add(backoff.next())),
                recv(alarm) -> _ => {
                    let revived = catch_unwind(AssertUnwindSafe(|| self.revive(&mut backoff)));
                    // The last thing that brings the connection back must not end with one attempt.
                    due = revived.unwrap_or_else(|_| clock.now().checked_add(backoff.next()));
                }
            }
        }
    }

    /// One attempt to bring the connection back. Says when to make the next one.
    fn revive(&self, backoff: &mut Backoff) -> Option<Instant> {
        let clock = &*self.options.clock;
        let nodes = u32::try_from(self.options.url.nodes().len()).unwrap_or(u32::MAX);
        let deadline = clock.deadline(self.options.connect_timeout.saturating_mul(nodes));
        match self.connection(deadline) {
            Ok(_) => backoff.reset(),
            Err(Error::Closed) => {}
            Err(error) => {
                let pause = backoff.next();
                log::debug!("the connection for publishing is not back, next attempt in {pause:?}: {error}");
                return clock.now().checked_add(pause);
            }
        }
        None
    }

    fn last_error(&self) -> MutexGuard<'_, Option<(String, Instant)>> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same error for another caller; of its cause only the text is left.
fn again(error: &Error) -> Error {
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
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::SystemTime;
    use zc_events_protocol::{Clock, SystemClock};

    /// A clock that panics when it is asked for the time, after so many answers.
    #[derive(Debug)]
    struct Broken(AtomicU32);

    const INTACT: u32 = u32::MAX;

    impl Clock for Broken {
        fn now(&self) -> Instant {
            match self.0.load(Ordering::SeqCst) {
                INTACT => {}
                0 => {
                    self.0.store(INTACT, Ordering::SeqCst);
                    panic!("as asked for");
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
    fn an_attempt_that_panics_leaves_the_turn_to_the_next() {
        let clock = Arc::new(Broken(AtomicU32::new(INTACT)));
        let url = "amqp://app:secret@127.0.0.1:1/".parse().unwrap();
        let options = AmqpOptions::new(url).clock(clock.clone());
        // The real time, since it must outlive what is tested.
        let watchdog = Arc::new(Watchdog::start(Arc::new(SystemClock)).unwrap());
        let (keeper, _running) = Keeper::start(options, watchdog).unwrap();
        let deadline = || SystemClock.deadline(Duration::from_secs(2));
        let mut panics = 0;
        for answers in 0..10 {
            clock.0.store(answers, Ordering::SeqCst);
            panics += u32::from(catch_unwind(AssertUnwindSafe(|| keeper.connection(deadline()))).is_err());
            clock.0.store(INTACT, Ordering::SeqCst);
            let error = keeper.connection(deadline()).map(drop).unwrap_err();
            assert!(!error.is_timeout(), "nobody opens the connection any more: {error}");
        }
        assert!(panics > 0);
    }
}
