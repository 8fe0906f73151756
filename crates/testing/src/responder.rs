//! The thread of a stub: takes requests and calls from the queue, and answers them from the expectations.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use uuid::Uuid;
use zc_events::{Error, EventClient, Result};
use zc_events_cache::ReplyStore;
use zc_events_protocol::{Clock, Deadline, REPLY_TTL, Task};
use zc_events_transport::{ConsumeOptions, Delivery, ExchangeKind, Queue, Subscription, Topology};

use crate::expectations::{Expectations, Lookup};
use crate::harness::Harness;
use crate::received_request::ReceivedRequest;
use crate::reply::ExpectedReply;
use crate::stub_queue::{ScheduledReply, StubQueue};
use crate::stub_report::StubReport;

/// The deadline of each call to the broker and to the reply store.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// The first and the longest pause between two attempts to reconnect, by the real clock.
const BACKOFF: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(5)];
/// The same in a fleet, where the broker comes back when the test says so.
const NO_BACKOFF: [Duration; 2] = [Duration::from_micros(200); 2];
/// How long the stub waits for a message at once.
const IDLE: Duration = Duration::from_secs(3600);
/// How many messages the stub holds at once, including those that it answers later.
const PREFETCH: u16 = 1000;

/// The state of a stub's thread.
pub(crate) struct Responder {
    pub(crate) client: EventClient,
    /// The durable queue; `None` for a temporary one.
    pub(crate) topology: Option<Topology>,
    pub(crate) queue: Arc<StubQueue>,
    pub(crate) expectations: Arc<Expectations>,
    /// The fleet that the stub belongs to, if any.
    pub(crate) harness: Option<Arc<Harness>>,
    pub(crate) report: Box<dyn Fn(StubReport) + Send>,
}

/// The topology of a queue that gets every message of the exchange for events.
pub(crate) fn bound_to_events(client: &EventClient, queue: Queue) -> Topology {
    let (name, exchange) = (queue.name.clone(), client.settings().events_exchange());
    Topology::new().exchange(exchange, ExchangeKind::Fanout).queue(queue).bind(name, exchange, "")
}

impl Responder {
    /// Checks the reply store, and begins to consume.
    pub(crate) fn start(&self) -> Result<Box<dyn Subscription>> {
        let store = self.store()?;
        if self.harness.is_none() {
            store.ping(self.deadline())?;
        }
        self.subscribe()
    }

    fn subscribe(&self) -> Result<Box<dyn Subscription>> {
        let (broker, options) = (self.client.broker(), ConsumeOptions { prefetch: PREFETCH });
        let Some(topology) = &self.topology else {
            // A new name each time: the broker may not know yet that the last connection is lost.
            let name = format!("{}.{}", self.queue.name, Uuid::new_v4().simple());
            let topology = bound_to_events(&self.client, Queue::temporary(name.as_str()));
            return Ok(broker.subscribe_with(&topology, &name, options, self.deadline())?);
        };
        broker.declare(topology, self.deadline())?;
        Ok(broker.subscribe(&self.queue.name, options, self.deadline())?)
    }

    /// Consumes until `stopped` has lost its sender, and reconnects after a lost connection.
    pub(crate) fn run(&self, first: Box<dyn Subscription>, stopped: &Receiver<()>) {
        let mut next = Some(first);
        while let Some(subscription) = next.take() {
            let Err(error) = self.consume(&*subscription, stopped) else { return };
            drop(subscription);
            self.drop_scheduled();
            next = self.reconnect(&error, stopped);
        }
    }

    /// Subscribes again, with growing pauses; `None` if the stub was stopped. Logs each error once.
    fn reconnect(&self, lost: &Error, stopped: &Receiver<()>) -> Option<Box<dyn Subscription>> {
        let [mut pause, longest] = if self.harness.is_some() { NO_BACKOFF } else { BACKOFF };
        let mut logged = lost.to_string();
        log::warn!("stub disconnected; reconnecting: {logged}");
        loop {
            let _ = stopped.recv_timeout(pause);
            if is_stopped(stopped) {
                return None;
            }
            match self.subscribe() {
                Ok(subscription) => {
                    log::warn!("stub reconnected");
                    return Some(subscription);
                }
                Err(error) => {
                    let text = error.to_string();
                    if text != logged {
                        log::warn!("stub still disconnected: {text}");
                        logged = text;
                    }
                }
            }
            pause = (pause * 2).min(longest);
        }
    }

    /// Forgets the scheduled replies. The broker delivers their requests again, unless the queue was temporary.
    fn drop_scheduled(&self) {
        let scheduled = std::mem::take(&mut *self.queue.scheduled());
        if self.topology.is_none() {
            for reply in scheduled.into_values() {
                (self.report)(reply.report("not answered: the connection was lost during the delay".to_owned()));
            }
        }
    }

