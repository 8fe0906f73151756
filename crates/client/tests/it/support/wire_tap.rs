//! What tests of messages share: a queue that gets all that is sent, a clock that stands at a vector's time, and the
//! captured vectors of the protocol crate as JSON. No test lives here.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use zc_events::{Clock, EventClient, Settings, SettingsBuilder, SystemClock};
use zc_events_transport::memory::MemoryBroker;
use zc_events_transport::{Broker, ConsumeOptions, Delivery, ExchangeKind, Subscription, Topology};

use super::PATIENCE;
pub(crate) use super::vectors::read as vector;

pub(crate) const EVENTS: &str = "microservice-events-test";
pub(crate) const NOTIFICATIONS: &str = "microservice-notifications-test";

/// A broker in memory and a queue on it.
pub(crate) struct WireTap {
    name: String,
    broker: MemoryBroker,
    queue: Box<dyn Subscription>,
}

impl WireTap {
    pub(crate) fn new(name: &str) -> Self {
        let broker = MemoryBroker::named(name, Arc::new(SystemClock));
        let topology = Topology::new()
            .exchange(EVENTS, ExchangeKind::Fanout)
            .exchange(NOTIFICATIONS, ExchangeKind::Topic)
            .queue_with_priority("seen", None)
            .bind("seen", EVENTS, "")
            .bind("seen", NOTIFICATIONS, "#");
        broker.declare(&topology, soon()).unwrap();
        let queue = broker.subscribe("seen", ConsumeOptions::default(), soon()).unwrap();
        Self { name: name.to_owned(), broker, queue }
    }

    pub(crate) fn settings(&self) -> SettingsBuilder {
        let url = format!("memory://{}", self.name);
        Settings::builder().broker_url(&url).events_redis_url(&url).events_content_url(&url).staging_name("test")
    }

    pub(crate) fn client(&self) -> EventClient {
        EventClient::new(self.settings().build().unwrap()).unwrap()
    }

    /// The next message. All that comes is confirmed before, so it is there.
    pub(crate) fn next(&mut self) -> Message {
        let delivery = self.queue.next(soon()).unwrap().expect("nothing was sent");
        delivery.settler.ack();
        Message { json: serde_json::from_slice(&delivery.body).unwrap(), delivery }
    }

    /// The number of messages that the test has not read.
    pub(crate) fn left(&self) -> usize {
        self.broker.queue_len("seen").unwrap() + self.broker.unacked("seen").unwrap()
    }
}

pub(crate) fn soon() -> zc_events::Deadline {
    SystemClock.deadline(PATIENCE)
}

pub(crate) struct Message {
    pub(crate) delivery: Delivery,
    pub(crate) json: Value,
}

impl Message {
    pub(crate) fn kwargs(&self) -> &Map<String, Value> {
        self.json["kwargs"].as_object().unwrap()
    }
}

/// A JSON text with the message's own id, and each of `ids`, masked.
pub(crate) fn masked(json: &Value, ids: &[&str]) -> Value {
    let own = json["id"].as_str().or_else(|| json[0][1]["id"].as_str()).unwrap();
    let text =
        ids.iter().enumerate().fold(json.to_string(), |text, (index, id)| text.replace(id, &format!("id-{index}")));
    serde_json::from_str(&text.replace(own, "own")).unwrap()
}

/// The same message as the vector's, as far as its properties, its exchange and its routing key go.
pub(crate) fn assert_sent_like(name: &str, ours: &Delivery, theirs: &Value) {
    let exchange = if theirs["exchange_type"] == "fanout" { EVENTS } else { NOTIFICATIONS };
    assert_eq!(ours.exchange, exchange, "{name}");
    assert_eq!(Some(ours.routing_key.as_str()), theirs["routing_key"].as_str(), "{name}");
    let (ours, theirs) = (&ours.properties, &theirs["properties"]);
    assert_eq!(ours.content_type.as_deref(), theirs["content_type"].as_str(), "{name}");
    assert_eq!(ours.content_encoding.as_deref(), theirs["content_encoding"].as_str(), "{name}");
    assert_eq!(ours.headers.is_some(), theirs["headers"].is_object(), "{name}");
    if !name.starts_with("v01") {
        // Before 0.2 nothing had one.
        assert_eq!(ours.priority.map(u64::from), theirs["priority"].as_u64(), "{name}");
    }
}

/// A clock whose time of day stands still.
#[derive(Debug)]
pub(crate) struct Still(pub(crate) u64);

impl Clock for Still {
    fn now(&self) -> Instant {
        SystemClock.now()
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0)
    }

    fn at(&self, instant: Instant) -> crossbeam_channel::Receiver<Instant> {
        SystemClock.at(instant)
    }
}
