//! One open connection to a node: how it is opened, what ends it. What is done over it
//! lives in `channel`, `consumer` and `declare`.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use amiquip::{Channel, Connection, ConnectionBlockedNotification, ConnectionOptions, ConnectionTuning};
use crossbeam_channel::{Receiver, bounded};
use socket2::{SockRef, TcpKeepalive};
use zc_events_protocol::{Clock, Deadline, Outcome, Stage, clock};

use super::failure;
use super::guard::{FRAME_MAX, GuardedStream, Watch};
use super::login::{Login, LoginStream, Plain};
use super::options::AmqpOptions;
use super::url::Node;
use super::watchdog::{Guard, Lifeline, Watchdog};
use crate::gate::Gate;
use crate::{Error, Result};

/// RabbitMQ's own default, and far below what overflows in amiquip.
const CHANNEL_MAX: u16 = 2047;
/// A connection that is dropped instead of closed gets this long to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
/// See [`Link::guard`].
const PATIENCE: Duration = Duration::from_millis(500);
/// amiquip takes any cut before the login is answered for a refusal; with the broker's
/// real answer asked for, one more attempt tells the two apart.
const LOGIN_ATTEMPTS: u32 = 2;

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

/// A connection that is just open.
struct Opened {
    connection: Connection,
    lifeline: Arc<Lifeline>,
    watch: Arc<Watch>,
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
            match Self::open_node(options, node, watchdog, options.clock.deadline(share.min(limit))) {
                Ok(opened) => return Self::start(options, node, watchdog, opened, purpose, on_end, deadline),
                Err(error) => {
                    log::debug!("{error}");
                    last = error;
                }
            }
        }
        Err(last)
    }

    fn open_node(options: &AmqpOptions, node: &Node, watchdog: &Arc<Watchdog>, deadline: Deadline) -> Result<Opened> {
        if node.tls {
            return Err(Error::Config {
                why: format!(
                    "{} asks for TLS (amqps://), which this build does not have: use amqp:// behind a TLS tunnel",
                    options.setting
                ),
            });
        }
        let mut attempt = 1;
        loop {
            let not_connected = |error| failure::not_connected(error, node, &options.setting);
            let stream = dial(node, &*options.clock, deadline).map_err(not_connected)?;
            let lifeline = Arc::new(Lifeline::new(stream.try_clone().map_err(not_connected)?));
            let stream = mio::net::TcpStream::from_stream(stream).map_err(not_connected)?;
            let guard = watchdog.watch(&lifeline, deadline);
            let login = Login {
                user: node.user.clone(),
                password: node.password.clone(),
                connection_name: options.connection_name.clone(),
            };
            let wanted = ConnectionOptions::<Plain>::default()
                .virtual_host(node.vhost.clone())
                .heartbeat(on_the_wire(node.heartbeat.unwrap_or(options.heartbeat)))
                .channel_max(CHANNEL_MAX)
                .frame_max(FRAME_MAX);
            let watch = Arc::new(Watch::new());
            let stream = GuardedStream::new(LoginStream::new(stream, login), Arc::clone(&watch));
            let opened = Connection::insecure_open_stream(stream, wanted, ConnectionTuning::default());
            match opened {
                Ok(connection) => {
                    drop(guard);
                    return Ok(Opened { connection, lifeline, watch });
                }
                Err(_) if guard.has_fired() => {
                    return Err(failure::not_connected(io::ErrorKind::TimedOut.into(), node, &options.setting));
                }
                Err(error) if watch.refusal().is_some() => {
                    // amiquip may take this end for a refused login, too.
                    let why = watch.refusal().map_or_else(|| error.to_string(), str::to_owned);
                    let error = io::Error::new(io::ErrorKind::InvalidData, why);
                    return Err(failure::not_connected(error, node, &options.setting));
                }
                Err(amiquip::Error::InvalidCredentials) if attempt < LOGIN_ATTEMPTS => attempt += 1,
                Err(error) => return Err(failure::not_opened(&error, node, &options.setting)),
            }
        }
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

/// The heartbeat to agree on with the broker. What we hear is judged by amiquip, after two of them in silence; what the
/// broker hears is judged by RabbitMQ, which looks once in each and gives up at the third: asked for two thirds, it has
/// given up after two of those that are meant.
fn on_the_wire(heartbeat: u16) -> u16 {
    (heartbeat / 3 * 2 + heartbeat % 3 * 2 / 3).max(1)
}

/// TCP, with small messages sent at once (the default would hold each confirm up by 40 ms)
/// and dead peers noticed by the system, too.
fn dial(node: &Node, clock: &dyn Clock, deadline: Deadline) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    for address in resolve(node, clock, deadline)? {
        let left = deadline.remaining(clock);
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(30));
                SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The addresses of a host. The system's resolver knows no deadline, so it is asked on a
/// thread of its own, which may outlive the call.
fn resolve(node: &Node, clock: &dyn Clock, deadline: Deadline) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = node.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, node.port)]);
    }
    let (answer, answered) = bounded(1);
    let target = (node.host.clone(), node.port);
    thread::Builder::new().name("zc-events-dns".into()).spawn(move || {
        // The caller may have given up.
        let _ = answer.send(target.to_socket_addrs().map(Iterator::collect));
    })?;
    clock::receive(clock, &answered, deadline).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use super::on_the_wire;

    #[test]
    fn three_heartbeats_on_the_wire_are_no_longer_than_two_that_are_meant() {
        for meant in 2..=u16::MAX {
            let wire = on_the_wire(meant);
            assert!(wire >= 1 && u32::from(wire) * 3 <= u32::from(meant) * 2, "{meant} became {wire}");
        }
        assert_eq!([1, 2, 3, 10, 60].map(on_the_wire), [1, 1, 2, 6, 40]);
    }
}
