//! The answer to a request for a resource in the reply store: zlib of `{"status": .., "body": ..}`, where the body is
//! JSON in a string.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::celery::compression;
use crate::{DecodeError, EncodeError, Limits, json};

/// How long the reply store keeps an answer (`RPUSH` and `EXPIRE`): 60 seconds.
pub const REPLY_TTL: Duration = Duration::from_secs(60);

/// The answer to a request.
///
/// ```
/// use zc_events_protocol::{Limits, Reply};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reply = Reply::new(200, &serde_json::json!({"data": null}))?;
/// let read = Reply::decode(&reply.encode()?, &Limits::default())?;
/// assert!(!read.is_error());
/// assert_eq!(read.document()?, Some(serde_json::json!({"data": null})));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body as it is on the wire; [`Reply::document`] reads it.
    pub body: ReplyBody,
}

/// The body of a [`Reply`]. The wire format has no other cases.
#[derive(Clone, PartialEq)]
pub enum ReplyBody {
    /// `null`.
    Null,
    /// A string: usually JSON, and empty with status 204.
    Text(String),
    /// JSON that is not wrapped in a string.
    Document(Value),
}

impl Reply {
    /// An answer with a document.
    ///
    /// # Errors
    /// As for [`Event::arg`](crate::Event::arg).
    pub fn new<T: Serialize>(status: u16, document: &T) -> Result<Self, EncodeError> {
        Ok(Self { status, body: ReplyBody::Text(json::to_value("body", document)?.to_string()) })
    }

    /// An answer with an empty string as the body, as Python sends with 204.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, body: ReplyBody::Text(String::new()) }
    }

    /// Whether the status is 400 or above.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.status >= 400
    }

    /// The document in the body; `None` if the body is empty or null.
    ///
    /// # Errors
    /// Any [`DecodeError`] of JSON, if the body is a string and not JSON.
    pub fn document(&self) -> Result<Option<Value>, DecodeError> {
        match &self.body {
            ReplyBody::Null => Ok(None),
            ReplyBody::Document(document) => Ok(Some(document.clone())),
            ReplyBody::Text(text) if text.trim().is_empty() => Ok(None),
            ReplyBody::Text(text) => {
                json::parse(text.as_bytes(), Limits::default().depth).map(|value| (!value.is_null()).then_some(value))
            }
        }
    }

    /// Encodes the answer for the reply store.
    ///
    /// # Errors
    /// [`EncodeError::TooDeep`] for a document, [`EncodeError::TooLarge`].
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let body = match &self.body {
            ReplyBody::Null => Value::Null,
            ReplyBody::Text(text) => Value::String(text.clone()),
            ReplyBody::Document(document) => {
                json::check_depth("body", document)?;
                Value::String(document.to_string())
            }
        };
        let written = json!({"status": self.status, "body": body}).to_string();
        let limits = Limits::default();
        if written.len() > limits.inflated {
            return Err(EncodeError::TooLarge { what: "reply", size: written.len(), limit: limits.inflated });
        }
        let failed =
            |error: std::io::Error| EncodeError::Serialize { what: "reply".to_owned(), why: error.to_string() };
        let encoded = compression::deflate_zlib(written.as_bytes()).map_err(failed)?;
        if encoded.len() > limits.body {
            return Err(EncodeError::TooLarge { what: "compressed reply", size: encoded.len(), limit: limits.body });
        }
        Ok(encoded)
    }

    /// Reads an answer from the reply store.
    ///
    /// # Errors
    /// Any [`DecodeError`] of sizes, inflating and JSON; [`DecodeError::BadField`] for an invalid `status`.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        if bytes.is_empty() {
            return Err(DecodeError::Empty);
        }
        check_size(bytes, limits)?;
        let inflated = compression::inflate_zlib(bytes, limits)?;
        let Value::Object(mut reply) = json::parse(&inflated, limits.depth)? else {
            return Err(DecodeError::BadField { name: "reply", why: "is not an object" });
        };
        let status = reply
            .get("status")
            .and_then(Value::as_u64)
            .and_then(|status| u16::try_from(status).ok())
            .ok_or(DecodeError::BadField { name: "status", why: "is not an HTTP status" })?;
        let body = match reply.remove("body") {
            None | Some(Value::Null) => ReplyBody::Null,
            Some(Value::String(text)) => ReplyBody::Text(text),
            Some(document) => ReplyBody::Document(document),
        };
        Ok(Self { status, body })
    }
}

/// Refuses a reply that is larger than the limit.
pub(crate) fn check_size(bytes: &[u8], limits: &Limits) -> Result<(), DecodeError> {
    if bytes.len() > limits.body {
        return Err(DecodeError::TooLarge { what: "reply", size: Some(bytes.len()), limit: limits.body });
    }
    Ok(())
}

impl fmt::Debug for Reply {
    /// Without the body, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).finish_non_exhaustive()
    }
}

impl fmt::Debug for ReplyBody {
    /// Only the variant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReplyBody::Null => "Null",
            ReplyBody::Text(_) => "Text(..)",
            ReplyBody::Document(_) => "Document(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Reply, DecodeError> {
        Reply::decode(&compression::deflate_zlib(json.as_bytes()).unwrap(), &Limits::default())
    }

    #[test]
    fn every_form_of_the_body_is_read() {
        let document = |json: &str| read(json).unwrap().document();
        assert_eq!(document(r#"{"status":200,"body":"{\"data\":1}"}"#), Ok(Some(json!({"data": 1}))));
        assert_eq!(document(r#"{"status":200,"body":{"data":1}}"#), Ok(Some(json!({"data": 1}))));
        for none in [r#""""#, r#"" ""#, "null", r#""null""#] {
            assert_eq!(document(&format!(r#"{{"status":204,"body":{none}}}"#)), Ok(None), "{none}");
        }
        assert_eq!(document(r#"{"status":204}"#), Ok(None));
        assert_eq!(document(r#"{"status":500,"body":"<html>"}"#), Err(DecodeError::Malformed { at: 0 }));
    }

    #[test]
    fn invalid_replies_are_refused() {
        assert_eq!(Reply::decode(b"garbage", &Limits::default()), Err(DecodeError::Inflate));
        assert_eq!(Reply::decode(b"", &Limits::default()), Err(DecodeError::Empty));
        assert_eq!(read("[]").unwrap_err().reason(), "bad_field");
        for status in ["null", "-1", "70000", "\"200\"", "2.5"] {
            assert_eq!(
                read(&format!(r#"{{"status":{status},"body":""}}"#)).unwrap_err().reason(),
                "bad_field",
                "{status}"
            );
        }
        let small = Limits { body: 3, ..Limits::default() };
        assert_eq!(Reply::decode(b"xxxx", &small).unwrap_err().reason(), "too_large");
    }

    #[test]
    fn debug_shows_no_body() {
        let reply = Reply::new(200, &json!({"token": "hush"})).unwrap();
        assert!(!format!("{reply:?} {:?} {:?}", reply.body, ReplyBody::Document(json!("hush"))).contains("hush"));
    }
}
