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
//! the stage, such as `timeout_confirm`), or `unawaited` where nobody asked. `event_type` is only ever a type that this
//! program emits or has a handler for, so that no peer can add to the labels.

mod client;
mod service;

#[cfg(feature = "metrics")]
mod facade;
#[cfg(not(feature = "metrics"))]
#[path = "nothing.rs"]
mod facade;

pub(crate) use client::{Emission, Request, connection};
pub(crate) use facade::describe;
pub(crate) use service::{
    Handled, Replied, begun, consuming, dead_lettered, delivered, finished, handled, ignored, ran, reconnected,
    replied, retried,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// What a number is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Count,
    Bytes,
    Seconds,
}

/// A metric: its name and what a recorder is told of it.
#[derive(Debug)]
struct Metric {
    name: &'static str,
    kind: Kind,
    unit: Unit,
    text: &'static str,
}

const fn counter(name: &'static str, unit: Unit, text: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit, text }
}

const fn gauge(name: &'static str, text: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit: Unit::Count, text }
}

const fn seconds(name: &'static str, text: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, unit: Unit::Seconds, text }
}

static EMITTED: Metric = counter("zc_events_emitted_total", Unit::Count, "Events emitted, by outcome");
static PUBLISH: Metric = seconds("zc_events_publish_seconds", "From handing an event over to its confirm");
static SENT_BYTES: Metric = counter("zc_events_sent_bytes_total", Unit::Bytes, "Bodies handed to the broker");
static REQUESTS_SENT: Metric = counter("zc_events_requests_sent_total", Unit::Count, "Requests handed to the broker");
static REQUESTS: Metric = counter("zc_events_requests_total", Unit::Count, "Requests that ended, by outcome");
static REQUEST: Metric = seconds("zc_events_request_seconds", "From sending a request to its end");
static DELIVERIES: Metric = counter("zc_events_deliveries_total", Unit::Count, "Messages that arrived");
static RECEIVED_BYTES: Metric = counter("zc_events_received_bytes_total", Unit::Bytes, "Bodies that arrived");
static IGNORED: Metric = counter("zc_events_ignored_total", Unit::Count, "Messages for others");
static HANDLED: Metric = counter("zc_events_handled_total", Unit::Count, "Messages with a handler, by outcome");
static HANDLER: Metric = seconds("zc_events_handler_seconds", "How long handlers and views ran");
static RETRIES: Metric = counter("zc_events_retries_total", Unit::Count, "Attempts put off until later");
static DEAD_LETTERS: Metric = counter("zc_events_dead_letters_total", Unit::Count, "Dead letters, by reason");
static REPLIES: Metric = counter("zc_events_replies_total", Unit::Count, "Answers of services, by outcome");
static IN_PROGRESS: Metric = gauge("zc_events_in_progress", "Messages that are with workers");
static CONSUMING: Metric = gauge("zc_events_consuming", "1 while the queue is consumed");
static CONNECTED: Metric = gauge("zc_events_connected", "1 while there is a connection for publishing");
static BLOCKED: Metric = gauge("zc_events_blocked", "1 while the broker takes no messages");
static RECONNECTS: Metric = counter("zc_events_reconnects_total", Unit::Count, "Lost connections that came back");

/// All of them.
static ALL: [&Metric; 19] = [
    &EMITTED,
    &PUBLISH,
    &SENT_BYTES,
    &REQUESTS_SENT,
    &REQUESTS,
    &REQUEST,
    &DELIVERIES,
    &RECEIVED_BYTES,
    &IGNORED,
    &HANDLED,
    &HANDLER,
    &RETRIES,
    &DEAD_LETTERS,
    &REPLIES,
    &IN_PROGRESS,
    &CONSUMING,
    &CONNECTED,
    &BLOCKED,
    &RECONNECTS,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_in_the_table_and_has_the_suffix_of_its_unit() {
        let documented: Vec<_> = include_str!("mod.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("//! | `")?.split_once('`'))
            .map(|(name, rest)| (name, rest.split('|').nth(1).unwrap_or_default().trim()))
            .collect();
        let declared: Vec<_> = ALL
            .iter()
            .map(|metric| {
                let kind = match metric.kind {
                    Kind::Counter => "counter",
                    Kind::Gauge => "gauge",
                    Kind::Histogram => "histogram",
                };
                assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{metric:?}");
                assert_eq!(metric.unit == Unit::Seconds, metric.name.ends_with("_seconds"), "{metric:?}");
                assert_eq!(metric.unit == Unit::Bytes, metric.name.contains("_bytes"), "{metric:?}");
                assert!(!metric.text.is_empty());
                (metric.name, kind)
            })
            .collect();
        let sorted = |mut them: Vec<(&'static str, &'static str)>| {
            them.sort_unstable();
            them
        };
        assert_eq!(sorted(documented), sorted(declared));
    }
}
