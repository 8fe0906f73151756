//! Seeds of `envelope` and `guard`: messages, and the frames in which a broker delivers them.

use serde_json::Value;
use zc_events_protocol::{HeaderValue, Headers, Properties};

use super::vectors::{Seed, decode_base64};
use crate::envelope;
use crate::input::Writer;

/// The messages of a vector, if it has any.
pub(super) fn of(vector: &Value) -> Vec<Seed> {
    let cases = vector["cases"].as_object().into_iter().flat_map(|cases| cases.values());
    let mut seeds = Vec::new();
    for message in cases.chain([vector]) {
        let Some(body) = body(message) else { continue };
        seeds.push(("envelope", envelope::seed(&properties(message), &body)));
        if let Some(header) = message["wire"]["header_frame_payload_hex"].as_str().and_then(hex) {
            let frames = frames(&header, &body);
            for splits in [&[][..], &[1], &[7, 0, 255]] {
                seeds.push(("guard", Writer::default().bytes(splits).raw(&frames).done()));
            }
        }
    }
    seeds
}

fn body(message: &Value) -> Option<Vec<u8>> {
    message["body_utf8"].as_str().map(|text| text.as_bytes().to_vec()).or_else(|| decode_base64(&message["body_b64"]))
}

fn properties(message: &Value) -> Properties {
    let found = &message["properties"];
    let text = |key: &str| found[key].as_str().map(str::to_owned);
    Properties {
        content_type: text("content_type"),
        content_encoding: text("content_encoding"),
        headers: found["headers"].as_object().map(table),
        priority: found["priority"].as_u64().and_then(|priority| u8::try_from(priority).ok()),
        ..Properties::default()
    }
}

fn table(entries: &serde_json::Map<String, Value>) -> Headers {
    entries.iter().map(|(name, value)| (name.clone(), header(value))).collect()
}

fn header(value: &Value) -> HeaderValue {
    match value {
        Value::Null => HeaderValue::Null,
        Value::Bool(value) => HeaderValue::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => HeaderValue::Int(number),
            None => HeaderValue::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => HeaderValue::Text(text.clone()),
        Value::Array(items) => HeaderValue::List(items.iter().map(header).collect()),
        Value::Object(entries) => HeaderValue::Table(table(entries)),
    }
}

/// A delivery of the broker: a method frame, a content header and a body.
fn frames(header: &[u8], body: &[u8]) -> Vec<u8> {
    // basic.deliver: consumer tag, delivery tag, redelivered, exchange, routing key.
    let method = [&[0, 60, 0, 60, 1, b't'][..], &7_u64.to_be_bytes(), &[0, 2, b'e', b'x', 0]].concat();
    [frame(1, &method), frame(2, header), frame(3, body), vec![8, 0, 0, 0, 0, 0, 0, 0xCE]].concat()
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[kind, 0, 1][..], &size, payload, &[0xCE]].concat()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}
