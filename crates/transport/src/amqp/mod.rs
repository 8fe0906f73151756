//! A broker on AMQP 0-9-1, RabbitMQ above all, through amiquip: the only folder that
//! names it. One connection publishes, each subscription has one of its own (a blocked
//! publisher must not block consumers).
//!
//! Errors of amiquip are told apart in `failure`; its want of deadlines is made good in
//! `watchdog`; `login` keeps credentials out of its logs; `guard` keeps from it what would
//! crash or mislead it.

mod ask;
mod backoff;
mod channel;
mod connection;
mod consumer;
mod consumer_thread;
mod convert;
mod declare;
mod failure;
pub(crate) mod guard;
mod handshake;
mod in_flight;
mod inequivalent;
mod inspect;
mod keeper;
mod ledger;
mod login;
mod node;
mod options;
mod probe;
mod publisher;
mod remove;
mod settlements;
mod socket;
mod tls_options;
mod url;
mod watchdog;

use std::sync::Arc;

use zc_events_protocol::{Deadline, Outcome, size_of_headers};

use crate::{Broker, ConsumeOptions, Error, Health, Inspection, Outgoing, Receipt, Result, Subscription, Topology};
use consumer::AmqpSubscription;
use convert::SHORT_STRING;
use publisher::Publisher;
use watchdog::Watchdog;

pub use options::AmqpOptions;
pub use probe::{NodeProbe, probe};
pub use url::BrokerUrl;
pub use zc_events_net::{ConnectFailure, ConnectStep, ConnectTrace, Probe};

/// Headers travel in one frame, and RabbitMQ's frames hold 128 KiB by default.
const MAX_HEADERS: usize = 120 * 1024;

/// A broker reached over AMQP. Clones share the connection. It connects when it is first
/// used. From then on a connection that was lost comes back by itself, with everything
/// declared that was declared before: after 0 to 200 ms, then after pauses that grow to at
/// most 3 s. A call that needs it meanwhile makes an attempt of its own.
///
/// A publish that fails because the connection had died unnoticed is repeated once, on a
/// new one: nothing had been sent. No other message is sent twice.
#[derive(Clone)]
pub struct AmqpBroker {
    publisher: Arc<Publisher>,
    max_body: usize,
}

impl AmqpBroker {
    /// A broker with these options. Connects to nothing yet.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the system gives us no thread.
    pub fn new(options: AmqpOptions) -> Result<Self> {
        let max_body = options.max_body;
        let publisher = Watchdog::start(Arc::clone(&options.clock))
            .and_then(|watchdog| Publisher::new(options, Arc::new(watchdog)))
            .map_err(|error| Error::Unavailable {
                what: "cannot start a thread".to_owned(),
                outcome: Outcome::NotSent,
                source: Some(Box::new(error)),
            })?;
        Ok(Self { publisher: Arc::new(publisher), max_body })
    }
}

impl Broker for AmqpBroker {
    fn declare(&self, topology: &Topology, deadline: Deadline) -> Result<()> {
        check_names(topology)?;
        self.publisher.declare(topology, deadline)
    }

    fn send(&self, message: &Outgoing<'_>, deadline: Deadline) -> Result<Receipt> {
        check(message, self.max_body)?;
        self.publisher.send(message, deadline)
    }

    fn subscribe(&self, queue: &str, options: ConsumeOptions, deadline: Deadline) -> Result<Box<dyn Subscription>> {
        self.subscribe_with(&Topology::default(), queue, options, deadline)
    }

    fn subscribe_with(
        &self,
        topology: &Topology,
        queue: &str,
        options: ConsumeOptions,
        deadline: Deadline,
    ) -> Result<Box<dyn Subscription>> {
        check_names(topology)?;
        short("a queue's name", queue)?;
        let (connection, closing) =
            self.publisher.open_connection(&format!("consuming queue `{queue}`"), topology, deadline)?;
        Ok(Box::new(AmqpSubscription::start(connection, queue, options, closing, deadline)?))
    }

    fn inspect(&self, wanted: &Topology, deadline: Deadline) -> Result<Inspection> {
        check_names(wanted)?;
        self.publisher.inspect(wanted, deadline)
    }

    fn remove(&self, topology: &Topology, deadline: Deadline) -> Result<()> {
        check_names(topology)?;
        self.publisher.remove(topology, deadline)
    }

    fn health(&self) -> Health {
        self.publisher.health()
    }

    fn close(&self, deadline: Deadline) -> Result<()> {
        self.publisher.close(deadline)
    }
}

fn check_names(topology: &Topology) -> Result<()> {
    for exchange in &topology.exchanges {
        short("an exchange's name", &exchange.name)?;
    }
    for queue in &topology.queues {
        short("a queue's name", &queue.name)?;
    }
    topology.bindings.iter().try_for_each(|binding| short("a binding key", &binding.routing_key))
}

/// What amiquip would cut off silently, or send and lose the connection for.
fn check(message: &Outgoing<'_>, max_body: usize) -> Result<()> {
    short("the exchange's name", message.exchange)?;
    short("the routing key", message.routing_key)?;
    let properties = message.properties;
    for (what, value) in [
        ("the content type", &properties.content_type),
        ("the content encoding", &properties.content_encoding),
        ("the correlation id", &properties.correlation_id),
        ("reply_to", &properties.reply_to),
        ("the expiration", &properties.expiration),
        ("the message id", &properties.message_id),
        ("the message's type", &properties.kind),
        ("the user id", &properties.user_id),
        ("the app id", &properties.app_id),
    ] {
        short(what, value.as_deref().unwrap_or_default())?;
    }
    if let Some(expiration) = &properties.expiration
        && expiration.parse::<u32>().is_err()
    {
        return Err(Error::Rejected {
            why: "the expiration is not a whole number of milliseconds below 2^32".to_owned(),
        });
    }
    if let Some(headers) = &properties.headers {
        limit("a header's name", convert::longest_name(headers), SHORT_STRING)?;
        limit("the headers", size_of_headers(headers), MAX_HEADERS)?;
    }
    limit("the body", message.body.len(), max_body)
}

fn short(what: &'static str, text: &str) -> Result<()> {
    limit(what, text.len(), SHORT_STRING)
}

fn limit(what: &'static str, size: usize, limit: usize) -> Result<()> {
    if size > limit { Err(Error::TooLarge { what, size, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zc_events_protocol::{HeaderValue, Headers, Properties};

    #[test]
    fn a_name_that_amiquip_would_cut_is_refused_however_deep_it_stands() {
        let inner = Headers::from([("n".repeat(256), HeaderValue::Null)]);
        let listed = Headers::from([("list".to_owned(), HeaderValue::List(vec![HeaderValue::Table(inner.clone())]))]);
        for headers in [inner, listed] {
            let properties = Properties { headers: Some(headers), ..Properties::default() };
            let message =
                Outgoing { exchange: "", routing_key: "", mandatory: true, properties: &properties, body: b"" };
            assert!(matches!(check(&message, 1), Err(Error::TooLarge { size: 256, limit: 255, .. })));
        }
    }
}
