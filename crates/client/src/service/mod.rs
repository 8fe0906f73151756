//! A service: what it runs on, how it is stopped, how it is. What it handles is said in
//! `builder`; a message's way leads from `listener` to `worker`, and from there to a
//! handler (`handler`, `context`) or a view (`view`), or to the dead letters (`dead`).

mod builder;
mod context;
mod dead;
mod handler;
mod listener;
mod view;
mod worker;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded, never, select, select_biased, unbounded};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use zc_events_protocol::{Clock, Deadline, Outcome};
use zc_events_transport::{Delivery, Topology};

use self::handler::EventHandler;
use self::listener::Listener;
use crate::{Error, EventClient, Result};

pub use builder::ServiceBuilder;
pub use context::Context;
pub use handler::HandlerError;
pub use view::{ResourceView, Served, ViewResult};

/// A running service: consumes its queue, handles events, answers requests.
///
/// Dropping it stops it, as [`Service::stop`] does with `EVENTS_SHUTDOWN_TIMEOUT`.
///
/// ```
/// use std::time::Duration;
/// use zc_events::{Context, Event, EventClient, Service, Settings};
///
/// #[derive(serde::Deserialize)]
/// struct OrderCreated {
///     resource_id: u64,
/// }
///
/// # let settings = Settings::builder().broker_url("memory://").staging_name("test").service_name("mails").build()?;
/// let client = EventClient::new(settings)?;
/// let (seen, orders) = std::sync::mpsc::channel();
/// let service = Service::builder(&client)
///     .on("order_created", move |_: &Context, event: OrderCreated| Ok(seen.send(event.resource_id)?))
///     .start()?;
/// client.emit(&Event::new("order_created").resource("Order", 23131024))?;
/// assert_eq!(orders.recv_timeout(Duration::from_secs(5)), Ok(23131024));
/// assert_eq!(service.stop(Duration::from_secs(5)).abandoned, 0);
/// # Ok::<(), zc_events::Error>(())
/// ```
pub struct Service {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<usize>>,
    ended: Receiver<()>,
}

/// What became of a service's work when it stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// How many handlers had not returned by the deadline. Their messages went back to the queue.
    pub abandoned: usize,
}

/// Stops a service, or asks how it is, from anywhere.
#[derive(Clone)]
pub struct ServiceHandle(Arc<Shared>);

/// How a service is.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServiceHealth {
    /// Whether it is connected and consuming.
    pub consuming: bool,
    /// When the last message came.
    pub last_delivery: Option<Instant>,
    /// What the last failure of the connection said.
    pub last_error: Option<String>,
    /// How many messages are with workers.
    pub under_way: usize,
    /// How many events were handled and requests answered.
    pub processed: u64,
    /// How many were for others.
    pub ignored: u64,
    /// How often a handler failed.
    pub failed: u64,
    /// How many came too late.
    pub expired: u64,
    /// How many went to the dead letters.
    pub dead_lettered: u64,
}

/// What an event type leads to.
enum Route {
    Event(EventHandler),
    Resource(Box<dyn ResourceView>),
}

/// What the threads of a service share.
struct Shared {
    client: EventClient,
    service: String,
    queue: String,
    topology: Topology,
    routes: HashMap<String, Route>,
    counts: Counts,
    state: Mutex<State>,
    stopping: AtomicBool,
    under_way: AtomicUsize,
    wake: (Sender<()>, Receiver<()>),
    done: (Sender<()>, Receiver<()>),
    held: (Sender<Held>, Receiver<Held>),
}

/// A message that is not to be handled before its time.
struct Held {
    eta: SystemTime,
    delivery: Delivery,
}

#[derive(Default)]
struct Counts {
    processed: AtomicU64,
    ignored: AtomicU64,
    failed: AtomicU64,
    expired: AtomicU64,
    dead_lettered: AtomicU64,
}

#[derive(Default)]
struct State {
    consuming: bool,
    last_delivery: Option<Instant>,
    last_error: Option<String>,
    drain_by: Option<Deadline>,
}

/// A worker's end of the work.
struct Jobs {
    requests: Receiver<Delivery>,
    events: Receiver<Delivery>,
}

impl Jobs {
    /// The next message, requests first, since somebody waits for them. `None` when no more
    /// will come.
    fn take(&self) -> Option<Delivery> {
        select_biased! {
            recv(self.requests) -> delivery => delivery.ok(),
            recv(self.events) -> delivery => delivery.ok(),
        }
    }
}

impl Service {
    /// A service that uses `client`'s connections for publishing, and one of its own for consuming.
    pub fn builder(client: &EventClient) -> ServiceBuilder {
        ServiceBuilder::new(client.clone())
    }

    fn start(shared: Arc<Shared>, workers: usize) -> Result<Self> {
        let first = listener::subscribe(&shared)?;
        let (events, events_out) = unbounded();
        let (requests, requests_out) = unbounded();
        for number in 0..=workers {
            // The last one has no events to take: never fewer than one for requests.
            let events = if number == workers { never() } else { events_out.clone() };
            let jobs = Jobs { requests: requests_out.clone(), events };
            let shared = Arc::clone(&shared);
            spawn(format!("zc-events-worker-{number}"), move || worker::run(&shared, &jobs))?;
        }
        let listener = Listener {
            events,
            requests,
            waiting: [requests_out, events_out],
            wake: shared.wake.1.clone(),
            held: shared.held.1.clone(),
            done: shared.done.1.clone(),
            shared: Arc::clone(&shared),
        };
        let (end, ended) = bounded::<()>(0);
        let thread = spawn("zc-events-listener".to_owned(), move || {
            // Lost with this thread, which wakes whoever waits for its end.
            let _end = end;
            listener.run(first)
        })?;
        Ok(Self { shared, thread: Some(thread), ended })
    }

