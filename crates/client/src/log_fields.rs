//! The log lines that the fleet's tools look for, in the words of the Python services.
//! They name an event and whom it is about; no payload ever stands in one.

use std::fmt;

use serde_json::{Map, Value};
use zc_events_protocol::Task;

/// `[event type:task id] event for object (type:id) and user id`.
pub(crate) struct EventFields<'a> {
    pub(crate) event_type: &'a str,
    pub(crate) task_id: Option<&'a str>,
    pub(crate) kwargs: &'a Map<String, Value>,
}

impl fmt::Display for EventFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = |name| FieldValue(self.kwargs.get(name));
        write!(
            f,
            "[{}:{}] event for object ({}:{}) and user {}",
            LogLine(self.event_type),
            LogLine(self.task_id.unwrap_or("None")),
            field("resource_type"),
            field("resource_id"),
            field("user_id"),
        )
    }
}

/// What a log line says of a received message.
pub(crate) fn of_task(task: &Task) -> EventFields<'_> {
    EventFields { event_type: task.event_type().unwrap_or_default(), task_id: task.task_id(), kwargs: &task.kwargs }
}

/// A value as Python's `format` writes it, where that is short.
struct FieldValue<'a>(Option<&'a Value>);

impl fmt::Display for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None | Some(Value::Null) => f.write_str("None"),
            Some(Value::Bool(true)) => f.write_str("True"),
            Some(Value::Bool(false)) => f.write_str("False"),
            Some(Value::Number(number)) => write!(f, "{number}"),
            Some(Value::String(text)) => write!(f, "{}", LogLine(text)),
            Some(Value::Array(_)) => f.write_str("[...]"),
            Some(Value::Object(_)) => f.write_str("{...}"),
        }
    }
}

/// A peer's text in a log: one line, of bounded length.
pub(crate) struct LogLine<'a>(pub(crate) &'a str);

impl fmt::Display for LogLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 200;
        for (count, c) in self.0.chars().enumerate() {
            if count == LONGEST {
                return f.write_str("...");
            }
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn about(event_type: &str, kwargs: Value) -> String {
        EventFields { event_type, task_id: Some("t-1"), kwargs: kwargs.as_object().unwrap() }.to_string()
    }

    #[test]
    fn the_line_is_that_of_the_python_services() {
        let kwargs = json!({"resource_type": "Order", "resource_id": 23131024, "user_id": "56", "meta": {"a": 1}});
        assert_eq!(about("order_created", kwargs), "[order_created:t-1] event for object (Order:23131024) and user 56");
        assert_eq!(about("e", json!({})), "[e:t-1] event for object (None:None) and user None");
    }

    #[test]
    fn a_peer_cannot_write_lines_of_its_own() {
        let line = about("x\nFAKE", json!({"user_id": "a\r\nb", "resource_id": [1]}));
        assert_eq!(line, "[x\\nFAKE:t-1] event for object (None:[...]) and user a\\r\\nb");
        assert!(about(&"y".repeat(5000), json!({})).len() < 400);
    }
}
