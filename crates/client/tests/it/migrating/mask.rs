//! What differs from message to message, in the captured ones and in ours.

use serde_json::{Map, Value};
use uuid::Uuid;

/// What ours carry beside Python's.
pub(crate) const OURS: [&str; 2] = ["root_id", "parent_id"];

/// Without ids, and without the times in the keys of what is stored.
pub(crate) fn masked(value: &Value) -> Value {
    match value {
        Value::String(text) => mask(text).into(),
        Value::Array(values) => values.iter().map(masked).collect(),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| match name.as_str() {
                name if OURS.contains(&name) => None,
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