    /// A handle to stop it with, or to ask how it is.
    #[must_use]
    pub fn handle(&self) -> ServiceHandle {
        ServiceHandle(Arc::clone(&self.shared))
    }

    /// How it is, without asking the broker.
    #[must_use]
    pub fn health(&self) -> ServiceHealth {
        self.shared.health()
    }

    /// Runs until SIGTERM or SIGINT, or until a handle stops it; then drains for at most
    /// `EVENTS_SHUTDOWN_TIMEOUT`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the system lets us have no signals. The service goes on
    /// until it is dropped, which is at once.
    pub fn run_until_signal(mut self) -> Result<Stopped> {
        let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(no_resource)?;
        let handle = signals.handle();
        let (caught, signal) = bounded(1);
        let waiting = spawn("zc-events-signals".to_owned(), move || {
            if let Some(signal) = signals.forever().next() {
                let _ = caught.send(signal);
            }
        })?;
        select! {
            recv(signal) -> signal => if let Ok(signal) = signal {
                log::info!("stopping on signal {signal}");
            },
            recv(self.ended) -> _ => {}
        }
        handle.close();
        let _ = waiting.join();
        Ok(self.finish(self.shared.client.settings().shutdown_timeout))
    }

    /// Takes no more messages, waits for the handlers that run, at most for `timeout`, and
    /// gives back what none has begun.
    #[must_use]
    pub fn stop(mut self, timeout: Duration) -> Stopped {
        self.finish(timeout)
    }

    fn finish(&mut self, timeout: Duration) -> Stopped {
        self.shared.stop(timeout);
        let abandoned = self.thread.take().map_or(0, |thread| thread.join().unwrap_or(0));
        if abandoned > 0 {
            log::warn!("{abandoned} handlers had not returned; their messages went back to the queue");
        }
        Stopped { abandoned }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.finish(self.shared.client.settings().shutdown_timeout);
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("queue", &self.shared.queue)
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

impl ServiceHandle {
    /// Asks it to stop, draining for at most `EVENTS_SHUTDOWN_TIMEOUT`. Returns at once.
    pub fn stop(&self) {
        self.0.stop(self.0.client.settings().shutdown_timeout);
    }

    /// How it is.
    #[must_use]
    pub fn health(&self) -> ServiceHealth {
        self.0.health()
    }
}

impl Shared {
    fn new(
        client: EventClient,
        service: String,
        queue: String,
        topology: Topology,
        routes: HashMap<String, Route>,
    ) -> Self {
        Self {
            client,
            service,
            queue,
            topology,
            routes,
            counts: Counts::default(),
            state: Mutex::default(),
            stopping: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            wake: bounded(1),
            done: bounded(1),
            held: unbounded(),
        }
    }

    fn clock(&self) -> &dyn Clock {
        self.client.inner().clock()
    }

    fn stop(&self, timeout: Duration) {
        let deadline = self.clock().deadline(timeout);
        self.state().drain_by.get_or_insert(deadline);
        self.stopping.store(true, Ordering::Release);
        self.wake();
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn drain_deadline(&self) -> Deadline {
        let drain_by = self.state().drain_by;
        drain_by.unwrap_or_else(|| self.clock().deadline(Duration::ZERO))
    }

    fn wake(&self) {
        // A message that is there already wakes as well.
        let _ = self.wake.0.try_send(());
    }

    fn hold(&self, held: Held) {
        // The receiver lives as long as this.
        let _ = self.held.0.send(held);
        self.wake();
    }

    fn begun(&self) {
        self.under_way.fetch_add(1, Ordering::AcqRel);
    }

    fn finished(&self) {
        self.under_way.fetch_sub(1, Ordering::AcqRel);
        let _ = self.done.0.try_send(());
    }

    fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Acquire)
    }

    fn count(&self, counter: impl FnOnce(&Counts) -> &AtomicU64) {
        counter(&self.counts).fetch_add(1, Ordering::Relaxed);
    }

    fn set_consuming(&self, consuming: bool) {
        self.state().consuming = consuming;
    }

    fn note_delivery(&self) {
        let now = self.clock().now();
        self.state().last_delivery = Some(now);
    }

    fn note_error(&self, error: &Error) {
        log::warn!("queue `{}` is not consumed, trying again: {error}", self.queue);
        self.state().last_error = Some(error.to_string());
    }

    fn health(&self) -> ServiceHealth {
        let state = self.state();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ServiceHealth {
            consuming: state.consuming,
            last_delivery: state.last_delivery,
            last_error: state.last_error.clone(),
            under_way: self.under_way(),
            processed: read(&self.counts.processed),
            ignored: read(&self.counts.ignored),
            failed: read(&self.counts.failed),
            expired: read(&self.counts.expired),
            dead_lettered: read(&self.counts.dead_lettered),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spawn<T: Send + 'static>(name: String, run: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>> {
    thread::Builder::new().name(name).spawn(run).map_err(no_resource)
}

fn no_resource(error: std::io::Error) -> Error {
    Error::Unavailable {
        what: "the system gives us no thread or no signal".to_owned(),
        outcome: Outcome::NotSent,
        source: Some(Box::new(error)),
    }
}
