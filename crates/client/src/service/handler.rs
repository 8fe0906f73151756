//! Handlers without their types: each takes its payload out of the message itself.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zc_events_protocol::resource::deserialize;

use super::handler_context::Context;
use super::handler_error::HandlerError;
use super::resource_view::ResourceView;

/// An event handler without the type of its payload.
pub(super) type EventHandler = Box<dyn Fn(&Context) -> Result<(), HandlerError> + Send + Sync>;

/// A function without the types of its data and its result.
pub(super) type Function = Box<dyn Fn(&Context, &Value) -> Result<Value, HandlerError> + Send + Sync>;

/// What answers the calls of a key.
pub(super) enum Called {
    Function(Function),
    View(Box<dyn ResourceView>),
}

/// Hides the type: the payload is the keyword arguments without `task_id`.
pub(super) fn erase<T, F>(handler: F) -> EventHandler
where
    T: DeserializeOwned,
    F: Fn(&Context, T) -> Result<(), HandlerError> + Send + Sync + 'static,
{
    Box::new(move |context| {
        let payload = context.payload().map_err(|error| {
            let text = format!("the payload does not fit the handler's type: {error}");
            HandlerError::new(text).permanent().because("payload_mismatch")
        })?;
        handler(context, payload)
    })
}

/// Hides the types of a function: the payload is the call's data.
pub(super) fn erase_call<T, R, F>(handler: F) -> Called
where
    T: DeserializeOwned,
    R: Serialize,
    F: Fn(&Context, T) -> Result<R, HandlerError> + Send + Sync + 'static,
{
    Called::Function(Box::new(move |context, data| {
        let payload = deserialize(data).map_err(|mismatch| {
            let text = format!("the data does not fit: {mismatch}");
            HandlerError::with_status(400, text).permanent().because("payload_mismatch")
        })?;
        let result = handler(context, payload)?;
        serde_json::to_value(result).map_err(|_| HandlerError::new("the result cannot be written as JSON").permanent())
    }))
}
