//! The captured messages of the protocol crate, as tests of services need them.

use std::path::Path;

use serde_json::Value;
use zc_events_protocol::{Limits, Properties, Task};

/// A captured message, by name.
pub(crate) fn read(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests/vectors");
    let path = folder.join(name).with_extension("json");
    serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

/// What decoding it needs of its properties.
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

/// Its body.
pub(crate) fn body(vector: &Value) -> &[u8] {
    vector["body_utf8"].as_str().unwrap().as_bytes()
}

/// The message, decoded.
pub(crate) fn task(vector: &Value) -> Task {
    Task::decode(&properties(vector), body(vector), &Limits::default()).unwrap()
}
