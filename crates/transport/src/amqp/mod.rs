//! A broker on AMQP 0-9-1, such as RabbitMQ, through amiquip. Only this folder names amiquip. One connection publishes;
//! each subscription has its own, since a broker that blocks publishers must not block consumers.
//!
//! `failure` tells amiquip's errors apart, `watchdog` adds deadlines to it, `login` keeps credentials out of its logs,
//! and `guard` keeps bytes from it that would crash or mislead it.

mod backoff;
mod channel;
mod closing_channel;
mod connection;
mod connection_manager;
mod consumer;
mod consumer_thread;
mod convert;
mod declare;
mod failure;
pub(crate) mod guard;
mod handshake;
mod in_flight;
mod inspect;
mod login;
mod message_ids;
mod node;
mod options;
mod precondition_failed;
mod probe;
mod publisher;
mod reconnect;
mod remove;
mod settlements;
mod socket;
mod throwaway_channel;
mod tls_options;
mod unconfirmed;
mod url;
mod watchdog;

use std::fmt;
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

/// The headers must fit into one frame, which holds 128 KiB by default in RabbitMQ.
const MAX_HEADERS: usize = 120 * 1024;

/// A broker that is reached over AMQP. Clones share the connection. It connects when it is first used.
///
/// A lost connection is restored in the background, with all topologies declared again: after 0 to 200 ms, then after
/// pauses that grow to at most 3 s. A call that needs the connection meanwhile makes an attempt of its own.
///
/// If a publish fails because the connection had ended unnoticed, nothing was sent, and the publish is repeated once on
/// a new connection. No other message is sent twice.
#[derive(Clone)]
pub struct AmqpBroker {
    publisher: Arc<Publisher>,
    max_body: usize,
}

impl AmqpBroker {
    /// A broker with these options. It does not connect yet.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the system refuses a thread.
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

impl fmt::Debug for AmqpBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpBroker").field("options", self.publisher.options()).finish_non_exhaustive()
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

/// Refuses messages that amiquip would truncate silently, or that would cost the connection.
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
    fn a_header_name_that_amiquip_would_truncate_is_refused_at_any_depth() {
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
