//! An exchange and queues that no other program uses, on the real servers: for measurements, tests and trials beside a running
//! fleet.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::{EventClient, Result};

/// The broker deletes an unused queue of a sandbox after this time. Each use or declaration starts the time again.
const EXPIRES: Duration = Duration::from_secs(600);
/// The limit of removing a dropped sandbox.
const DROP_TIMEOUT: Duration = Duration::from_secs(10);

/// A temporary exchange and service on the servers of a client; made by [`EventClient::sandbox`]. The fleet does not receive what
/// is emitted in the sandbox, and the sandbox does not receive what the fleet emits.
///
/// [`Sandbox::remove`], or dropping it, deletes everything that its clients and services have declared, including messages. If
/// neither happens (the process is killed, the connection is lost), the broker deletes each queue after ten minutes without use.
pub struct Sandbox {
    client: EventClient,
    /// Whether the sandbox opened the connections of its client.
    owns_connections: bool,
    removed: bool,
}

impl EventClient {
    /// Makes a [`Sandbox`] on this client's servers, with its own connections. Its exchange and its service are named
    /// `<SERVICE_NAME>-<purpose>-<unique>`; all other settings are this client's. Connects to nothing yet.
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
    /// sandbox.remove(Duration::from_secs(5))?;
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) if the purpose has characters that a name may not have, or is too long;
    /// [`Error::Unavailable`](crate::Error::Unavailable) if the system gives no thread.
    pub fn sandbox(&self, purpose: &str) -> Result<Sandbox> {
        let settings = self.settings();
        let unique = Uuid::new_v4().simple().to_string();
        let service = settings.service_name().unwrap_or("zc-events");
        let name = format!("{service}-{purpose}-{}", unique.get(..12).unwrap_or(&unique));
        let settings = settings.clone().in_a_sandbox(name, EXPIRES)?;
        // A broker in memory cannot be opened a second time, so the sandbox shares the client's.
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
    /// The client for the sandbox and its services. It is closed with the sandbox.
    #[must_use]
    pub fn client(&self) -> &EventClient {
        &self.client
    }

    /// Closes the connections of the sandbox and deletes everything in it. In memory, stop its services first: a running
    /// service would declare its queues again.
    ///
    /// # Errors
    /// [`Error::Rejected`](crate::Error::Rejected), [`Error::Unavailable`](crate::Error::Unavailable),
    /// [`Error::Timeout`](crate::Error::Timeout): queues may remain for ten minutes.
    pub fn remove(mut self, timeout: Duration) -> Result<()> {
        self.clear(timeout)
    }

    fn clear(&mut self, timeout: Duration) -> Result<()> {
        if std::mem::replace(&mut self.removed, true) {
            return Ok(());
        }
        let inner = self.client.inner();
        let (topology, deadline) = (inner.settings.topology(), inner.deadline(timeout));
        if !self.owns_connections {
            return Ok(inner.broker.remove(&topology, deadline)?);
        }
        // Closed first, and removed over a connection of its own: a service that still runs would declare its queues again.
        let closed = inner.broker.close(inner.deadline(timeout / 2));
        let broker = inner.settings.open_broker()?;
        let removed = broker.remove(&topology, deadline);
        let closed = closed.and(broker.close(deadline));
        Ok(removed.and(closed)?)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Err(error) = self.clear(DROP_TIMEOUT) {
            log::warn!("cannot remove the sandbox; the broker deletes it in ten minutes: {error}");
        }
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("exchange", &self.client.settings().events_exchange).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Error, Event, HandlerError, Retry, Service, Settings, Value};
    use zc_events_transport::{Presence, Topology};

    fn fleet() -> EventClient {
        let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test");
        EventClient::new(settings.service_name("orders").build().unwrap()).unwrap()
    }

    fn is_there(client: &EventClient, topology: &Topology) -> Vec<String> {
        let inner = client.inner();
        let found = inner.broker.inspect(topology, inner.deadline(DROP_TIMEOUT)).unwrap();
        let exchanges = found.exchanges.into_iter().map(|it| (it.name, it.presence));
        let queues = found.queues.into_iter().map(|it| (it.name, it.presence));
        exchanges.chain(queues).filter(|(_, standing)| *standing != Presence::Missing).map(|(name, _)| name).collect()
    }

    #[test]
    fn a_sandbox_is_separate_from_the_fleet_and_leaves_nothing() {
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
        assert_eq!(events.recv_timeout(DROP_TIMEOUT), Ok("sandbox"));
        fleet.emit(&Event::new("it")).unwrap();
        assert_eq!(events.recv_timeout(DROP_TIMEOUT), Ok("fleet"));
        // An event that waits for another attempt has its own queue.
        sandbox.client().emit(&Event::new("bad")).unwrap();
        let all = sandbox.client().settings().topology();
        while !is_there(&fleet, &all).iter().any(|name| name.contains(".retry.")) {
            std::thread::yield_now();
        }
        assert_eq!(service.stop(DROP_TIMEOUT).abandoned, 0);
        sandbox.remove(DROP_TIMEOUT).unwrap();
        assert_eq!(is_there(&fleet, &all), Vec::<String>::new());
        assert!(events.is_empty());
        fleet.emit(&Event::new("it")).unwrap();
        assert_eq!(events.recv_timeout(DROP_TIMEOUT), Ok("fleet"));
        assert_eq!(ours.stop(DROP_TIMEOUT).abandoned, 0);
    }

    #[test]
    fn dropping_a_sandbox_removes_it_and_its_queues_expire() {
        let fleet = fleet();
        let sandbox = fleet.sandbox("try").unwrap();
        assert!(matches!(sandbox.client().emit(&Event::new("it")), Err(Error::Unroutable { .. })));
        let all = sandbox.client().settings().topology();
        assert_eq!(is_there(&fleet, &all), [sandbox.client().settings().events_exchange()]);
        let fitted = sandbox.client().settings().fitted(Topology::new().dead_queue("q"));
        assert_eq!(fitted.queues[0].arguments["x-expires"], 600_000.into());
        drop(sandbox);
        assert_eq!(is_there(&fleet, &all), Vec::<String>::new());
    }

    #[test]
    fn a_purpose_must_be_valid_in_a_name() {
        assert!(matches!(fleet().sandbox("line\nend"), Err(Error::Config { .. })));
        assert!(matches!(fleet().sandbox(&"x".repeat(300)), Err(Error::Config { .. })));
    }
}
