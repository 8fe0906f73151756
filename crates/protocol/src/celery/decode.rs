//! Messages in, both protocols. Lenient where Celery is, and refusing what would kill its workers.

use std::borrow::Cow;
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::{Protocol, compression};
use crate::error::excerpt;
use crate::{DecodeError, HeaderValue, Headers, Limits, Properties, Task, json, rich, timestamp};

type Result<T> = std::result::Result<T, DecodeError>;

pub(crate) fn decode(properties: &Properties, body: &[u8], limits: &Limits) -> Result<Task> {
    if body.len() > limits.body {
        return Err(DecodeError::TooLarge { what: "body", size: Some(body.len()), limit: limits.body });
    }
    check_type(properties)?;
    let empty = Headers::new();
    let headers = properties.headers.as_ref().unwrap_or(&empty);
    let body = match headers.get("compression") {
        None | Some(HeaderValue::Null) => Cow::Borrowed(body),
        Some(HeaderValue::Text(name)) => Cow::Owned(compression::inflate(name, body, limits)?),
        Some(_) => return Err(bad("compression", "is not a text")),
    };
    let mut body = json::parse(&body, limits.depth)?;
    rich::unwrap(&mut body)?;
    let mut task = match (headers.get("task"), body) {
        (None | Some(HeaderValue::Null), Value::Object(body)) if body.contains_key("task") => v1(body)?,
        (None | Some(HeaderValue::Null), _) => return Err(DecodeError::NotATask),
        (Some(HeaderValue::Text(name)), Value::Object(body)) if body.contains_key("args") => {
            hybrid(name, headers, body)?
        }
        (Some(HeaderValue::Text(name)), body) => v2(name, headers, body)?,
        (Some(_), _) => return Err(bad("task", "is not a text")),
    };
    task.priority = properties.priority;
    Ok(task)
}

/// Whether the properties say that the body is JSON in UTF-8.
pub(super) fn check_type(properties: &Properties) -> Result<()> {
    let found = properties.content_type.as_deref().unwrap_or_default();
    let mut parts = found.split(';').map(str::trim);
    if !matches!(parts.next().unwrap_or_default().to_ascii_lowercase().as_str(), "" | "application/json") {
        return Err(DecodeError::ContentType { found: excerpt(found) });
    }
    let charset = parts
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map(|(_, charset)| charset.trim().trim_matches('"'));
    for charset in [properties.content_encoding.as_deref(), charset].into_iter().flatten() {
        if is_foreign(charset) {
            return Err(DecodeError::Charset { found: excerpt(charset) });
        }
    }
    Ok(())
}

/// Whether Python knows a character set of this name that is not contained in UTF-8. A name that
/// Python does not know, and `binary`, are read as UTF-8, as kombu does.
fn is_foreign(charset: &str) -> bool {
    let name: String = charset.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    const FAMILIES: [&str; 26] = [
        "utf16", "utf32", "utf7", "u16", "u32", "u7", "ucs", "iso8859", "iso2022", "latin", "l1", "l2", "cp",
        "windows", "ibm", "koi8", "mac", "big5", "gb", "hz", "euc", "shiftjis", "sjis", "johab", "tis620", "ebcdic",
    ];
    let families = FAMILIES.iter().any(|family| name.starts_with(family));
    families && !matches!(name.as_str(), "cp65001")
}

