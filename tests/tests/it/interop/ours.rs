//! What a service of ours does in these tests: keeps what it was given.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use integration_tests::{broker_url, eventually, unique};
use interop_python::PATIENCE;
use serde_json::{Value, json};
use zc_events::{Channel, Clock, Context, EventClient, HandlerError, Limits, Service, ServiceBuilder, SystemClock};
use zc_events_protocol::Task;
use zc_events_transport::amqp::{AmqpBroker, AmqpOptions};
use zc_events_transport::{Broker, ConsumeOptions, Delivery, ExchangeKind, Subscription, Topology};

const PROTOCOL_TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/protocol/tests");

/// What handlers were given, in the order of their beginning.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Value>>>);

impl Seen {
    pub(crate) fn push(&self, what: Value) {
        self.locked().push(what);
    }

    /// All of it, once it is so much.
    #[track_caller]
    pub(crate) fn after(&self, count: usize) -> Vec<Value> {
        eventually(PATIENCE, || self.locked().len() >= count);
        self.locked().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.locked().len()
    }

    /// The one with this id, once it is there.
    #[track_caller]
    pub(crate) fn of_id(&self, id: &str) -> Value {
        eventually(PATIENCE, || self.locked().iter().find(|seen| seen["id"] == id).cloned())
    }

    /// A handler that keeps what it is given, under the names that the Python side uses.
    pub(crate) fn handler(
        &self,
    ) -> impl Fn(&Context, Value) -> Result<(), HandlerError> + Send + Sync + 'static + use<> {
        let seen = self.clone();
        move |context: &Context, kwargs: Value| {
            seen.push(json!({
                "id": context.id(), "task_id": context.task_id(), "root_id": context.root_id(),
                "parent_id": context.parent_id(), "args": context.args(), "kwargs": kwargs,
                "redelivered": context.is_redelivered(), "attempt": context.attempt(),
                "channel": context.channel().map(Channel::routing_key),
            }));
            Ok(())
        }
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A service of ours that handles `seen` and keeps it.
pub(crate) fn listening(client: &EventClient) -> (ServiceBuilder, Seen) {
    let seen = Seen::default();
    (Service::builder(client).on("seen", seen.handler()), seen)
}

/// A queue of its own on an exchange, consumed without a service: what is really on the wire.
pub(crate) struct Tap {
    subscription: Box<dyn Subscription>,
    // The subscription's connection is its own; this keeps the topology.
    _broker: AmqpBroker,
}

impl Tap {
    pub(crate) fn on(exchange: &str, kind: ExchangeKind, key: &str) -> Self {
        let options = AmqpOptions::new(broker_url().parse().unwrap()).clock(Arc::new(SystemClock));
        let broker = AmqpBroker::new(options).unwrap();
        let (queue, deadline) = (unique("tap"), SystemClock.deadline(PATIENCE));
        let topology =
            Topology::new().exchange(exchange, kind).queue_with_priority(&queue, None).bind(&queue, exchange, key);
        broker.declare(&topology, deadline).unwrap();
        let subscription = broker.subscribe(&queue, ConsumeOptions::default(), deadline).unwrap();
        Self { subscription, _broker: broker }
    }

    /// The next message, acknowledged.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Delivery {
        self.within(PATIENCE).expect("a message")
    }

    pub(crate) fn within(&mut self, patience: Duration) -> Option<Delivery> {
        let delivery = self.subscription.next(SystemClock.deadline(patience)).unwrap()?;
        delivery.settler.ack();
        assert_eq!(delivery.defect, None);
        Some(delivery)
    }
}

/// What a message says.
#[track_caller]
pub(crate) fn decoded(delivery: &Delivery) -> Task {
    Task::decode(&delivery.properties, &delivery.body, &Limits::default()).unwrap()
}

/// The reasons of a service's dead letters and their bodies, in their order. They are taken out.
pub(crate) fn dead_letters(client: &EventClient) -> Vec<(String, Vec<u8>)> {
    let mut connection = amiquip::Connection::insecure_open(&broker_url()).unwrap();
    let channel = connection.open_channel(None).unwrap();
    let queue = format!("{}-events.dead", client.settings().service_name().unwrap());
    let mut letters = Vec::new();
    while let Some(letter) = channel.basic_get(queue.as_str(), true).unwrap() {
        let headers = letter.delivery.properties.headers().clone().unwrap();
        let Some(amiquip::AmqpValue::LongString(reason)) = headers.get("x-zc-reason") else { panic!("{headers:?}") };
        letters.push((reason.clone(), letter.delivery.body));
    }
    connection.close().unwrap();
    letters
}

/// Values that each side must read as the other meant them.
pub(crate) fn values() -> Vec<Value> {
    let deep = (0..100).fold(json!("the bottom"), |value, level| match level % 2 {
        0 => json!([value]),
        _ => json!({"k": value}),
    });
    vec![
        json!(null),
        json!([true, false]),
        json!([0, -1, 1_u64 << 53, (1_u64 << 53) + 1, i64::MAX, i64::MIN, u64::MAX]),
        json!([0.5, -0.1, 0.1 + 0.2, 1e-10, 1e20, 1.5e300, f64::MIN_POSITIVE, 123_456_789.123_456_78]),
        json!([
            "",
            "a/b \\ \" ' <b>&amp;</b>",
            "nl\n tab\t nul\0 bell\u{7} del\u{7f}",
            "café 中文 🍕 \u{2028} \u{feff}"
        ]),
        json!({"": [], "ü": {}, "with space": [[], {}, [[1, [2, [3]]]]], "__type__": "no rich type", "task": "x"}),
        json!("x".repeat(1 << 20)),
        json!({"text": "é".repeat(300_000), "numbers": Vec::from_iter(0..20_000)}),
        // The deepest that we emit.
        deep,
    ]
}

/// A captured vector of the protocol's tests.
pub(crate) fn vector(name: &str) -> Value {
    file(&format!("vectors/{name}.json"))
}

/// The names of all captured vectors.
pub(crate) fn vectors() -> Vec<String> {
    let names = PathBuf::from(PROTOCOL_TESTS).join("vectors").read_dir().unwrap().map(|entry| entry.unwrap().path());
    let names = names.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    names.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

/// A file of JSON beside the protocol's tests.
pub(crate) fn file(name: &str) -> Value {
    let text =
        std::fs::read(PathBuf::from(PROTOCOL_TESTS).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_slice(&text).unwrap()
}
