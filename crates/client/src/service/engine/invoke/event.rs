//! Handling an event or a notification.

use super::context;
use super::run::{self, Failed, Ran};
use crate::service::engine::disposition::{DeadLetterReason, Disposition};
use crate::service::engine::processing::Processing;
use crate::service::engine::state::EngineState;
use crate::service::handler::EventHandler;
use crate::service::retry::Retry;

/// Hands an event to its handler.
pub(super) fn handle(
    state: &EngineState,
    processing: &Processing,
    handler: &EventHandler,
    retry: &Retry,
) -> Disposition {
    let context = context::of(state, processing, processing.message.task().ok());
    let attempt = processing.attempts.attempt;
    conclude(run::run(state, processing, false, || handler(&context), |error| retry.pause(attempt, error)))
}

/// What becomes of a message whose sender waits for no answer.
pub(super) fn conclude<T>(ran: Ran<T>) -> Disposition {
    match ran {
        Ran::Returned(Ok(_)) => Disposition::Complete(None),
        Ran::Returned(Err(Failed { pause: Some(after), text, .. })) => Disposition::Retry { after, why: text },
        Ran::Returned(Err(Failed { pause: None, text, error })) => {
            Disposition::DeadLetter(DeadLetterReason { reason: error.reason(), detail: text })
        }
        Ran::TooLate { is_replaced } => Disposition::AlreadySettled { is_replaced },
    }
}
