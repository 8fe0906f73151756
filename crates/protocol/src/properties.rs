//! The AMQP properties and headers of a message. They are types of this project, so that no type of an AMQP library
//! reaches the layers above.

use std::collections::BTreeMap;
use std::fmt;

/// The headers of a message: a table of typed values.
pub type Headers = BTreeMap<String, HeaderValue>;

/// A value in a header table or among a queue's arguments.
///
/// Integers travel as a signed 32-bit `I` where they fit, as Python's clients send them,
/// and as a signed 64-bit `l` otherwise.
///
/// `Debug` shows the lengths of strings and bytes, and not their content.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum HeaderValue {
    /// `V`, Python's `None`.
    Null,
    /// `t`.
    Bool(bool),
    /// Every integer type of AMQP.
    Int(i64),
    /// `f` and `d`.
    Float(f64),
    /// `S`, a string. AMQP allows any bytes: a string that is not UTF-8 arrives as [`HeaderValue::Bytes`].
    Text(String),
    /// `x`, and strings that are not UTF-8.
    Bytes(Vec<u8>),
    /// `T`, seconds since 1970.
    Timestamp(u64),
    /// `A`.
    List(Vec<HeaderValue>),
    /// `F`.
    Table(Headers),
}

impl HeaderValue {
    /// The text of a [`HeaderValue::Text`].
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            HeaderValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number of a [`HeaderValue::Int`].
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            HeaderValue::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether this is [`HeaderValue::Null`].
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, HeaderValue::Null)
    }
}

impl From<&str> for HeaderValue {
    fn from(text: &str) -> Self {
        HeaderValue::Text(text.to_owned())
    }
}

impl From<String> for HeaderValue {
    fn from(text: String) -> Self {
        HeaderValue::Text(text)
    }
}

impl From<i64> for HeaderValue {
    fn from(number: i64) -> Self {
        HeaderValue::Int(number)
    }
}

impl fmt::Debug for HeaderValue {
    /// Without strings and bytes, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderValue::Null => f.write_str("Null"),
            HeaderValue::Bool(value) => write!(f, "Bool({value})"),
            HeaderValue::Int(number) => write!(f, "Int({number})"),
            HeaderValue::Float(number) => write!(f, "Float({number:?})"),
            HeaderValue::Text(text) => write!(f, "Text({} bytes)", text.len()),
            HeaderValue::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            HeaderValue::Timestamp(seconds) => write!(f, "Timestamp({seconds})"),
            HeaderValue::List(list) => f.debug_tuple("List").field(list).finish(),
            HeaderValue::Table(table) => f.debug_tuple("Table").field(table).finish(),
        }
    }
}

/// The properties of a message; `None` means "absent on the wire".
///
/// `Debug` shows the names of headers, and only the lengths of properties that may contain secrets.
///
/// ```
/// use zc_events_protocol::Properties;
/// let properties = Properties { priority: Some(9), ..Properties::default() };
/// assert!(properties.headers.is_none());
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Properties {
    /// MIME type of the body; this project sends `application/json`.
    pub content_type: Option<String>,
    /// Character set of the body; this project sends `utf-8`.
    pub content_encoding: Option<String>,
    /// The header table. Absent and empty differ on the wire; Celery reads both as protocol 1.
    pub headers: Option<Headers>,
    /// 1 for transient, 2 for persistent.
    pub delivery_mode: Option<u8>,
    /// 0 to 255; queues of the fleet use 0 to 10.
    pub priority: Option<u8>,
    /// The id of the envelope, in protocol 2.
    pub correlation_id: Option<String>,
    /// The reply queue of Celery's result backend; unused by zc_events.
    pub reply_to: Option<String>,
    /// Milliseconds until the broker drops the message, in decimal digits.
    pub expiration: Option<String>,
    /// An id of this project, by which it recognises a returned message.
    pub message_id: Option<String>,
    /// Seconds since 1970.
    pub timestamp: Option<u64>,
    /// The application's name for the kind of message; unused by zc_events.
    pub kind: Option<String>,
    /// The user at the broker; RabbitMQ refuses a user other than that of the connection.
    pub user_id: Option<String>,
    /// The publishing application.
    pub app_id: Option<String>,
}

impl fmt::Debug for Properties {
    /// Only properties that are set, and only values that are not secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Properties");
        let mut plain = |name, value: Option<&dyn fmt::Debug>| {
            if let Some(value) = value {
                shown.field(name, value);
            }
        };
        plain("content_type", self.content_type.as_ref().map(|it| it as _));
        plain("content_encoding", self.content_encoding.as_ref().map(|it| it as _));
        let names = self.headers.as_ref().map(|headers| headers.keys().collect::<Vec<_>>());
        plain("headers", names.as_ref().map(|it| it as _));
        plain("delivery_mode", self.delivery_mode.as_ref().map(|it| it as _));
        plain("priority", self.priority.as_ref().map(|it| it as _));
        plain("correlation_id", self.correlation_id.as_ref().map(|it| it as _));
        plain("expiration", self.expiration.as_ref().map(|it| it as _));
        plain("message_id", self.message_id.as_ref().map(|it| it as _));
        plain("timestamp", self.timestamp.as_ref().map(|it| it as _));
        for (name, text) in [
            ("reply_to_len", &self.reply_to),
            ("kind_len", &self.kind),
            ("user_id_len", &self.user_id),
            ("app_id_len", &self.app_id),
        ] {
            if let Some(text) = text {
                shown.field(name, &text.len());
            }
        }
        shown.finish()
    }
}

/// An upper estimate of the bytes of a header table on the wire, nested tables included.
///
/// ```
/// use zc_events_protocol::{Headers, size_of_headers};
/// assert_eq!(size_of_headers(&Headers::from([("id".to_owned(), "abc".into())])), 1 + 2 + 1 + 4 + 3);
/// ```
#[must_use]
pub fn size_of_headers(headers: &Headers) -> usize {
    headers.iter().map(|(name, value)| 1 + name.len() + size_of_value(value)).sum()
}

fn size_of_value(value: &HeaderValue) -> usize {
    match value {
        HeaderValue::Text(text) => 5 + text.len(),
        HeaderValue::Bytes(bytes) => 5 + bytes.len(),
        HeaderValue::List(list) => 5 + list.iter().map(size_of_value).sum::<usize>(),
        HeaderValue::Table(table) => 5 + size_of_headers(table),
        _ => 9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_text_of_a_header() {
        let inner = Headers::from([("token".to_owned(), "hush".into())]);
        let headers = Headers::from([
            ("text".to_owned(), "hush".into()),
            ("bytes".to_owned(), HeaderValue::Bytes(b"hush".to_vec())),
            ("list".to_owned(), HeaderValue::List(vec!["hush".into(), 5.into()])),
            ("table".to_owned(), HeaderValue::Table(inner)),
        ]);
        assert_eq!(
            format!("{headers:?}"),
            r#"{"bytes": Bytes(4 bytes), "list": List([Text(4 bytes), Int(5)]), "table": Table({"token": Text(4 bytes)}), "text": Text(4 bytes)}"#
        );
        let text = || Some("hush".to_owned());
        let properties = Properties {
            priority: Some(3),
            headers: Some(headers),
            reply_to: text(),
            kind: text(),
            user_id: text(),
            app_id: text(),
            ..Properties::default()
        };
        assert_eq!(
            format!("{properties:?}"),
            r#"Properties { headers: ["bytes", "list", "table", "text"], priority: 3, reply_to_len: 4, kind_len: 4, user_id_len: 4, app_id_len: 4 }"#
        );
        assert_eq!(format!("{:?}", Properties::default()), "Properties");
    }
}
