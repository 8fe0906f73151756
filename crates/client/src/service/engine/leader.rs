//! Leading: taking what the subscriptions deliver, and what is due. One thread at a time leads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use zc_events_protocol::{Deadline, Outcome};
use zc_events_transport::{Delivery, Polled, Subscription, wait_until_ready};

use super::blocked_move::Work;
use super::invoke::panic_text;
use super::live::LiveSubscription;
use super::message::{self, InboundMessage};
use super::queue::QueueRole;
use super::settle;
use super::state::EngineState;
use super::work_queue::{WorkClass, WorkerRole};
use crate::log_fields::LogLine;
use crate::observe::Delivered;
use crate::{Error, Result};

/// How many deliveries are taken from one subscription before the next one is asked.
const BURST: usize = 64;
/// How long the leader waits at a time if nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

/// Leads until there is work for a worker of that role; without one, until a worker is free for what came.
pub(super) fn lead(state: &EngineState, role: Option<WorkerRole>) {
    // Ends the lead also after a panic: without it, no other thread would ever lead.
    let _lead = Lead(state);
    let clock = state.clock();
    loop {
        if state.is_stopping() || state.work.is_change_wanted() {
            return;
        }
        let (due, next_due) = state.schedule.take_due(clock.now());
        for work in due {
            take_up(state, work);
        }
        let live = state.live.list();
        let polled = poll(state, &live);
        if state.work.is_to_leave(role) {
            return;
        }
        if polled.is_busy {
            continue;
        }
        let next = [next_due, polled.look_again].into_iter().flatten().min();
        let until = next.map_or_else(|| clock.deadline(IDLE), Deadline::at);
        let usable = live.iter().filter(|live| !live.has_failed());
        wait_until_ready(
            clock,
            usable.map(|live| &*live.subscription as &dyn Subscription),
            state.live.interrupt(),
            until,
        );
        let _ = state.live.interrupt().try_recv();
    }
}

struct Lead<'a>(&'a EngineState);

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.0.work.stop_leading();
    }
}

/// The result of asking each subscription once.
#[derive(Default)]
struct Round {
    /// Whether there may be more right now.
    is_busy: bool,
    /// When a subscription wants to be asked again.
    look_again: Option<Instant>,
}

fn poll(state: &EngineState, live: &[Arc<LiveSubscription>]) -> Round {
    let mut round = Round::default();
    for live in live.iter().filter(|live| !live.has_failed()) {
        for count in 1..=BURST {
            match next(live) {
                Ok(Polled::Delivery(delivery)) => {
                    delivered(state, live, *delivery);
                    round.is_busy |= count == BURST;
                }
                Ok(Polled::Empty { look_again }) => {
                    round.look_again = [round.look_again, look_again].into_iter().flatten().min();
                    break;
                }
                Err(error) => {
                    live.failed(error);
                    break;
                }
            }
        }
    }
    round
}

/// What the subscription has. One that panics has failed, like one whose connection is lost: its consumer connects again.
fn next(live: &LiveSubscription) -> Result<Polled> {
    match catch_unwind(AssertUnwindSafe(|| live.subscription.try_next())) {
        Ok(polled) => Ok(polled?),
        Err(panic) => Err(Error::Unavailable {
            what: format!("the subscription to `{}` panicked: {}", live.queue.name, LogLine(panic_text(&*panic))),
            outcome: Outcome::NotSent,
            source: None,
        }),
    }
}

/// A message has arrived. One that no handler of this service is for is settled at once.
fn delivered(state: &EngineState, live: &LiveSubscription, delivery: Delivery) {
    let now = state.clock().now();
    state.note_delivery(now);
    let arrived = Delivered {
        service: &state.service,
        queue: &live.queue.name,
        is_redelivered: delivery.redelivered,
        bytes: delivery.body.len(),
    };
    state.observers.tell(|observer| observer.delivered(&arrived));
    let is_ignored = message::event_type(&delivery).is_some_and(|event_type| !state.routes.know(event_type));
    let message = InboundMessage::new(delivery, state.client.settings().limits.clone(), now, &live.queue);
    if is_ignored {
        settle::ignore(state, &message);
    } else {
        take_up(state, Work::Message(message));
    }
}

/// Hands work to the workers.
fn take_up(state: &EngineState, work: Work) {
    let message = Arc::clone(work.message());
    state.taken(&message);
    state.work.push(class(state, &work), work);
}

/// A caller waits for the answer to a request, and for that of no notification.
fn class(state: &EngineState, work: &Work) -> WorkClass {
    let Work::Message(message) = work else { return WorkClass::Event };
    let is_request = message.queue.role != QueueRole::Notifications
        && message.peek_event_type().is_some_and(|event_type| state.routes.answer(event_type));
    if is_request { WorkClass::Request } else { WorkClass::Event }
}
