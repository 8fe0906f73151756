//! Events: every value that both languages know, in every form in which a fleet sends it.

use integration_tests::eventually;
use interop_python::{Fleet, PATIENCE};
use serde_json::{Value, json};
use zc_events::{Error, Event, EventClient, Protocol, Service};

use crate::interop::ours::{Seen, listening, values};

/// How our clients put events on the wire.
fn clients(fleet: &Fleet) -> Vec<(&'static str, EventClient)> {
    let with = |protocol| interop_python::client(fleet.settings("ours").events_protocol(protocol));
    vec![("1", with(Protocol::V1)), ("2", with(Protocol::V2))]
}

#[test]
fn python_reads_every_value_of_rust() {
    let fleet = Fleet::new();
    let mut python = fleet.worker("python").start();
    let mut sent = Vec::new();
    for (protocol, client) in clients(&fleet) {
        for value in values() {
            let event = Event::new("seen").set("value", &value).unwrap();
            client.emit(&event).unwrap();
            sent.push((protocol, event, json!([]), json!({"value": value})));
        }
        let event = Event::new("seen").arg("pos").unwrap().arg((1, (), json!({"k": "v"}))).unwrap().task_id("mine");
        client.emit(&event).unwrap();
        sent.push((protocol, event, json!(["pos", [1, null, {"k": "v"}]]), json!({"task_id": "mine"})));

        let event = Event::new("seen").resource("Order", 23_131_024).user("56").meta(&json!({"a": [1]})).unwrap();
        client.emit(&event).unwrap();
        let kwargs = json!({"resource_type": "Order", "resource_id": 23_131_024, "user_id": "56", "meta": {"a": [1]}});
        sent.push((protocol, event, json!([]), kwargs));

        let event = Event::new("seen").priority(7).set("with space", 1).unwrap().set("ü/\"", [2]).unwrap();
        client.emit(&event).unwrap();
        sent.push((protocol, event, json!([]), json!({"with space": 1, "ü/\"": [2]})));
    }
    let records = python.told("seen", sent.len());
    assert_eq!(records.len(), sent.len());
    for (protocol, event, args, mut kwargs) in sent {
        let record = records.iter().find(|it| it["request"]["id"] == event.id()).unwrap();
        if kwargs.get("task_id").is_none() {
            kwargs["task_id"] = json!(event.id());
        }
        assert!(record["kwargs"] == kwargs, "protocol {protocol}: {:.200} is not {kwargs:.200}", record["kwargs"]);
        assert_eq!(record["args"], args, "protocol {protocol}");
        let request = &record["request"];
        assert_eq!((&request["redelivered"], &request["retries"]), (&json!(false), &json!(0)));
        assert_eq!(request["priority"], event.effective_priority().map_or(Value::Null, Value::from));
        if protocol == "2" {
            assert_eq!(request["root_id"], event.id());
            assert_eq!(request["origin"], fleet.service_name("ours"));
        }
    }
    assert!(python.runs());
}

#[test]
fn rust_reads_every_value_of_python() {
    let fleet = Fleet::new();
    let client = fleet.client("ours");
    let (service, seen) = listening(&client);
    let service = service.start().unwrap();
    let mut python = fleet.caller("python");

    for value in values() {
        let before = seen.count();
        let kwargs = json!({"value": value});
        python.does("emit", json!({"event_type": "seen", "kwargs": kwargs}));
        python.does("send_task", json!({"args": ["seen"], "kwargs": kwargs, "protocol": 1}));
        python.does("send_task", json!({"args": ["seen"], "kwargs": kwargs, "protocol": 2}));
        for record in &seen.after(before + 3)[before..] {
            assert!(record["kwargs"] == kwargs, "{:.200} is not {kwargs:.200}", record["kwargs"]);
        }
    }
    let before = seen.count();
    // The first is the priority, in zc_events 0.3.
    python.does("emit", json!({"event_type": "seen", "args": [3, "pos", [1, null]], "kwargs": {"task_id": "mine"}}));
    let record = seen.after(before + 1).swap_remove(before);
    assert_eq!((&record["args"], &record["kwargs"]), (&json!(["pos", [1, null]]), &json!({})));
    assert_eq!(record["task_id"], "mine");
    assert_ne!(record["id"], "mine");

    python.does("emit", json!({"event_type": "seen"}));
    let id = python.does("send_task", json!({"args": ["seen", "pos"], "headers": {"x": 1}, "priority": 5}));
    assert_eq!(seen.of_id(id.as_str().unwrap())["args"], json!(["pos"]));
    let all = seen.after(before + 3);
    assert!(all.iter().all(|record| record["redelivered"] == false && record["attempt"] == 1));
    assert_eq!(service.health().dead_lettered, 0);
}

