//! A stub of remote services, on the broker and the store of any client. A `Fleet` has one of its own.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, bounded};
use zc_events::{Error, EventClient, Outcome, Result};
use zc_events_transport::{ExchangeKind, Queue, Topology};

use crate::expectations::Expectations;
use crate::harness::Harness;
use crate::responder::{Responder, bound_to_events};
use crate::stub_queue::StubQueue;
use crate::stub_report::StubReport;

/// A stub of remote services. It runs until it is dropped.
///
/// The stub consumes its own queue, which is bound to the exchange for events. It does not answer a request that matches
/// no expectation, because another service may. In a [`Fleet`](crate::Fleet) such a request is an error.
///
/// ```
/// use std::sync::Arc;
/// use zc_events::{EventClient, Settings};
/// use zc_events_testing::{Expectation, Expectations, Stub};
///
/// let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test").build()?;
/// let client = EventClient::new(settings)?;
/// let expectations = Arc::new(Expectations::new([Expectation::call("add").returns(3)]));
/// let stub = Stub::start(&client, "orders-stub", Arc::clone(&expectations), |report| println!("{report}"))?;
/// assert_eq!(client.get("add").fetch::<i64>()?, 3);
/// assert!(expectations.unmet().is_empty());
/// # Ok::<(), zc_events::Error>(())
/// ```
#[must_use = "a stub stops when it is dropped"]
pub struct Stub {
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Stub {
    /// Starts a stub with a durable queue of this name, which is declared if it is missing. Use a name that no service
    /// has. `report` is called for each request and call.
    ///
    /// # Errors
    /// As for [`ServiceBuilder::start`](zc_events::ServiceBuilder::start).
    pub fn start(
        client: &EventClient,
        queue: &str,
        expectations: Arc<Expectations>,
        report: impl Fn(StubReport) + Send + 'static,
    ) -> Result<Self> {
        let topology = bound_to_events(client, Queue::durable(queue));
        Self::run(responder(client, queue, Some(topology), expectations, report))
    }

    /// [`Stub::start`] with a temporary queue, which is deleted with the stub. The stub misses requests that are sent
    /// while its connection is lost.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use zc_events::{EventClient, Settings};
    /// use zc_events_testing::{Expectation, Expectations, Stub};
    ///
    /// let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test").build()?;
    /// let client = EventClient::new(settings)?;
    /// let expectations = Arc::new(Expectations::standing([Expectation::call("add").returns(3)]));
    /// let stub = Stub::temporary(&client, Arc::clone(&expectations), |report| println!("{report}"))?;
    /// assert_eq!((client.get("add").fetch::<i64>()?, client.get("add").fetch::<i64>()?), (3, 3));
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Stub::start`].
    pub fn temporary(
        client: &EventClient,
        expectations: Arc<Expectations>,
        report: impl Fn(StubReport) + Send + 'static,
    ) -> Result<Self> {
        Self::run(responder(client, "zc-events.stub", None, expectations, report))
    }

    /// Starts the stub of a fleet. It rejects each request that is neither expected nor handled by a service of the fleet.
    pub(crate) fn of_fleet(
        client: &EventClient,
        harness: &Arc<Harness>,
        expectations: Arc<Expectations>,
    ) -> Result<Self> {
        const QUEUE: &str = "testing.answers";
        let settings = client.settings();
        // The queue also stands for the rest of the fleet: without it, an event that no service handles would be unroutable.
        let topology = Topology::new()
            .exchange(settings.events_exchange(), ExchangeKind::Fanout)
            .exchange(settings.notifications_exchange(), ExchangeKind::Topic)
            .queue(Queue::durable(QUEUE))
            .bind(QUEUE, settings.events_exchange(), "")
            .bind(QUEUE, settings.notifications_exchange(), "#");
        let report = |report: StubReport| log::info!("TESTING: {report}");
        let responder = responder(client, QUEUE, Some(topology), expectations, report);
        harness.set_stub(Some(Arc::clone(&responder.queue)));
        Self::run(Responder { harness: Some(Arc::clone(harness)), ..responder })
    }

    fn run(responder: Responder) -> Result<Self> {
        let first = responder.start()?;
        let (stop, stopped) = bounded(0);
        let run = move || responder.run(first, &stopped);
        let thread = thread::Builder::new().name("zc-events-stub".to_owned()).spawn(run).map_err(no_thread)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

fn responder(
    client: &EventClient,
    queue: &str,
    topology: Option<Topology>,
    expectations: Arc<Expectations>,
    report: impl Fn(StubReport) + Send + 'static,
) -> Responder {
    let queue = Arc::new(StubQueue::new(queue));
    Responder { client: client.clone(), topology, queue, expectations, harness: None, report: Box::new(report) }
}

/// The error if the system gives no thread.
pub(crate) fn no_thread(error: io::Error) -> Error {
    let what = "the system gives no thread".to_owned();
    Error::Unavailable { what, outcome: Outcome::NotSent, source: Some(Box::new(error)) }
}

impl Drop for Stub {
    fn drop(&mut self) {
        let (closed, _) = bounded(0);
        drop(std::mem::replace(&mut self.stop, closed));
        if let Some(thread) = self.thread.take() {
            // The thread returns nothing.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stub").finish_non_exhaustive()
    }
}
