//! The events and notifications of zc_events, built again and compared with the originals.

use serde_json::{Value, json};
use zc_events_protocol::names::EVENT_TASK;
use zc_events_protocol::{Channel, EncodeError, EncodeOptions, Encoded, Event, Notification};

use super::load::{Kind, body_json, exclusion, message, of_kind, split, vector};

pub(crate) fn builds(name: &str) -> bool {
    let ours = |about: &str| {
        ["event_", "notif_", "send_email_"].iter().any(|start| about.starts_with(start)) || about == "index_rebuild"
    };
    split(name).is_some_and(|(_, about)| ours(about)) && exclusion(name).is_none()
}

/// What is to be sent: an event, or a notification.
enum Message {
    Event(Event),
    Notification(Notification),
}

impl Message {
    fn encode(&self, options: &EncodeOptions) -> Encoded {
        match self {
            Message::Event(event) => event.encode(options),
            Message::Notification(notification) => notification.encode(options),
        }
        .unwrap()
    }
}

fn with(event_type: &str, pairs: Value) -> Result<Event, EncodeError> {
    let pairs = pairs.as_object().unwrap().clone();
    pairs.into_iter().try_fold(Event::new(event_type), |event, (key, value)| event.set(key, value))
}

/// The call that each vector names, made in Rust. Values are the call's, but for the storage keys
/// of e-mails, which are random and made above this layer.
fn build(about: &str, original: &Value) -> Result<Message, EncodeError> {
    let event = match about {
        "event_1kib" => with("e", json!({"blob": "x".repeat(1024)}))?,
        "event_200kib" => with("e", json!({"blob": "x".repeat(204_800)}))?,
        "event_args_kwargs" => Event::new("order_created")
            .arg("pos1")?
            .arg(2)?
            .arg(())?
            .arg((1, "x"))?
            .arg(json!({"k": "v"}))?
            .set("flag", true)?,
        "event_args_first_positional_is_priority" => {
            Event::new("order_created").priority(3).arg("pos2")?.arg((1, "x"))?.set("flag", true)?
        }
        "event_bytes" => with("e", json!({"x": "café"}))?,
        "event_date" => with("e", json!({"x": 1_493_596_800}))?,
        "event_datetime" => with("e", json!({"x": 1_493_641_800}))?,
        "event_decimal" => with("e", json!({"x": 12.34}))?,
        "event_escapes" => {
            with("e", json!({"text": "quote\" slash/ back\\ nl\n tab\t nul\0 bell\u{7} del\u{7f} <b>&amp;</b>"}))?
        }
        "event_float_1e20" => with("e", json!({"l": [1e20]}))?,
        "event_float_huge" => with("e", json!({"l": [1.5e300]}))?,
        "event_float_tiny" => with("e", json!({"l": [1e-10, 5e-324]}))?,
        "event_int_keys" => Event::new("e").set("d", std::collections::BTreeMap::from([(1, "a"), (2, "c")]))?,
        "event_ints" => Event::new("e")
            .set("a", 1_u64 << 31)?
            .set("b", (1_u64 << 53) + 1)?
            .set("c", i64::MAX)?
            .set("d", i64::MIN)?
            .set("e", -1)?,
        "event_uint64" => Event::new("e").set("a", 1_u64 << 63)?.set("b", u64::MAX)?,
        "event_kwargs" => Event::new("order_created")
            .resource("Order", 23_131_024)
            .user("56")
            .meta(&json!({"a": [1, 2, {"b": null}]}))?,
        "event_nested" => {
            with("e", json!({"data": {"l": [[], {}, [[1, [2, [3]]]]], "d": {"a": {"b": {"c": []}}}, "t": (1, 2)}}))?
        }
        "event_no_args" => Event::new("order_created"),
        "event_nulls_bools" => {
            with("e", json!({"n": null, "t": true, "f": false, "es": "", "el": [], "ed": {}, "zero": 0}))?
        }
        "event_object" => {
            #[derive(serde::Serialize)]
            struct Obj {
                a: u8,
                b: &'static str,
            }
            Event::new("e").set("x", Obj { a: 1, b: "x" })?
        }
        "event_set" => Event::new("e").set("x", std::collections::HashSet::from([1]))?,
        "event_unicode" => with("e", json!({"text": "café 中文 🍕 \u{2028}", "key": "ü"}))?,
        "event_priority_kw" => with("order_created", json!({"x": 1}))?.priority(7),
        "event_priority_none" => with("order_created", json!({"x": 1}))?.no_priority(),
        "event_priority_over_max" => with("order_created", json!({"x": 1}))?.priority(200),
        "event_task_id_override" => Event::new("e").task_id("mine"),
        "index_rebuild" => Event::new("index_order")
            .resource("Order", Value::Null)
            .user(Value::Null)
            .meta(&json!({"s3_key": "stub-s3-key"}))?,
        "notif_email" | "notif_text" | "notif_push" | "notif_slack" | "notif_send_push" => {
            let (channel, event) = match about {
                "notif_email" => (Channel::Email, with("send_email", json!({"to": ["a@b.c"], "subject": "hi"}))?),
                "notif_text" => (Channel::Text, with("send_text", json!({"to": "+15551234", "body": "hi"}))?),
                "notif_push" => (Channel::Push, with("send_push", json!({"title": "t"}))?),
                "notif_slack" => (Channel::Slack, with("send_slack", json!({"text": "t"}))?),
                _ => (
                    Channel::Push,
                    with(
                        "send_push_notification",
                        json!({"canonical_user_id": "u1", "notification_type": "order", "title": "T", "body": "B",
                               "application": "app", "data": {"k": 1}}),
                    )?,
                ),
            };
            return Ok(Message::Notification(Notification::new(channel, event)));
        }
        "send_email_full" | "send_email_min" => {
            let mut kwargs = original["kwargs"].clone();
            let task_id = kwargs.as_object_mut().unwrap().remove("task_id").unwrap();
            let event = with("send_email", kwargs)?.task_id(task_id.as_str().unwrap());
            // zc_events 0.1.1 sends e-mails as events.
            if original["task"] == EVENT_TASK {
                event
            } else {
                return Ok(Message::Notification(Notification::new(Channel::Email, event)));
            }
        }
        other => panic!("no builder for {other}"),
    };
    Ok(Message::Event(event))
}

