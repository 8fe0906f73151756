//! A service: how it is built (`service_builder`), what it runs (`handler`, `resource_view`), what a handler gets
//! (`handler_context`, `request_body`, `pagination`), what it may answer (`response`, `handler_error`, `field_errors`), and
//! when a failed event is retried (`retry`). `engine` passes messages through it.

mod engine;
mod field_errors;
mod handler;
mod handler_context;
mod handler_error;
mod kind;
mod monitor;
mod pagination;
mod request_body;
mod resource_view;
mod response;
mod retry;
mod service_builder;
mod service_health;
mod service_snapshot;
pub(crate) mod topology;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{bounded, select};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use self::engine::{Engine, EngineState};
use crate::Result;
use crate::thread::{no_resource, spawn};

pub use handler_context::Context;
pub use handler_error::HandlerError;
pub use monitor::{ConsumedQueueSnapshot, ServiceMonitor, ServiceSnapshot};
pub use pagination::Paging;
pub use resource_view::ResourceView;
pub use response::{Served, ViewResult};
pub(crate) use retry::RETRY_DELAYS;
pub use retry::Retry;
pub use service_builder::ServiceBuilder;
pub use service_health::ServiceHealth;

/// A running service. It consumes its queue, handles events and answers requests.
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
#[must_use = "a service stops when it is dropped"]
pub struct Service {
    state: Arc<EngineState>,
    engine: Engine,
}

/// The result of stopping a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// How many handlers had not returned by the deadline. Their messages went back to the queue.
    pub abandoned: usize,
}

/// Stops a service, or reads its health, from any thread.
#[derive(Clone)]
pub struct ServiceHandle(Arc<EngineState>);

impl Service {
    fn start(state: Arc<EngineState>) -> Result<Self> {
        let engine = engine::start(&state)?;
        let monitor = service_snapshot::monitor(&state);
        state.observers().tell(|observer| observer.service_started(&monitor));
        log::info!("service `{}` has started", state.service);
        Ok(Self { state, engine })
    }

    /// A handle that stops the service or reads its health.
    #[must_use]
    pub fn handle(&self) -> ServiceHandle {
        ServiceHandle(Arc::clone(&self.state))
    }

    /// The state of the service, without asking the broker.
    #[must_use]
    pub fn health(&self) -> ServiceHealth {
        self.state.health()
    }

    /// Runs until SIGTERM or SIGINT, or until a handle stops the service. Then it drains for at most
    /// `EVENTS_SHUTDOWN_TIMEOUT`.
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::Error::Unavailable) if the system cannot deliver signals to this program. The service
    /// is dropped and stops.
    pub fn run_until_signal(mut self) -> Result<Stopped> {
        let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(no_resource)?;
        let handle = signals.handle();
        let (caught, signal) = bounded(1);
        let waiting = spawn("zc-events-signals", move || {
            if let Some(signal) = signals.forever().next() {
                let _ = caught.send(signal);
            }
        })?;
        select! {
            recv(signal) -> signal => if let Ok(signal) = signal {
                let name = if signal == SIGTERM { "SIGTERM" } else { "SIGINT" };
                log::info!("{name} received; draining");
            },
            recv(self.engine.ended) -> _ => {}
        }
        handle.close();
        let _ = waiting.join();
        Ok(self.finish(self.state.client().settings().shutdown_timeout))
    }

    /// Stops consuming, waits for the running handlers for at most `timeout`, and requeues the messages that no worker has
    /// begun. If the broker does not answer, settling the last messages may take up to 10 s more.
    #[must_use]
    pub fn stop(mut self, timeout: Duration) -> Stopped {
        self.finish(timeout)
    }

    fn finish(&mut self, timeout: Duration) -> Stopped {
        let abandoned = self.engine.stop(timeout);
        let service = &self.state.service;
        match abandoned {
            0 => log::info!("service `{service}` has stopped"),
            1 => log::warn!(
                "service `{service}` has stopped; 1 handler had not finished: its message went back to the queue"
            ),
            _ => log::warn!(
                "service `{service}` has stopped; {abandoned} handlers had not finished: their messages went back to the queue"
            ),
        }
        Stopped { abandoned }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if !self.engine.is_stopped() {
            self.finish(self.state.client().settings().shutdown_timeout);
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("service", &self.state.service)
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

impl ServiceHandle {
    /// Tells the service to stop, and returns at once. The service drains for at most `EVENTS_SHUTDOWN_TIMEOUT`.
    pub fn stop(&self) {
        self.0.stop(self.0.client().settings().shutdown_timeout);
    }

    /// The state of the service.
    #[must_use]
    pub fn health(&self) -> ServiceHealth {
        self.0.health()
    }
}

impl fmt::Debug for ServiceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceHandle").field("service", &self.0.service).finish_non_exhaustive()
    }
}
