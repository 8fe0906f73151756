//! The size limits of AMQP. A message that this broker accepts can also be sent over AMQP.

use zc_events_protocol::{HeaderValue, Headers};

use crate::{Error, Outgoing, Result, Topology};

/// The limit of a short string, in bytes: its length is one byte.
const SHORT: usize = 255;
/// The limit of the frame that carries all properties, in bytes. It cannot be split: RabbitMQ's default `frame_max` of
/// 128 KiB without the frame's own 8 bytes.
const HEADER_FRAME: usize = 128 * 1024 - 8;
/// The size of class, weight, body size and property flags.
const HEADER_START: usize = 14;

/// # Errors
/// [`Error::TooLarge`].
pub(super) fn name(what: &'static str, name: &str) -> Result<()> {
    bounded(what, name.len(), SHORT)
}

/// # Errors
/// [`Error::TooLarge`].
pub(super) fn topology(topology: &Topology) -> Result<()> {
    for exchange in &topology.exchanges {
        name("the name of an exchange", &exchange.name)?;
    }
    for queue in &topology.queues {
        name("the name of a queue", &queue.name)?;
    }
    for binding in &topology.bindings {
        name("the name of a queue", &binding.queue)?;
        name("the name of an exchange", &binding.exchange)?;
        name("a binding key", &binding.routing_key)?;
    }
    Ok(())
}

/// # Errors
/// [`Error::TooLarge`].
pub(super) fn message(message: &Outgoing<'_>) -> Result<()> {
    name("the name of an exchange", message.exchange)?;
    name("a routing key", message.routing_key)?;
    let properties = message.properties;
    let mut size = HEADER_START;
    for (what, text) in [
        ("the property content_type", &properties.content_type),
        ("the property content_encoding", &properties.content_encoding),
        ("the property correlation_id", &properties.correlation_id),
        ("the property reply_to", &properties.reply_to),
        ("the property expiration", &properties.expiration),
        ("the property message_id", &properties.message_id),
        ("the property type", &properties.kind),
        ("the property user_id", &properties.user_id),
        ("the property app_id", &properties.app_id),
    ] {
        if let Some(text) = text {
            name(what, text)?;
            size += 1 + text.len();
        }
    }
    // Delivery mode, priority and timestamp.
    size += 10;
    if let Some(headers) = &properties.headers {
        size += table(headers)?;
    }
    bounded("the header frame with all properties and headers", size, HEADER_FRAME)
}

/// The size of an encoded table. It uses a stack of its own instead of recursion, since the caller chooses the depth of
/// nesting.
fn table(headers: &Headers) -> Result<usize> {
    let mut size = 4;
    let mut tables = vec![headers];
    let mut values: Vec<&HeaderValue> = Vec::new();
    while let Some(table) = tables.pop() {
        for (key, value) in table {
            name("the name of a header", key)?;
            size += 1 + key.len();
            values.push(value);
        }
        while let Some(value) = values.pop() {
            size += 1 + match value {
                HeaderValue::Null => 0,
                HeaderValue::Bool(_) => 1,
                HeaderValue::Int(number) if i32::try_from(*number).is_ok() => 4,
                HeaderValue::Text(text) => 4 + text.len(),
                HeaderValue::Bytes(bytes) => 4 + bytes.len(),
                HeaderValue::List(list) => {
                    values.extend(list);
                    4
                }
                HeaderValue::Table(table) => {
                    tables.push(table);
                    4
                }
                _ => 8,
            };
        }
    }
    Ok(size)
}

fn bounded(what: &'static str, size: usize, limit: usize) -> Result<()> {
    if size > limit { Err(Error::TooLarge { what, size, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_measured_as_encoded() {
        let inner = Headers::from([("k".to_owned(), HeaderValue::Text("ab".into()))]);
        let headers = Headers::from([
            ("a".to_owned(), HeaderValue::Null),
            ("b".to_owned(), HeaderValue::List(vec![1.into(), i64::MAX.into(), HeaderValue::Bool(true)])),
            ("c".to_owned(), HeaderValue::Table(inner)),
        ]);
        // 4; 1+1+1; 1+1+1+4, 1+4, 1+8, 1+1; 1+1+1+4, 1+1+1+4+2
        assert_eq!(table(&headers).unwrap(), 4 + 3 + (7 + 5 + 9 + 2) + (7 + 9));
    }

    #[test]
    fn deep_nesting_is_measured_without_a_deep_stack() {
        let mut headers = Headers::new();
        for _ in 0..2_000 {
            headers = Headers::from([("k".to_owned(), HeaderValue::Table(headers))]);
        }
        assert_eq!(table(&headers).unwrap(), 4 + 2_000 * 7);
    }

    #[test]
    fn long_header_names_are_refused_at_any_depth() {
        let inner = Headers::from([("k".repeat(256), HeaderValue::Null)]);
        let headers = Headers::from([("c".to_owned(), HeaderValue::List(vec![HeaderValue::Table(inner)]))]);
        assert!(matches!(table(&headers), Err(Error::TooLarge { size: 256, limit: 255, .. })));
    }
}
