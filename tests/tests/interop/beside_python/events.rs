//! Events: every value that both languages know, in every form in which a fleet sends it.

use integration_tests::python::Fleet;
use serde_json::{Value, json};
use zc_events::{Error, Event, EventClient, Protocol};

use crate::ours::listening;

/// Values that each side must read as the other meant them.
fn values() -> Vec<Value> {
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

/// How our clients put events on the wire.
fn clients(fleet: &Fleet) -> Vec<(&'static str, EventClient)> {
    let with = |protocol| integration_tests::python::client(fleet.settings("ours").events_protocol(protocol));
    vec![("1", with(Protocol::V1)), ("2", with(Protocol::V2))]
}

#[test]
fn python_reads_every_value_of_ours() {
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

        let event = Event::new("seen").priority(7);
        client.emit(&event).unwrap();
        sent.push((protocol, event, json!([]), json!({})));
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
        assert_eq!(request["priority"], event.get_priority().map_or(Value::Null, Value::from));
        if protocol == "2" {
            assert_eq!(request["root_id"], event.id());
            assert_eq!(request["origin"], fleet.service_name("ours"));
        }
    }
    assert!(python.runs());
}

#[test]
fn ours_reads_every_value_of_pythons() {
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
fn rich_types_of_celery_are_plain_values_for_ours() {
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
fn each_service_gets_its_copy_and_the_chain_of_ids_survives() {
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
    let health = service.health();
    assert_eq!((health.processed, health.ignored, health.dead_lettered), (2, 0, 0));
    assert_eq!((seen.count(), python.told("seen", 1).len()), (1, 1));
}

/// What some reader in the fleet would choke on never leaves.
#[test]
fn what_python_would_choke_on_is_refused_before_it_is_sent() {
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
