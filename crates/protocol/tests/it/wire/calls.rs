//! The calls by key of zc_events 0.3.10 (protocol 1) and 0.4 (protocol 2), built again and
//! compared with the originals.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use zc_events_protocol::{Call, EncodeOptions, HeaderValue, Method, Protocol};

use super::load::{Kind, body_json, exclusion, message, of_kind, split, vector};

pub(crate) fn builds(name: &str) -> bool {
    split(name).is_some_and(|(_, about)| about.starts_with("verb_") || about == "contrib_send_email")
        && exclusion(name).is_none()
}

pub(crate) fn build(about: &str, data_of_email: &Value) -> Call {
    let xy = json!({"x": 1, "y": 2});
    let call = |key: &str, method, data: Value| Call::new(key, method).data(data).unwrap();
    match about {
        "verb_get" => call("add", Method::Get, xy),
        "verb_put" => call("add", Method::Put, xy),
        "verb_put_no_wait" => call("add", Method::Put, xy).no_wait(),
        "verb_post" | "verb_call" => call("add", Method::Post, xy),
        "verb_post_no_wait" | "verb_call_no_wait" => call("add", Method::Post, xy).no_wait(),
        "verb_delete" => call("add", Method::Delete, xy),
        "verb_delete_no_wait" => call("add", Method::Delete, xy).no_wait(),
        "verb_get_boom" => Call::new("boom", Method::Get),
        "verb_get_defaults" => Call::new("none", Method::Get),
        "verb_get_error" => call("add", Method::Get, json!({"x": 1})),
        "verb_get_headers" => call("echo", Method::Get, json!({"q": 1}))
            .headers(json!({"pk": 3, "roles": ["user"], "user_id": "56", "query_string": "x=1"}))
            .unwrap(),
        "verb_get_mapping_job" => call("mapped", Method::Get, json!({"x": 1, "y": 5})),
        "verb_post_data_none" => call("echo", Method::Post, Value::Null).headers(()).unwrap(),
        "verb_post_no_wait_1kib" => call("echo", Method::Post, json!({"blob": "x".repeat(1024)})).no_wait(),
        "verb_post_no_wait_140kib" => call("echo", Method::Post, json!({"blob": "x".repeat(143_360)})).no_wait(),
        "verb_post_no_wait_after_140kib" => call("echo", Method::Post, json!({"n": 1})).no_wait(),
        "verb_post_no_wait_after_140kib_2" => call("echo", Method::Post, json!({"n": 2})).no_wait(),
        "verb_post_unicode" => call("echo", Method::Post, json!({"t": "café 中 🍕 a/b \"q\" 's'"})),
        // The storage key in it is random, and made above this layer.
        "contrib_send_email" => call("send_email", Method::Post, data_of_email.clone()).no_wait(),
        other => panic!("no builder for {other}"),
    }
}

#[test]
fn calls_equal_pythons_bytes() {
    let mut compared = 0;
    for (name, _) in of_kind(Kind::Message) {
        if !builds(&name) {
            continue;
        }
        let (version, about) = split(&name).unwrap();
        let vector = vector(&name);
        let original = body_json(&vector);
        let (protocol, payload) = match version {
            "head" => (Protocol::V2, &original[0][1]),
            _ => (Protocol::V1, &original["args"][1]),
        };
        let mut call = build(about, &payload["data"]).with_id(payload["id"].as_str().unwrap());
        assert_eq!(call.response_key().is_some(), payload["response_key"].is_string(), "{name}");
        if let Some(response_key) = payload["response_key"].as_str() {
            assert_eq!(call.response_key().unwrap().len(), response_key.len(), "a bare uuid");
            call = call.with_response_key(response_key);
        }
        let options = EncodeOptions { protocol: Some(protocol), ..EncodeOptions::default() };
        let encoded = call.encode(&options).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&encoded.body).unwrap(), original, "{name}");

        let (properties, _) = message(&vector);
        assert_eq!(encoded.properties.priority, properties.priority, "{name}");
        assert_eq!(encoded.properties.correlation_id, properties.correlation_id, "{name}");
        assert_eq!(encoded.properties.headers.is_some(), properties.headers.is_some(), "{name}");
        if let Some(theirs) = properties.headers {
            let ours = encoded.properties.headers.unwrap();
            for (key, value) in &theirs {
                match key.as_str() {
                    // Ordered and cut otherwise: for people only.
                    "argsrepr" => {
                        assert!(matches!(&ours[key], HeaderValue::Text(text) if text.len() <= 1024), "{name}");
                    }
                    _ => assert_eq!(&ours[key], value, "{name}: {key}"),
                }
            }
            // A Celery 3.1 worker dies of a message without these, which zc_events 0.4 leaves out.
            let added: BTreeSet<_> = ours.keys().filter(|key| !theirs.contains_key(*key)).map(String::as_str).collect();
            assert!(added.contains("eta") && added.contains("expires"), "{name}");
        }
        compared += 1;
    }
    assert_eq!(compared, 35);
}

#[test]
fn calls_use_protocol_2_by_default() {
    let encoded = build("verb_get", &Value::Null).encode(&EncodeOptions::default()).unwrap();
    assert!(encoded.properties.headers.is_some());
}
