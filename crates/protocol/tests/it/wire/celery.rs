//! What Celery's `send_task` sends for events, built again and compared with the originals.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use zc_events_protocol::{Channel, EncodeOptions, Encoded, Event, HeaderValue, Limits, Notification, Protocol, Task};

use super::load::{Kind, exclusion, expectations, message, of_kind, split, vector};

pub(crate) fn builds(name: &str) -> bool {
    split(name).is_none() && name.starts_with("celery") && exclusion(name).is_none()
}

/// What follows the version and `send_task` in the name.
fn about(name: &str) -> &str {
    let (_, about) = name.split_once("_send_task").unwrap();
    about.trim_start_matches('_')
}

fn build(name: &str, vector: &Value, expected: &Value) -> Encoded {
    let (properties, _) = message(vector);
    let x = || "x".to_owned();
    let mut event = match about(name) {
        "long_argsrepr" => Event::new("e").arg(x().repeat(5000)).unwrap(),
        "200kib" => Event::new("e").arg(x().repeat(204_800)).unwrap(),
        "unicode" => Event::new("café 中 🍕 a/b \"q\""),
        _ => Event::new("order_created")
            .arg(json!({"data": {"x": 1}}))
            .unwrap()
            .set("resource_type", "Order")
            .unwrap()
            .user("56"),
    };
    event = event.with_id(expected["id"].as_str().unwrap());
    event = match about(name) {
        "priority" => event.priority(5),
        _ => match properties.priority {
            Some(priority) => event.priority(priority),
            None => event.no_priority(),
        },
    };
    let at = |key: &str| expected[key].as_u64().map(|micros| UNIX_EPOCH + Duration::from_micros(micros));
    let options = EncodeOptions {
        protocol: Some(if expected["protocol"] == 1 { Protocol::V1 } else { Protocol::V2 }),
        origin: expected["origin"].as_str().map(str::to_owned),
        root_id: expected["root_id"].as_str().map(str::to_owned),
        parent_id: expected["parent_id"].as_str().map(str::to_owned),
        eta: at("eta"),
        expires: at("expires"),
        expiration: properties.expiration.map(|millis| Duration::from_millis(millis.parse().unwrap())),
        persistent: properties.delivery_mode == Some(2),
        max_body: None,
    };
    if about(name) == "notification" {
        return Notification::new(Channel::Email, event).encode(&options).unwrap();
    }
    event.encode(&options).unwrap()
}

#[test]
fn tasks_equal_celerys_bytes() {
    let mut compared = 0;
    let expectations = expectations();
    for (name, _) in of_kind(Kind::Message) {
        if !builds(&name) {
            continue;
        }
        let vector = vector(&name);
        let expected = expectations[&name].expect.as_ref().unwrap();
        let encoded = build(&name, &vector, expected);
        let (properties, body) = message(&vector);

        // Both decode to the same, except that only zc_events repeats the id as `task_id`.
        let theirs = Task::decode(&properties, &body, &Limits::default()).unwrap();
        let mut ours = Task::decode(&encoded.properties, &encoded.body, &Limits::default()).unwrap();
        assert_eq!(ours.kwargs.remove("task_id"), theirs.id.clone().map(Value::String), "{name}");
        assert!(ours == theirs, "{name}: {ours:?} {theirs:?}");
        assert_eq!(encoded.properties.content_type, properties.content_type, "{name}");
        assert_eq!(encoded.properties.content_encoding, properties.content_encoding, "{name}");
        assert_eq!(encoded.properties.delivery_mode, properties.delivery_mode, "{name}");
        assert_eq!(encoded.properties.expiration, properties.expiration, "{name}");
        if theirs.protocol == Protocol::V2 {
            assert_eq!(encoded.properties.correlation_id, properties.correlation_id, "{name}");
            compare_headers(&name, &encoded, &properties.headers.unwrap());
        }
        compared += 1;
    }
    assert_eq!(compared, 44);
}

fn compare_headers(name: &str, encoded: &Encoded, theirs: &zc_events_protocol::Headers) {
    let ours = encoded.properties.headers.as_ref().unwrap();
    for (key, value) in theirs {
        match key.as_str() {
            // Of a group the receiver need not know; `task_id` makes the other longer; times are told in UTC.
            "group" | "kwargsrepr" => {}
            "eta" | "expires" if !value.is_null() => assert!(ours[key].as_str().is_some(), "{name}: {key}"),
            "argsrepr" if value.as_str().unwrap().len() > 1000 => {
                let ours = ours[key].as_str().unwrap();
                assert!(ours.len() <= 1024 && ours.ends_with("..."), "{name}");
                assert_eq!(ours[..1000], value.as_str().unwrap()[..1000], "{name}");
            }
            _ => assert_eq!(&ours[key], value, "{name}: {key}"),
        }
    }
}

#[test]
fn headers_equal_celery_5_in_name_and_type() {
    let (properties, _) = message(&vector("celery5_send_task"));
    let event =
        Event::new("order_created").encode(&EncodeOptions { protocol: Some(Protocol::V2), ..EncodeOptions::default() });
    let kinds = |headers: &zc_events_protocol::Headers| -> Vec<(String, std::mem::Discriminant<HeaderValue>)> {
        headers.iter().map(|(key, value)| (key.clone(), std::mem::discriminant(value))).collect()
    };
    assert_eq!(kinds(&event.unwrap().properties.headers.unwrap()), kinds(&properties.headers.unwrap()));
}
