//! Calls by key, made by either side and answered by the other.

use std::time::{Duration, Instant};

use integration_tests::{eventually, redis_url};
use interop_python::{Fleet, PATIENCE, client};
use r2d2_redis::redis;
use serde_json::{Value, json};
use zc_events::{Context, Error, EventClient, HandlerError, Protocol, Service, Stage};

use super::replay::message;
use crate::interop::ours::{Seen, values, vector};

#[derive(serde::Deserialize, serde::Serialize)]
struct Add {
    x: i64,
    y: i64,
}

/// A service that answers what Python calls in these tests, and notes what it was called with.
fn serving(client: &EventClient) -> (Service, Seen) {
    let seen = Seen::default();
    let noted = seen.clone();
    let service = Service::builder(client)
        .call("add", |_: &Context, add: Add| Ok(add.x + add.y))
        .call("same", |_: &Context, data: Value| Ok(data))
        .call("echo", |context: &Context, data: Value| {
            let call = context.call().unwrap();
            let method = call.method.map(|method| method.to_string());
            Ok(json!({"data": data, "headers": call.headers, "id": call.id, "method": method}))
        })
        .call("missing", |_: &Context, _: Value| -> Result<(), _> {
            Err(HandlerError::with_status(404, "no such café").kind("DoesNotExist").trace("in missing, é"))
        })
        .call("boom", |_: &Context, _: Value| -> Result<(), _> { Err(HandlerError::new("canary: inside")) })
        .call("panics", |_: &Context, _: Value| -> Result<(), HandlerError> { panic!("canary: on purpose") })
        .call("note", move |context: &Context, data: Value| {
            noted.push(json!({"data": data, "response_key": context.call().unwrap().response_key}));
            Ok(())
        })
        .start()
        .unwrap();
    (service, seen)
}

#[test]
fn python_calls_rust() {
    let fleet = Fleet::new();
    let (service, seen) = serving(&fleet.client("ours"));
    let mut python = fleet.caller("python");
    let sum = json!({"data": 5, "has_errors": false, "errors": []});
    for verb in ["get", "put", "post", "delete", "call"] {
        let how = json!({"verb": verb, "key": "add", "data": {"x": 2, "y": 3}});
        assert_eq!(python.does("verb", how), sum, "{verb}");
        let data = json!({"text": "café 中 🍕 a/b", "list": [null, 1.5, {"k": []}]});
        let headers = json!({"pk": 3, "roles": ["user"], "user_id": "56", "query_string": "x=1"});
        let how = json!({"verb": verb, "key": "echo", "data": data, "headers": headers});
        let echo = python.does("verb", how)["data"].take();
        assert_eq!((&echo["data"], &echo["headers"]), (&data, &headers));
        assert_eq!(echo["method"], if verb == "call" { "POST".to_owned() } else { verb.to_uppercase() });
        assert!(echo["id"].is_string());
    }
    for value in values() {
        let same = python.does("verb", json!({"verb": "get", "key": "same", "data": value}));
        assert!(same["data"] == value, "{:.200} is not {value:.200}", same["data"]);
    }
    for (number, verb) in ["put_no_wait", "post_no_wait", "delete_no_wait", "call_no_wait"].into_iter().enumerate() {
        let how = json!({"verb": verb, "key": "note", "data": {"number": number}});
        assert_eq!(python.does("verb", how), Value::Null, "{verb}");
        assert_eq!(seen.after(number + 1)[number], json!({"data": {"number": number}, "response_key": null}));
    }
    let health = service.health();
    assert_eq!((health.dead_lettered, health.unanswered), (0, 0));
}

/// 0.4 does not run beside today's Celery: its calls are sent as they were captured, and its answers are held to those.
#[test]
fn calls_of_zc_events_0_4_are_answered() {
    let fleet = Fleet::new();
    let (service, _) = serving(&fleet.client("ours"));
    let mut python = fleet.caller("caller");
    let mut redis = redis::Client::open(redis_url()).unwrap().get_connection().unwrap();
    let sum: Value = serde_json::from_str(vector("redis_head_dispatch_add")["value_utf8"].as_str().unwrap()).unwrap();
    for (name, answer) in [
        ("head_verb_get", Some(&sum)),
        ("head_verb_put", Some(&sum)),
        ("head_verb_post", Some(&sum)),
        ("head_verb_delete", Some(&sum)),
        ("head_verb_get_headers", None),
        ("head_verb_post_unicode", None),
        ("head_verb_post_data_none", None),
        ("head_verb_get_error", None),
    ] {
        let (message, call) = (message(name).unwrap(), vector(name));
        python.does("publish", json!({"messages": [message]}));
        let call: Value = serde_json::from_str(call["body_utf8"].as_str().unwrap()).unwrap();
        let call = &call[0][1];
        let popped: Option<(String, String)> =
            redis::cmd("BLPOP").arg(call["response_key"].as_str()).arg(60).query(&mut redis).unwrap();
        let (_, found) = popped.unwrap_or_else(|| panic!("{name} is not answered"));
        let found: Value = serde_json::from_str(&found).unwrap();
        if let Some(answer) = answer {
            assert_eq!(&found, answer, "{name}");
            continue;
        }
        if name == "head_verb_get_error" {
            assert_eq!((&found["data"], &found["has_errors"]), (&Value::Null, &json!(true)));
            continue;
        }
        // As they were sent, null where that is what was sent.
        for member in ["data", "headers", "id"] {
            assert_eq!(found["data"][member], call[member], "{name}: {member}");
        }
        assert_eq!(found["data"]["method"], call["_backend"]["method"], "{name}");
    }
    // One that waits for nothing.
    python.does("publish", json!({"messages": [message("head_verb_post_no_wait").unwrap()]}));
    eventually(PATIENCE, || service.health().processed == 9);
    let health = service.health();
    assert_eq!((health.dead_lettered, health.unanswered, health.ignored), (0, 0, 0));
}

