//! A message as a service decodes it. Input: flags, properties, headers, body.

use std::io::Write;

use flate2::Compression;
use zc_events_protocol::{
    EncodeError, EncodeOptions, Event, Limits, Properties, Protocol, Task, TaskMessage, peek_event_type,
    size_of_headers,
};

use crate::input::{Reader, Writer};

/// The flags in the first byte.
mod flag {
    /// The method by which the body is compressed before it is read. A fuzzer hardly ever makes a valid compressed
    /// stream.
    pub(crate) const COMPRESS: u8 = 3;
    pub(crate) const SMALL_LIMITS: u8 = 4;
    pub(crate) const HEADERS: u8 = 8;
    pub(crate) const CONTENT_TYPE: u8 = 16;
    pub(crate) const CONTENT_ENCODING: u8 = 32;
    pub(crate) const PRIORITY: u8 = 64;
}

/// Decodes a message. A message that decodes is encoded again in both protocols, and must decode to the same. The
/// peeked event type must be that of the decoded message. The error of a message that is refused must fit into a log
/// line. The limits must hold.
pub fn run(data: &[u8]) {
    let mut reader = Reader::new(data);
    let flags = reader.byte();
    let mut optional = |bit| (flags & bit != 0).then(|| reader.text());
    let (content_type, content_encoding) = (optional(flag::CONTENT_TYPE), optional(flag::CONTENT_ENCODING));
    let mut properties = Properties {
        content_type,
        content_encoding,
        priority: (flags & flag::PRIORITY != 0).then(|| reader.byte()),
        headers: (flags & flag::HEADERS != 0).then(|| reader.headers()),
        ..Properties::default()
    };
    let plain = reader.rest();
    let body = compressed(flags & flag::COMPRESS, plain, &mut properties);
    let limits = if flags & flag::SMALL_LIMITS != 0 {
        Limits { body: 512, inflated: 600, ratio: 200, depth: 8 }
    } else {
        Limits::default()
    };

    let _ = size_of_headers(properties.headers.as_ref().unwrap_or(&Default::default()));
    let peeked = peek_event_type(&properties, &body).map(str::to_owned);
    let decoded = Task::decode(&properties, &body, &limits);
    let message = TaskMessage::new(properties, body, limits.clone());
    assert!(message.task().cloned() == decoded, "a message that is parsed when asked has another verdict");
    let body = message.body();
    match decoded {
        Err(error) => {
            let shown = error.to_string();
            assert!(shown.chars().count() < 250 && !shown.chars().any(char::is_control), "{shown:?}");
            assert!(!error.reason().is_empty());
        }
        Ok(task) => {
            assert!(body.len() <= limits.body, "larger than the limit: {}", body.len());
            let inflated = flags & flag::COMPRESS != 0;
            assert!(!inflated || plain.len() <= limits.inflated, "inflated beyond the limit: {}", plain.len());
            // If the key `args` occurs more than once, Python uses the last one, and peeking finds the first.
            if peeked.is_some() && is_named_once(body) {
                assert_eq!(peeked.as_deref(), task.event_type(), "peeking sees another type");
            }
            let _ = (task.call(), task.resource_request(), task.task_id(), format!("{task:?}"));
            for protocol in [Protocol::V1, Protocol::V2] {
                comes_back(&task, protocol);
            }
        }
    }
}

