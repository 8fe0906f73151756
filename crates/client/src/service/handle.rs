//! Running what a user wrote, and what becomes of it when nobody waits for the answer. Answers are in `answer` and `call`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use zc_events_protocol::Task;

use super::failure::HandlerError;
use super::forward::Cause;
use super::handler::EventHandler;
use super::health::Tally;
use super::retry::Retry;
use super::roll::Returned;
use super::shared::Shared;
use super::work::Work;
use super::worker::{self, Fate};
use crate::lines::Line;
use crate::observe::{HandlerEnded, HandlerEnding};

/// Hands an event to its handler.
pub(super) fn handle(shared: &Shared, work: Work, task: Task, handler: &EventHandler, retry: &Retry) -> Fate {
    let (context, attempt) = (worker::context(shared, &work, task), work.history.attempt);
    let kwargs = context.task.kwargs.clone();
    run_handler(
        shared,
        work,
        || handler(&context, kwargs),
        |error| retry.pause(attempt, error),
        |work, handled| conclude(shared, work, handled),
    )
}

/// What becomes of what nobody waits for, when its handler has returned.
pub(super) fn conclude<T>(shared: &Shared, work: Work, handled: Result<T, Failed>) {
    let Err(Failed { error, text, pause }) = handled else {
        log::info!("MICROSERVICE_EVENT::PROCESSED: Received {}", work.label);
        return work.complete(shared, None);
    };
    shared.count(Tally::Failed);
    match pause {
        Some(pause) => {
            log::warn!("MICROSERVICE_EVENT::RETRIED: {}: in {pause:?}: {}", work.label, Line(&text));
            work.retry(shared, pause);
        }
        None => {
            log::error!("MICROSERVICE_EVENT::FAILED: {}: {}", work.label, Line(&text));
            work.bury(shared, Cause { reason: error.reason(), detail: text });
        }
    }
}

/// A handler's failure, and all that its own code has to say about it.
pub(super) struct Failed {
    pub(super) error: HandlerError,
    pub(super) text: String,
    /// When to try again, if at all.
    pub(super) pause: Option<Duration>,
}

/// Runs a handler, on the roll, and lets `judge` say when to try again if it fails; then `then`, unless the handler took
/// so long that somebody else has decided.
pub(super) fn run_handler<T>(
    shared: &Shared,
    work: Work,
    handler: impl FnOnce() -> Result<T, HandlerError>,
    judge: impl Fn(&HandlerError) -> Option<Duration>,
    then: impl FnOnce(Work, Result<T, Failed>),
) -> Fate {
    let begun = shared.clock().now();
    let (number, running) = shared.roll.enter(work, begun);
    let handled = caught(handler, judge);
    let returned = shared.roll.strike(number);
    let took = shared.clock().now().saturating_duration_since(begun);
    let ending = match (&returned, &handled) {
        (Returned::TooLate { .. }, _) => HandlerEnding::Late,
        (Returned::InTime, Err(failed)) if failed.error.status().is_none() => HandlerEnding::Failed,
        (Returned::InTime, _) => HandlerEnding::Done,
    };
    let ended = HandlerEnded { service: &shared.service, event_type: &running.work.event_type, took, ending };
    shared.observers().tell(|observer| observer.handler_ended(&ended));
    if let Returned::TooLate { replaced } = returned {
        log::warn!("MICROSERVICE_EVENT::STUCK: {}: its handler has returned after all", running.work.label);
        return Fate::TooLate { replaced };
    }
    then(running.work.clone(), handled);
    Fate::Decided
}

/// Runs what a user wrote: the handler, the judge of its errors, the text of the error itself. A panic in any is an
/// error like any other.
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
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("?")
}
