//! One open connection to a node, and what ends it. How it is opened is in `approach`; what is
//! done over it lives in `channel`, `consumer` and `declare`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use amiquip::{Channel, Connection, ConnectionBlockedNotification};
use crossbeam_channel::Receiver;
use zc_events_protocol::{Clock, Deadline, Outcome, Stage};

use super::approach::{Opened, Steps, approach};
use super::failure;
use super::guard::Watch;
use super::options::AmqpOptions;
use super::reach::Obstacle;
use super::url::Node;
use super::watchdog::{Guard, Lifeline, Watchdog};
use crate::Result;
use crate::gate::Gate;

/// A connection that is dropped instead of closed gets this long to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
/// See [`Link::guard`].
const PATIENCE: Duration = Duration::from_millis(500);

/// Told of the end of a connection, with its reason.
pub(super) type OnEnd = Box<dyn FnOnce(&str) + Send>;

/// A connection.
pub(super) struct Link {
    connection: Arc<Mutex<Option<Connection>>>,
    node: String,
    /// For the log.
    what: String,
    lifeline: Arc<Lifeline>,
    watchdog: Arc<Watchdog>,
    clock: Arc<dyn Clock>,
    alive: Arc<AtomicBool>,
    pub(super) gate: Arc<Gate>,
    pub(super) watch: Arc<Watch>,
}

impl Link {
    /// Opens a connection to the first node that takes us, by the deadline. `purpose` is
    /// for the log, such as `publishing`.
    pub(super) fn open(
        options: &AmqpOptions,
        watchdog: &Arc<Watchdog>,
        purpose: &str,
        on_end: Option<OnEnd>,
        deadline: Deadline,
    ) -> Result<Self> {
        let nodes = options.url.nodes();
        let mut last = failure::timeout(Stage::Connect);
        for (index, node) in nodes.iter().enumerate() {
            let left = deadline.remaining(&*options.clock);
            if left.is_zero() {
                break;
            }
            // A node that swallows everything must not use up the others' time.
            let share = left / u32::try_from(nodes.len() - index).unwrap_or(u32::MAX);
            let limit = node.connection_timeout.unwrap_or(options.connect_timeout);
            let limit = options.clock.deadline(share.min(limit));
            match approach(options, node, watchdog, limit, &mut Steps::default()) {
                Ok(opened) => return Self::start(options, node, watchdog, opened, purpose, on_end, deadline),
                Err(Obstacle { error, .. }) => {
                    log::debug!("{error}");
                    last = error;
                }
            }
        }
        Err(last)
    }

    fn start(
        options: &AmqpOptions,
        node: &Node,
        watchdog: &Arc<Watchdog>,
        opened: Opened,
        purpose: &str,
        on_end: Option<OnEnd>,
        deadline: Deadline,
    ) -> Result<Self> {
        let Opened { mut connection, lifeline, watch } = opened;
        let guard = watchdog.watch(&lifeline, deadline);
        let notifications = connection.listen_for_connection_blocked();
        drop(guard);
        let link = Self {
            connection: Arc::new(Mutex::new(Some(connection))),
            node: node.address(),
            what: format!("the connection to the broker at {} for {purpose}", node.address()),
            lifeline,
            watchdog: Arc::clone(watchdog),
            clock: Arc::clone(&options.clock),
            alive: Arc::new(AtomicBool::new(true)),
            gate: Arc::default(),
            watch,
        };
        let notifications =
            notifications.map_err(|error| failure::failed(&error, "opening a connection", Outcome::NotSent))?;
        log::info!("connected to the broker at {} for {purpose}", link.node);
        let vigil = Vigil {
            what: link.what.clone(),
            connection: Arc::clone(&link.connection),
            alive: Arc::clone(&link.alive),
            gate: Arc::clone(&link.gate),
            clock: Arc::clone(&options.clock),
            watch: Arc::clone(&link.watch),
            on_end,
        };
        thread::Builder::new()
            .name("zc-events-link".into())
            .spawn(move || vigil.run(&notifications))
            .map_err(|error| failure::lost("opening a connection", error.to_string(), Outcome::NotSent))?;
        Ok(link)
    }

    /// Host and port.
    pub(super) fn node(&self) -> &str {
        &self.node
    }

