//! Running what a program has written. A panic in it is an error like any other.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::HandlerError;
use crate::log_fields::LogLine;
use crate::observe::{HandlerEnded, HandlerEnding};
use crate::service::engine::processing::Processing;
use crate::service::engine::running::Returned;
use crate::service::engine::state::EngineState;

/// A handler's failure, with what the program's own code says about it.
pub(super) struct Failed {
    pub(super) error: HandlerError,
    pub(super) text: String,
    /// When to try again, if at all.
    pub(super) pause: Option<Duration>,
}

/// What came of a handler.
pub(super) enum Ran<T> {
    Returned(Result<T, Failed>),
    /// It took so long that its message was settled by the supervisor.
    TooLate {
        /// Whether another thread does this worker's work.
        is_replaced: bool,
    },
}

/// Runs a handler. `judge` says when to try again if it fails. `is_answered` says whether a caller waits: a failure with a
/// status is an answer then.
pub(super) fn run<T>(
    state: &EngineState,
    processing: &Processing,
    is_answered: bool,
    handler: impl FnOnce() -> Result<T, HandlerError>,
    judge: impl Fn(&HandlerError) -> Option<Duration>,
) -> Ran<T> {
    let begun = state.clock().now();
    let number = state.running.begin(processing.clone(), begun);
    let handled = caught(handler, judge);
    let returned = state.running.finish(number);
    let ending = match (returned, &handled) {
        (Returned::TooLate { .. }, _) => HandlerEnding::Late,
        (Returned::InTime, Err(failed)) if !is_answered || failed.error.status().is_none() => HandlerEnding::Failed,
        (Returned::InTime, _) => HandlerEnding::Done,
    };
    let took = state.clock().now().saturating_duration_since(begun);
    let ended = HandlerEnded { service: &state.service, event_type: &processing.event_type, took, ending };
    state.observers.tell(|observer| observer.handler_ended(&ended));
    match returned {
        Returned::InTime => Ran::Returned(handled),
        Returned::TooLate { replaced } => {
            log::warn!("MICROSERVICE_EVENT::STUCK: {}: its handler has returned after all", processing.label);
            Ran::TooLate { is_replaced: replaced }
        }
    }
}

/// Tells of a request that failed inside. What the caller is told is another matter.
pub(super) fn note_failure<T>(processing: &Processing, ran: &Ran<T>) {
    if let Ran::Returned(Err(Failed { error, text, .. })) = ran
        && error.status().is_none()
    {
        log::error!("MICROSERVICE_EVENT::FAILED: {}: {}", processing.label, LogLine(text));
    }
}

/// Runs what a program has written: the handler, the judge of its errors, the text of the error itself.
fn caught<T>(
    handler: impl FnOnce() -> Result<T, HandlerError>,
    judge: impl Fn(&HandlerError) -> Option<Duration>,
) -> Result<T, Failed> {
    let failed = |error: HandlerError| Failed { text: error.to_string(), pause: judge(&error), error };
    let panicked = |panic: Box<dyn Any + Send>| HandlerError::panicked(panic_text(&*panic));
    match catch_unwind(AssertUnwindSafe(|| handler().map_err(failed))) {
        Ok(handled) => handled,
        Err(panic) => {
            let error = panicked(panic);
            // A judge that panics knows no reason to try again.
            let pause = catch_unwind(AssertUnwindSafe(|| judge(&error))).unwrap_or(None);
            Err(Failed { text: error.to_string(), pause, error })
        }
    }
}

/// What a panic said.
pub(in crate::service::engine) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("?")
}