/// What Python writes for its own types, each service reads as plain JSON says it.
#[test]
fn kombu_types_become_plain_values() {
    let fleet = Fleet::new();
    let client = fleet.client("ours");
    let (service, seen) = listening(&client);
    let service = service.start().unwrap();
    let mut python = fleet.caller("python");
    for protocol in [1, 2] {
        let id = python.does("send_specimen", json!({"event_type": "seen", "name": "rich", "protocol": protocol}));
        assert_eq!(
            seen.of_id(id.as_str().unwrap())["kwargs"],
            json!({
                "when": "2026-01-02T03:04:05.678000+00:00", "naive": "2026-01-02T03:04:05", "day": "2026-01-02",
                "time": "03:04:05", "amount": "1.20", "id": "00000000-0000-0000-0000-000000000001", "text": "café",
                "binary": "//4=",
            }),
            "protocol {protocol}"
        );
    }
    assert_eq!(service.health().dead_lettered, 0);
}

/// One copy each, on both sides, and the ids of a chain of events travel through both languages.
#[test]
fn each_service_gets_a_copy_with_the_root_and_parent_ids() {
    let fleet = Fleet::new();
    let mut python = fleet.worker("python").start();
    let ours = fleet.client("ours");
    let (service, seen) = listening(&ours);
    let service = service
        .on("begun", |context, _: Value| {
            context.client().emit(&Event::new("seen").set("from", "the handler")?)?;
            Ok(())
        })
        .start()
        .unwrap();
    let mut caller = fleet.caller("caller");
    let begun = caller.does("send_task", json!({"args": ["begun"]}));
    let record = seen.after(1).swap_remove(0);
    assert_eq!((&record["root_id"], &record["parent_id"]), (&begun, &begun));
    let told = python.told("seen", 1).swap_remove(0);
    assert_eq!((&told["request"]["root_id"], &told["request"]["parent_id"]), (&begun, &begun));
    assert_eq!(told["request"]["id"], record["id"]);
    assert_eq!(python.told("ignored", 1)[0]["event_type"], "begun");
    eventually(PATIENCE, || service.health().processed == 2);
    let health = service.health();
    assert_eq!((health.ignored, health.dead_lettered), (0, 0));
    assert_eq!((seen.count(), python.told("seen", 1).len()), (1, 1));
}

/// The type of an event may be any text; ours finds it without reading the rest of the message, where it can.
#[test]
fn event_type_may_be_any_text() {
    let fleet = Fleet::new();
    let types = ["order_created", "café/erstellt 🍕", "with \"quotes\" and \\", "a".repeat(300).leak()];
    let seen = Seen::default();
    let builder = Service::builder(&fleet.client("ours"));
    let service = types.iter().fold(builder, |builder, name| builder.on(*name, seen.handler())).start().unwrap();
    let mut worker = fleet.worker("python").start();
    let mut python = fleet.caller("caller");
    let client = fleet.client("other");
    for (number, name) in types.into_iter().enumerate() {
        client.emit(&Event::new(name)).unwrap();
        python.does("emit", json!({"event_type": name}));
        python.does("send_task", json!({"args": [name], "protocol": 1}));
        python.does("send_task", json!({"args": [name], "protocol": 2}));
        eventually(PATIENCE, || service.health().processed == 4 * (number as u64 + 1));
        let ignored = worker.told("ignored", 4 * (number + 1));
        assert!(ignored[4 * number..].iter().all(|record| record["event_type"] == name), "{ignored:?}");
    }
}

/// A listener as the README of zc_events has it calls its own parameter `event_type`, and raises where an argument has that name.
#[test]
fn argument_named_event_type_is_refused() {
    let fleet = Fleet::new();
    let mut worker = fleet.worker("python").start();
    let (service, seen) = listening(&fleet.client("ours"));
    let _service = service.start().unwrap();
    let mut python = fleet.caller("caller");
    python.does("send_task", json!({"args": ["seen"], "kwargs": {"event_type": "x"}}));
    assert_eq!(worker.told("failed", 1)[0]["error"], "TypeError");
    assert_eq!(seen.after(1)[0]["kwargs"], json!({"event_type": "x"}));
    let refused = Event::new("seen").set("event_type", "x").unwrap_err().to_string();
    assert!(refused.contains("`event_type` is a reserved keyword"), "{refused}");
}

/// What some reader in the fleet would choke on never leaves.
#[test]
fn values_that_python_cannot_read_are_refused_before_sending() {
    let fleet = Fleet::new();
    let mut python = fleet.worker("python").start();
    let too_deep = (0..101).fold(json!(1), |value, _| json!([value]));
    for (_, client) in clients(&fleet) {
        let refused = client.emit(&Event::new("seen").resource("Order", too_deep.clone())).unwrap_err();
        assert!(matches!(refused, Error::Encode { .. }), "{refused:?}");
        let refused = client.emit(&Event::new("")).unwrap_err();
        assert!(matches!(refused, Error::Encode { .. }), "{refused:?}");
        assert!(Event::new("seen").set("x", f64::NAN).is_err());
        assert!(Event::new("seen").set("x", u128::MAX).is_err());
        client.emit(&Event::new("seen").set("x", "after").unwrap()).unwrap();
    }
    // Nothing came but what was meant to.
    let records = python.told("seen", 2);
    assert!(records.iter().all(|record| record["kwargs"]["x"] == "after"), "{records:?}");
    assert_eq!(python.all().len(), 2, "{:?}", python.all());
}
