//! What a handler may say when it fails, and handlers without their types.

use std::error::Error as StdError;
use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::context::Context;

/// Why a handler failed. Made from any error with `?`.
///
/// An event whose handler fails is delivered once more, and put among the dead letters
/// when it fails again, or at once where the error is [`permanent`](HandlerError::permanent).
/// A request whose view fails is answered: with the status given, else with 500.
///
/// ```
/// use zc_events::HandlerError;
/// fn parse(text: &str) -> Result<u32, HandlerError> {
///     Ok(text.parse::<u32>().map_err(|error| HandlerError::from(error).permanent())?)
/// }
/// assert!(parse("x").is_err());
/// assert_eq!(HandlerError::not_found().status(), Some(404));
/// ```
pub struct HandlerError {
    source: Box<dyn StdError + Send + Sync>,
    permanent: bool,
    status: Option<u16>,
}

impl HandlerError {
    /// An error with a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { source: text.into().into(), permanent: false, status: None }
    }

    /// A failure that the caller is told of, with this status and text.
    #[must_use]
    pub fn with_status(status: u16, detail: impl Into<String>) -> Self {
        Self { status: Some(status), ..Self::new(detail) }
    }

    /// 404, in the words of Django REST framework.
    #[must_use]
    pub fn not_found() -> Self {
        Self::with_status(404, "Not found.")
    }

    /// 405, in the words of Django REST framework.
    #[must_use]
    pub fn method_not_allowed(method: &str) -> Self {
        Self::with_status(405, format!("Method \"{method}\" not allowed."))
    }

    /// Says that trying again cannot help.
    #[must_use]
    pub fn permanent(mut self) -> Self {
        self.permanent = true;
        self
    }

    /// Whether trying again cannot help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.permanent
    }

    /// The status that the caller is told.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self { source: Box::new(error), permanent: false, status: None }
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerError")
            .field("source", &self.source.to_string())
            .field("permanent", &self.permanent)
            .field("status", &self.status)
            .finish()
    }
}

/// An event handler without the type of its payload.
pub(super) type EventHandler = Box<dyn Fn(&Context, Map<String, Value>) -> Result<(), HandlerError> + Send + Sync>;

/// Hides the type: the payload is the keyword arguments without `task_id`.
pub(super) fn erase<T, F>(handler: F) -> EventHandler
where
    T: DeserializeOwned,
    F: Fn(&Context, T) -> Result<(), HandlerError> + Send + Sync + 'static,
{
    Box::new(move |context, mut kwargs| {
        kwargs.remove("task_id");
        let payload = serde_json::from_value(Value::Object(kwargs)).map_err(|error| {
            HandlerError::new(format!("the payload does not fit the handler's type ({:?} error)", error.classify()))
                .permanent()
        })?;
        handler(context, payload)
    })
}
