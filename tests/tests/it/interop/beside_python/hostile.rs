//! Messages that one side, or both, cannot take: a dead letter with its reason for ours, and everybody goes on.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine};
use integration_tests::eventually;
use interop_python::{Fleet, PATIENCE, client};
use serde_json::{Value, json};
use zc_events::{Context, Service};

use crate::interop::ours::{dead_letters, listening, vector};

/// What a live Python emits and Celery's own workers take, or refuse on their own, and ours does not take for JSON.
#[test]
fn refused_message_of_python_is_dead_lettered() {
    let fleet = Fleet::new();
    let ours = fleet.client("ours");
    let (service, seen) = listening(&ours);
    let service = service.workers(1).start().unwrap();
    let mut worker = fleet.worker("python").start();
    let mut python = fleet.caller("caller");
    let mut count = 0;
    let mut refused = |reason: &str, what: &str, how: Value| {
        python.does(what, how);
        count += 1;
        eventually(PATIENCE, || service.health().dead_lettered == count);
        let letters = dead_letters(&ours);
        assert_eq!(letters.iter().map(|(reason, _)| reason.as_str()).collect::<Vec<_>>(), [reason]);
    };
    let specimen = |name| json!({"event_type": "seen", "name": name});
    refused("not_a_number", "emit_specimen", specimen("nan"));
    refused("not_a_number", "send_specimen", specimen("nan"));
    refused("not_a_number", "send_specimen", specimen("infinity"));
    refused("integer_out_of_range", "emit_specimen", specimen("huge_integer"));
    refused("integer_out_of_range", "send_specimen", specimen("huge_integer"));
    refused("lone_surrogate", "send_specimen", json!({"event_type": "seen", "name": "surrogate", "protocol": 1}));
    // Celery repeats the arguments in the headers of protocol 2, and its half of a character is no UTF-8 there.
    refused("headers_not_utf8", "send_specimen", specimen("surrogate"));
    refused("content_type", "send_task", json!({"args": ["seen"], "serializer": "pickle"}));
    assert_eq!((service.health().processed, seen.count()), (0, 0));

    python.does("emit", json!({"event_type": "seen", "kwargs": {"good": true}}));
    assert_eq!(seen.after(1)[0]["kwargs"], json!({"good": true}));
    eventually(PATIENCE, || worker.all().iter().any(|record| record["kwargs"]["good"] == true));
    assert!(worker.runs() && service.health().is_ready());
}

/// The hand-made bad messages of `consumer_malformed_celery5`, as a Python program sends them.
fn malformed() -> Vec<(String, String, Value)> {
    let cases = vector("consumer_malformed_celery5")["cases"].take();
    let message = |(name, case): (&String, &Value)| {
        let body = match case["body_b64"].as_str() {
            Some(body) => body.to_owned(),
            // The file tells only how it is made.
            None => {
                BASE64_STANDARD.encode([&br#"[["e", "#[..], &[b'['; 100_000], &[b']'; 100_000], b"], {}, {}]"].concat())
            }
        };
        let mut properties = case["properties"].clone();
        properties.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let message = json!({"properties": properties, "body_b64": body});
        (name.clone(), case["outcome"].as_str().unwrap().to_owned(), message)
    };
    cases.as_object().unwrap().iter().map(message).collect()
}

#[test]
fn malformed_messages_do_not_stop_the_service() {
    let fleet = Fleet::new();
    let ours = client(fleet.settings("ours").events_workers(1));
    let (service, seen) = listening(&ours);
    let service = service.on("e", |_: &Context, _: Value| Ok(())).start().unwrap();
    let mut python = fleet.caller("caller");
    let cases = malformed();
    let messages: Vec<_> = cases.iter().map(|(_, _, message)| message).collect();
    python.does("publish", json!({"messages": messages}));
    python.does("emit", json!({"event_type": "seen"}));
    seen.after(1);
    let all = u64::try_from(cases.len()).unwrap() + 1;
    eventually(PATIENCE, || {
        let health = service.health();
        health.processed + health.ignored + health.duplicates + health.expired + health.dead_lettered == all
    });
    let health = service.health();
    assert!(health.is_ready() && health.last_error.is_none() && health.failed == 0, "{health:?}");
    // Which of them has which reason is held to the same vector in the protocol's tests (`malformed`).
    let mut reasons = BTreeMap::new();
    for (reason, _) in dead_letters(&ours) {
        *reasons.entry(reason).or_insert(0) += 1;
    }
    let found: Vec<_> = reasons.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
    assert_eq!(
        found,
        [
            ("bad_field", 12),
            ("byte_order_mark", 1),
            ("charset", 2),
            ("compression", 1),
            ("content_type", 1),
            ("empty", 1),
            ("inflate", 1),
            ("lone_surrogate", 1),
            ("malformed", 2),
            ("missing_header", 1),
            ("not_a_number", 1),
            ("not_a_task", 6),
            ("rich_type", 2),
            ("too_deep", 2),
        ]
    );
}

/// Three messages and nesting of 900 levels end a worker of Celery, which gets them again when it is started again. Ours, on the
/// same exchange, has a dead letter.
#[test]
fn message_that_kills_a_celery_worker_is_dead_lettered() {
    let deadly: Vec<_> =
        malformed().into_iter().filter(|(_, outcome, _)| outcome.starts_with("WORKER CRASHED")).collect();
    let names: Vec<_> = deadly.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["v2_deep_nesting_900", "v2_four_tuple", "v2_task_only_header", "v2_two_tuple"]);
    for (name, _, message) in deadly {
        let fleet = Fleet::new();
        let ours = fleet.client("ours");
        let (service, _) = listening(&ours);
        let service: Service = service.on("e", |_: &Context, _: Value| Ok(())).start().unwrap();
        let mut worker = fleet.worker("python").processes(1).start();
        fleet.caller("caller").does("publish", json!({"messages": [message]}));
        eventually(PATIENCE, || service.health().dead_lettered == 1);
        eventually(PATIENCE, || !worker.runs());
        assert!(service.health().is_ready(), "{name}");
        let reason = match name.as_str() {
            "v2_deep_nesting_900" => "too_deep",
            "v2_task_only_header" => "missing_header",
            _ => "bad_field",
        };
        assert_eq!(dead_letters(&ours).into_iter().map(|(reason, _)| reason).collect::<Vec<_>>(), [reason], "{name}");
    }
}
