//! One open connection to a node, and how it ends. `handshake` opens it; `channel`, `consumer` and `declare` use it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use amiquip::{Channel, Connection, ConnectionBlockedNotification};
use crossbeam_channel::Receiver;
use zc_events_net::ConnectTrace;
use zc_events_protocol::{Clock, Deadline, Outcome, Stage};

use super::failure;
use super::guard::GuardReport;
use super::handshake::{self, Opened};
use super::node::Node;
use super::options::AmqpOptions;
use super::watchdog::{Guard, SocketHandle, Watchdog};
use crate::Result;
use crate::flow_control::FlowControl;

/// How long a connection that is dropped, not closed, may take for the closing handshake.
const CLOSE_ON_DROP: Duration = Duration::from_secs(1);
/// The least time that [`BrokerConnection::guard`] gives.
const LEAST_TIME: Duration = Duration::from_millis(500);

/// Called when a connection is lost, with the reason.
pub(super) type OnEnd = Box<dyn FnOnce(&str) + Send>;

/// An open connection to one node.
pub(super) struct BrokerConnection {
    connection: Arc<Mutex<Option<Connection>>>,
    node: String,
    /// For the log.
    what: String,
    socket_handle: Arc<SocketHandle>,
    watchdog: Arc<Watchdog>,
    clock: Arc<dyn Clock>,
    alive: Arc<AtomicBool>,
    pub(super) flow_control: Arc<FlowControl>,
    pub(super) guard_report: Arc<GuardReport>,
}

impl BrokerConnection {
    /// Opens a connection to the first node that accepts one, by the deadline. `purpose` is for the log, such as
    /// `publishing`.
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
            // A node that does not answer must leave time for the others.
            let share = left / u32::try_from(nodes.len() - index).unwrap_or(u32::MAX);
            let limit = node.connection_timeout.unwrap_or(options.connect_timeout);
            let limit = options.clock.deadline(share.min(limit));
            match handshake::open(options, node, watchdog, limit, &mut ConnectTrace::default()) {
                Ok(opened) => return Self::start(options, node, watchdog, opened, purpose, on_end, deadline),
                Err(failure) => {
                    log::debug!("{}", failure.error);
                    last = failure.error;
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
        let Opened { mut connection, socket_handle, guard_report } = opened;
        let guard = watchdog.watch(&socket_handle, deadline);
        let notifications = connection.listen_for_connection_blocked();
        drop(guard);
        let opened = Self {
            connection: Arc::new(Mutex::new(Some(connection))),
            node: node.address(),
            what: format!("the connection to the broker at {} for {purpose}", node.address()),
            socket_handle,
            watchdog: Arc::clone(watchdog),
            clock: Arc::clone(&options.clock),
            alive: Arc::new(AtomicBool::new(true)),
            flow_control: Arc::default(),
            guard_report,
        };
        let notifications =
            notifications.map_err(|error| failure::failed(&error, "opening a connection", Outcome::NotSent))?;
        log::info!("connected to the broker at {} for {purpose}", opened.node);
        let monitor = ConnectionMonitor {
            what: opened.what.clone(),
            connection: Arc::clone(&opened.connection),
            alive: Arc::clone(&opened.alive),
            flow_control: Arc::clone(&opened.flow_control),
            clock: Arc::clone(&options.clock),
            guard_report: Arc::clone(&opened.guard_report),
            on_end,
        };
        thread::Builder::new()
            .name("zc-events-conn".into())
            .spawn(move || monitor.run(&notifications))
            .map_err(|error| failure::lost("opening a connection", error.to_string(), Outcome::NotSent))?;
        Ok(opened)
    }

    /// Host and port.
    pub(super) fn node(&self) -> &str {
        &self.node
    }

    /// Whether no end of the connection has been noticed.
    pub(super) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// MessageIds the connection as lost before its monitor has noticed.
    pub(super) fn note_dead(&self) {
        self.alive.store(false, Ordering::Release);
    }

    /// Cuts this connection at the deadline, unless the guard is dropped before. Each call gets at least 500 ms, since
    /// callers share the connection, and a cut ends it for all of them.
    pub(super) fn guard(&self, deadline: Deadline) -> Guard<'_> {
        self.watchdog.watch(&self.socket_handle, deadline.max(self.clock.deadline(LEAST_TIME)))
    }