/// Encodes the task as an event and decodes that.
fn comes_back(task: &Task, protocol: Protocol) {
    let Some(event_type) = task.event_type() else { return };
    let mut event = Event::new(event_type);
    if let Some(id) = &task.id {
        event = event.with_id(id.clone());
    }
    for arg in &task.args[1..] {
        match event.clone().arg(arg) {
            Ok(more) => event = more,
            Err(error) => return assert!(may_refuse(&error), "{error}"),
        }
    }
    let mut kwargs = task.kwargs.clone();
    match kwargs.remove("task_id") {
        Some(serde_json::Value::String(task_id)) => event = event.task_id(task_id),
        None => {}
        // An event of this project cannot have such a `task_id`.
        Some(_) => return,
    }
    for (key, value) in &kwargs {
        match event.clone().set(key, value) {
            Ok(more) => event = more,
            Err(error) => return assert!(may_refuse(&error), "{error}"),
        }
    }
    event = match task.priority {
        Some(priority) => event.priority(priority),
        None => event.no_priority(),
    };
    let options = EncodeOptions {
        protocol: Some(protocol),
        origin: task.origin.clone(),
        root_id: task.root_id.clone(),
        parent_id: task.parent_id.clone(),
        expires: task.expires,
        eta: task.eta,
        ..EncodeOptions::default()
    };
    let encoded = match event.encode(&options) {
        Ok(encoded) => encoded,
        Err(error) => return assert!(may_refuse(&error), "{error}"),
    };
    let again = match Task::decode(&encoded.properties, &encoded.body, &Limits::default()) {
        Ok(again) => again,
        Err(error) => panic!("a message that was decoded and encoded again is refused: {error}"),
    };
    assert_eq!(again.protocol, protocol);
    assert_eq!(again.id.as_deref(), Some(event.id()));
    assert!(again.args == task.args, "the arguments changed");
    let mut again_kwargs = again.kwargs;
    assert_eq!(
        again_kwargs.remove("task_id").as_ref().and_then(serde_json::Value::as_str),
        Some(event.effective_task_id())
    );
    assert!(again_kwargs == kwargs, "the keyword arguments changed");
    assert_eq!(again.priority, task.priority);
    assert_eq!(again.parent_id, task.parent_id);
    // Times are written in microseconds.
    let micros = |at: Option<std::time::SystemTime>| {
        at.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()).map(|since| since.as_micros())
    };
    assert_eq!((micros(again.eta), micros(again.expires)), (micros(task.eta), micros(task.expires)));
}

/// Whether encoding may refuse a message that was decoded: the rules for senders are stricter, for Python's sake.
fn may_refuse(error: &EncodeError) -> bool {
    matches!(
        error,
        EncodeError::BadName { .. }
            | EncodeError::TooDeep { .. }
            | EncodeError::TooLarge { .. }
            | EncodeError::Time { .. }
            // Celery may send an argument with the name `event_type`.
            | EncodeError::ReservedKey { .. }
    )
}

/// Whether the body certainly has the key `args` at most once.
fn is_named_once(body: &[u8]) -> bool {
    body.windows(6).filter(|window| window == b"\"args\"").count() < 2 && !body.windows(2).any(|it| it == b"\\u")
}

fn compressed(method: u8, body: &[u8], properties: &mut Properties) -> Vec<u8> {
    let (name, out) = match method {
        1 => ("zlib", finish(flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast()), body, |it| it.finish())),
        2 => ("gzip", finish(flate2::write::GzEncoder::new(Vec::new(), Compression::fast()), body, |it| it.finish())),
        3 => (
            "bzip2",
            finish(bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast()), body, |it| it.finish()),
        ),
        _ => return body.to_vec(),
    };
    properties.headers.get_or_insert_default().insert("compression".to_owned(), name.into());
    out
}

fn finish<W: Write>(mut encoder: W, body: &[u8], done: impl FnOnce(W) -> std::io::Result<Vec<u8>>) -> Vec<u8> {
    encoder.write_all(body).and_then(|()| done(encoder)).unwrap_or_default()
}

/// The input for this message.
pub(crate) fn seed(properties: &Properties, body: &[u8]) -> Vec<u8> {
    let mut flags = 0;
    for (there, bit) in [
        (properties.headers.is_some(), flag::HEADERS),
        (properties.content_type.is_some(), flag::CONTENT_TYPE),
        (properties.content_encoding.is_some(), flag::CONTENT_ENCODING),
        (properties.priority.is_some(), flag::PRIORITY),
    ] {
        flags |= if there { bit } else { 0 };
    }
    let mut writer = Writer::default();
    writer.byte(flags);
    for text in [&properties.content_type, &properties.content_encoding].into_iter().flatten() {
        writer.bytes(text.as_bytes());
    }
    if let Some(priority) = properties.priority {
        writer.byte(priority);
    }
    if let Some(headers) = &properties.headers {
        writer.headers(headers);
    }
    writer.raw(body).done()
}
