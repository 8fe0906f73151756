//! What Celery's own `send_task` can say of when, how often and in which form, and what a worker of Celery makes of ours.

use std::time::{Duration, Instant};

use integration_tests::amqp_client::AmqpClient;
use integration_tests::{broker_url, eventually};
use interop_python::{Fleet, PATIENCE};
use serde_json::{Value, json};
use zc_events::{Event, Protocol};
use zc_events_transport::ExchangeKind;

use crate::interop::ours::{Tap, decoded, listening};

/// The other tests send in both protocols; this one sees to it that they do.
#[test]
fn both_celery_protocols_are_handled() {
    let fleet = Fleet::new();
    let mut tap = Tap::on(&fleet.events_exchange(), ExchangeKind::Fanout, "");
    let mut python = fleet.caller("python");
    for (number, protocol) in [(1, Protocol::V1), (2, Protocol::V2), (1, Protocol::V1)] {
        python.does("send_task", json!({"args": ["seen"], "protocol": number}));
        let delivery = tap.next();
        assert_eq!(decoded(&delivery).protocol, protocol);
        assert_eq!(delivery.properties.headers.is_some_and(|it| it.contains_key("task")), protocol == Protocol::V2);
    }
}

/// An envelope of protocol 1 under a header `task`: its arguments, and what else the header says.
#[test]
fn task_header_wins_over_the_envelope_as_in_celery() {
    let fleet = Fleet::new();
    let mut worker = fleet.worker("python").start();
    let (service, seen) = listening(&fleet.client("ours"));
    let service = service.start().unwrap();
    let message = |header: &str, body: &str, id: &str| {
        let headers = json!({"task": header, "id": id});
        let envelope = json!({"task": body, "id": "of the body", "args": ["seen"], "kwargs": {"of": id}});
        let properties = json!({"content_type": "application/json", "content_encoding": "utf-8", "headers": headers});
        json!({"properties": properties, "body": envelope.to_string()})
    };
    let messages = [message("other.task", "microservice.event", "1"), message("microservice.event", "other.task", "2")];
    fleet.caller("caller").does("publish", json!({"messages": messages}));
    assert_eq!(worker.told("seen", 1)[0]["kwargs"], json!({"of": "2"}));
    assert_eq!(worker.told("unknown", 1)[0]["task"], "other.task");
    let record = &seen.after(1)[0];
    assert_eq!((&record["id"], &record["kwargs"]), (&json!("2"), &json!({"of": "2"})));
    eventually(PATIENCE, || service.health().ignored == 1);
    assert_eq!(seen.count(), 1);
}

#[test]
fn compressed_tasks_are_inflated() {
    let fleet = Fleet::new();
    let client = fleet.client("ours");
    let (service, seen) = listening(&client);
    let service = service.start().unwrap();
    let mut python = fleet.caller("python");
    let kwargs = json!({"text": "café ".repeat(20_000)});
    for compression in ["gzip", "zlib", "bzip2"] {
        for protocol in [1, 2] {
            let how = json!({"args": ["seen"], "kwargs": kwargs, "protocol": protocol, "compression": compression});
            let id = python.does("send_task", how);
            let record = seen.of_id(id.as_str().unwrap());
            assert!(record["kwargs"] == kwargs, "{compression}, protocol {protocol}");
        }
    }
    assert_eq!(service.health().dead_lettered, 0);
}

#[test]
fn countdown_delays_the_handler() {
    let fleet = Fleet::new();
    let (service, seen) = listening(&fleet.client("ours"));
    let service = service.start().unwrap();
    let mut python = fleet.caller("python");
    let mut send = |protocol, countdown| {
        let how = json!({"args": ["seen"], "protocol": protocol, "countdown": countdown, "expires": 900});
        python.does("send_task", how)
    };
    // What is not held back passes by.
    for protocol in [1, 2] {
        send(protocol, 600);
    }
    let first = send(1, 0);
    seen.of_id(first.as_str().unwrap());
    assert_eq!(seen.count(), 1);
    let begun = Instant::now();
    for id in [1, 2].map(|protocol| send(protocol, 3)) {
        seen.of_id(id.as_str().unwrap());
        assert!(begun.elapsed() >= Duration::from_secs(3), "after {:?}", begun.elapsed());
    }
    assert_eq!((seen.count(), service.health().expired), (3, 0));
}