    /// Whether it was there when last looked at.
    pub(super) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// It was found dead, sooner than by itself.
    pub(super) fn note_dead(&self) {
        self.alive.store(false, Ordering::Release);
    }

    /// Cuts this connection at the deadline, unless the guard is dropped before; but not
    /// within the next half second, since one caller's haste would cost all the others the
    /// connection that they share.
    pub(super) fn guard(&self, deadline: Deadline) -> Guard<'_> {
        self.watchdog.watch(&self.lifeline, deadline.max(self.clock.deadline(PATIENCE)))
    }

    /// [`Link::guard`], for calls that nobody waits for: while the broker reads nothing from
    /// this connection, an answer that does not come is no reason to cut it.
    pub(super) fn patient_guard(&self, deadline: Deadline) -> Guard<'_> {
        self.watchdog.watch_patiently(&self.lifeline, deadline.max(self.clock.deadline(PATIENCE)), &self.gate)
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// `guard` is what ends it at the deadline.
    pub(super) fn open_channel(&self, stage: Stage, guard: &Guard<'_>) -> Result<Channel> {
        let mut connection = self.lock();
        let Some(connection) = connection.as_mut() else {
            // Lost, and noticed by its watcher just now. Who has closed the broker does not get here.
            self.note_dead();
            return Err(failure::lost("opening a channel", "it has ended".to_owned(), Outcome::NotSent));
        };
        connection.open_channel(None).map_err(|error| {
            self.alive.store(false, Ordering::Release);
            if guard.has_fired() {
                failure::timeout(stage)
            } else {
                failure::failed(&error, "opening a channel", Outcome::NotSent)
            }
        })
    }

    /// Says goodbye, and cuts the connection when that is not answered by the deadline.
    pub(super) fn close(&self, deadline: Deadline) -> Result<()> {
        // First, since whoever holds the lock waits for the broker, too.
        let guard = self.watchdog.watch(&self.lifeline, deadline);
        let connection = self.lock().take();
        let closed = connection.map(Connection::close);
        let fired = guard.has_fired();
        drop(guard);
        self.lifeline.cut();
        self.alive.store(false, Ordering::Release);
        match closed {
            _ if fired => log::info!("{} was cut, since it did not close in time", self.what),
            Some(Ok(())) => log::info!("{} is closed", self.what),
            // Found by whoever used it, before its watcher did.
            Some(Err(error)) => log::warn!("{} was lost: {}", self.what, failure::reason(&error)),
            None => {}
        }
        if fired { Err(failure::timeout(Stage::Close)) } else { Ok(()) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        lock(&self.connection)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Nobody is there to be told.
        let _ = self.close(self.clock.deadline(GOODBYE));
    }
}

fn lock(connection: &Mutex<Option<Connection>>) -> MutexGuard<'_, Option<Connection>> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the gate, and notices the end. It holds nothing that would keep the link alive.
struct Vigil {
    what: String,
    connection: Arc<Mutex<Option<Connection>>>,
    alive: Arc<AtomicBool>,
    gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
    watch: Arc<Watch>,
    on_end: Option<OnEnd>,
}

impl Vigil {
    /// Runs until amiquip drops its side of the channel, which it does with the connection.
    fn run(self, notifications: &Receiver<ConnectionBlockedNotification>) {
        for notification in notifications {
            match notification {
                ConnectionBlockedNotification::Blocked(reason) => {
                    log::warn!("{}: the broker accepts no messages: {reason}", self.what);
                    self.gate.shut(reason, self.clock.now());
                }
                ConnectionBlockedNotification::Unblocked => {
                    log::info!("{}: the broker accepts messages again", self.what);
                    self.gate.open();
                }
            }
        }
        self.alive.store(false, Ordering::Release);
        self.gate.open();
        // Where it is there still, nobody has closed it. The I/O thread has ended, or is
        // about to, so this returns at once, with the reason; a panic of that thread is one.
        let connection = lock(&self.connection).take();
        // Else somebody has closed it, and has said so.
        let Some(connection) = connection else { return };
        let why = match connection.close() {
            Ok(()) => "it ended without a reason".to_owned(),
            Err(error) => self.watch.refusal().map_or_else(|| failure::reason(&error), str::to_owned),
        };
        log::warn!("{} was lost: {why}", self.what);
        if let Some(on_end) = self.on_end {
            on_end(&why);
        }
    }
}
