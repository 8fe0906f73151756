//! The queues of the service `orders`, and what tests read from their messages.

use zc_events::{Clock, Context, HandlerError, Value};
use zc_events_protocol::HeaderValue;
use zc_events_transport::{Broker, Delivery, Queue, Topology};

use super::{ManualFleet, PATIENCE};

pub(crate) const QUEUE: &str = "orders-events";
pub(crate) const DEAD: &str = "orders-events.dead";
pub(crate) const QUARANTINE: &str = "orders-events.quarantine";

pub(crate) fn header<'a>(letter: &'a Delivery, name: &str) -> Option<&'a HeaderValue> {
    letter.properties.headers.as_ref().and_then(|headers| headers.get(name))
}

pub(crate) fn reason(letter: &Delivery) -> &str {
    header(letter, "x-zc-reason").and_then(HeaderValue::as_str).unwrap_or_default()
}

pub(crate) fn nothing(_: &Context, _: Value) -> Result<(), HandlerError> {
    Ok(())
}

/// A queue that is there already, and refuses all that comes.
pub(crate) fn declare_full(fleet: &ManualFleet, queue: &str) {
    let arguments = [("x-max-length", HeaderValue::Int(0)), ("x-overflow", "reject-publish".into())];
    let full = Queue::durable(queue).arguments(arguments.map(|(name, value)| (name.to_owned(), value)).into());
    fleet.broker().declare(&Topology::new().queue(full), fleet.clock.deadline(PATIENCE)).unwrap();
}
