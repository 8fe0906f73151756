//! Converts between our properties and amiquip's. Values only.

use amiquip::{AmqpProperties, AmqpValue, FieldTable};
use zc_events_protocol::{HeaderValue, Headers, Properties};

use super::guard::GuardReport;

/// AMQP's limit for what it calls short strings, in bytes.
pub(super) const SHORT_STRING: usize = 255;

pub(super) fn to_amqp(properties: &Properties) -> AmqpProperties {
    let mut out = AmqpProperties::default();
    if let Some(value) = &properties.content_type {
        out = out.with_content_type(value.clone());
    }
    if let Some(value) = &properties.content_encoding {
        out = out.with_content_encoding(value.clone());
    }
    if let Some(headers) = &properties.headers {
        out = out.with_headers(to_table(headers));
    }
    if let Some(value) = properties.delivery_mode {
        out = out.with_delivery_mode(value);
    }
    if let Some(value) = properties.priority {
        out = out.with_priority(value);
    }
    if let Some(value) = &properties.correlation_id {
        out = out.with_correlation_id(value.clone());
    }
    if let Some(value) = &properties.reply_to {
        out = out.with_reply_to(value.clone());
    }
    if let Some(value) = &properties.expiration {
        out = out.with_expiration(value.clone());
    }
    if let Some(value) = &properties.message_id {
        out = out.with_message_id(value.clone());
    }
    if let Some(value) = properties.timestamp {
        out = out.with_timestamp(value);
    }
    if let Some(value) = &properties.kind {
        out = out.with_type_(value.clone());
    }
    if let Some(value) = &properties.user_id {
        out = out.with_user_id(value.clone());
    }
    if let Some(value) = &properties.app_id {
        out = out.with_app_id(value.clone());
    }
    out
}

/// The properties of a delivery, and the defect that the guard found in the original ones.
pub(super) fn delivered(properties: AmqpProperties, guard_report: &GuardReport) -> (Properties, Option<&'static str>) {
    let defect = properties.headers().as_ref().and_then(|headers| guard_report.defect(headers));
    let mut properties = from_amqp(properties);
    if defect.is_some() {
        properties.headers = None;
    }
    (properties, defect)
}

fn from_amqp(properties: AmqpProperties) -> Properties {
    Properties {
        content_type: properties.content_type().clone(),
        content_encoding: properties.content_encoding().clone(),
        headers: properties.headers().clone().map(from_table),
        delivery_mode: *properties.delivery_mode(),
        priority: *properties.priority(),
        correlation_id: properties.correlation_id().clone(),
        reply_to: properties.reply_to().clone(),
        expiration: properties.expiration().clone(),
        message_id: properties.message_id().clone(),
        timestamp: *properties.timestamp(),
        kind: properties.type_().clone(),
        user_id: properties.user_id().clone(),
        app_id: properties.app_id().clone(),
    }
}

pub(super) fn to_table(headers: &Headers) -> FieldTable {
    headers.iter().map(|(name, value)| (name.clone(), to_value(value))).collect()
}

fn from_table(table: FieldTable) -> Headers {
    table.into_iter().map(|(name, value)| (name, from_value(value))).collect()
}

fn to_value(value: &HeaderValue) -> AmqpValue {
    match value {
        HeaderValue::Bool(flag) => AmqpValue::Boolean(*flag),
        HeaderValue::Int(number) => i32::try_from(*number).map_or(AmqpValue::LongLongInt(*number), AmqpValue::LongInt),
        HeaderValue::Float(number) => AmqpValue::Double(*number),
        HeaderValue::Text(text) => AmqpValue::LongString(text.clone()),
        HeaderValue::Bytes(bytes) => AmqpValue::ByteArray(bytes.clone()),
        HeaderValue::Timestamp(seconds) => AmqpValue::Timestamp(*seconds),
        HeaderValue::List(list) => AmqpValue::FieldArray(list.iter().map(to_value).collect()),
        HeaderValue::Table(table) => AmqpValue::FieldTable(to_table(table)),
        // `Null`, and variants that a later version of the protocol crate may add.
        _ => AmqpValue::Void,
    }
}

fn from_value(value: AmqpValue) -> HeaderValue {
    match value {
        AmqpValue::Boolean(flag) => HeaderValue::Bool(flag),
        AmqpValue::ShortShortInt(number) => HeaderValue::Int(number.into()),
        AmqpValue::ShortShortUInt(number) => HeaderValue::Int(number.into()),
        AmqpValue::ShortInt(number) => HeaderValue::Int(number.into()),
        AmqpValue::ShortUInt(number) => HeaderValue::Int(number.into()),
        AmqpValue::LongInt(number) => HeaderValue::Int(number.into()),
        AmqpValue::LongUInt(number) => HeaderValue::Int(number.into()),
        AmqpValue::LongLongInt(number) => HeaderValue::Int(number),
        AmqpValue::Float(number) => HeaderValue::Float(number.into()),
        AmqpValue::Double(number) => HeaderValue::Float(number),
        AmqpValue::DecimalValue(decimal) => {
            HeaderValue::Float(f64::from(decimal.value) / 10f64.powi(decimal.scale.into()))
        }
        AmqpValue::LongString(text) => HeaderValue::Text(text),
        AmqpValue::FieldArray(list) => HeaderValue::List(list.into_iter().map(from_value).collect()),
        AmqpValue::Timestamp(seconds) => HeaderValue::Timestamp(seconds),
        AmqpValue::FieldTable(table) => HeaderValue::Table(from_table(table)),
        AmqpValue::ByteArray(bytes) => HeaderValue::Bytes(bytes),
        AmqpValue::Void => HeaderValue::Null,
    }
}

/// The length in bytes of the longest name in the headers, at any depth.
pub(super) fn longest_name(headers: &Headers) -> usize {
    headers.iter().map(|(name, value)| name.len().max(longest_name_within(value))).max().unwrap_or(0)
}

fn longest_name_within(value: &HeaderValue) -> usize {
    match value {
        HeaderValue::Table(table) => longest_name(table),
        HeaderValue::List(list) => list.iter().map(longest_name_within).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_survive_conversion_in_both_directions() {
        let headers = Headers::from([
            ("null".into(), HeaderValue::Null),
            ("small".into(), HeaderValue::Int(-7)),
            ("large".into(), HeaderValue::Int(1 << 40)),
            ("list".into(), HeaderValue::List(vec!["a".into(), HeaderValue::Bool(true)])),
            ("table".into(), HeaderValue::Table(Headers::from([("x".into(), HeaderValue::Float(0.5))]))),
        ]);
        let properties = Properties {
            content_type: Some("application/json".into()),
            headers: Some(headers),
            priority: Some(9),
            delivery_mode: Some(2),
            expiration: Some("100".into()),
            kind: Some("t".into()),
            timestamp: Some(1),
            ..Properties::default()
        };
        assert_eq!(from_amqp(to_amqp(&properties)), properties);
        assert_eq!(from_amqp(to_amqp(&Properties::default())), Properties::default());
    }

    #[test]
    fn integers_are_encoded_as_python_encodes_them() {
        assert_eq!(to_value(&HeaderValue::Int(10)), AmqpValue::LongInt(10));
        assert_eq!(to_value(&HeaderValue::Int(i64::MAX)), AmqpValue::LongLongInt(i64::MAX));
    }
}
