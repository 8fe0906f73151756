//! Watches the messages of the exchanges through a temporary queue. Services receive them as before.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use zc_events_transport::{ConsumeOptions, ExchangeKind, Queue, Subscription, Topology};

use crate::observe::WaitFor;
use crate::{EventClient, Message, Result};

/// How long connecting and declaring may take.
const CONNECT: Duration = Duration::from_secs(15);
/// How many messages the broker sends ahead.
const PREFETCH: u16 = 500;

/// The exchanges to watch; see [`EventClient::watch`].
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

/// The messages of the watched exchanges; see [`EventClient::watch`].
pub struct Watch {
    client: EventClient,
    queue: Arc<str>,
    subscription: Box<dyn Subscription>,
}

impl Watch {
    /// Waits for the next message, for at most `timeout`; `None` if there was none.
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::Error::Unavailable): the connection was lost, and the temporary queue was deleted. A new
    /// watch misses the messages in between.
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
    /// The [watched](EventClient::watch) exchanges that do not exist. Declares nothing. Unless this is the first program of
    /// the fleet, a name is wrong, usually `STAGING_NAME`.
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

    /// Watches the messages of the exchanges from now on, through a temporary queue that is deleted with the [`Watch`].
    /// Services receive their messages as before. Missing exchanges are declared. The queue holds 10,000 messages or 64 MiB;
    /// if [`Watch::next`] is not called for long, the oldest are dropped.
    ///
    /// The queue is bound to the exchanges, so an event without a bound service is delivered to the watch and is not
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
