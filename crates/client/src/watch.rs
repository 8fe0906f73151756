//! Looking on: what passes over the exchanges, through a temporary queue that takes nothing from anybody.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use zc_events_transport::{ConsumeOptions, ExchangeKind, Queue, Subscription, Topology};

use crate::observe::WaitFor;
use crate::{EventClient, Message, Result};

/// How long connecting and declaring may take.
const CONNECT: Duration = Duration::from_secs(15);
/// How many messages are under way to whoever looks on.
const PREFETCH: u16 = 500;

/// What is looked at; see [`EventClient::watch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Watched {
    /// The exchange for events: events, requests and calls.
    Events,
    /// The exchange for notifications.
    Notifications,
    /// Both.
    All,
}

/// What passes over the exchanges; made by [`EventClient::watch`].
pub struct Watch {
    client: EventClient,
    queue: Arc<str>,
    subscription: Box<dyn Subscription>,
}

impl Watch {
    /// The next message, waited for at most so long; `None` where none came.
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::Error::Unavailable): the connection is lost, and the temporary queue with it. What
    /// passes until somebody watches anew is not seen.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Message>> {
        let inner = self.client.inner();
        let deadline = inner.deadline(timeout);
        let subscription = &mut self.subscription;
        let next =
            self.client.waiting(WaitFor::Message { queue: &self.queue }, deadline, || subscription.next(deadline))?;
        let Some(delivery) = next else { return Ok(None) };
        delivery.settler.ack();
        let (exchange, key, limits) = (&delivery.exchange, &delivery.routing_key, &inner.settings.limits);
        Ok(Some(Message::read(exchange, key, &delivery.properties, &delivery.body, limits)))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl EventClient {
    /// Which of the exchanges that are [watched](EventClient::watch) are not there. Nothing is declared. Where it is not the
    /// first program of a fleet that asks, a name is wrong: `STAGING_NAME` as a rule.
    ///
    /// ```
    /// use zc_events::{EventClient, Settings, Watched};
    /// let settings = Settings::builder().broker_url("memory://").staging_name("test").build()?;
    /// let client = EventClient::new(settings)?;
    /// assert_eq!(client.missing_exchanges(Watched::Events)?, ["microservice-events-test"]);
    /// let _watch = client.watch(Watched::Events)?;
    /// assert!(client.missing_exchanges(Watched::Events)?.is_empty());
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`EventClient::watch`].
    pub fn missing_exchanges(&self, watched: Watched) -> Result<Vec<String>> {
        let (inner, settings) = (self.inner(), self.settings());
        let mut wanted = Topology::new();
        if watched != Watched::Notifications {
            wanted = wanted.exchange(&settings.events_exchange, ExchangeKind::Fanout);
        }
        if watched != Watched::Events {
            wanted = wanted.exchange(&settings.notifications_exchange, ExchangeKind::Topic);
        }
        let found = inner.broker.inspect(&wanted, inner.deadline(CONNECT))?;
        let missing = found.exchanges.into_iter().filter(|exchange| !exchange.presence.exists());
        Ok(missing.map(|exchange| exchange.name).collect())
    }

    /// Looks on at what passes over the exchanges from now on, through a temporary queue of its own, which goes with
    /// the [`Watch`]. Nothing is taken from any service. The exchanges are declared where they are missing. Whoever does not
    /// ask for the [next](Watch::next) one for long misses the oldest: the queue holds 10,000 messages and 64 MiB.
    ///
    /// The queue is bound: while it is, an event that no service is bound for is delivered, to whoever looks on, and is no
    /// [`Error::Unroutable`](crate::Error::Unroutable).
    ///
    /// ```
    /// use std::time::Duration;
    /// use zc_events::{Event, EventClient, Settings, Watched};
    /// let settings = Settings::builder().broker_url("memory://").staging_name("test").build()?;
    /// let client = EventClient::new(settings)?;
    /// let mut watch = client.watch(Watched::Events)?;
    /// client.emit(&Event::new("order_created").resource("Order", 5))?;
    /// let message = watch.next(Duration::from_secs(5))?.expect("it passes");
    /// assert_eq!((message.event_type(), &message.kwargs()["resource_id"]), ("order_created", &5.into()));
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::Error::Unavailable), [`Error::Rejected`](crate::Error::Rejected),
    /// [`Error::Timeout`](crate::Error::Timeout).
    pub fn watch(&self, watched: Watched) -> Result<Watch> {
        let (inner, settings) = (self.inner(), self.settings());
        let queue = format!("zc-events.watch.{}", Uuid::new_v4().simple());
        let mut topology = Topology::new().queue(Queue::temporary(&queue));
        if watched != Watched::Notifications {
            let exchange = &settings.events_exchange;
            topology = topology.exchange(exchange, ExchangeKind::Fanout).bind(&queue, exchange, "");
        }
        if watched != Watched::Events {
            let exchange = &settings.notifications_exchange;
            topology = topology.exchange(exchange, ExchangeKind::Topic).bind(&queue, exchange, "#");
        }
        let (topology, options) = (settings.fitted(topology), ConsumeOptions { prefetch: PREFETCH });
        let subscription = inner.broker.subscribe_with(&topology, &queue, options, inner.deadline(CONNECT))?;
        Ok(Watch { client: self.clone(), queue: queue.into(), subscription })
    }
}
