//! A service: how it is started, stopped, asked. What it handles is said in `builder`.
//!
//! A message's way: `listener` takes it from a `lane`'s queue, `worker` reads it and finds it in `routes`, `admit` asks
//! `seen` and `dedup` whether it was there before, a handler (`handler`, `context`) or a view (`view`, `answer`) or a
//! function (`call`) does the work, and `work` ends it: done, or on an `errand`, through `forward`, into a queue of its
//! service, with its `history` in the headers. `retry` says when; `keeper` looks after handlers on the `roll` that do
//! not return.

mod admit;
mod answer;
mod asked;
mod builder;
mod call;
mod context;
mod dedup;
mod dispatch;
mod errand;
mod failure;
mod forward;
mod handle;
mod handler;
mod health;
mod history;
mod idle;
mod keeper;
mod lane;
mod listener;
mod monitor;
mod paging;
mod retry;
mod roll;
mod routes;
mod seen;
mod shared;
pub(crate) mod topology;
mod view;
mod wording;
mod work;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, never, select, unbounded};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use zc_events_protocol::{Outcome, clock};

use self::lane::{Brings, Lane};
use self::listener::Listener;
use self::shared::Shared;
use self::worker::Jobs;
use crate::observe::WaitFor;
use crate::{Error, EventClient, Result};

pub use builder::ServiceBuilder;
pub use context::Context;
pub use failure::HandlerError;
pub use health::ServiceHealth;
pub use monitor::{ConsumedQueueSnapshot, ServiceMonitor, ServiceSnapshot};
pub use paging::Paging;
pub(crate) use retry::RUNGS;
pub use retry::Retry;
pub use view::{ResourceView, Served, ViewResult};

/// How long, beyond its time, a service that stops may take to hand in verdicts and close its connections.
const GOODBYE: Duration = Duration::from_secs(10);

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
    /// The listeners, that of events first.
    listeners: Vec<JoinHandle<usize>>,
    /// Lost, it ends the keeper.
    keeper: Option<Sender<()>>,
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

impl Service {
    /// A service that uses `client`'s connections for publishing, and one of its own for consuming.
    pub fn builder(client: &EventClient) -> ServiceBuilder {
        ServiceBuilder::new(client.clone())
    }

    fn start(shared: Arc<Shared>) -> Result<Self> {
        let subscribe = |lane: &Arc<Lane>| Ok((Arc::clone(lane), listener::subscribe(&shared, lane)?));
        let subscriptions = shared.lanes.iter().map(subscribe).collect::<Result<Vec<_>>>()?;
        // It is so already, though its threads have yet to begin.
        shared.lanes.iter().for_each(|lane| lane.set_consuming(true));
        let (events, events_out) = unbounded();
        let (requests, requests_out) = unbounded();
        let jobs = Jobs { requests: requests_out, events: events_out, takes_events: true };
        shared.idle.watch(&jobs);
        for _ in 0..shared.workers {
            worker::spawn(&shared, &jobs)?;
        }
        // One that has no events to take: a service that asks itself would wait for itself.
        worker::spawn(&shared, &Jobs { events: never(), takes_events: false, ..jobs.clone() })?;
        let (end, ended) = bounded::<()>(0);
        let mut listeners = Vec::new();
        for (lane, first) in subscriptions {
            let listener = Listener {
                shared: Arc::clone(&shared),
                lane,
                events: events.clone(),
                requests: requests.clone(),
                waiting: [jobs.requests.clone(), jobs.events.clone()],
            };
            let end = end.clone();
            let name = match listener.lane.brings {
                Brings::Events => "zc-events-listener",
                Brings::Notifications => "zc-events-notifications",
                Brings::Suspects => "zc-events-quarantine",
            };
            listeners.push(thread(name.to_owned(), move || {
                // Lost with the last of these threads, which wakes whoever waits for their end.
                let _end = end;
                listener.run(first)
            })?);
        }
        let (stop, stopped) = bounded(0);
        let keeping = Arc::clone(&shared);
        thread("zc-events-keeper".to_owned(), move || keeper::run(&keeping, &stopped))?;
        let monitor = ServiceMonitor::new(&shared);
        shared.observers().tell(|observer| observer.service_started(&monitor));
        log::info!("service `{}` has started", shared.service);
        Ok(Self { shared, listeners, keeper: Some(stop), ended })
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
        let waiting = thread("zc-events-signals".to_owned(), move || {
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
    /// gives back what none has begun. Handing in the last verdicts may take up to 10 s more
    /// where the broker does not answer.
    #[must_use]
    pub fn stop(mut self, timeout: Duration) -> Stopped {
        self.finish(timeout)
    }

    fn finish(&mut self, timeout: Duration) -> Stopped {
        self.shared.observers().tell(|observer| observer.service_stopping(&self.shared.service));
        self.shared.stop(timeout);
        let clock = self.shared.clock();
        let listeners: Vec<_> = self.listeners.drain(..).collect();
        // A listener that is connecting, say, looks up when that has ended; it is not waited for.
        let deadline = clock.deadline(timeout.saturating_add(GOODBYE));
        let wait = || clock::receive(clock, &self.ended, deadline);
        let ended = self.shared.client.waiting(WaitFor::Stop, deadline, wait);
        let abandoned = match ended {
            Err(RecvTimeoutError::Timeout) => self.shared.lanes.iter().map(|lane| lane.under_way()).sum(),
            _ => listeners.into_iter().map(|listener| listener.join().unwrap_or(0)).sum(),
        };
        // It ends by itself.
        drop(self.keeper.take());
        match abandoned {
            0 => log::info!("service `{}` has stopped", self.shared.service),
            _ => log::warn!("{abandoned} handlers had not returned; their messages went back to the queue"),
        }
        Stopped { abandoned }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if !self.listeners.is_empty() {
            self.finish(self.shared.client.settings().shutdown_timeout);
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("service", &self.shared.service)
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

pub(crate) fn thread<T: Send + 'static>(
    name: String,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    thread::Builder::new().name(name).spawn(run).map_err(no_resource)
}

pub(crate) fn no_resource(error: std::io::Error) -> Error {
    Error::Unavailable {
        what: "the system gives us no thread or no signal".to_owned(),
        outcome: Outcome::NotSent,
        source: Some(Box::new(error)),
    }
}
