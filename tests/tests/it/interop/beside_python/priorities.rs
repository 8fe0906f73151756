//! Priorities: messages with a higher priority are handled first, between Python and Rust in both directions.

use integration_tests::amqp_client::AmqpClient;
use integration_tests::{broker_url, eventually};
use interop_python::{Fleet, PATIENCE, client};
use serde_json::{Value, json};
use zc_events::Event;

use crate::interop::ours::listening;

/// The priorities in the order of emitting, and in the order of handling.
const EMITTED: [u8; 6] = [0, 5, 9, 0, 10, 3];
const HANDLED: [u8; 6] = [10, 9, 5, 3, 0, 0];

fn priorities(records: &[Value]) -> Vec<u64> {
    records.iter().map(|record| record["kwargs"]["urgency"].as_u64().unwrap()).collect()
}

#[test]
fn python_handles_high_priority_of_rust_first() {
    let fleet = Fleet::new();
    // Declares the queue, and leaves it.
    assert!(fleet.worker("python").start().stop(PATIENCE));
    let client = fleet.client("ours");
    for urgency in EMITTED {
        client.emit(&Event::new("seen").priority(urgency).set("urgency", urgency).unwrap()).unwrap();
    }
    let mut worker = fleet.worker("python").processes(1).prefetch(1).start();
    assert_eq!(priorities(&worker.told("seen", EMITTED.len())), HANDLED.map(u64::from));
}

#[test]
fn rust_handles_high_priority_of_python_first() {
    let fleet = Fleet::new();
    // Declares the queue, and leaves it.
    let (service, _) = listening(&fleet.client("ours"));
    drop(service.start().unwrap());
    let mut python = fleet.caller("python");
    for urgency in EMITTED {
        // By turns as zc_events does it, and as Celery.
        let kwargs = json!({"urgency": urgency});
        if urgency % 2 == 0 {
            python.does("emit", json!({"event_type": "seen", "args": [urgency], "kwargs": kwargs}));
        } else {
            python.does("send_task", json!({"args": ["seen"], "kwargs": kwargs, "priority": urgency}));
        }
    }
    // Python waits for no confirm.
    let (plain, queue) = (AmqpClient::open(&broker_url()).unwrap(), format!("{}-events", fleet.service_name("ours")));
    eventually(PATIENCE, || plain.ready(&queue).unwrap() == EMITTED.len() as u64);
    let ours = client(fleet.settings("ours").events_prefetch(1).events_workers(1));
    let (service, seen) = listening(&ours);
    let service = service.start().unwrap();
    let records = seen.after(EMITTED.len());
    assert_eq!(priorities(&records), HANDLED.map(u64::from));
    eventually(PATIENCE, || service.health().processed == EMITTED.len() as u64);
}
