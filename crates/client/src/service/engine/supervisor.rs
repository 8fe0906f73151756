//! The thread that looks after running handlers: the message of one that does not return in time becomes a dead letter, and
//! another thread takes its worker's place. The claims of the others are renewed.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use zc_events_protocol::clock;

use super::blocked_move::{Destination, Move, Work};
use super::dedup::store;
use super::disposition::{DeadLetterReason, Disposition, STUCK};
use super::processing::Processing;
use super::settle;
use super::state::EngineState;
use super::worker::{self, AtWork};
use crate::thread::spawn;

/// The longest time between two looks, and the shortest.
const SELDOM: Duration = Duration::from_secs(10);
const OFTEN: Duration = Duration::from_millis(100);

/// Looks until `stop` has no sender any more.
pub(super) fn run(state: &Arc<EngineState>, stop: &Receiver<()>) {
    let timeout = state.client.settings().handler_timeout;
    let pause = (timeout / 8).clamp(OFTEN, SELDOM);
    loop {
        let clock = state.clock();
        if !clock::pause(clock, clock.deadline(pause), stop) {
            return;
        }
        store::renew_all(state);
        for (running, is_to_replace) in state.running.take_overdue(clock.now(), timeout, state.workers) {
            give_up(state, running.processing.clone(), is_to_replace, timeout);
        }
    }
}

fn give_up(state: &Arc<EngineState>, processing: Processing, is_to_replace: bool, timeout: Duration) {
    // A thread that is stuck cannot be ended. There are at most as many again.
    let is_replaced = is_to_replace && worker::start(state, processing.worker).is_ok();
    log::error!(
        "MICROSERVICE_EVENT::STUCK: {}: its handler has not returned within {timeout:?}; {}",
        processing.label,
        if is_replaced { "another thread takes its place" } else { "there is no other thread to take its place" },
    );
    let message = Arc::clone(&processing.message);
    let reason =
        || DeadLetterReason { reason: STUCK, detail: format!("the handler had not returned within {timeout:?}") };
    // On a thread of its own: this one has others to look after, and there may be no worker left.
    let (hand, handed) = bounded(1);
    let _ = hand.send(processing);
    let settling = spawn("zc-events-stuck", {
        let (state, handed) = (Arc::clone(state), handed.clone());
        let disposition = Disposition::DeadLetter(reason());
        move || {
            if let Ok(processing) = handed.try_recv() {
                let _at_work = AtWork::on(&state.observers, processing.message.number);
                settle::apply(&state, processing, disposition);
            }
        }
    });
    if settling.is_err()
        && let Ok(processing) = handed.try_recv()
    {
        let moved = Move::new(processing, Destination::DeadLetters(reason()));
        state.schedule(state.clock().deadline(Duration::ZERO), Work::Move(Box::new(moved)));
    }
    state.released(&message);
}