fn v1(mut body: Map<String, Value>) -> Result<Task> {
    let task = match body.remove("task") {
        Some(Value::String(task)) => task,
        _ => return Err(bad("task", "is not a text")),
    };
    let retries = match body.remove("retries") {
        None | Some(Value::Null) => Some(0),
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    Ok(Task {
        protocol: Protocol::V1,
        task,
        id: body_text(&mut body, "id")?,
        root_id: trace_id(&mut body, "root_id"),
        parent_id: trace_id(&mut body, "parent_id"),
        args: body.remove("args").map_or(Ok(Vec::new()), args)?,
        kwargs: body.remove("kwargs").map_or(Ok(Map::new()), kwargs)?,
        retries: count(retries)?,
        eta: body_time(body.remove("eta"), "eta")?,
        expires: body_time(body.remove("expires"), "expires")?,
        response_key: body_text(&mut body, "response_key")?,
        priority: None,
        origin: None,
    })
}

/// An envelope of protocol 1 under the headers of protocol 2, as Celery reads it (`hybrid_to_proto2`): the arguments are
/// the body's, and whatever the headers name is theirs, above all which task it is. Each receiver is to run the same.
fn hybrid(name: &str, headers: &Headers, mut body: Map<String, Value>) -> Result<Task> {
    body.insert("task".to_owned(), name.into());
    for named in ["id", "root_id", "parent_id", "retries", "eta", "expires"] {
        if headers.contains_key(named) {
            body.remove(named);
        }
    }
    let envelope = v1(body)?;
    Ok(Task {
        id: header_text(headers, "id")?.or(envelope.id),
        root_id: header_trace_id(headers, "root_id").or(envelope.root_id),
        parent_id: header_trace_id(headers, "parent_id").or(envelope.parent_id),
        retries: if headers.contains_key("retries") { header_count(headers)? } else { envelope.retries },
        eta: header_time(headers, "eta")?.or(envelope.eta),
        expires: header_time(headers, "expires")?.or(envelope.expires),
        origin: header_origin(headers),
        ..envelope
    })
}

fn v2(name: &str, headers: &Headers, body: Value) -> Result<Task> {
    let id = header_text(headers, "id")?.ok_or(DecodeError::MissingHeader { name: "id" })?;
    // Two or four elements kill a Celery worker.
    let parts: [Value; 3] = match body {
        Value::Array(parts) => parts.try_into().map_err(|_| bad("body", "is not a list of three"))?,
        _ => return Err(bad("body", "is not a list of three")),
    };
    let [positional, keyword, _embed] = parts;
    Ok(Task {
        protocol: Protocol::V2,
        task: name.to_owned(),
        id: Some(id),
        root_id: header_trace_id(headers, "root_id"),
        parent_id: header_trace_id(headers, "parent_id"),
        args: args(positional)?,
        kwargs: kwargs(keyword)?,
        retries: header_count(headers)?,
        eta: header_time(headers, "eta")?,
        expires: header_time(headers, "expires")?,
        response_key: None,
        priority: None,
        origin: header_origin(headers),
    })
}

fn args(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(args) => Ok(args),
        _ => Err(bad("args", "is not a list")),
    }
}

fn kwargs(value: Value) -> Result<Map<String, Value>> {
    match value {
        Value::Object(kwargs) => Ok(kwargs),
        _ => Err(bad("kwargs", "is not an object")),
    }
}

fn count(retries: Option<u64>) -> Result<u32> {
    retries.and_then(|count| u32::try_from(count).ok()).ok_or(bad("retries", "is not a count"))
}

/// An id that is only passed on, for those who trace: no message is refused for it, so that anything else is none.
fn trace_id(body: &mut Map<String, Value>, name: &str) -> Option<String> {
    match body.remove(name) {
        Some(Value::String(id)) => Some(id),
        _ => None,
    }
}

fn body_text(body: &mut Map<String, Value>, name: &'static str) -> Result<Option<String>> {
    match body.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(bad(name, "is not a text")),
    }
}

fn body_time(value: Option<Value>, name: &'static str) -> Result<Option<SystemTime>> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => moment(&text, name).map(Some),
        Some(_) => Err(bad(name, NOT_A_TIME)),
    }
}

fn header_text(headers: &Headers, name: &'static str) -> Result<Option<String>> {
    match headers.get(name) {
        None | Some(HeaderValue::Null) => Ok(None),
        Some(HeaderValue::Text(text)) => Ok(Some(text.clone())),
        Some(_) => Err(bad(name, "is not a text")),
    }
}

/// As [`trace_id`].
fn header_trace_id(headers: &Headers, name: &str) -> Option<String> {
    headers.get(name).and_then(HeaderValue::as_str).map(str::to_owned)
}

/// As [`trace_id`].
fn header_origin(headers: &Headers) -> Option<String> {
    header_trace_id(headers, "origin").filter(|origin| !origin.is_empty())
}

fn header_count(headers: &Headers) -> Result<u32> {
    count(match headers.get("retries") {
        None | Some(HeaderValue::Null) => Some(0),
        Some(HeaderValue::Int(number)) => u64::try_from(*number).ok(),
        Some(HeaderValue::Text(text)) => text.trim().parse().ok(),
        Some(_) => None,
    })
}

fn header_time(headers: &Headers, name: &'static str) -> Result<Option<SystemTime>> {
    match headers.get(name) {
        None | Some(HeaderValue::Null) => Ok(None),
        Some(HeaderValue::Text(text)) => moment(text, name).map(Some),
        Some(HeaderValue::Timestamp(seconds)) => SystemTime::UNIX_EPOCH
            .checked_add(std::time::Duration::from_secs(*seconds))
            .map(Some)
            .ok_or(bad(name, NOT_A_TIME)),
        Some(_) => Err(bad(name, NOT_A_TIME)),
    }
}

