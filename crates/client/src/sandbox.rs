//! A part of the real servers that is nobody else's: for measurements, for tests against real servers, for trying things
//! out beside a running fleet.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use zc_events_protocol::names;
use zc_events_transport::{ExchangeKind, Queue, Topology};

use crate::service::RUNGS;
use crate::{EventClient, Result, Settings};

/// How long a queue outlives its use where the sandbox could not be removed. Redeclared by each new connection, it
/// begins anew.
const OUTLIVES: Duration = Duration::from_secs(600);
/// How long dropping a sandbox may take.
const GOODBYE: Duration = Duration::from_secs(10);

/// An exchange and queues of one's own, with a client for them, on the servers of the settings; made by
/// [`EventClient::sandbox`]. No service of the fleet sees what is emitted here, and nothing here sees theirs.
///
/// Removing it, or dropping it, deletes all that clients and services of it have declared, with all messages. Where
/// neither happens (the process is killed, the connection is lost), the broker does it by itself, ten minutes after the
/// last use of a queue.
pub struct Sandbox {
    client: EventClient,
    /// Whether the client's connections are its own.
    owns_connections: bool,
    removed: bool,
}

impl EventClient {
    /// A [`Sandbox`] on this client's servers, with connections of its own. Its exchange is named
    /// `<SERVICE_NAME>-<purpose>-<something new>`, and so is its service. Connects to nothing yet. Nothing but names differs from
    /// this client's settings.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zc_events::{Context, EventClient, Service, Settings};
    /// # let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test").build()?;
    /// let client = EventClient::new(settings)?; // of the fleet
    /// let sandbox = client.sandbox("try")?;
    /// let service = Service::builder(sandbox.client()).call("add", |_: &Context, (x, y): (i64, i64)| Ok(x + y)).start()?;
    /// assert_eq!(sandbox.client().get("add").data((1, 2))?.fetch::<i64>()?, 3);
    /// assert_eq!(service.stop(Duration::from_secs(5)).abandoned, 0);
    /// sandbox.remove(Duration::from_secs(5))?; // nothing is left of it
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) where the purpose is no part of a name, or too long;
    /// [`Error::Unavailable`](crate::Error::Unavailable) where the system gives us no thread.
    pub fn sandbox(&self, purpose: &str) -> Result<Sandbox> {
        let settings = self.settings();
        let unique = Uuid::new_v4().simple().to_string();
        let whose = settings.service_name().unwrap_or("zc-events");
        let name = format!("{whose}-{purpose}-{}", unique.get(..12).unwrap_or(&unique));
        let settings = settings.clone().in_a_sandbox(name, OUTLIVES)?;
        // What is in memory is shared by whoever has it, and cannot be opened a second time.
        let owns_connections = settings.amqp_options().is_some();
        let opens_store = settings.redis_options()?.is_some();
        let mut builder = Self::builder(settings);
        if !owns_connections {
            builder = builder.broker(Arc::clone(&self.inner().broker));
        }
        if let (false, Ok(store)) = (opens_store, self.inner().store()) {
            builder = builder.reply_store(Arc::clone(store));
        }
        Ok(Sandbox { client: builder.build()?, owns_connections, removed: false })
    }
}

impl Sandbox {
    /// A client for it, and for its services, whose `SERVICE_NAME` its settings have. It is closed with the sandbox.
    #[must_use]
    pub fn client(&self) -> &EventClient {
        &self.client
    }

    /// Deletes all of it, and closes its connections. Its services are to be stopped before: a running one would
    /// declare its queues again.
    ///
    /// # Errors
    /// [`Error::Rejected`](crate::Error::Rejected), [`Error::Unavailable`](crate::Error::Unavailable),
    /// [`Error::Timeout`](crate::Error::Timeout): something may be left, for ten minutes.
    pub fn remove(mut self, timeout: Duration) -> Result<()> {
        self.clear(timeout)
    }

    fn clear(&mut self, timeout: Duration) -> Result<()> {
        if std::mem::replace(&mut self.removed, true) {
            return Ok(());
        }
        let inner = self.client.inner();
        let deadline = inner.deadline(timeout);
        let removed = inner.broker.remove(&everything(&inner.settings), deadline);
        let closed = if self.owns_connections { inner.broker.close(deadline) } else { Ok(()) };
        Ok(removed.and(closed)?)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Err(error) = self.clear(GOODBYE) {
            log::warn!("a sandbox was not removed, and goes by itself in ten minutes: {error}");
        }
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("exchange", &self.client.settings().events_exchange).finish_non_exhaustive()
    }
}

