//! Parses a line of JSON as an event.

use serde_json::{Map, Value};
use zc_events::Event;

use crate::failure::Failure;
use crate::value_parsers;

/// Members that `zc-events listen` prints and that a new event does not take over.
const IGNORED: [&str; 13] = [
    "time",
    "exchange",
    "kind",
    "task",
    "id",
    "task_id",
    "message_id",
    "parent_id",
    "protocol",
    "headers",
    "routing_key",
    "size",
    "reason",
];

/// Parses a whole event.
pub(super) fn read(text: &str, priority: Option<u8>) -> Result<Event, Failure> {
    let mut object = object(text)?;
    for name in IGNORED {
        object.remove(name);
    }
    // No caller waits for the reply to a replayed request, and an undecoded message has no contents.
    if object.remove("request").is_some_and(|it| it != Value::Bool(false)) {
        return Err(Failure::usage("this is a request, not an event"));
    }
    if object.remove("error").is_some_and(|error| !error.is_null()) {
        return Err(Failure::usage("this message could not be decoded, or has no event type"));
    }
    let wrong = |name: &str, what: &str| Err(Failure::usage(format!("`{name}` must be {what}")));
    let event_type = match object.remove("event_type") {
        Some(Value::String(event_type)) if !event_type.is_empty() => event_type,
        _ => return wrong("event_type", "a string, such as \"order_created\""),
    };
    let args = match object.remove("args") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(args)) => args,
        Some(_) => return wrong("args", "a list"),
    };
    let kwargs = match object.remove("kwargs") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(kwargs)) => kwargs,
        Some(_) => return wrong("kwargs", "an object"),
    };
    let priority = match object.remove("priority") {
        None | Some(Value::Null) => priority,
        Some(number) => match number.as_u64().and_then(|number| u8::try_from(number).ok()) {
            Some(number) => Some(number),
            None => return wrong("priority", "a whole number from 0 to 255"),
        },
    };
    if let Some(name) = object.keys().next() {
        let known = "`event_type`, `args`, `kwargs`, `priority`";
        return Err(Failure::usage(format!("unknown field `{name}`; expected one of {known}")));
    }
    event(&event_type, args, kwargs, priority)
}

/// Parses a line as an object.
pub(super) fn object(text: &str) -> Result<Map<String, Value>, Failure> {
    if text.starts_with(value_parsers::BYTE_ORDER_MARK) {
        return Err(Failure::usage(format!("the line {}", value_parsers::HAS_BYTE_ORDER_MARK)));
    }
    match serde_json::from_str(text.trim()) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Failure::usage("the line must be an object, such as {\"resource_id\": 5}")),
        Err(error) => Err(Failure::usage(format!("the line is not valid JSON: {error}"))),
    }
}

/// Builds an event. The keyword argument `task_id` sets the event's task id, as in Python.
pub(super) fn event(
    event_type: &str,
    args: Vec<Value>,
    kwargs: Map<String, Value>,
    priority: Option<u8>,
) -> Result<Event, Failure> {
    if kwargs.contains_key("event_type") {
        return Err(Failure::usage("`event_type` cannot be a keyword argument: it is the event type itself"));
    }
    let mut event = Event::new(event_type);
    for arg in args {
        event = event.arg(arg).map_err(zc_events::Error::from)?;
    }
    for (name, value) in kwargs {
        event = match value {
            Value::String(task_id) if name == "task_id" => event.task_id(task_id),
            _ if name == "task_id" => return Err(Failure::usage("`task_id` must be a string")),
            value => event.set(name, value).map_err(zc_events::Error::from)?,
        };
    }
    Ok(match priority {
        Some(priority) => event.priority(priority),
        None => event,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(text: &str) -> String {
        read(text, None).unwrap_err().text().to_owned()
    }

    #[test]
    fn a_line_holds_a_whole_event() {
        let line =
            r#"{"event_type": "e", "args": [1], "kwargs": {"a": {"b": null}, "task_id": "mine"}, "priority": 7}"#;
        let event = read(line, Some(1)).unwrap();
        assert_eq!((event.event_type(), event.args(), event.effective_priority()), ("e", &[json!(1)][..], Some(7)));
        assert_eq!((&event.kwargs()["a"], event.effective_task_id()), (&json!({"b": null}), "mine"));
        let event = read(r#"{"event_type": "e"}"#, Some(1)).unwrap();
        assert_eq!((event.kwargs().len(), event.effective_priority()), (0, Some(1)));
        assert_eq!(read(r#"{"event_type": "e"}"#, None).unwrap().effective_priority(), Some(0));
    }

    #[test]
    fn invalid_lines_are_refused_without_quoting_them() {
        for (line, why) in [
            ("[1]", "must be an object"),
            ("\u{feff}{\"event_type\": \"e\"}", "the line begins with a byte order mark"),
            ("{\"event_type\": hunter2}", "not valid JSON: expected value at line 1"),
            ("{}", "`event_type` must be a string"),
            (r#"{"event_type": ""}"#, "`event_type`"),
            (r#"{"event_type": "e", "args": {}}"#, "`args` must be a list"),
            (r#"{"event_type": "e", "kwargs": []}"#, "`kwargs` must be an object"),
            (r#"{"event_type": "e", "priority": 256}"#, "`priority`"),
            (
                r#"{"event_type": "e", "kwarg": {"password": "hunter2"}}"#,
                "unknown field `kwarg`; expected one of `event_type`",
            ),
            (r#"{"event_type": "e", "kwargs": {"task_id": 5}}"#, "`task_id`"),
            (r#"{"event_type": "order_request", "request": true}"#, "this is a request"),
            (r#"{"event_type": "", "error": "not JSON"}"#, "could not be decoded"),
        ] {
            let text = refused(line);
            assert!(text.contains(why) && !text.contains("hunter2"), "{line}: {text}");
        }
    }

    #[test]
    fn lines_of_listen_can_be_emitted() {
        let line = r#"{"time": "t", "kind": "event", "event_type": "e", "task": "microservice.event", "id": "1",
            "task_id": "1", "message_id": null, "parent_id": null, "protocol": 1, "args": [], "kwargs": {"task_id": "1"},
            "headers": {}, "priority": null, "exchange": "x", "routing_key": "", "size": 5, "request": false}"#;
        assert_eq!(read(line, None).unwrap().effective_task_id(), "1");
    }
}
