//! Encoding: the parts that both protocols share.

use super::encode_options::EncodeOptions;
use super::encoded::Encoded;
use super::envelope::Envelope;
use super::protocol::Protocol;
use super::{encode_v1, encode_v2};
use crate::names::check_name;
use crate::{EncodeError, Limits, Properties, json};

/// Encodes a message in the protocol that the options name, or else in the default protocol of its kind.
pub(crate) fn encode(envelope: &Envelope<'_>, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
    check(envelope)?;
    let (body, headers, correlation_id) = match options.protocol.unwrap_or(envelope.default_protocol) {
        Protocol::V1 => (encode_v1::body(envelope, options)?, None, None),
        Protocol::V2 => {
            let body = encode_v2::body(envelope)?;
            (body, Some(encode_v2::headers(envelope, options)?), Some(envelope.id.to_owned()))
        }
    };
    let limit = options.max_body.unwrap_or_else(|| Limits::default().body);
    if body.len() > limit {
        return Err(EncodeError::TooLarge { what: "body", size: body.len(), limit });
    }
    let properties = Properties {
        content_type: Some("application/json".to_owned()),
        content_encoding: Some("utf-8".to_owned()),
        headers,
        delivery_mode: Some(if options.persistent { 2 } else { 1 }),
        priority: envelope.priority,
        correlation_id,
        // RabbitMQ reads 0 as "only if a consumer waits right now", and accepts at most 32 bits.
        expiration: options.expiration.map(|after| after.as_millis().clamp(1, u128::from(u32::MAX)).to_string()),
        ..Properties::default()
    };
    Ok(Encoded { properties, body })
}

fn check(envelope: &Envelope<'_>) -> Result<(), EncodeError> {
    if envelope.args.first.is_empty() {
        return Err(EncodeError::BadName { what: "event type", why: "is empty" });
    }
    // Protocol 2 puts the id into a short string of the properties.
    check_name("id", envelope.id)?;
    // `Call` checked its data and headers under their own names. In the envelope they are one level deeper.
    for value in envelope.args.rest.iter().filter(|_| envelope.call.is_none()) {
        json::check_depth("args", value)?;
    }
    for (key, value) in envelope.kwargs.rest.into_iter().flatten() {
        json::check_depth(key, value)?;
    }
    Ok(())
}