/// All that clients and services with these settings may have declared.
fn everything(settings: &Settings) -> Topology {
    let mut topology = Topology::new()
        .exchange(&settings.events_exchange, ExchangeKind::Fanout)
        .exchange(&settings.notifications_exchange, ExchangeKind::Topic);
    let service = settings.service_name().unwrap_or_default();
    let own = [names::events_queue, names::quarantine_queue, names::dead_letter_queue, names::notifications_queue];
    let delayed = [names::retry_queue, names::notifications_retry_queue];
    let queues = own
        .into_iter()
        .map(|name| name(service))
        .chain(RUNGS.iter().flat_map(|delay| delayed.map(|name| name(service, *delay))));
    for queue in queues {
        topology = topology.queue(Queue::durable(queue));
    }
    topology
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Error, Event, HandlerError, Retry, Service, Value};
    use zc_events_transport::Standing;

    fn fleet() -> EventClient {
        let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test");
        EventClient::new(settings.service_name("orders").build().unwrap()).unwrap()
    }

    fn is_there(client: &EventClient, topology: &Topology) -> Vec<String> {
        let inner = client.inner();
        let found = inner.broker.inspect(topology, inner.deadline(GOODBYE)).unwrap();
        let exchanges = found.exchanges.into_iter().map(|it| (it.name, it.standing));
        let queues = found.queues.into_iter().map(|it| (it.name, it.standing));
        exchanges.chain(queues).filter(|(_, standing)| *standing != Standing::Missing).map(|(name, _)| name).collect()
    }

    #[test]
    fn a_sandbox_hears_nobody_and_is_heard_by_nobody_and_leaves_nothing() {
        let fleet = fleet();
        let (seen, events) = crossbeam_channel::unbounded();
        let others = seen.clone();
        let ours =
            Service::builder(&fleet).on("it", move |_: &Context, _: Value| Ok(others.send("fleet")?)).start().unwrap();
        let sandbox = fleet.sandbox("try").unwrap();
        assert!(sandbox.client().settings().service_name().unwrap().starts_with("orders-try-"));
        let service = Service::builder(sandbox.client())
            .on("it", move |_: &Context, _: Value| Ok(seen.send("sandbox")?))
            .on("bad", |_: &Context, _: Value| Err(HandlerError::new("again")))
            .retry(Retry::attempts(3))
            .start()
            .unwrap();
        sandbox.client().emit(&Event::new("it")).unwrap();
        assert_eq!(events.recv_timeout(GOODBYE), Ok("sandbox"));
        fleet.emit(&Event::new("it")).unwrap();
        assert_eq!(events.recv_timeout(GOODBYE), Ok("fleet"));
        // One that waits for another attempt has a queue of its own.
        sandbox.client().emit(&Event::new("bad")).unwrap();
        let all = everything(sandbox.client().settings());
        while !is_there(&fleet, &all).iter().any(|name| name.contains(".retry.")) {
            std::thread::yield_now();
        }
        assert_eq!(service.stop(GOODBYE).abandoned, 0);
        sandbox.remove(GOODBYE).unwrap();
        assert_eq!(is_there(&fleet, &all), Vec::<String>::new());
        assert!(events.is_empty());
        fleet.emit(&Event::new("it")).unwrap();
        assert_eq!(events.recv_timeout(GOODBYE), Ok("fleet"));
        assert_eq!(ours.stop(GOODBYE).abandoned, 0);
    }

    #[test]
    fn dropping_it_removes_it_and_what_it_declares_goes_by_itself() {
        let fleet = fleet();
        let sandbox = fleet.sandbox("try").unwrap();
        assert!(matches!(sandbox.client().emit(&Event::new("it")), Err(Error::Unroutable { .. })));
        let all = everything(sandbox.client().settings());
        assert_eq!(is_there(&fleet, &all), [sandbox.client().settings().events_exchange()]);
        let fitted = sandbox.client().settings().fitted(Topology::new().dead_queue("q"));
        assert_eq!(fitted.queues[0].arguments["x-expires"], 600_000.into());
        drop(sandbox);
        assert_eq!(is_there(&fleet, &all), Vec::<String>::new());
    }

    #[test]
    fn a_purpose_is_part_of_a_name() {
        assert!(matches!(fleet().sandbox("line\nend"), Err(Error::Config { .. })));
        assert!(matches!(fleet().sandbox(&"x".repeat(300)), Err(Error::Config { .. })));
    }
}
