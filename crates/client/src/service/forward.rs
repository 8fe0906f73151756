//! Moving a message into another queue of its service: the delay queues, the quarantine,
//! the dead letters. The copy is confirmed there before anybody acknowledges the original.

use std::time::{Duration, UNIX_EPOCH};

use zc_events_protocol::{HeaderValue, Headers, Properties, names};
use zc_events_transport::{Delivery, Outgoing, Topology};

use super::history::History;
use super::routes::Kind;
use super::shared::Shared;
use crate::observe::WaitFor;
use crate::{Error, Result};

/// A text in a header, in bytes at the most.
const LONGEST_DETAIL: usize = 500;

/// Why a message is dead.
#[derive(Debug)]
pub(super) struct Cause {
    /// A short word that stays the same: `not_a_number`, `failed`, ..
    pub(super) reason: &'static str,
    /// For people.
    pub(super) detail: String,
}

/// Lets a message wait for `delay`, one of the rungs, and come back among those of its kind.
pub(super) fn delay(
    shared: &Shared,
    delivery: &Delivery,
    history: &History,
    delay: Duration,
    kind: Kind,
) -> Result<()> {
    let service = &shared.service;
    let (queue, home) = match kind {
        Kind::Event => (names::retry_queue(service, delay), names::events_queue(service)),
        Kind::Notification => (names::notifications_retry_queue(service, delay), names::notifications_queue(service)),
    };
    let topology = shared.client.settings().fitted(Topology::new().retry_queue(&queue, delay, home));
    // Not before it is needed: a service that never fails has no queue for it.
    if !shared.has_declared(&queue) {
        declare(shared, &topology)?;
        shared.note_declared(&queue);
    }
    forward(shared, delivery, &queue, &topology, history.properties(delivery))
}

/// Puts a message where messages are handled one by one.
pub(super) fn quarantine(shared: &Shared, delivery: &Delivery, history: &History) -> Result<()> {
    let queue = names::quarantine_queue(&shared.service);
    forward(shared, delivery, &queue, &shared.topology, history.properties(delivery))
}

/// Keeps a message among the dead letters, with the headers that say why.
pub(super) fn bury(shared: &Shared, delivery: &Delivery, history: &History, cause: &Cause) -> Result<()> {
    let mut properties = history.properties(delivery);
    let seconds = shared.clock().wall().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let headers = properties.headers.get_or_insert_default();
    // What a dead letter is looked at for.
    headers.remove("x-zc-attempt");
    headers.insert("x-zc-attempts".into(), HeaderValue::Int(history.attempt.into()));
    headers.insert("x-zc-reason".into(), cause.reason.into());
    headers.insert("x-zc-detail".into(), clip(&cause.detail).into());
    headers.insert("x-zc-time".into(), HeaderValue::Timestamp(seconds));
    forward(shared, delivery, &names::dead_letter_queue(&shared.service), &shared.topology, properties)
}

fn forward(
    shared: &Shared,
    delivery: &Delivery,
    queue: &str,
    topology: &Topology,
    properties: Properties,
) -> Result<()> {
    match send(shared, delivery, queue, &properties) {
        // Headers of its own leave no room for ours. The body is what must not be lost.
        Err(Error::TooLarge { .. }) => {
            let headers = properties.headers.as_ref().map(only_ours);
            send(shared, delivery, queue, &Properties { headers, ..properties })
        }
        // Somebody has deleted the queue.
        Err(Error::Unroutable { .. }) => {
            declare(shared, topology)?;
            send(shared, delivery, queue, &properties)
        }
        sent => sent,
    }
}

fn declare(shared: &Shared, topology: &Topology) -> Result<()> {
    let inner = shared.client.inner();
    Ok(inner.broker.declare(topology, inner.deadline(inner.settings.publish_timeout))?)
}

fn send(shared: &Shared, delivery: &Delivery, queue: &str, properties: &Properties) -> Result<()> {
    let inner = shared.client.inner();
    let deadline = inner.deadline(inner.settings.publish_timeout);
    let copy = Outgoing { exchange: "", routing_key: queue, mandatory: true, properties, body: &delivery.body };
    let receipt = shared.observers().waiting(WaitFor::Send, None, deadline, || inner.broker.send(&copy, deadline))?;
    Ok(receipt.wait(deadline)?)
}

fn only_ours(headers: &Headers) -> Headers {
    const KEPT: [&str; 2] = ["task", "id"];
    let is_kept = |name: &str| name.starts_with("x-zc-") || KEPT.contains(&name);
    let mut kept: Headers = headers
        .iter()
        .filter(|(name, value)| is_kept(name) && value.as_str().is_none_or(|text| text.len() <= LONGEST_DETAIL))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    kept.insert("x-zc-headers-dropped".into(), HeaderValue::Bool(true));
    kept
}

fn clip(text: &str) -> &str {
    let end = (0..=text.len().min(LONGEST_DETAIL)).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}
