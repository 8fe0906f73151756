//! The metrics: their names, kinds, units and what a recorder is told of them.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// What a number is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    Bytes,
    Seconds,
}

/// A metric: its name and what a recorder is told of it.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: Unit,
    pub(super) text: &'static str,
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

pub(super) static EMITTED: Metric = counter("zc_events_emitted_total", Unit::Count, "Events emitted, by outcome");
pub(super) static PUBLISH: Metric = seconds("zc_events_publish_seconds", "From handing an event over to its confirm");
pub(super) static SENT_BYTES: Metric =
    counter("zc_events_sent_bytes_total", Unit::Bytes, "Bodies handed to the broker");
pub(super) static REQUESTS_SENT: Metric =
    counter("zc_events_requests_sent_total", Unit::Count, "Requests handed to the broker");
pub(super) static REQUESTS: Metric =
    counter("zc_events_requests_total", Unit::Count, "Requests that ended, by outcome");
pub(super) static REQUEST: Metric = seconds("zc_events_request_seconds", "From sending a request to its end");
pub(super) static DELIVERIES: Metric = counter("zc_events_deliveries_total", Unit::Count, "Messages that arrived");
pub(super) static RECEIVED_BYTES: Metric =
    counter("zc_events_received_bytes_total", Unit::Bytes, "Bodies that arrived");
pub(super) static IGNORED: Metric = counter("zc_events_ignored_total", Unit::Count, "Messages for others");
pub(super) static HANDLED: Metric =
    counter("zc_events_handled_total", Unit::Count, "Messages with a handler, by outcome");
pub(super) static HANDLER: Metric = seconds("zc_events_handler_seconds", "How long handlers and views ran");
pub(super) static RETRIES: Metric = counter("zc_events_retries_total", Unit::Count, "Attempts put off until later");
pub(super) static DEAD_LETTERS: Metric =
    counter("zc_events_dead_letters_total", Unit::Count, "Dead letters, by reason");
pub(super) static REPLIES: Metric = counter("zc_events_replies_total", Unit::Count, "Answers of services, by outcome");
pub(super) static IN_PROGRESS: Metric = gauge("zc_events_in_progress", "Messages that are with workers");
pub(super) static CONSUMING: Metric = gauge("zc_events_consuming", "1 while the queue is consumed");
pub(super) static CONNECTED: Metric = gauge("zc_events_connected", "1 while there is a connection for publishing");
pub(super) static BLOCKED: Metric = gauge("zc_events_blocked", "1 while the broker takes no messages");
pub(super) static RECONNECTS: Metric =
    counter("zc_events_reconnects_total", Unit::Count, "Lost connections that came back");

/// All of them.
pub(super) static ALL: [&Metric; 19] = [
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