#[test]
fn events_equal_pythons_bytes() {
    let mut compared = 0;
    for (name, _) in of_kind(Kind::Message) {
        if !builds(&name) {
            continue;
        }
        let (version, about) = split(&name).unwrap();
        let vector = vector(&name);
        let mut original = body_json(&vector);
        let message_out = build(about, &original).unwrap();
        let encoded = message_out.encode(&EncodeOptions::default());
        let mut ours: Value = serde_json::from_slice(&encoded.body).unwrap();

        // Ids are random. Where `task_id` is the id in one, it is in the other.
        for body in [&mut original, &mut ours] {
            if body["kwargs"]["task_id"] == body["id"] {
                body["kwargs"]["task_id"] = json!("the id");
            }
            body["id"] = json!("the id");
        }
        assert_eq!(ours, original, "{name}");

        let (properties, _) = message(&vector);
        assert_eq!(encoded.properties.content_type, properties.content_type, "{name}");
        assert_eq!(encoded.properties.content_encoding, properties.content_encoding, "{name}");
        assert_eq!((encoded.properties.headers, properties.headers), (None, None), "{name}");
        assert_eq!(encoded.properties.correlation_id, properties.correlation_id, "{name}");
        // zc_events 0.1 knows no priority.
        if !matches!(version, "v011" | "v0110") {
            assert_eq!(encoded.properties.priority, properties.priority, "{name}");
        }
        let routing_key = match &message_out {
            Message::Event(_) => "",
            Message::Notification(notification) => notification.channel.routing_key(),
        };
        assert_eq!(vector["routing_key"], routing_key, "{name}");
        compared += 1;
    }
    assert_eq!(compared, 93);
}