#[test]
fn python_reads_the_failure_of_a_rust_function() {
    let fleet = Fleet::new();
    let (service, _) = serving(&fleet.client("ours"));
    let mut python = fleet.caller("python");
    let hidden = ("APIException", "The service failed to answer.");
    for (key, data, (kind, message)) in [
        ("missing", json!({}), ("DoesNotExist", "no such café")),
        ("boom", json!({}), hidden),
        ("panics", json!({}), hidden),
        ("add", json!({"x": 1}), ("ValidationError", "the data does not fit: missing field `y`")),
    ] {
        let response = python.does("verb", json!({"verb": "get", "key": key, "data": data}));
        assert_eq!((&response["data"], &response["has_errors"]), (&Value::Null, &json!(true)), "{key}");
        let errors = response["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1);
        assert_eq!((&errors[0]["type"], &errors[0]["message"]), (&json!(kind), &json!(message)), "{key}");
        // There is always one in Python, and programs that read it; ours tells nothing of its inside unless it means to.
        assert_eq!(errors[0]["trace"], if key == "missing" { "in missing, é" } else { "" });
        assert!(!errors[0].to_string().contains("canary"), "{errors:?}");
    }
    assert_eq!(service.health().unanswered, 0);
}

#[test]
fn rust_calls_python() {
    let fleet = Fleet::new();
    let mut python = fleet.worker("python").start();
    // As zc_events 0.4 calls, and as 0.3 does.
    for protocol in [Protocol::V2, Protocol::V1] {
        let client = client(fleet.settings("ours").events_protocol(protocol));
        let sum: i64 = client.post("add").data(Add { x: 2, y: 3 }).unwrap().fetch().unwrap();
        assert_eq!(sum, 5);
        let data = json!({"text": "café 中 🍕 a/b 'q' \"", "list": [null, 1.5, {"k": []}], "big": "x".repeat(300_000)});
        let headers = json!({"pk": 3, "roles": ["user"]});
        for (call, method) in [
            (client.get("echo"), "GET"),
            (client.put("echo"), "PUT"),
            (client.post("echo"), "POST"),
            (client.delete("echo"), "DELETE"),
        ] {
            let call = call.data(&data).unwrap().headers(&headers).unwrap();
            let echo: Value = call.fetch().unwrap();
            assert_eq!((&echo["data"], &echo["headers"]), (&data, &headers), "protocol {protocol} {method}");
            assert_eq!(echo["method"], method);
        }
        for value in values() {
            let same: Value = client.get("same").data(&value).unwrap().fetch().unwrap();
            assert!(same == value, "protocol {protocol}: {same:.200} is not {value:.200}");
        }
        // Sent together, awaited in the other order.
        let pending: Vec<_> =
            (0..20).map(|n| client.get("add").data(Add { x: n, y: 1000 }).unwrap().send::<i64>().unwrap()).collect();
        let sums: Vec<i64> = pending.into_iter().rev().map(|pending| pending.wait().unwrap()).collect();
        assert_eq!(sums, Vec::from_iter((1000..1020).rev()));
    }
    let client = fleet.client("ours");
    let calls = [client.get("note"), client.put("note"), client.post("note"), client.delete("note")];
    for (number, call) in calls.into_iter().enumerate() {
        call.data(json!({"number": number})).unwrap().no_wait().unwrap();
        let noted = &python.told("noted", number + 1)[number];
        assert_eq!((&noted["data"], &noted["response_key"]), (&json!({"number": number}), &Value::Null));
    }
}

#[test]
fn rust_reads_the_failure_of_a_python_function_with_its_traceback() {
    let fleet = Fleet::new();
    let mut python = fleet.worker("python").start();
    let client = fleet.client("ours");
    let error = client.get("boom").fetch::<Value>().unwrap_err();
    assert_eq!(error.to_string(), "the call of `boom` failed at the other service: ValueError");
    let Error::Call { failure, .. } = error else { panic!("{error:?}") };
    let told = &failure.errors()[0];
    assert_eq!((told.kind.as_str(), told.message.as_str()), ("ValueError", "boom café"));
    assert!(told.trace.as_deref().is_some_and(|trace| trace.contains("in boom")), "{:?}", told.trace);

    let error = client.get("add").data(json!({"x": 1})).unwrap().fetch::<i64>().unwrap_err();
    let Error::Call { failure, .. } = error else { panic!("{error:?}") };
    assert_eq!((failure.errors()[0].kind.as_str(), failure.errors()[0].message.as_str()), ("KeyError", "'y'"));

    // A result of another type is told apart from a failure.
    let error = client.get("add").data(Add { x: 1, y: 1 }).unwrap().fetch::<String>().unwrap_err();
    assert!(matches!(error, Error::Decode { .. }), "{error:?}");

    // No service has a function for this key.
    let started = Instant::now();
    let unknown = client.get("unknown_key").timeout(Duration::from_secs(2)).fetch::<Value>().unwrap_err();
    assert!(matches!(unknown, Error::Timeout { stage: Stage::Reply }), "{unknown:?}");
    assert!(started.elapsed() < PATIENCE);
    assert_eq!(python.told("ignored", 1)[0]["event_type"], "unknown_key");
    assert!(python.runs());
}
