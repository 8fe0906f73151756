//! Publishes every captured message to a Celery worker and to us: both must pass the same arguments to the handler.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine};
use integration_tests::eventually;
use interop_python::{Fleet, PATIENCE};
use serde_json::{Value, json};
use zc_events::Limits;
use zc_events_protocol::Task;
use zc_events_transport::{Delivery, ExchangeKind};

use crate::interop::ours::{Tap, file, vector, vectors};

/// Python decodes these values to types of its own, and we decode them as plain JSON. The tests in `events` compare them.
const OF_PYTHONS_TYPES: [&str; 1] = ["celery5_send_task_bytes"];

/// The listener cannot handle these: they have no event type, or another task name.
const NOT_FOR_THE_LISTENER: [&str; 4] = [
    "celery3_send_task_noargs",
    "celery4_send_task_default_exchange",
    "celery4_send_task_noargs",
    "celery5_send_task_noargs",
];

/// A message of the vectors, as a Python program publishes it.
pub(super) fn message(name: &str) -> Option<Value> {
    let vector = vector(name);
    let body = match (vector["body_utf8"].as_str(), vector["body_b64"].as_str()) {
        (Some(text), _) => BASE64_STANDARD.encode(text),
        (None, Some(body)) => body.to_owned(),
        // The call sent nothing.
        (None, None) => return None,
    };
    let mut properties = vector["properties"].clone();
    // RabbitMQ checks these against the publisher, which is another user and cluster now.
    properties.as_object_mut()?.retain(|name, value| !value.is_null() && name != "user_id" && name != "cluster_id");
    Some(json!({"properties": properties, "body_b64": body}))
}

#[test]
fn celery_and_rust_decode_captured_messages_equally() {
    let fleet = Fleet::new();
    let mut ours = Tap::on(&fleet.events_exchange(), ExchangeKind::Fanout, "");
    let mut worker = fleet.worker("python").processes(1).max_priority(None).only_tells().start();
    let mut python = fleet.caller("caller");

    let mut messages: BTreeMap<String, Value> =
        vectors().into_iter().filter_map(|name| message(&name).map(|message| (name, message))).collect();
    // These depend on the current time. The tests in `celery` send such tasks of their own.
    messages.retain(|name, _| !["eta", "countdown", "expires"].iter().any(|word| name.contains(word)));
    // The worker would send the next task of the chain to all services.
    messages.remove("celery5_apply_chain");
    assert!(messages.len() > 250, "{}", messages.len());
    python.does("publish", json!({"messages": Vec::from_iter(messages.values())}));
    python.does("send_task", json!({"args": ["the last one"]}));

    let mut read = BTreeMap::new();
    for name in messages.keys() {
        let Delivery { properties, body, .. } = ours.next();
        read.insert(name.as_str(), Task::decode(&properties, &body, &Limits::default()));
    }
    let last = |records: &[Value]| records.iter().any(|record| record["args"][0] == "the last one");
    let mut records = Vec::new();
    eventually(PATIENCE, || {
        records = worker.all();
        last(&records)
    });

    let refusals = expected_refusals();
    let (mut compared, mut refused) = (0, 0);
    for (name, task) in read {
        let task = match task {
            Ok(task) => task,
            Err(error) => {
                assert_eq!(refusals.get(name).map(String::as_str), Some(error.reason()), "{name}");
                refused += 1;
                continue;
            }
        };
        let of_id = |record: &&Value| record["what"] == "seen" && record["request"]["id"] == *task.id.as_ref().unwrap();
        let Some(record) = records.iter().find(of_id) else {
            assert!(NOT_FOR_THE_LISTENER.contains(&name), "{name}");
            continue;
        };
        let request = &record["request"];
        assert_eq!(request["retries"], task.retries, "{name}");
        assert_eq!(request["priority"].as_u64(), task.priority.map(u64::from), "{name}");
        if !OF_PYTHONS_TYPES.contains(&name) {
            assert_eq!(record["args"], json!(task.args), "{name}");
            assert_eq!(record["kwargs"], json!(task.kwargs), "{name}");
            compared += 1;
        }
    }
    println!("{} messages: {compared} read the same by both, {refused} refused by ours", messages.len());
    assert_eq!(messages.len(), compared + refused + OF_PYTHONS_TYPES.len() + NOT_FOR_THE_LISTENER.len());
    assert!(compared > 200, "{compared}");
    assert!(worker.runs());
}

/// Why we refuse what we refuse, as the protocol's tests have it.
fn expected_refusals() -> BTreeMap<String, String> {
    let expectations: BTreeMap<String, Value> = serde_json::from_value(file("expectations.json")).unwrap();
    let refused = |(name, expectation): (String, Value)| Some((name, expectation["refused"].as_str()?.to_owned()));
    expectations.into_iter().filter_map(refused).collect()
}