    /// [`BrokerConnection::guard`] for calls that no caller waits for. It does not cut while the broker blocks the
    /// connection and therefore cannot answer.
    pub(super) fn patient_guard(&self, deadline: Deadline) -> Guard<'_> {
        self.watchdog.watch_patiently(
            &self.socket_handle,
            deadline.max(self.clock.deadline(LEAST_TIME)),
            &self.flow_control,
        )
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// `guard` ends the call at the deadline.
    pub(super) fn open_channel(&self, stage: Stage, guard: &Guard<'_>) -> Result<Channel> {
        let mut connection = self.lock();
        let Some(connection) = connection.as_mut() else {
            // The monitor has just noticed that it is lost. After the broker was closed, no caller gets here.
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

    /// Closes the connection, and cuts it if the broker does not answer by the deadline.
    pub(super) fn close(&self, deadline: Deadline) -> Result<()> {
        // Before the lock, since the holder of the lock may wait for the broker, too.
        let guard = self.watchdog.watch(&self.socket_handle, deadline);
        let connection = self.lock().take();
        let closed = connection.map(Connection::close);
        let fired = guard.has_fired();
        drop(guard);
        self.socket_handle.cut();
        self.alive.store(false, Ordering::Release);
        match closed {
            _ if fired => log::info!("{} was cut, since it did not close in time", self.what),
            Some(Ok(())) => log::info!("{} is closed", self.what),
            // A caller noticed the loss before the monitor.
            Some(Err(error)) => log::warn!("{} was lost: {}", self.what, failure::reason(&error)),
            None => {}
        }
        if fired { Err(failure::timeout(Stage::Close)) } else { Ok(()) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        lock(&self.connection)
    }
}

impl Drop for BrokerConnection {
    fn drop(&mut self) {
        // There is no caller to report an error to.
        let _ = self.close(self.clock.deadline(CLOSE_ON_DROP));
    }
}

fn lock(connection: &Mutex<Option<Connection>>) -> MutexGuard<'_, Option<Connection>> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tracks whether the broker blocks the connection, and notices its end. It does not keep the connection alive.
struct ConnectionMonitor {
    what: String,
    connection: Arc<Mutex<Option<Connection>>>,
    alive: Arc<AtomicBool>,
    flow_control: Arc<FlowControl>,
    clock: Arc<dyn Clock>,
    guard_report: Arc<GuardReport>,
    on_end: Option<OnEnd>,
}

impl ConnectionMonitor {
    /// Runs until amiquip drops its side of the channel, which it does when the connection ends.
    fn run(self, notifications: &Receiver<ConnectionBlockedNotification>) {
        for notification in notifications {
            match notification {
                ConnectionBlockedNotification::Blocked(reason) => {
                    log::warn!("{}: the broker accepts no messages: {reason}", self.what);
                    self.flow_control.block(reason, self.clock.now());
                }
                ConnectionBlockedNotification::Unblocked => {
                    log::info!("{}: the broker accepts messages again", self.what);
                    self.flow_control.unblock();
                }
            }
        }
        self.alive.store(false, Ordering::Release);
        self.flow_control.unblock();
        // If the connection is still here, it was lost and not closed. Its I/O thread has ended or is about to end, so
        // closing returns at once with the reason. A panic of that thread is such a reason.
        let connection = lock(&self.connection).take();
        // Otherwise `close` has taken it, and has logged it.
        let Some(connection) = connection else { return };
        let why = match connection.close() {
            Ok(()) => "it ended without a reason".to_owned(),
            Err(error) => self.guard_report.refusal().map_or_else(|| failure::reason(&error), str::to_owned),
        };
        log::warn!("{} was lost: {why}", self.what);
        if let Some(on_end) = self.on_end {
            on_end(&why);
        }
    }
}
