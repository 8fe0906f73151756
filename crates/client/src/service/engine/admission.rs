//! Whether a message is to be handled now: it was not completed before, is not being handled here or elsewhere, has attempts
//! left, and is not suspected of having killed its worker.

use std::time::Duration;

use zc_events_protocol::Task;

use super::dedup::local::{self, Begun};
use super::dedup::store::{self, StoreClaim};
use super::disposition::{Answer, DeadLetterReason, DeferPlace, DiscardReason, Disposition, PreparedReply};
use super::processing::Processing;
use super::routes::Route;
use super::state::EngineState;

/// How long a message waits when the reply store cannot tell whether it was handled.
const STORE_UNKNOWN: Duration = Duration::from_secs(5);

/// `Ok` where the message is to be handled now.
///
/// # Errors
/// What becomes of it otherwise.
pub(super) fn admit(
    state: &EngineState,
    processing: &mut Processing,
    task: &Task,
    route: &Route,
) -> Result<(), Disposition> {
    let message = &processing.message;
    let mut is_known = false;
    if let Some(key) = local::key(task, processing.channel_key(), message.body()) {
        match state.dedup.begin(&key, &message.settler, state.clock().now()) {
            Begun::Now { known } => is_known = known,
            Begun::Parked => return Err(Disposition::Park),
            Begun::Completed(answer) => return Err(completed_before(processing, task, answer)),
        }
        // A message that waited in memory has its key already.
        let _ = message.key.set(key);
    }
    let limit = route.retry().unwrap_or(&state.retry).limit();
    if message.is_redelivered && !is_known && !message.queue.allows_redelivery(state.clock().now()) {
        return Err(suspected(processing, limit));
    }
    if processing.attempts.attempt > limit {
        return Err(dead_letter("failed", format!("{limit} attempts are allowed")));
    }
    claim(state, processing, task)
}

/// The message was delivered before, to a worker that has vanished. Among others it is no more than a suspect, and is handled
/// alone from now on. Alone, it is the culprit; that was an attempt, which a new copy remembers.
fn suspected(processing: &Processing, limit: u32) -> Disposition {
    if !processing.message.queue.is_quarantine() {
        return Disposition::Quarantine(processing.attempts.clone());
    }
    let attempts = processing.attempts.next();
    if attempts.attempt > limit {
        return dead_letter(
            "worker_lost",
            format!("its worker died while it handled it; {limit} attempts are allowed"),
        );
    }
    Disposition::Quarantine(attempts)
}

/// Claims the message among the processes of the service.
fn claim(state: &EngineState, processing: &mut Processing, task: &Task) -> Result<(), Disposition> {
    let Some(key) = processing.key() else { return Ok(()) };
    let pause = match store::claim(state, key) {
        StoreClaim::Ours(claim) => {
            processing.claim = claim;
            return Ok(());
        }
        StoreClaim::Completed(answer) => return Err(completed_before(processing, task, answer)),
        StoreClaim::Elsewhere(left) => left,
        // A message that may have been handled before waits until the store can tell.
        StoreClaim::Unknown if processing.message.is_redelivered || processing.attempts.attempt > 1 => STORE_UNKNOWN,
        StoreClaim::Unknown => return Ok(()),
    };
    // A delay queue leads back to the queue of all messages, and not to the quarantine.
    let is_alone = processing.message.queue.is_quarantine();
    let place = if is_alone { DeferPlace::Memory } else { DeferPlace::DelayQueue };
    Err(Disposition::Defer { pause, place })
}

/// A request that was answered before gets the same answer again. Anything else that was completed is done with.
fn completed_before(processing: &Processing, task: &Task, answer: Answer) -> Disposition {
    log::info!("MICROSERVICE_EVENT::DUPLICATE: Received {}", processing.label);
    let of_request = || task.resource_request().map(|request| request.response_key);
    let response_key = task.call().map(|call| call.response_key).or_else(of_request);
    match (answer, response_key) {
        (Some(body), Some(key)) => Disposition::Complete(Some(PreparedReply { key, body, is_repeated: true })),
        _ => Disposition::Discard(DiscardReason::Duplicate),
    }
}

fn dead_letter(reason: &'static str, detail: String) -> Disposition {
    Disposition::DeadLetter(DeadLetterReason { reason, detail })
}
