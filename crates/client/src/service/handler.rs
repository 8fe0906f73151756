//! What a handler may say when it fails, and handlers without their types.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use zc_events_protocol::resource::fit;

use super::context::Context;

/// Why a handler failed. Made from any error with `?`.
///
/// An event whose handler fails is tried again after a while, as its [`Retry`](crate::Retry) says, and
/// put among the dead letters after the last attempt, or at once where the error is
/// [`permanent`](HandlerError::permanent).
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
    pause: Option<Duration>,
    kind: Option<String>,
    reason: &'static str,
}

/// What a dead letter's reason is when the handler gave none.
const FAILED: &str = "failed";

impl HandlerError {
    /// An error with a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self::of(text.into().into())
    }

    fn of(source: Box<dyn StdError + Send + Sync>) -> Self {
        Self { source, permanent: false, status: None, pause: None, kind: None, reason: FAILED }
    }

    /// The error of a handler that panicked.
    pub(super) fn panicked(text: &str) -> Self {
        Self { reason: "panicked", ..Self::new(format!("the handler panicked: {text}")) }
    }

    /// Which short word stands for it in a dead letter.
    pub(super) fn reason(&self) -> &'static str {
        self.reason
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

    /// What the caller of a function is told that the error's type is; the name of Django REST framework's exception for
    /// the status unless set.
    ///
    /// ```
    /// use zc_events::HandlerError;
    /// let error = HandlerError::with_status(404, "no such order").kind("DoesNotExist");
    /// # let _ = error;
    /// ```
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// See [`HandlerError::kind`].
    pub(super) fn told_kind(&self) -> &str {
        self.kind.as_deref().unwrap_or(match self.status {
            Some(400) => "ValidationError",
            Some(401) => "NotAuthenticated",
            Some(403) => "PermissionDenied",
            Some(404) => "NotFound",
            Some(405) => "MethodNotAllowed",
            Some(429) => "Throttled",
            _ => "APIException",
        })
    }

    /// Says that trying again cannot help.
    #[must_use]
    pub fn permanent(mut self) -> Self {
        self.permanent = true;
        self
    }

    /// Asks for the next attempt, if there is one, when `pause` has passed, in place of the
    /// policy's backoff. A pause below a second is taken as a second.
    #[must_use]
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.pause = Some(pause);
        self
    }

    /// The pause that the handler asked for.
    pub(super) fn wanted_pause(&self) -> Option<Duration> {
        self.pause
    }

    /// The error that it was made from, where that was an `E`.
    #[must_use]
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.source.downcast_ref()
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
        Self::of(Box::new(error))
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

/// A function without the types of its data and its result.
pub(super) type CallHandler = Box<dyn Fn(&Context, &Value) -> Result<Value, HandlerError> + Send + Sync>;

/// Hides the type: the payload is the keyword arguments without `task_id`.
pub(super) fn erase<T, F>(handler: F) -> EventHandler
where
    T: DeserializeOwned,
    F: Fn(&Context, T) -> Result<(), HandlerError> + Send + Sync + 'static,
{
    Box::new(move |context, mut kwargs| {
        kwargs.remove("task_id");
        let payload = fit(&Value::Object(kwargs)).map_err(|misfit| {
            let text = format!("the payload does not fit the handler's type: {misfit}");
            HandlerError { reason: "payload_mismatch", ..HandlerError::new(text).permanent() }
        })?;
        handler(context, payload)
    })
}

/// Hides the types of a function: the payload is the call's data.
pub(super) fn erase_call<T, R, F>(handler: F) -> CallHandler
where
    T: DeserializeOwned,
    R: Serialize,
    F: Fn(&Context, T) -> Result<R, HandlerError> + Send + Sync + 'static,
{
    Box::new(move |context, data| {
        let payload = fit(data).map_err(|misfit| {
            let text = format!("the data does not fit: {misfit}");
            HandlerError { reason: "payload_mismatch", ..HandlerError::with_status(400, text).permanent() }
        })?;
        let result = handler(context, payload)?;
        serde_json::to_value(result).map_err(|_| HandlerError::new("the result cannot be written as JSON").permanent())
    })
}
