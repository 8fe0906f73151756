//! Carrying out what was decided: the only place that acknowledges, requeues and republishes, pushes answers, counts and
//! tells. There is always one copy of a message somewhere: what is to live on is confirmed in its new place before the
//! original is acknowledged.

use std::sync::Arc;
use std::time::Duration;

use zc_events_transport::Verdict;

use super::attempts::Attempts;
use super::blocked_move::{Destination, Move, Work};
use super::dedup::local::Completion;
use super::dedup::store;
use super::disposition::{Answer, DeadLetterReason, DeferPlace, DiscardReason, Disposition, PreparedReply, STUCK};
use super::message::InboundMessage;
use super::processing::{Processing, UNKNOWN};
use super::state::EngineState;
use super::{reply, republish};
use crate::log_fields::LogLine;
use crate::observe::{Settled, Settlement};
use crate::service::retry::{RETRY_DELAYS, delay_within};

/// Carries out a decision.
pub(super) fn apply(state: &EngineState, processing: Processing, disposition: Disposition) {
    let label = &processing.label;
    match disposition {
        Disposition::Complete(None) => {
            log::info!("MICROSERVICE_EVENT::PROCESSED: Received {label}");
            complete(state, &processing, None);
        }
        Disposition::Complete(Some(prepared)) => answer(state, processing, prepared),
        Disposition::Retry { after, why } => {
            log::warn!("MICROSERVICE_EVENT::RETRIED: {label}: in {after:?}: {}", LogLine(&why));
            end(state, &processing, Completion::Moved);
            let attempts = processing.attempts.next();
            delay(state, processing, attempts, after, true);
        }
        Disposition::Defer { pause, place: DeferPlace::Memory } => {
            end(state, &processing, Completion::Returned);
            let work = Work::Message(Arc::clone(&processing.message));
            state.schedule(state.clock().deadline(pause), work);
        }
        Disposition::Defer { pause, place: DeferPlace::DelayQueue } => {
            end(state, &processing, Completion::Moved);
            let attempts = processing.attempts.clone();
            delay(state, processing, attempts, pause, false);
        }
        Disposition::Quarantine(attempts) => {
            log::info!("{label}: redelivered after a worker died; it is handled alone");
            end(state, &processing, Completion::Moved);
            move_message(state, Move::new(processing, Destination::Quarantine(attempts)));
        }
        Disposition::DeadLetter(reason) => {
            note_dead_letter(&processing, &reason);
            move_message(state, Move::new(processing, Destination::DeadLetters(reason)));
        }
        Disposition::Discard(DiscardReason::Ignored) => ignore(state, &processing.message),
        Disposition::Discard(DiscardReason::Expired) => {
            log::info!("MICROSERVICE_EVENT::EXPIRED: Received {label}");
            discard(state, &processing, Settlement::Expired);
        }
        Disposition::Discard(DiscardReason::Duplicate) => discard(state, &processing, Settlement::Duplicate),
        Disposition::Park | Disposition::AlreadySettled { .. } => {}
        Disposition::Requeue => {
            end(state, &processing, Completion::Returned);
            requeue(state, &processing);
        }
    }
}

/// Tries a move again that was blocked.
pub(super) fn resume(state: &EngineState, blocked: Move) {
    move_message(state, blocked);
}

/// Requeues work that no worker has begun.
pub(super) fn requeue_work(state: &EngineState, work: &Work) {
    match work {
        Work::Message(message) => requeue(state, &Processing::new(Arc::clone(message))),
        Work::Move(blocked) => requeue(state, &blocked.processing),
    }
}

/// Settles a message that no handler of this service is for. That is no error: most of what a service gets is for others.
pub(super) fn ignore(state: &EngineState, message: &InboundMessage) {
    if log::log_enabled!(log::Level::Info)
        && let Ok(task) = message.task()
    {
        log::info!("MICROSERVICE_EVENT::IGNORED: Received {}", crate::log_fields::of_task(task));
    }
    let service = &state.service;
    let settled = Settled { service, event_type: UNKNOWN, id: None, attempt: 1, settlement: Settlement::Ignored };
    state.observers.tell(|observer| observer.settled(&settled));
    message.settler.ack();
}

