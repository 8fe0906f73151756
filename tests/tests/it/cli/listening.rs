//! `zc-events listen` against RabbitMQ: the messages and their output, when the command ends, and that others do not notice it.

use std::process::Command;

use amiquip::{AmqpProperties, AmqpValue, Connection, FieldTable, Publish};
use integration_tests::proxy::{Ending, Proxy};
use integration_tests::{broker_url, eventually};
use serde_json::json;
use zc_events::{Channel, Event};

use integration_tests::command::{PATIENCE, Running, Scene};

fn listen(scene: &Scene, words: &[&str]) -> Running {
    let running = scene.start(&[&["listen"], words].concat());
    running.until_said("watching ");
    running
}

/// Publishes without our own layers.
fn publish(scene: &Scene, routing_key: &str, properties: AmqpProperties, body: &[u8]) {
    let mut connection = Connection::insecure_open(&broker_url()).unwrap();
    let channel = connection.open_channel(None).unwrap();
    let exchange = scene.client().settings().events_exchange().to_owned();
    channel.basic_publish(exchange, Publish::with_properties(body, routing_key, properties)).unwrap();
    connection.close().unwrap();
}

#[test]
fn each_kind_of_message_has_all_its_members() {
    let scene = Scene::new();
    let listening = listen(&scene, &["--notifications"]);
    let client = scene.client();

    // As zc_events of Python puts it there.
    let body = br#"{"task": "microservice.event", "id": "1", "args": ["order_created", 7], "kwargs": {"task_id": "mine", "resource_id": 5}}"#;
    let json_body = || AmqpProperties::default().with_content_type("application/json".into());
    publish(&scene, "key", json_body().with_content_encoding("utf-8".into()).with_priority(3), body);
    let mut told = listening.json();
    let time = told["time"].take();
    assert!(time.as_str().is_some_and(|time| time.len() == 24 && time.ends_with('Z')), "{time}");
    let exchange = client.settings().events_exchange();
    assert_eq!(
        told,
        json!({
            "time": null, "kind": "event", "event_type": "order_created", "task": "microservice.event", "id": "1",
            "task_id": "mine", "message_id": "1", "parent_id": null, "protocol": 1, "args": [7],
            "kwargs": {"task_id": "mine", "resource_id": 5}, "headers": {}, "priority": 3, "exchange": exchange,
            "routing_key": "key", "size": body.len(), "request": false,
        })
    );

    // As Celery does, in protocol 2.
    let mut headers = FieldTable::new();
    for (name, value) in [("task", "microservice.event"), ("id", "2"), ("parent_id", "1"), ("root_id", "1")] {
        headers.insert(name.to_owned(), AmqpValue::LongString(value.to_owned()));
    }
    let body = br#"[["order_created"], {"a": 1}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]"#;
    publish(&scene, "", json_body().with_headers(headers).with_message_id("m".into()), body);
    let told = listening.json();
    let members = ["protocol", "id", "task_id", "message_id", "parent_id", "kwargs"].map(|name| told[name].clone());
    assert_eq!(members, [json!(2), json!("2"), json!("2"), json!("m"), json!("1"), json!({"a": 1})]);
    assert_eq!(told["headers"]["root_id"], "1");

    scene.run(&["get", "Order", "5", "--timeout", "3s"]).with_code(5);
    let told = listening.json();
    assert_eq!((&told["kind"], &told["event_type"]), (&json!("request"), &json!("order_request")));
    assert_eq!((&told["request"], &told["kwargs"]["pk"]), (&json!(true), &json!("5")));
    scene.run(&["call", "add", "--no-wait"]).with_code(0);
    let told = listening.json();
    assert_eq!((&told["kind"], &told["event_type"], &told["request"]), (&json!("call"), &json!("add"), &json!(true)));
    client.notify(Channel::Email, &Event::new("shipped")).unwrap();
    let told = listening.json();
    assert_eq!((&told["kind"], &told["event_type"]), (&json!("notification"), &json!("shipped")));
    assert_eq!(told["routing_key"], "microservice.notification.email");

    publish(&scene, "", json_body(), br#"{"task": "microservice.event", "id": "3", "args": [5, 6]}"#);
    let told = listening.json();
    assert_eq!((&told["event_type"], &told["args"], &told["kind"]), (&json!(null), &json!([5, 6]), &json!("event")));
    assert_eq!((&told["reason"], &told["body"]), (&json!("no_event_type"), &json!(null)), "{told}");

    for (content_type, body, reason) in [
        ("application/json", &b"{\"task\": \"x\""[..], "malformed"),
        ("application/x-python-serialize", &b"\x80\x02}q"[..], "content_type"),
    ] {
        publish(&scene, "", AmqpProperties::default().with_content_type(content_type.into()), body);
        let told = listening.json();
        assert_eq!(
            (&told["kind"], &told["event_type"], &told["request"]),
            (&json!("unreadable"), &json!(null), &json!(false))
        );
        assert_eq!(told["reason"], reason, "{told}");
        assert!(told["error"].as_str().is_some_and(|error| error.len() > 10), "{told}");
        assert_eq!(told["body"], *String::from_utf8_lossy(body));
    }
}

#[test]
fn pretty_output_is_one_line_each_without_control_characters() {
    let scene = Scene::new();
    let listening = listen(&scene, &["--output", "pretty"]);
    let event = Event::new("order\u{1b}[2Jcreated").with_id("i\u{9b}d").set("text", "a\u{7f}\nb").unwrap();
    scene.client().emit(&event).unwrap();
    let line = listening.line();
    let shown = r#"event        order\u001b[2Jcreated {"text":"a\u007f\nb"} i\u009bd v1 p0"#;
    assert!(line.ends_with(shown), "{line}");
    publish(&scene, "", AmqpProperties::default().with_content_type("application/json".into()), b"\x1b[2J");
    let line = listening.line();
    assert!(line.contains(" unreadable   malformed ") && line.ends_with("(4 bytes) \\u001b[2J"), "{line}");
}

#[test]
fn count_and_time_end_the_command_and_types_filter_messages() {
    let scene = Scene::new();
    let mut listening = listen(&scene, &["order_created", "order_request", "--count", "2", "--for", "1m"]);
    let client = scene.client();
    for event_type in ["order_paid", "order_created", "order_created_2", "order_request"] {
        client.emit(&Event::new(event_type)).unwrap();
    }
    let types: Vec<_> = listening.end().with_code(0).json().iter().map(|told| told["event_type"].clone()).collect();
    assert_eq!(types, ["order_created", "order_request"]);
    let ended = listen(&scene, &["--for", "300ms"]).end().with_code(0);
    assert!(ended.stdout.is_empty() && ended.took < PATIENCE);
    let ended = listen(&scene, &["order_paid", "--for", "300ms", "--count", "1"]).end().with_code(5);
    assert!(ended.stderr.contains("saw 0 of 1 messages"), "{}", ended.stderr);
}

#[test]
fn the_queue_is_removed_and_a_closed_pipe_ends_the_command() {
    let scene = Scene::new();
    let mut listening = listen(&scene, &[]);
    listening.interrupt();
    listening.end().with_code(130);
    // The broker notices after a while that the command is gone, and deletes its queue.
    eventually(PATIENCE, || scene.run(&["emit", "order_created"]).code == 7);

    let mut listening = scene.start_with_closed_stdout(&["listen"]);
    listening.until_said("watching ");
    scene.client().emit(&Event::new("order_created")).unwrap();
    let ended = listening.end().with_code(0);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}

#[test]
fn a_lost_connection_is_reported_and_opened_again() {
    let (proxy, url) = Proxy::before(&broker_url()).unwrap();
    let scene = Scene::new().env("BROKER_URL", &url);
    let listening = listen(&scene, &[]);
    let client = Scene::client(&Scene::new().env("STAGING_NAME", &scene.staging));
    client.emit(&Event::new("before")).unwrap();
    assert_eq!(listening.json()["event_type"], "before");
    assert!(proxy.cut_all(Ending::Rst) > 0);
    listening.until_said("messages until then are missed").until_said("watching again");
    client.emit(&Event::new("after")).unwrap();
    assert_eq!(listening.json()["event_type"], "after");
}

/// A stopped terminal must not fill the broker.
#[test]
fn a_slow_reader_misses_the_oldest_messages_and_blocks_no_publisher() {
    const EVENTS: u64 = 11_500;
    // A stopped process sends no heartbeats.
    let scene = Scene::new().env("EVENTS_HEARTBEAT", "300");
    let mut listening = listen(&scene, &["counted", "last"]);
    let signal = |name: &str| {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", listening.id())]).status().unwrap();
        assert!(sent.success());
    };
    signal("STOP");
    let client = scene.client();
    let events: Vec<_> = (0..EVENTS).map(|number| Event::new("counted").set("number", number).unwrap()).collect();
    assert!(client.emit_many(&events).iter().all(Result::is_ok), "publishers are not blocked");
    client.emit(&Event::new("last")).unwrap();
    signal("CONT");
    let mut numbers = Vec::new();
    while let Some(number) = listening.json()["kwargs"]["number"].as_u64() {
        numbers.push(number);
    }
    assert_eq!(numbers.last(), Some(&(EVENTS - 1)), "the newest are there");
    assert!((10_000..11_000).contains(&numbers.len()), "{} are there", numbers.len());
    listening.interrupt();
    listening.end().with_code(130);
}