#[test]
fn expired_task_is_handled_by_neither_side() {
    let fleet = Fleet::new();
    let mut worker = fleet.worker("python").start();
    let (service, seen) = listening(&fleet.client("ours"));
    let service = service.start().unwrap();
    let mut python = fleet.caller("caller");
    // Raw, since Celery has the broker drop what expired before it was sent.
    let past = "2020-01-01T00:00:00+00:00";
    let headers = json!({"task": "microservice.event", "id": "expired-2", "eta": null, "expires": past, "retries": 0,
                         "root_id": "expired-2", "parent_id": null, "group": null, "timelimit": [null, null],
                         "argsrepr": "", "kwargsrepr": "", "origin": "", "lang": "py"});
    let v1 = json!({"task": "microservice.event", "id": "expired-1", "args": ["seen"], "kwargs": {}, "expires": past,
                    "utc": true, "retries": 0});
    let properties =
        |headers: Value| json!({"content_type": "application/json", "content_encoding": "utf-8", "headers": headers});
    python.does(
        "publish",
        json!({"messages": [
            {"properties": properties(headers), "body": r#"[["seen"], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]"#},
            {"properties": properties(Value::Null), "body": v1.to_string()},
        ]}),
    );
    // Celery itself, by its own clock; and what has yet to expire.
    python.does("send_task", json!({"args": ["seen"], "expires": 600, "task_id": "in time"}));
    eventually(PATIENCE, || service.health().expired == 2);
    let record = seen.of_id("in time");
    assert_eq!((seen.count(), &record["kwargs"]), (1, &json!({})));
    let revoked = worker.told("revoked", 2);
    assert!(revoked.iter().all(|record| record["expired"] == true), "{revoked:?}");
    assert_eq!(worker.told("seen", 1)[0]["request"]["id"], "in time");
    assert_eq!(worker.told("seen", 1).len(), 1);
}

/// A task with Celery's `expires` leaves the queues of both services when it expires. A task that has not expired is handled.
#[test]
fn task_that_expires_in_the_queue_is_dropped() {
    let fleet = Fleet::new();
    assert!(fleet.worker("python").start().stop(PATIENCE));
    let (service, _) = listening(&fleet.client("ours"));
    drop(service.start().unwrap());
    let mut python = fleet.caller("caller");
    for protocol in [1, 2] {
        python.does("send_task", json!({"args": ["seen"], "expires": 1, "protocol": protocol}));
    }
    python.does("send_task", json!({"args": ["seen"], "expires": 600, "task_id": "in time"}));
    let plain = AmqpClient::open(&broker_url()).unwrap();
    for name in ["python", "ours"] {
        let queue = format!("{}-events", fleet.service_name(name));
        eventually(PATIENCE, || plain.ready(&queue).unwrap() == 1);
    }
    let mut worker = fleet.worker("python").start();
    let (service, seen) = listening(&fleet.client("ours"));
    let service = service.start().unwrap();
    assert_eq!(worker.told("seen", 1)[0]["request"]["id"], "in time");
    seen.of_id("in time");
    assert_eq!((seen.count(), worker.told("seen", 1).len(), service.health().expired), (1, 1, 0));
}

/// A retry of Celery is the same task with another count. It goes to all services again.
#[test]
fn celery_retries_are_new_messages() {
    let fleet = Fleet::new();
    let mut worker = fleet.worker("python").start();
    let (service, seen) = listening(&fleet.client("ours"));
    let service = service.start().unwrap();
    let mut python = fleet.caller("caller");
    for protocol in [1, 2] {
        for retries in [0, 1, 1, 2] {
            let how = json!({"args": ["seen"], "task_id": format!("task-{protocol}"), "retries": retries, "protocol": protocol});
            python.does("send_task", how);
        }
    }
    // We do not handle the message that came twice again. Celery does not deduplicate.
    eventually(PATIENCE, || service.health().processed + service.health().duplicates == 8);
    assert_eq!((seen.count(), service.health().duplicates), (6, 2));
    assert_eq!(worker.told("seen", 8).len(), 8);

    // Retries of a service's own task go through the fanout exchange, too. Other services ignore them.
    python.does("send_task", json!({"task": "microservice.event.own", "args": [true]}));
    let tried = worker.told("tried", 3);
    assert_eq!(tried.iter().map(|it| &it["retries"]).collect::<Vec<_>>(), [0, 1, 2]);
    eventually(PATIENCE, || service.health().ignored == 3);
    assert_eq!((service.health().dead_lettered, seen.count()), (0, 6));
}

/// Event types without a handler, and tasks of other names, by either side's service.
#[test]
fn unknown_task_is_ignored() {
    let fleet = Fleet::new();
    let mut worker = fleet.worker("python").start();
    let (service, seen) = listening(&fleet.client("ours"));
    let service = service.start().unwrap();
    let mut python = fleet.caller("caller");
    let ours = fleet.client("other");
    ours.emit(&Event::new("without_handler")).unwrap();
    python.does("emit", json!({"event_type": "without_handler"}));
    python.does("send_task", json!({"task": "microservice.event.unknown", "args": ["seen"]}));
    ours.emit(&Event::new("seen")).unwrap();
    let told = worker.told("seen", 1);
    assert_eq!(worker.told("ignored", 2).len(), 2);
    assert_eq!(worker.told("unknown", 1)[0]["task"], "microservice.event.unknown");
    assert_eq!(told[0]["request"]["id"], seen.after(1)[0]["id"]);
    eventually(PATIENCE, || service.health().ignored == 3);
    assert_eq!((seen.count(), service.health().dead_lettered), (1, 0));
}

/// A Python service that was stopped gets our events when it starts again, but no requests whose callers have given up.
#[test]
fn restarted_python_service_finds_events_but_no_expired_requests() {
    let fleet = Fleet::new();
    let worker = fleet.worker("python").start();
    assert!(worker.stop(PATIENCE));
    let client = fleet.client("ours");
    let event = Event::new("seen");
    client.emit(&event).unwrap();
    let request = client.remote("Order").pk("1").timeout(Duration::from_millis(300));
    let error = request.fetch::<Value>().unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    let call = client.get("add").data(json!({"x": 1, "y": 2})).unwrap().timeout(Duration::from_millis(300));
    assert!(call.fetch::<i64>().unwrap_err().is_timeout());
    client.emit(&Event::new("seen").set("last", true).unwrap()).unwrap();

    let mut worker = fleet.worker("python").processes(1).start();
    let told = worker.told("seen", 2);
    assert_eq!((&told[0]["request"]["id"], &told[1]["kwargs"]["last"]), (&json!(event.id()), &json!(true)));
    assert_eq!(worker.all().len(), 2, "{:?}", worker.all());
}
