//! Decoding of messages in both protocols. It is as lenient as Celery, and refuses messages that would kill a Celery
//! worker.

use std::borrow::Cow;

use serde_json::Value;

use super::body_fields::bad;
use super::content_type::check_content_type;
use super::{compression, decode_v1, decode_v2, kombu_types};
use crate::{DecodeError, HeaderValue, Headers, Limits, Properties, Task, json};

impl Task {
    /// Reads a message. A time without a time zone is read as UTC, even where `utc` says otherwise.
    ///
    /// # Errors
    /// [`DecodeError`] says why no receiver can handle the message, now or later.
    pub fn decode(properties: &Properties, body: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        decode(properties, body, limits)
    }
}

fn decode(properties: &Properties, body: &[u8], limits: &Limits) -> Result<Task, DecodeError> {
    if body.len() > limits.body {
        return Err(DecodeError::TooLarge { what: "body", size: Some(body.len()), limit: limits.body });
    }
    check_content_type(properties)?;
    let empty = Headers::new();
    let headers = properties.headers.as_ref().unwrap_or(&empty);
    let body = match headers.get("compression") {
        None | Some(HeaderValue::Null) => Cow::Borrowed(body),
        Some(HeaderValue::Text(name)) => Cow::Owned(compression::inflate(name, body, limits)?),
        Some(_) => return Err(bad("compression", "is not a string")),
    };
    let mut body = json::parse(&body, limits.depth)?;
    kombu_types::unwrap(&mut body)?;
    let mut task = match (headers.get("task"), body) {
        (None | Some(HeaderValue::Null), Value::Object(body)) if body.contains_key("task") => decode_v1::decode(body)?,
        (None | Some(HeaderValue::Null), _) => return Err(DecodeError::NotATask),
        (Some(HeaderValue::Text(name)), Value::Object(body)) if body.contains_key("args") => {
            decode_v2::decode_hybrid(name, headers, body)?
        }
        (Some(HeaderValue::Text(name)), body) => decode_v2::decode(name, headers, body)?,
        (Some(_), _) => return Err(bad("task", "is not a string")),
    };
    task.priority = properties.priority;
    Ok(task)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Protocol;

    fn decoded(headers: &[(&str, HeaderValue)], body: &str) -> Result<Task, DecodeError> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let properties = Properties { headers: Some(headers), ..Properties::default() };
        decode(&properties, body.as_bytes(), &Limits::default())
    }

    #[test]
    fn invalid_tracing_ids_are_ignored() {
        let odd = [HeaderValue::Int(5), HeaderValue::Bytes(b"\xff".to_vec()), HeaderValue::List(Vec::new())];
        for (name, odd) in
            ["root_id", "parent_id", "origin"].into_iter().flat_map(|it| odd.iter().map(move |odd| (it, odd)))
        {
            let headers = [("task", "t".into()), ("id", "1".into()), (name, odd.clone())];
            let task = decoded(&headers, r#"[["e"], {}, {}]"#).unwrap();
            assert_eq!((task.root_id, task.parent_id, task.origin), (None, None, None), "{name}");
        }
        let refused = decoded(&[("task", "t".into()), ("id", HeaderValue::Int(5))], r#"[["e"], {}, {}]"#);
        assert_eq!(refused, Err(bad("id", "is not a string")));
    }

    #[test]
    fn headers_override_a_protocol_1_body() {
        let body = r#"{"task": "b", "id": "of the body", "args": ["e"], "kwargs": {"x": 1}, "retries": 2, "root_id": "r",
            "eta": "2030-01-01T00:00:00", "response_key": "k"}"#;
        let headers = [("task", "a".into()), ("id", "of the headers".into()), ("eta", HeaderValue::Null)];
        let task = decoded(&headers, body).unwrap();
        assert_eq!(
            (task.task.as_str(), task.id.as_deref(), task.protocol),
            ("a", Some("of the headers"), Protocol::V1)
        );
        assert_eq!((task.args, &task.kwargs["x"]), (vec![Value::from("e")], &Value::from(1)));
        // A field that the headers leave out comes from the body. A header that is null makes the field null.
        assert_eq!((task.retries, task.root_id.as_deref(), task.eta), (2, Some("r"), None));
        assert_eq!(task.response_key.as_deref(), Some("k"));
        // Without `args`, Celery unpacks the body as one of protocol 2, and dies.
        let refused = decoded(&headers, r#"{"task": "b", "id": "1"}"#);
        assert_eq!(refused, Err(bad("body", "is not a list of three elements")));
        // Without a `task` header the body alone counts, and it needs no `args`.
        assert_eq!(decoded(&[("id", "2".into())], r#"{"task": "b", "id": "1"}"#).unwrap().id.as_deref(), Some("1"));
    }
}
