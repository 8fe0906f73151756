//! What happened in a fleet: messages that were sent, how services settled them, dead letters.

#![allow(clippy::panic, reason = "a test fails by panicking, and tests call this")]

use std::time::Duration;

use zc_events::{DeadLetter, Event, Message, Settlement};
use zc_events_protocol::{Clock, Deadline, Limits, names};
use zc_events_transport::memory::Published;
use zc_events_transport::{Broker, ConsumeOptions};

use crate::fleet::Fleet;
use crate::settled_message::SettledMessage;

impl Fleet {
    /// All messages that any client sent to the exchanges so far, in order: events, requests, calls and notifications.
    /// Retries and dead letters are not included.
    #[must_use]
    pub fn sent(&self) -> Vec<Message> {
        let published = self.harness.broker.published();
        let sent = published.iter().filter(|published| !published.exchange().is_empty());
        let read = |it: &Published| {
            Message::read(it.exchange(), it.routing_key(), it.properties(), it.body(), &Limits::default())
        };
        sent.map(read).collect()
    }

    /// The messages of [`Fleet::sent`] that have this event type: `order_created`, `order_request`, or the key of a call.
    #[must_use]
    pub fn emitted(&self, event_type: &str) -> Vec<Message> {
        self.sent().into_iter().filter(|message| message.event_type() == event_type).collect()
    }

    /// How services settled the event so far, in order. Services that do not handle its type are not included.
    #[must_use]
    pub fn settlements(&self, event: &Event) -> Vec<Settlement> {
        let settled = self.all_settlements().into_iter().filter(|message| is_of(message, event));
        settled.map(|message| message.settlement).collect()
    }

    /// How services settled all messages so far, in order.
    #[must_use]
    pub fn all_settlements(&self) -> Vec<SettledMessage> {
        self.harness.settled()
    }

    /// The dead letters of a service, oldest first. They stay in their queue.
    ///
    /// # Panics
    /// If the broker is down.
    #[must_use]
    #[track_caller]
    pub fn dead_letters(&self, service: &str) -> Vec<DeadLetter> {
        let (broker, queue) = (&self.harness.broker, names::dead_letter_queue(service));
        if broker.queue_len(&queue).is_none() {
            return Vec::new();
        }
        let options = ConsumeOptions { prefetch: u16::MAX };
        let letters = broker.subscribe(&queue, options, self.now()).and_then(|deliveries| {
            let mut letters = Vec::new();
            while let Some(delivery) = deliveries.next(self.now())? {
                letters.push(DeadLetter::read(&delivery, &Limits::default()));
            }
            Ok(letters)
        });
        letters.unwrap_or_else(|error| panic!("cannot read the dead letters of {service:?}: {error}"))
    }

    fn now(&self) -> Deadline {
        self.harness.clock.deadline(Duration::ZERO)
    }

    /// Waits until each service that handles the event has settled it finally, retries included, and returns the final
    /// settlements. The clock moves as for [`Fleet::until`].
    ///
    /// # Panics
    /// As for [`Fleet::until`], and if no running service handles the event type.
    #[must_use]
    #[track_caller]
    pub fn until_settled(&self, event: &Event) -> Vec<Settlement> {
        let event_type = event.event_type();
        let handlers = self.harness.handlers_of(event_type);
        if handlers.is_empty() {
            let stopped = if self.harness.has_handled(event_type) { ": the service that did has stopped" } else { "" };
            panic!("no service of this fleet handles `{event_type}`{stopped}");
        }
        let has_settled = |service: &String| {
            let mut settled = self.harness.settled().into_iter();
            settled.any(|it| it.service == *service && is_of(&it, event) && it.settlement.is_final())
        };
        self.until(|| handlers.iter().all(has_settled));
        // The acknowledgement follows the settlement. If other work does not end, that is no failure of this method.
        let _ = self.harness.settle();
        self.settlements(event).into_iter().filter(|settlement| settlement.is_final()).collect()
    }
}

fn is_of(message: &SettledMessage, event: &Event) -> bool {
    message.id.as_deref() == Some(event.id())
}
