//! Errors of handlers and views, and the answer that the caller gets. Texts are those of Django REST framework, the form is
//! that of djangorestframework-jsonapi.

use std::error::Error as StdError;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use zc_events_protocol::resource::{Document, ErrorObject};

/// Why a handler failed. `?` converts any error into it.
///
/// If the handler of an event fails, the event is retried as its [`Retry`](crate::Retry) says. After the last attempt it
/// is dead-lettered; after a [`permanent`](HandlerError::permanent) error, at once. If a view fails, the caller gets an
/// answer with the status of the error, or 500.
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
    /// Boxed, since every handler may return this.
    told: Box<Told>,
    reason: &'static str,
}

/// The parts of the answer beside the status and the text.
#[derive(Default)]
struct Told {
    kind: Option<String>,
    code: Option<String>,
    trace: Option<String>,
    /// In place of the text.
    errors: Vec<ErrorObject>,
}

/// The reason of a dead letter if the handler gave no reason.
const FAILED: &str = "failed";
/// The statuses of failures.
const FAILURES: RangeInclusive<u16> = 400..=599;
/// Where an error lies of which nothing more is known, as djangorestframework-jsonapi has it.
const SOMEWHERE: &str = "/data";

impl HandlerError {
    /// An error with a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self::of(text.into().into())
    }

    fn of(source: Box<dyn StdError + Send + Sync>) -> Self {
        Self { source, permanent: false, status: None, pause: None, told: Box::default(), reason: FAILED }
    }

    /// The error of a handler that panicked.
    pub(super) fn panicked(text: &str) -> Self {
        Self::new(format!("the handler panicked: {text}")).because("panicked")
    }

    /// Sets the reason of the dead letter.
    pub(super) fn because(self, reason: &'static str) -> Self {
        Self { reason, ..self }
    }

    /// The reason of the dead letter.
    pub(super) fn reason(&self) -> &'static str {
        self.reason
    }

    /// An error whose status and text the caller gets. A status outside 400 to 599 becomes 500, because the caller would
    /// take it for success.
    #[must_use]
    pub fn with_status(status: u16, detail: impl Into<String>) -> Self {
        let status = if FAILURES.contains(&status) { status } else { 500 };
        Self { status: Some(status), ..Self::new(detail) }
    }

    /// An error whose status and list of errors the caller gets. Each of them may point to a place in the body. Those without
    /// a status or a code get the status and the code of this error.
    ///
    /// ```
    /// use zc_events::{ErrorObject, HandlerError};
    /// let error = HandlerError::with_errors(
    ///     400,
    ///     [
    ///         ErrorObject::invalid("name", "This field is required.").code("required"),
    ///         ErrorObject::new(400, "There is no such company.").pointer("/data/relationships/company"),
    ///     ],
    /// );
    /// assert_eq!(error.to_string(), "/data/attributes/name: This field is required.; /data/relationships/company: There is no such company.");
    /// ```
    #[must_use]
    pub fn with_errors(status: u16, errors: impl IntoIterator<Item = ErrorObject>) -> Self {
        let errors: Vec<_> = errors.into_iter().collect();
        let text: Vec<String> = errors.iter().map(|error| InText(error).to_string()).collect();
        let mut error = Self::with_status(status, text.join("; "));
        error.told.errors = errors;
        error
    }

    /// 400: an invalid attribute of the body. For several, see [`HandlerError::and_invalid`].
    ///
    /// ```
    /// use zc_events::HandlerError;
    /// let error = HandlerError::invalid("name", "This field is required.")
    ///     .and_invalid("total_cents", "A valid integer is required.");
    /// assert_eq!(error.status(), Some(400));
    /// ```
    #[must_use]
    #[doc(alias = "ValidationError")]
    pub fn invalid(attribute: &str, detail: impl Into<String>) -> Self {
        Self::with_errors(400, [ErrorObject::invalid(attribute, detail)])
    }

    /// Adds one more invalid attribute.
    #[must_use]
    pub fn and_invalid(mut self, attribute: &str, detail: impl Into<String>) -> Self {
        let error = ErrorObject::invalid(attribute, detail);
        self.source = format!("{}; {}", self.source, InText(&error)).into();
        self.told.errors.push(error);
        self
    }

    /// 400: the body cannot be parsed.
    #[must_use]
    #[doc(alias = "ParseError")]
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::with_status(400, detail).kind("ParseError").code("parse_error")
    }

    /// 401, with the text of Django REST framework: the caller is not authenticated.
    #[must_use]
    pub fn not_authenticated() -> Self {
        Self::with_status(401, "Authentication credentials were not provided.")
    }

    /// 403, with the text of Django REST framework: the caller has no permission.
    #[must_use]
    pub fn permission_denied() -> Self {
        Self::with_status(403, "You do not have permission to perform this action.")
    }

    /// 404, with the text of Django REST framework.
    #[must_use]
    pub fn not_found() -> Self {
        Self::with_status(404, "Not found.")
    }

    /// 405, with the text of Django REST framework.
    #[must_use]
    pub fn method_not_allowed(method: &str) -> Self {
        Self::with_status(405, format!("Method \"{method}\" not allowed."))
    }

    /// 409: the request conflicts with the current state.
    #[must_use]
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::with_status(409, detail)
    }

    /// 429, with the text of Django REST framework, which says when to try again, in whole seconds, rounded up.
    #[must_use]
    pub fn throttled(wait: Option<Duration>) -> Self {
        let detail = "Request was throttled.";
        Self::with_status(
            429,
            match wait.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0)) {
                None => detail.to_owned(),
                Some(1) => format!("{detail} Expected available in 1 second."),
                Some(seconds) => format!("{detail} Expected available in {seconds} seconds."),
            },
        )
    }

    /// Sets the type of the error in the answer to a call. The default is the name of Django REST framework's exception for
    /// the status.
    ///
    /// ```
    /// use zc_events::HandlerError;
    /// let error = HandlerError::with_status(404, "no such order").kind("DoesNotExist");
    /// # let _ = error;
    /// ```
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.told.kind = Some(kind.into());
        self
    }

    /// Sets the trace in the answer to a call. Python sends one with every error. By default there is none, because a trace
    /// shows internals of the service. It is sent only if the error has a status.
    ///
    /// ```
    /// # use zc_events::{Context, Error, EventClient, HandlerError, Service, Settings, Value};
    /// # let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test").service_name("sums").build()?;
    /// # let client = EventClient::new(settings)?;
    /// let service = Service::builder(&client)
    ///     .call("sum", |_: &Context, _: Value| {
    ///         Err::<i64, _>(HandlerError::with_status(400, "no numbers").trace(concat!(file!(), ": in sum")))
    ///     })
    ///     .start()?;
    /// let Err(Error::Call { failure, .. }) = client.get("sum").fetch::<i64>() else { panic!() };
    /// assert!(failure.errors()[0].trace.as_ref().is_some_and(|trace| trace.ends_with("in sum")));
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    #[must_use]
    pub fn trace(mut self, trace: impl Into<String>) -> Self {
        self.told.trace = Some(trace.into());
        self
    }

    /// The `code` in the answer to a request for a resource. The default is Django REST framework's for the status.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.told.code = Some(code.into());
        self
    }

    /// See [`HandlerError::kind`].
    pub(super) fn told_kind(&self) -> &str {
        self.told.kind.as_deref().unwrap_or(words(self.status).0)
    }

    /// See [`HandlerError::trace`].
    pub(super) fn told_trace(&self) -> Option<&str> {
        self.told.trace.as_deref()
    }

    /// See [`HandlerError::code`].
    fn told_code(&self) -> &str {
        self.told.code.as_deref().unwrap_or(words(self.status).1)
    }

    /// The document and the status that answer a request for a resource. They hide internal errors: only an error to
    /// which the view gave a status shows its text. `text` is the error's own; user code may have written it.
    pub(super) fn document(self, text: String) -> (u16, Document) {
        let status = self.status.unwrap_or(500);
        let text = if self.status.is_some() { text } else { "The service failed to answer.".to_owned() };
        let code = self.told_code().to_owned();
        let mut errors = self.told.errors;
        if errors.is_empty() {
            errors.push(ErrorObject::new(status, text).pointer(SOMEWHERE));
        }
        for error in &mut errors {
            error.status.get_or_insert_with(|| status.to_string());
            error.code.get_or_insert_with(|| code.clone());
        }
        (status, Document { errors, ..Document::default() })
    }

    /// Marks the error as permanent: the event is not retried.
    #[must_use]
    pub fn permanent(mut self) -> Self {
        self.permanent = true;
        self
    }

    /// Sets the pause before the next attempt, if there is one, instead of the policy's backoff. A pause below 1 s counts
    /// as 1 s.
    #[must_use]
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.pause = Some(pause);
        self
    }

    /// The pause that the handler set.
    pub(super) fn wanted_pause(&self) -> Option<Duration> {
        self.pause
    }

    /// The original error, if it was an `E`.
    #[must_use]
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.source.downcast_ref()
    }

    /// Whether the error is permanent.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.permanent
    }

    /// The status that the caller gets.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }
}

/// The name of Django REST framework's exception for a status, and its code.
fn words(status: Option<u16>) -> (&'static str, &'static str) {
    match status {
        Some(400) => ("ValidationError", "invalid"),
        Some(401) => ("NotAuthenticated", "not_authenticated"),
        Some(403) => ("PermissionDenied", "permission_denied"),
        Some(404) => ("NotFound", "not_found"),
        Some(405) => ("MethodNotAllowed", "method_not_allowed"),
        Some(406) => ("NotAcceptable", "not_acceptable"),
        Some(409) => ("Conflict", "error"),
        Some(415) => ("UnsupportedMediaType", "unsupported_media_type"),
        Some(429) => ("Throttled", "throttled"),
        _ => ("APIException", "error"),
    }
}

/// One of several errors, in a text.
struct InText<'a>(&'a ErrorObject);

impl fmt::Display for InText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.0.source.as_ref();
        let place = ["pointer", "parameter"].iter().find_map(|kind| source?.get(kind)?.as_str());
        if let Some(place) = place {
            write!(f, "{place}: ")?;
        }
        f.write_str(self.0.detail.as_deref().or(self.0.title.as_deref()).unwrap_or("an error"))
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
