//! The metrics of events and requests, in memory, with a recorder of the test's own. A process has one recorder only, so
//! the test runs in a process of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use serde_json::json;
use test_support::in_own_process;
use zc_events::{Error, Event, EventClient, Settings};
use zc_events_cache::open;
use zc_events_protocol::{Clock, Limits, ManualClock, Reply, Task};
use zc_events_transport::memory::MemoryBroker;
use zc_events_transport::{Broker, ConsumeOptions, ExchangeKind, Topology};

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Default)]
struct Seen {
    values: Arc<Mutex<BTreeMap<String, f64>>>,
    described: Arc<Mutex<BTreeSet<String>>>,
}

/// One metric with its labels.
struct Cell(Seen, String);

impl Cell {
    fn change(&self, to: impl FnOnce(f64) -> f64) {
        let mut values = self.0.values.lock().unwrap();
        let value = values.entry(self.1.clone()).or_default();
        *value = to(*value);
    }
}

impl CounterFn for Cell {
    fn increment(&self, by: u64) {
        self.change(|value| value + by as f64);
    }

    fn absolute(&self, to: u64) {
        self.change(|_| to as f64);
    }
}

impl GaugeFn for Cell {
    fn increment(&self, by: f64) {
        self.change(|value| value + by);
    }

    fn decrement(&self, by: f64) {
        self.change(|value| value - by);
    }

    fn set(&self, to: f64) {
        self.change(|_| to);
    }
}

impl HistogramFn for Cell {
    /// Counts the observations, and is off by their sum should one not be zero.
    fn record(&self, value: f64) {
        self.change(|count| count + 1.0 + value);
    }
}

impl Seen {
    fn cell(&self, key: &Key) -> Arc<Cell> {
        let labels: BTreeSet<String> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let labels: Vec<_> = labels.into_iter().collect();
        Arc::new(Cell(self.clone(), format!("{}{{{}}}", key.name(), labels.join(","))))
    }

    fn describe(&self, name: &KeyName) {
        self.described.lock().unwrap().insert(name.as_str().to_owned());
    }

    #[track_caller]
    fn expect(&self, name: &str, value: f64) {
        let values = self.values.lock().unwrap();
        assert_eq!(values.get(name), Some(&value), "{name} in {values:#?}");
    }
}

impl Recorder for Seen {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&name);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&name);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&name);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.cell(key))
    }
}

#[test]
fn events_and_requests_are_counted_by_outcome() {
    in_own_process(|| {
        counted_by_what_became_of_them();
    });
}

fn counted_by_what_became_of_them() {
    let seen = Seen::default();
    metrics::set_global_recorder(seen.clone()).unwrap();
    let clock = ManualClock::new();
    let url = "memory://counted";
    let settings = Settings::builder()
        .broker_url(url)
        .events_redis_url(url)
        .staging_name("test")
        .events_max_body(4096)
        .clock(Arc::new(clock.clone()));
    let client = EventClient::new(settings.build().unwrap()).unwrap();
    assert!(seen.described.lock().unwrap().contains("zc_events_publish_seconds"));

    let event = Event::new("order_created");
    assert!(matches!(client.emit(&event), Err(Error::Unroutable { .. })));
    seen.expect("zc_events_emitted_total{event_type=order_created,outcome=unroutable}", 1.0);

    // A consumer answers as a service would.
    let broker = MemoryBroker::named("counted", Arc::new(clock.clone()));
    let deadline = clock.deadline(PATIENCE);
    let exchange = client.settings().events_exchange();
    let topology = Topology::new()
        .exchange(exchange, ExchangeKind::Fanout)
        .queue_with_priority("all", None)
        .bind("all", exchange, "");
    broker.declare(&topology, deadline).unwrap();
    client.emit(&event).unwrap();
    assert!(client.emit_many([&event, &event]).iter().all(Result::is_ok));
    drop(client.start_emit(&event).unwrap());
    assert!(client.emit(&Event::new("large").set("text", "x".repeat(5000)).unwrap()).is_err());
    seen.expect("zc_events_emitted_total{event_type=order_created,outcome=confirmed}", 3.0);
    seen.expect("zc_events_emitted_total{event_type=order_created,outcome=unawaited}", 1.0);
    seen.expect("zc_events_emitted_total{event_type=large,outcome=too_large}", 1.0);
    seen.expect("zc_events_publish_seconds{}", 3.0);
    seen.expect("zc_events_blocked{}", 0.0);

    let store = open(url, Arc::new(clock.clone())).unwrap();
    let arriving = broker.subscribe("all", ConsumeOptions::default(), deadline).unwrap();
    for _ in 0..4 {
        arriving.next(deadline).unwrap().unwrap().settler.ack();
    }
    for status in [200, 404] {
        let pending = client.remote("Order").pk("1").send().unwrap();
        let delivery = arriving.next(deadline).unwrap().unwrap();
        let task = Task::decode(&delivery.properties, &delivery.body, &Limits::default()).unwrap();
        let key = task.resource_request().unwrap().response_key.unwrap();
        let answer = Reply::new(status, &json!({"data": null})).unwrap().encode().unwrap();
        store.push(&key, &answer, PATIENCE, deadline).unwrap();
        assert_eq!(pending.wait_any().unwrap().status(), status);
    }
    let pending = client.remote("Order").pk("1").timeout(Duration::from_secs(1)).send().unwrap();
    clock.advance(Duration::from_secs(2));
    assert!(pending.wait().unwrap_err().is_timeout());
    drop(client.remote("Order").pk("1").send().unwrap());
    seen.expect("zc_events_requests_sent_total{event_type=order_request}", 4.0);
    for outcome in ["answered", "remote_error", "timeout_reply", "unawaited"] {
        seen.expect(&format!("zc_events_requests_total{{event_type=order_request,outcome={outcome}}}"), 1.0);
    }
    // Three that ended, of which one took 2 seconds.
    seen.expect("zc_events_request_seconds{event_type=order_request}", 5.0);

    assert!(client.health().connected);
    seen.expect("zc_events_connected{}", 1.0);
    client.close(PATIENCE).unwrap();
    assert!(!client.health().connected);
    seen.expect("zc_events_connected{}", 0.0);
}