fn answer(state: &EngineState, processing: Processing, prepared: PreparedReply) {
    if prepared.is_repeated {
        state.count_repeated_answer();
    }
    let label = &processing.label;
    let Err(why) = reply::push(state, &processing, &prepared) else {
        log::info!("MICROSERVICE_EVENT::PROCESSED: Received {label}");
        return complete(state, &processing, Some(prepared.body));
    };
    if processing.attempts.attempt >= state.retry.limit() {
        log::error!("MICROSERVICE_EVENT::UNANSWERED: {label}: {why}");
        return discard(state, &processing, Settlement::Unanswered);
    }
    // It was handled: only the answer is to be tried again.
    log::warn!("MICROSERVICE_EVENT::RETRIED: {label}: the answer was not taken: {why}");
    end(state, &processing, Completion::Completed(Some(prepared.body)));
    let attempts = processing.attempts.next();
    delay(state, processing, attempts, RETRY_DELAYS[0], true);
}

fn complete(state: &EngineState, processing: &Processing, answer: Answer) {
    tell(state, processing, Settlement::Handled);
    end(state, processing, Completion::Completed(answer));
    acknowledge(processing);
}

fn discard(state: &EngineState, processing: &Processing, settlement: Settlement) {
    tell(state, processing, settlement);
    end(state, processing, Completion::Gone);
    acknowledge(processing);
}

/// Sends a message to a delay queue. What is left of `pause` behind the first queue it waits for in others.
fn delay(state: &EngineState, processing: Processing, mut attempts: Attempts, pause: Duration, is_retry: bool) {
    let delay = delay_within(pause);
    attempts.due = if delay < pause { state.clock().wall().checked_add(pause) } else { None };
    move_message(state, Move::new(processing, Destination::DelayQueue { delay, attempts, is_retry }));
}

/// Sends a copy to another queue, and acknowledges the original once that is confirmed. Where the copy is not taken, the
/// original stays here, and the move is tried again after a while.
fn move_message(state: &EngineState, mut moved: Move) {
    let Err(error) = republish::send_copy(state, &moved) else { return moved_on(state, &moved) };
    let pause = moved.blocked(&state.blocked_moves);
    let processing = &moved.processing;
    let place = moved.destination.name();
    log::error!("{}: {place} did not take it; the next try is in {pause:?}: {error}", processing.label);
    // Should the connection be lost meanwhile, it is delivered again, and is no suspect.
    end(state, processing, Completion::Returned);
    if let Some(key) = processing.key() {
        state.dedup.stayed(key, state.clock().now());
    }
    state.schedule(state.clock().deadline(pause), Work::Move(Box::new(moved)));
}

/// A copy is confirmed in the other queue.
fn moved_on(state: &EngineState, moved: &Move) {
    let processing = &moved.processing;
    let settlement = match &moved.destination {
        Destination::DelayQueue { is_retry: true, .. } => Settlement::Retried,
        Destination::DelayQueue { is_retry: false, .. } => Settlement::Deferred,
        Destination::Quarantine(_) => Settlement::Quarantined,
        Destination::DeadLetters(DeadLetterReason { reason, .. }) => {
            log::debug!("{}: dead letter, {reason}", processing.label);
            return discard(state, processing, Settlement::DeadLettered { reason });
        }
    };
    tell(state, processing, settlement);
    acknowledge(processing);
}

fn note_dead_letter(processing: &Processing, reason: &DeadLetterReason) {
    let DeadLetterReason { reason, detail } = reason;
    if *reason == STUCK {
        // The supervisor has told it, with what it does about the worker.
    } else if processing.event_type == UNKNOWN {
        log::error!("a message cannot be read and becomes a dead letter: {reason}: {}", LogLine(detail));
    } else {
        log::error!("MICROSERVICE_EVENT::FAILED: {}: {}", processing.label, LogLine(detail));
    }
}

fn acknowledge(processing: &Processing) {
    processing.message.settler.ack();
}

fn requeue(state: &EngineState, processing: &Processing) {
    tell(state, processing, Settlement::Requeued);
    processing.message.settler.settle(Verdict::Requeue);
}

/// The handling of a message has ended. Settles the copies that came meanwhile.
fn end(state: &EngineState, processing: &Processing, completion: Completion) {
    if let Some(claim) = &processing.claim {
        match &completion {
            Completion::Completed(answer) => store::complete(state, claim, answer),
            Completion::Moved | Completion::Gone | Completion::Returned => store::release(state, claim),
        }
    }
    let Some(key) = processing.key() else { return };
    let (copies, verdict) = state.dedup.end(key, completion, state.clock().now());
    for copy in copies {
        copy.settle(verdict);
        if verdict == Verdict::Ack {
            tell(state, processing, Settlement::Duplicate);
        }
    }
}

fn tell(state: &EngineState, processing: &Processing, settlement: Settlement) {
    let settled = Settled {
        service: &state.service,
        event_type: &processing.event_type,
        id: processing.id.as_deref(),
        attempt: processing.attempts.attempt,
        settlement,
    };
    state.observers.tell(|observer| observer.settled(&settled));
}
