//! What a line of JSON says of an event.

use serde_json::{Map, Value};
use zc_events::Event;

use crate::failure::Failure;
use crate::values;

/// What lines that `zc-events listen` has printed hold beside the event, and what is made anew.
const SEEN: [&str; 13] = [
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

/// A whole event.
pub(super) fn read(text: &str, priority: Option<u8>) -> Result<Event, Failure> {
    let mut object = object(text)?;
    for name in SEEN {
        object.remove(name);
    }
    // A request without somebody who waits for its answer makes no sense, nor does what could not be read.
    if object.remove("request").is_some_and(|it| it != Value::Bool(false)) {
        return Err(Failure::usage("it is a request, and no event"));
    }
    if object.remove("error").is_some_and(|error| !error.is_null()) {
        return Err(Failure::usage("it is a message that could not be read, or that had no event type"));
    }
    let wrong = |name: &str, what: &str| Err(Failure::usage(format!("`{name}` is to be {what}")));
    let event_type = match object.remove("event_type") {
        Some(Value::String(event_type)) if !event_type.is_empty() => event_type,
        _ => return wrong("event_type", "a text, such as \"order_created\""),
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
        let known = "`event_type`, `args`, `kwargs` and `priority`";
        return Err(Failure::usage(format!("`{name}` is none of {known}")));
    }
    event(&event_type, args, kwargs, priority)
}

/// A line that is to be an object.
pub(super) fn object(text: &str) -> Result<Map<String, Value>, Failure> {
    if text.starts_with(values::BYTE_ORDER_MARK) {
        return Err(Failure::usage(format!("the line {}", values::MARKED)));
    }
    match serde_json::from_str(text.trim()) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Failure::usage("the line is to be an object, such as {\"resource_id\": 5}")),
        Err(error) => Err(Failure::usage(format!("the line is not JSON: {error}"))),
    }
}

/// An event of its parts. `task_id` among the keyword arguments is the event's, as in Python.
pub(super) fn event(
    event_type: &str,
    args: Vec<Value>,
    kwargs: Map<String, Value>,
    priority: Option<u8>,
) -> Result<Event, Failure> {
    if kwargs.contains_key("event_type") {
        return Err(Failure::usage("`event_type` is no keyword argument: it is the type that stands before them"));
    }
    let mut event = Event::new(event_type);
    for arg in args {
        event = event.arg(arg).map_err(zc_events::Error::from)?;
    }
    for (name, value) in kwargs {
        event = match value {
            Value::String(task_id) if name == "task_id" => event.task_id(task_id),
            _ if name == "task_id" => return Err(Failure::usage("`task_id` is to be a text")),
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
    fn a_line_says_all_of_an_event() {
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
    fn what_makes_no_sense_is_refused_without_being_shown() {
        for (line, why) in [
            ("[1]", "to be an object"),
            ("\u{feff}{\"event_type\": \"e\"}", "the line begins with a byte order mark"),
            ("{\"event_type\": hunter2}", "not JSON: expected value at line 1"),
            ("{}", "`event_type` is to be a text"),
            (r#"{"event_type": ""}"#, "`event_type`"),
            (r#"{"event_type": "e", "args": {}}"#, "`args` is to be a list"),
            (r#"{"event_type": "e", "kwargs": []}"#, "`kwargs` is to be an object"),
            (r#"{"event_type": "e", "priority": 256}"#, "`priority`"),
            (r#"{"event_type": "e", "kwarg": {"password": "hunter2"}}"#, "`kwarg` is none of `event_type`"),
            (r#"{"event_type": "e", "kwargs": {"task_id": 5}}"#, "`task_id`"),
            (r#"{"event_type": "order_request", "request": true}"#, "it is a request"),
            (r#"{"event_type": "", "error": "not JSON"}"#, "could not be read"),
        ] {
            let text = refused(line);
            assert!(text.contains(why) && !text.contains("hunter2"), "{line}: {text}");
        }
    }

    #[test]
    fn what_listen_prints_can_be_emitted() {
        let line = r#"{"time": "t", "kind": "event", "event_type": "e", "task": "microservice.event", "id": "1",
            "task_id": "1", "message_id": null, "parent_id": null, "protocol": 1, "args": [], "kwargs": {"task_id": "1"},
            "headers": {}, "priority": null, "exchange": "x", "routing_key": "", "size": 5, "request": false}"#;
        assert_eq!(read(line, None).unwrap().effective_task_id(), "1");
    }
}
