//! Notifications, on the topic exchange, by either side.

use std::time::Duration;

use integration_tests::eventually;
use interop_python::{Fleet, PATIENCE, client};
use serde_json::{Value, json};
use zc_events::{Channel, Email, Event, Service};
use zc_events_transport::ExchangeKind;

use crate::interop::ours::{Seen, Tap, decoded};

#[test]
fn python_receives_notifications_of_rust() {
    let fleet = Fleet::new();
    let mut python = fleet.worker("python").start();
    let client = fleet.client("ours");
    let channels = [Channel::Email, Channel::Text, Channel::Push, Channel::Slack];
    for (number, channel) in channels.into_iter().enumerate() {
        let event = Event::new("send_it").set("to", ["a@b.c"]).unwrap().set("text", "café / 🍕").unwrap();
        client.notify(channel, &event).unwrap();
        let told = python.told("notified", number + 1).swap_remove(number);
        assert_eq!((&told["event_type"], &told["args"]), (&json!("send_it"), &json!([])));
        assert_eq!(told["kwargs"], json!({"task_id": event.id(), "to": ["a@b.c"], "text": "café / 🍕"}));
    }
    // None of them went to the events.
    assert_eq!(python.all().len(), channels.len(), "{:?}", python.all());
}

#[test]
fn rust_receives_notifications_of_python() {
    let fleet = Fleet::new();
    let (any, pushed) = (Seen::default(), Seen::default());
    let service = Service::builder(&fleet.client("ours"))
        .on_notification(None, "send_it", any.handler())
        .on_notification(Channel::Push, "send_it", pushed.handler())
        .start()
        .unwrap();
    let mut python = fleet.caller("python");
    let kwargs = json!({"to": ["a@b.c"], "subject": "café / 🍕"});
    for channel in ["email", "text", "push"] {
        python.does("notify", json!({"channel": channel, "event_type": "send_it", "kwargs": kwargs}));
    }
    python.does("send_task", json!({"task": "microservice.notification", "args": ["send_it"], "kwargs": kwargs}));
    let mut records = [any.after(3), pushed.after(1)].concat();
    records.sort_by_key(|record| record["channel"].to_string());
    assert!(records.iter().all(|record| record["kwargs"] == kwargs), "{records:?}");
    let channels: Vec<_> = records.iter().map(|record| &record["channel"]).collect();
    // Celery's router does not tell.
    let told = ["email", "push", "text"].map(|channel| json!(format!("microservice.notification.{channel}")));
    assert_eq!(channels, [&told[0], &told[1], &told[2], &Value::Null]);
    eventually(PATIENCE, || service.health().processed == 4);
    assert_eq!(service.health().dead_lettered, 0);
}

/// The next notification: its routing key, event type and keyword arguments.
fn next(tap: &mut Tap) -> (String, String, Value) {
    let delivery = tap.next();
    let mut task = decoded(&delivery);
    assert_eq!(task.task, "microservice.notification");
    task.kwargs.remove("task_id");
    (delivery.routing_key, task.event_type().unwrap().to_owned(), Value::Object(task.kwargs))
}

