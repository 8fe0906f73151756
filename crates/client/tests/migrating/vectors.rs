//! The captured messages, and what of them differs from message to message.

use std::path::Path;

use serde_json::{Map, Value};
use uuid::Uuid;
use zc_events_protocol::Properties;

/// A captured message.
pub(crate) fn read(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests/vectors");
    let path = folder.join(name).with_extension("json");
    serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

/// As far as reading a message goes.
pub(crate) fn properties(vector: &Value) -> Properties {
    let text = |name: &str| vector["properties"][name].as_str().map(str::to_owned);
    Properties {
        content_type: text("content_type"),
        content_encoding: text("content_encoding"),
        correlation_id: text("correlation_id"),
        priority: vector["properties"]["priority"].as_u64().map(|priority| u8::try_from(priority).unwrap()),
        headers: vector["properties"]["headers"].as_object().map(|headers| {
            headers.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.into()))).collect()
        }),
        ..Properties::default()
    }
}

/// Without ids, and without the times in the keys of what is stored.
pub(crate) fn masked(value: &Value) -> Value {
    match value {
        Value::String(text) => mask(text).into(),
        Value::Array(values) => values.iter().map(masked).collect(),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| match name.as_str() {
                // What ours carry beside Python's.
                "root_id" | "parent_id" => None,
                "s3_key" => Some((name.clone(), "key".into())),
                _ => Some((name.clone(), masked(value))),
            };
            members.iter().filter_map(member).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

fn mask(text: &str) -> String {
    if Uuid::parse_str(text.strip_prefix("request-").unwrap_or(text)).is_ok() {
        return "an id".to_owned();
    }
    // date/time_uuid/name
    match text.splitn(3, '/').collect::<Vec<_>>().as_slice() {
        [_, folder, name] if folder.rsplit_once('_').is_some_and(|(_, id)| Uuid::parse_str(id).is_ok()) => {
            format!("a folder/{name}")
        }
        _ => text.to_owned(),
    }
}
