//! Calls that raised in the original, and those of which nothing arrived: what we do instead.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use zc_events_protocol::{
    Channel, EncodeError, EncodeOptions, Event, HeaderValue, Headers, Limits, Notification, Properties, Protocol, Task,
};

use super::calls;
use super::load::{Kind, of_kind, split, vector};

#[test]
fn calls_that_python_refuses_are_refused_or_impossible() {
    let mut seen = 0;
    for kind in [Kind::Raised, Kind::NothingSent] {
        for (name, _) in of_kind(kind) {
            match split(&name) {
                Some((_, about)) => of_zc_events(about),
                None => of_celery(&name),
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 42);
}

fn body(event: &Event) -> Value {
    serde_json::from_slice(&event.encode(&EncodeOptions::default()).unwrap().body).unwrap()
}

fn of_zc_events(about: &str) {
    let event = || Event::new("e");
    match about {
        "event_float_nan" => assert!(matches!(event().set("x", f64::NAN), Err(EncodeError::NotFinite { .. }))),
        "event_float_inf" => assert!(matches!(event().set("x", f64::INFINITY), Err(EncodeError::NotFinite { .. }))),
        "event_bigint" | "event_bigint_huge" | "verb_post_nested" => {
            let refused = event().set("a", u128::from(u64::MAX) + 1);
            assert!(matches!(refused, Err(EncodeError::IntegerOutOfRange { .. })));
        }
        // A positional argument is never taken for the priority, which is a number of 8 bits by its type.
        "event_args_string_positional_as_priority" => {
            let event = Event::new("order_created").arg("pos1").unwrap().arg(2).unwrap();
            assert_eq!(body(&event)["args"], json!(["order_created", "pos1", 2]));
            assert_eq!(event.effective_priority(), Some(0));
        }
        "event_priority_300" => {
            let encoded = event().priority(u8::MAX).encode(&EncodeOptions::default()).unwrap();
            assert_eq!(encoded.properties.priority, Some(255));
        }
        // A type in Rust says what it is in JSON; these have the form that zc_events 0.1 gave them.
        "event_set" => assert_eq!(
            body(&event().set("x", std::collections::BTreeSet::from([1])).unwrap())["kwargs"]["x"],
            json!([1])
        ),
        "event_object" => {
            #[derive(serde::Serialize)]
            struct Obj {
                a: u8,
                b: &'static str,
            }
            assert_eq!(
                body(&event().set("x", Obj { a: 1, b: "x" }).unwrap())["kwargs"]["x"],
                json!({"a": 1, "b": "x"})
            );
        }
        "event_bytes" => assert_eq!(body(&event().set("x", "café").unwrap())["kwargs"]["x"], "café"),
        // Bytes that are no text become a list of numbers, never half a text.
        "event_bytes_invalid_utf8" => {
            assert_eq!(body(&event().set("x", b"\xff\xfe").unwrap())["kwargs"]["x"], json!([255, 254]));
        }
        "event_date" | "event_datetime" => {
            assert_eq!(body(&event().set("x", "2017-05-01").unwrap())["kwargs"]["x"], "2017-05-01");
        }
        // Who gets an e-mail is checked where e-mails are made; here it is a list or the caller's own business.
        "send_email_no_recipient" | "send_email_tuple_to" => {
            let event = Event::new("send_email").set("to", ("a@b.c",)).unwrap();
            let encoded = Notification::new(Channel::Email, event).encode(&EncodeOptions::default()).unwrap();
            let body: Value = serde_json::from_slice(&encoded.body).unwrap();
            assert_eq!(body["kwargs"]["to"], json!(["a@b.c"]));
        }
        // The original repeats the payload in the headers until no frame holds them, and then loses it.
        "verb_post_no_wait_140kib" | "verb_post_no_wait_after_140kib" => {
            let encoded =
                calls::build("verb_post_no_wait_140kib", &Value::Null).encode(&EncodeOptions::default()).unwrap();
            let headers = encoded.properties.headers.unwrap();
            let size: usize = headers.iter().map(|(key, value)| key.len() + value.as_str().map_or(8, str::len)).sum();
            assert!(size < 4096, "{size}");
            assert!(encoded.body.len() > 143_360);
        }
        other => panic!("no assertion for {other}"),
    }
}

fn of_celery(name: &str) {
    let call = vector(name)["call"].as_str().unwrap().to_owned();
    let encoded =
        Event::new("e").encode(&EncodeOptions { protocol: Some(Protocol::V2), ..EncodeOptions::default() }).unwrap();
    // We ask for none of it.
    assert_eq!(encoded.properties.content_type.as_deref(), Some("application/json"));
    assert!(!encoded.properties.headers.as_ref().unwrap().contains_key("compression"));

    let reason =
        |properties: Properties| Task::decode(&properties, &encoded.body, &Limits::default()).unwrap_err().reason();
    if let Some((_, compression)) = name.split_once("_compression_") {
        assert!(call.contains(&format!("compression='{compression}'")), "{name}");
        let mut headers: Headers = encoded.properties.headers.clone().unwrap();
        headers.insert("compression".to_owned(), HeaderValue::from(compression));
        let wanted = if compression == "bz2" { "inflate" } else { "compression" };
        assert_eq!(reason(Properties { headers: Some(headers), ..encoded.properties.clone() }), wanted, "{name}");
    } else if let Some((_, serializer)) = name.split_once("_serializer_") {
        let content_type = Some(format!("application/x-{serializer}"));
        assert_eq!(reason(Properties { content_type, ..encoded.properties.clone() }), "content_type", "{name}");
    } else if name.ends_with("_rich_types") || name.ends_with("_bytes") {
        // Where Celery 3 and 4 cannot say it, Celery 5 can, and it is understood.
        let body =
            br#"[["e"], {"u": {"__type__": "uuid", "__value__": {"hex": "00000000000000000000000000000001"}}}, {}]"#;
        let task = Task::decode(&encoded.properties, body, &Limits::default()).unwrap();
        assert_eq!(task.kwargs["u"], "00000000-0000-0000-0000-000000000001");
    } else {
        // A message that has expired already: Celery 5 lets the broker drop it. Ours says so, and never 0.
        assert_eq!(name, "celery5_send_task_expires_past");
        let expires = Some(UNIX_EPOCH + Duration::from_secs(1_577_934_245));
        let options = EncodeOptions { expires, expiration: Some(Duration::ZERO), ..EncodeOptions::default() };
        let encoded = Event::new("e").encode(&options).unwrap();
        assert_eq!(encoded.properties.expiration.as_deref(), Some("1"));
        assert_eq!(Task::decode(&encoded.properties, &encoded.body, &Limits::default()).unwrap().expires, expires);
    }
}