#[test]
fn notifications_of_python_are_routed_by_key() {
    let fleet = Fleet::new();
    let exchange = fleet.notifications_exchange();
    let mut all = Tap::on(&exchange, ExchangeKind::Topic, "microservice.notification.#");
    let mut emails = Tap::on(&exchange, ExchangeKind::Topic, "microservice.notification.email");
    let mut python = fleet.caller("python");
    let kwargs = json!({"to": ["a@b.c"], "subject": "café / 🍕"});
    for channel in ["email", "text", "push"] {
        python.does("notify", json!({"channel": channel, "event_type": "send_it", "kwargs": kwargs}));
        let key = format!("microservice.notification.{channel}");
        assert_eq!(next(&mut all), (key, "send_it".to_owned(), kwargs.clone()));
    }
    // Celery's own send_task goes by the router of zc_events, which names the pattern itself as the key.
    let task = json!({"task": "microservice.notification", "args": ["send_it"], "kwargs": kwargs});
    python.does("send_task", task);
    assert_eq!(next(&mut all), ("microservice.notification.*".to_owned(), "send_it".to_owned(), kwargs.clone()));

    // An e-mail of zc_events.
    let to = json!({"to": "a@b.c,d@e.f", "subject": "hi", "from_email": "x@y.z", "is_transactional": true});
    python.does("send_email", to);
    let (key, event_type, kwargs) = next(&mut all);
    assert_eq!((key.as_str(), event_type.as_str()), ("microservice.notification.email", "send_email"));
    assert_eq!((&kwargs["to"], &kwargs["is_transactional"]), (&json!(["a@b.c", "d@e.f"]), &json!(true)));

    // A queue bound to e-mails got the e-mails alone: no text messages, and no message with the pattern as routing key.
    let emailed = [next(&mut emails).1, next(&mut emails).1];
    assert_eq!(emailed, ["send_it", "send_email"]);
    assert!(emails.within(Duration::from_millis(200)).is_none());
}

/// The keyword arguments without what is random or of the moment, whose form alone is looked at.
fn masked(mut kwargs: Value) -> Value {
    let uuid = kwargs["task_id"].take().as_str().unwrap().to_owned();
    let mask = |key: &mut Value| {
        if let Some(text) = key.as_str() {
            let (day, rest) = text.split_once('/').unwrap();
            let (time, name) = rest.split_once('_').unwrap();
            let name = name.strip_prefix(&format!("{uuid}/")).unwrap();
            assert!(day.len() == 10 && time.parse::<u64>().is_ok(), "{text}");
            *key = json!(name);
        }
    };
    mask(&mut kwargs["plaintext_body_key"]);
    mask(&mut kwargs["html_body_key"]);
    kwargs["attachments_keys"].as_array_mut().unwrap().iter_mut().for_each(mask);
    kwargs
}

#[test]
fn email_of_rust_equals_pythons() {
    let fleet = Fleet::new();
    let mut tap = Tap::on(&fleet.notifications_exchange(), ExchangeKind::Topic, "microservice.notification.email");
    let mut worker = fleet.worker("python").start();
    let mut python = fleet.caller("python");
    let ours = client(fleet.settings("ours").events_content_url("memory://"));
    let email = Email::new()
        .from("me@x.y")
        .to(["a@b.c", "d@e.f"])
        .cc("c@c.c")
        .reply_to("r@r.r")
        .subject("Sé")
        .plaintext_body("p")
        .html_body("<p>h</p>")
        .header("X-A", "1")
        .attachment("f.pdf", "application/pdf", *b"%PDF")
        .user("56")
        .resource("Order", "1")
        .unsubscribe_group(3)
        .transactional(true);
    let how = json!({
        "from_email": "me@x.y", "to": "a@b.c,d@e.f", "cc": ["c@c.c"], "reply_to": "r@r.r", "subject": "Sé",
        "plaintext_body": "p", "html_body": "<p>h</p>", "headers": {"X-A": "1"},
        "attachments": [["f.pdf", "application/pdf", "%PDF"]], "user_id": "56", "resource_type": "Order",
        "resource_id": "1", "unsubscribe_group": 3, "is_transactional": true,
    });
    // One after the other: Python waits for no confirm.
    let mut next = || {
        let delivery = tap.next();
        let task = decoded(&delivery);
        (delivery.routing_key, task.args.clone(), masked(Value::Object(task.kwargs)))
    };
    let short = (Email::new().to("a@b.c").plaintext_body("p"), json!({"to": ["a@b.c"], "plaintext_body": "p"}));
    for (email, how) in [(email, how), short] {
        ours.send_email(&email).unwrap();
        let of_ours = next();
        python.does("send_email", how);
        assert_eq!(of_ours, next());
    }
    let told = worker.told("notified", 4);
    assert!(told.iter().all(|record| record["event_type"] == "send_email"), "{told:?}");
}
