//! Vectors and expectations from their files, in the crate's own types.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use zc_events_protocol::{HeaderValue, Headers, Properties};

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Message,
    Reply,
    CallReply,
    Unanswered,
    Monitor,
    Raised,
    NothingSent,
    Topology,
    Behaviours,
    Outcomes,
    Malformed,
}

#[derive(Deserialize)]
pub(crate) struct Expectation {
    pub(crate) kind: Kind,
    /// What it means.
    pub(crate) expect: Option<Value>,
    /// Or why it is refused, by `DecodeError::reason`.
    pub(crate) refused: Option<String>,
    pub(crate) cases: Option<usize>,
    pub(crate) commands: Option<usize>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests")
}

pub(crate) fn files() -> BTreeSet<String> {
    fs::read_dir(folder().join("vectors"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

pub(crate) fn expectations() -> BTreeMap<String, Expectation> {
    serde_json::from_slice(&fs::read(folder().join("expectations.json")).unwrap()).unwrap()
}

/// All of a kind; never none.
pub(crate) fn of_kind(kind: Kind) -> Vec<(String, Expectation)> {
    let found: Vec<_> = expectations().into_iter().filter(|(_, expectation)| expectation.kind == kind).collect();
    assert!(!found.is_empty(), "{kind:?}");
    found
}

pub(crate) fn vector(name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder().join("vectors").join(format!("{name}.json"))).unwrap()).unwrap()
}

pub(crate) fn base64(text: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(text.as_str().unwrap()).unwrap()
}

/// The message of a vector as a consumer gets it.
pub(crate) fn message(vector: &Value) -> (Properties, Vec<u8>) {
    let found = &vector["properties"];
    let text = |key: &str| found[key].as_str().map(str::to_owned);
    let small = |key: &str| found[key].as_u64().map(|number| u8::try_from(number).unwrap());
    let properties = Properties {
        content_type: text("content_type"),
        content_encoding: text("content_encoding"),
        headers: vector["wire"]["headers_typed"].as_array().map(|entries| typed_table(entries)),
        delivery_mode: small("delivery_mode"),
        priority: small("priority"),
        correlation_id: text("correlation_id"),
        reply_to: text("reply_to"),
        expiration: text("expiration"),
        ..Properties::default()
    };
    let body = match vector["body_utf8"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => base64(&vector["body_b64"]),
    };
    (properties, body)
}

fn typed_table(entries: &[Value]) -> Headers {
    entries.iter().map(|entry| (entry[0].as_str().unwrap().to_owned(), typed(&entry[1], &entry[2]))).collect()
}

fn typed(kind: &Value, value: &Value) -> HeaderValue {
    match kind.as_str().unwrap() {
        "S" => HeaderValue::Text(value.as_str().unwrap().to_owned()),
        "V" => HeaderValue::Null,
        "I" => HeaderValue::Int(value.as_i64().unwrap()),
        "A" => HeaderValue::List(value.as_array().unwrap().iter().map(|item| typed(&item[0], &item[1])).collect()),
        "F" => HeaderValue::Table(typed_table(value.as_array().unwrap())),
        other => panic!("header of type {other}"),
    }
}

/// A value with its floats as `expect.py` writes them.
pub(crate) fn tagged(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            json!({"$f64": format!("{:016x}", number.as_f64().unwrap().to_bits())})
        }
        Value::Array(items) => items.iter().map(tagged).collect(),
        Value::Object(map) => map.iter().map(|(key, item)| (key.clone(), tagged(item))).collect::<Map<_, _>>().into(),
        other => other.clone(),
    }
}

/// The version that made a vector of zc_events, and what the vector is about.
pub(crate) fn split(name: &str) -> Option<(&str, &str)> {
    let (version, about) = name.split_once('_')?;
    matches!(version, "head" | "v011" | "v0110" | "v024" | "v0310").then_some((version, about))
}

/// The body of a vector as parsed JSON.
pub(crate) fn body_json(vector: &Value) -> Value {
    serde_json::from_str(vector["body_utf8"].as_str().unwrap()).unwrap()
}

/// Why this crate cannot or must not build a message.
pub(crate) fn exclusion(name: &str) -> Option<&'static str> {
    let about = split(name).map_or(name, |(_, about)| about);
    Some(match about {
        "event_empty_type" => "an empty event type is refused: no receiver can choose it",
        "event_float_nan" => "NaN is refused: it is not JSON",
        "event_bigint" | "event_bigint_huge" | "verb_post_nested" => "integers of more than 64 bits are refused",
        "event_bytes_invalid_utf8" => "the body is not UTF-8",
        "event_floats" if name != "head_event_floats" => "old ujson rounds floats, and writes -0.0 as 0.0",
        "event_float_tiny" if name == "v0310_event_float_tiny" => "old ujson rounds 5e-324 to 0",
        "rpc_service_no_method" => "a request without a method crashes the Python that gets it",
        _ if split(name).is_some() => return None,
        _ if name.contains("_nan") => "NaN is refused",
        _ if name.ends_with("_nested") => "integers of more than 64 bits are refused",
        _ if name.ends_with("_noargs") => "an event without a type is refused",
        _ if name.contains("_serializer_") => "only JSON is written",
        _ if name.contains("_compression_") => "bodies are not compressed",
        _ if name.ends_with("_rich_types") || name.ends_with("_bytes") => {
            "Python types have no form of their own in Rust"
        }
        _ if name.ends_with("_apply_chain") || name.ends_with("_link") => "chains and callbacks are Celery's own",
        _ if name.ends_with("_apply_stamped") => "stamps are Celery's own",
        _ if name.ends_with("_retries") => "retries are counted by the receiver here, not resent",
        _ if name.ends_with("_timelimits") => "time limits are the receiver's business",
        _ if name.ends_with("_headers") => "custom headers are not sent",
        _ if name.ends_with("_default_exchange") => "tasks other than the fleet's are not sent",
        _ => return None,
    })
}