    fn consume(&self, subscription: &dyn Subscription, stopped: &Receiver<()>) -> Result<()> {
        let clock = self.client.settings().clock();
        let mut number = 0;
        while !is_stopped(stopped) {
            let until = self.send_due_replies(clock);
            if let Some(delivery) = subscription.next_unless(stopped, until)? {
                number += 1;
                self.handle(delivery, clock, number);
            }
        }
        Ok(())
    }

    /// Sends the replies that are due, and returns when the next one is due.
    fn send_due_replies(&self, clock: &dyn Clock) -> Deadline {
        loop {
            let mut scheduled = self.queue.scheduled();
            match scheduled.first_entry() {
                None => return clock.deadline(IDLE),
                Some(first) if first.key().0 > clock.now() => return Deadline::at(first.key().0),
                Some(first) => {
                    let due = first.remove();
                    drop(scheduled);
                    self.send(due);
                }
            }
        }
    }

    fn handle(&self, delivery: Delivery, clock: &dyn Clock, number: u64) {
        let task = Task::decode(&delivery.properties, &delivery.body, self.client.settings().limits());
        let request = task.ok().as_ref().and_then(ReceivedRequest::of).filter(|request| !self.is_handled(request));
        let Some(request) = request else { return delivery.settler.ack() };
        let (reply, delay) = match self.expectations.find(&request) {
            Lookup::Reply(reply, delay) => (reply, delay),
            Lookup::NoMatch(why) => {
                self.handle_unexpected(&request, why);
                return delivery.settler.ack();
            }
        };
        let report = |outcome: String| {
            (self.report)(StubReport { request: request.to_string(), outcome, is_expected: true });
        };
        let Some(key) = request.response_key.clone() else {
            report("matched; the caller awaits no reply".to_owned());
            return delivery.settler.ack();
        };
        let (outcome, reply) = match reply.encode(&request.target) {
            Some((outcome, Ok(reply))) => (outcome, reply),
            Some((_, Err(error))) => {
                report(not_answered(&error));
                return delivery.settler.ack();
            }
            None => {
                report("deliberately not answered".to_owned());
                return delivery.settler.ack();
            }
        };
        let reply = ScheduledReply { delivery, request: request.to_string(), outcome, key, reply };
        if delay.is_zero() {
            self.send(reply);
        } else {
            self.queue.scheduled().insert((clock.deadline(delay).instant(), number), reply);
        }
    }

    /// Pushes a reply to the store, and reports the outcome.
    fn send(&self, reply: ScheduledReply) {
        let pushed = self.push(&reply.key, &reply.reply);
        let outcome = pushed.map_or_else(|error| not_answered(&error), |()| reply.outcome.clone());
        (self.report)(reply.report(outcome));
        reply.delivery.settler.ack();
    }

    /// Whether a service of the fleet handles the request.
    fn is_handled(&self, request: &ReceivedRequest) -> bool {
        let harness = self.harness.as_ref();
        harness.is_some_and(|harness| !harness.handlers_of(request.target.event_type()).is_empty())
    }

    /// Handles a request that no expectation matches. Outside of a fleet, another service may answer it.
    fn handle_unexpected(&self, request: &ReceivedRequest, why: String) {
        let report = |outcome| (self.report)(StubReport { request: request.to_string(), outcome, is_expected: false });
        let Some(harness) = &self.harness else { return report(why) };
        // The request waits in the queue of a service that was stopped and may start again.
        if harness.has_handled(request.target.event_type()) {
            return;
        }
        // A message without a response key is an event. Most events are meant for other services.
        let Some(key) = request.response_key.as_deref() else { return };
        let text = format!("unexpected {request}: {why}");
        self.expectations.note_unexpected(text.clone());
        report(why);
        let reply = ExpectedReply::unexpected(&request.target, text).encode(&request.target);
        let Some((_, Ok(reply))) = reply else { return };
        if let Err(error) = self.push(key, &reply) {
            log::warn!("the stub could not push a reply: {error}");
        }
    }

    fn push(&self, key: &str, reply: &[u8]) -> Result<()> {
        Ok(self.store()?.push(key, reply, REPLY_TTL, self.deadline())?)
    }

    fn store(&self) -> Result<&Arc<dyn ReplyStore>> {
        const WHY: &str = "EVENTS_REDIS_URL is not set: callers await their replies there; set it to \
                           redis://host:6379/0, as for the Python services";
        self.client.reply_store().ok_or_else(|| Error::Config { why: WHY.to_owned() })
    }

    fn deadline(&self) -> Deadline {
        self.client.settings().clock().deadline(CALL_TIMEOUT)
    }
}

fn not_answered(error: &Error) -> String {
    format!("not answered: {error}")
}

fn is_stopped(stopped: &Receiver<()>) -> bool {
    stopped.try_recv().is_err_and(|error| error.is_disconnected())
}
