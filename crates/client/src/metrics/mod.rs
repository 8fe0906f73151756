//! The metrics of clients and services, for whatever recorder the program installs.
//!
//! With the feature `metrics` they go to the [`metrics`](https://docs.rs/metrics) facade; without it
//! nothing is counted and nothing is paid. Install the recorder before the first
//! [`EventClient`](crate::EventClient) is made, or it does not get the descriptions.
//!
//! | name | kind | labels | |
//! |---|---|---|---|
//! | `zc_events_emitted_total` | counter | `event_type`, `outcome` | events emitted; `confirmed`, or why not |
//! | `zc_events_publish_seconds` | histogram | | from handing an event over to its confirm; within `emit_many` that includes the others' |
//! | `zc_events_sent_bytes_total` | counter | | bodies of events and requests handed to the broker |
//! | `zc_events_requests_sent_total` | counter | `event_type` | requests handed to the broker |
//! | `zc_events_requests_total` | counter | `event_type`, `outcome` | requests that ended: `answered`, `remote_error` (a status of 400 or above), or why not |
//! | `zc_events_request_seconds` | histogram | `event_type` | from sending a request to its end, `unawaited` ones left out |
//! | `zc_events_deliveries_total` | counter | `redelivered` | messages that arrived |
//! | `zc_events_received_bytes_total` | counter | | bodies that arrived |
//! | `zc_events_ignored_total` | counter | | messages for others |
//! | `zc_events_handled_total` | counter | `event_type`, `outcome` | what became of a message that has a handler: `processed`, `retried`, `dead_lettered`, `expired`, `duplicate`, `stuck`, `unanswered` |
//! | `zc_events_handler_seconds` | histogram | `event_type` | how long handlers and views ran |
//! | `zc_events_retries_total` | counter | `event_type` | attempts put off until later |
//! | `zc_events_dead_letters_total` | counter | `reason` | messages put among the dead letters |
//! | `zc_events_replies_total` | counter | `outcome` | answers of services: `pushed`, `failed`, `too_large`, `no_key`, `bad_key` |
//! | `zc_events_in_progress` | gauge | | messages that are with workers |
//! | `zc_events_consuming` | gauge | `queue` | 1 while the queue is consumed |
//! | `zc_events_connected` | gauge | | 1 while there is a connection for publishing, as of the last [`EventClient::health`](crate::EventClient::health) |
//! | `zc_events_blocked` | gauge | | 1 while the broker takes no messages, as of the last publishing or `EventClient::health` |
//! | `zc_events_reconnects_total` | counter | `queue` | connections for consuming that were lost and came back |
//!
//! What was not confirmed or answered has as its `outcome` the kind of the error (`unroutable`, `nacked`,
//! `blocked`, `unavailable`, `rejected`, `decode`, `encode`, `too_large`, `config`, `closed`, and `timeout_` with
//! the stage, such as `timeout_confirm`), or `unawaited` if the caller did not wait for the answer. `event_type` is only ever a type that this
//! program emits or has a handler for, so that no peer can add to the labels.

#[cfg(feature = "metrics")]
mod catalog;
#[cfg(feature = "metrics")]
mod observer;
#[cfg(feature = "metrics")]
mod recorder;

use crate::observe::Observers;

/// Installs the observer that counts, and describes the metrics to the recorder.
#[cfg(feature = "metrics")]
pub(crate) fn install(observers: &mut Observers) {
    recorder::describe();
    observers.add(std::sync::Arc::new(observer::MetricsObserver));
}

/// Without the feature `metrics` nothing is installed.
#[cfg(not(feature = "metrics"))]
pub(crate) fn install(_: &mut Observers) {}