const NOT_A_TIME: &str = "is not a point in time";

fn moment(text: &str, name: &'static str) -> Result<SystemTime> {
    timestamp::parse(text).ok_or(bad(name, NOT_A_TIME))
}

fn bad(name: &'static str, why: &'static str) -> DecodeError {
    DecodeError::BadField { name, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_utf8_is_foreign() {
        for name in ["utf-8", "UTF8", "us-ascii", "ascii", "binary", "nope", "", "646", "cp65001"] {
            assert!(!is_foreign(name), "{name}");
        }
        for name in [
            "utf-16",
            "UTF-16LE",
            "utf_32",
            "utf-7",
            "iso-8859-1",
            "latin-1",
            "latin_1",
            "cp1252",
            "windows-1252",
            "koi8-r",
            "euc_jp",
            "shift_jis",
            "gb18030",
            "mac-roman",
        ] {
            assert!(is_foreign(name), "{name}");
        }
    }

    fn decoded(headers: &[(&str, HeaderValue)], body: &str) -> Result<Task> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let properties = Properties { headers: Some(headers), ..Properties::default() };
        decode(&properties, body.as_bytes(), &Limits::default())
    }

    #[test]
    fn what_is_only_for_tracing_refuses_no_message() {
        let odd = [HeaderValue::Int(5), HeaderValue::Bytes(b"\xff".to_vec()), HeaderValue::List(Vec::new())];
        for (name, odd) in
            ["root_id", "parent_id", "origin"].into_iter().flat_map(|it| odd.iter().map(move |odd| (it, odd)))
        {
            let headers = [("task", "t".into()), ("id", "1".into()), (name, odd.clone())];
            let task = decoded(&headers, r#"[["e"], {}, {}]"#).unwrap();
            assert_eq!((task.root_id, task.parent_id, task.origin), (None, None, None), "{name}");
        }
        let refused = decoded(&[("task", "t".into()), ("id", HeaderValue::Int(5))], r#"[["e"], {}, {}]"#);
        assert_eq!(refused, Err(bad("id", "is not a text")));
    }

    #[test]
    fn under_a_header_task_an_envelope_is_what_the_headers_say() {
        let body = r#"{"task": "b", "id": "of the body", "args": ["e"], "kwargs": {"x": 1}, "retries": 2, "root_id": "r",
            "eta": "2030-01-01T00:00:00", "response_key": "k"}"#;
        let headers = [("task", "a".into()), ("id", "of the headers".into()), ("eta", HeaderValue::Null)];
        let task = decoded(&headers, body).unwrap();
        assert_eq!(
            (task.task.as_str(), task.id.as_deref(), task.protocol),
            ("a", Some("of the headers"), Protocol::V1)
        );
        assert_eq!((task.args, &task.kwargs["x"]), (vec![Value::from("e")], &Value::from(1)));
        // What the headers do not name, the body says; what they name as null is null.
        assert_eq!((task.retries, task.root_id.as_deref(), task.eta), (2, Some("r"), None));
        assert_eq!(task.response_key.as_deref(), Some("k"));
        // Without `args` Celery unpacks the body as that of protocol 2, and dies.
        let refused = decoded(&headers, r#"{"task": "b", "id": "1"}"#);
        assert_eq!(refused, Err(bad("body", "is not a list of three")));
        // Whose headers name no task is known by its body, which then needs no `args`.
        assert_eq!(decoded(&[("id", "2".into())], r#"{"task": "b", "id": "1"}"#).unwrap().id.as_deref(), Some("1"));
    }

    #[test]
    fn parameters_of_the_content_type_are_looked_at() {
        let with = |content_type: &str| {
            check_type(&Properties { content_type: Some(content_type.to_owned()), ..Properties::default() })
        };
        assert!(with("application/json; charset=utf-8").is_ok());
        assert!(with("Application/JSON").is_ok());
        assert_eq!(
            with("application/json; charset=\"latin1\""),
            Err(DecodeError::Charset { found: "latin1".to_owned() })
        );
        assert!(matches!(with("application/x-python-serialize"), Err(DecodeError::ContentType { .. })));
        assert!(matches!(with("application/json2"), Err(DecodeError::ContentType { .. })));
    }
}
