//! A message that is worked on, and the ways in which that ends. Each keeps the promise
//! that there is always one copy somewhere: what is to live on is confirmed in its new
//! place before the original is acknowledged; where that fails, the original goes back.

use std::sync::Arc;
use std::time::Duration;

use super::dedup;
use super::forward::{self, Cause};
use super::health::Tally;
use super::history::History;
use super::lane::{Held, Job, Then};
use super::retry;
use super::seen::{Answer, End};
use super::shared::Shared;

/// How long a message is kept before it goes back to its queue because it could go nowhere else.
const GIVE_BACK: Duration = Duration::from_secs(1);

/// A message and what is known of it.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) job: Arc<Job>,
    /// What it is known by, where it has an id.
    pub(super) key: Option<String>,
    /// What it is claimed by among processes.
    pub(super) claim: Option<String>,
    pub(super) history: History,
    /// What log lines call it.
    pub(super) label: String,
}

impl Work {
    /// It was completed.
    pub(super) fn complete(&self, shared: &Shared, answer: Answer) {
        shared.count(Tally::Processed);
        self.end(shared, End::Completed(answer));
        self.job.ack();
    }

    /// It was completed before, or need not be done.
    pub(super) fn drop_it(&self, shared: &Shared, tally: Tally) {
        shared.count(tally);
        self.end(shared, End::Moved);
        self.job.ack();
    }

    /// It cannot be done: to the dead letters.
    pub(super) fn bury(&self, shared: &Shared, cause: &Cause) {
        match forward::bury(shared, &self.job.delivery, &self.history, cause) {
            Ok(()) => {
                log::debug!("{}: dead letter, {}", self.label, cause.reason);
                shared.count(Tally::DeadLettered);
                self.end(shared, End::Moved);
                self.job.ack();
            }
            Err(error) => {
                log::error!("{}: not taken among the dead letters, back to the queue: {error}", self.label);
                self.give_back(shared, End::Returned);
            }
        }
    }

    /// It is to be tried again after `pause`.
    pub(super) fn retry(&self, shared: &Shared, pause: Duration) {
        if self.put_off(shared, self.history.next(), pause, End::Moved) {
            shared.count(Tally::Retried);
        }
    }

    /// It is not to be handled before `pause` has passed; no attempt.
    pub(super) fn postpone(&self, shared: &Shared, pause: Duration) {
        self.put_off(shared, self.history.clone(), pause, End::Moved);
    }

    /// It was completed, but its answer could not be handed in: that is to be tried again.
    pub(super) fn retry_answer(&self, shared: &Shared, answer: Answer) {
        self.put_off(shared, self.history.next(), retry::RUNGS[0], End::Completed(answer));
    }

    fn put_off(&self, shared: &Shared, mut history: History, pause: Duration, end: End) -> bool {
        let rung = retry::rung_within(pause);
        // What is left after the first queue is waited for in others.
        history.due = if rung < pause { shared.clock().wall().checked_add(pause) } else { None };
        match forward::delay(shared, &self.job.delivery, &history, rung) {
            Ok(()) => {
                self.end(shared, end);
                self.job.ack();
                true
            }
            Err(error) => {
                log::error!("{}: not taken by a delay queue, back to the queue: {error}", self.label);
                let end = if matches!(end, End::Moved) { End::Returned } else { end };
                self.give_back(shared, end);
                false
            }
        }
    }

    /// It was delivered to a worker before that has vanished: it is handled alone.
    pub(super) fn quarantine(&self, shared: &Shared) {
        match forward::quarantine(shared, &self.job.delivery, &self.history.next()) {
            Ok(()) => {
                log::info!("{}: delivered before to a worker that has vanished, handled alone", self.label);
                self.drop_it(shared, Tally::Quarantined);
            }
            Err(error) => {
                log::error!("{}: not taken by the quarantine, back to the queue: {error}", self.label);
                self.give_back(shared, End::Returned);
            }
        }
    }

    /// Back to its queue, after a moment: it would come again at once.
    fn give_back(&self, shared: &Shared, end: End) {
        self.end(shared, end);
        let until = shared.clock().deadline(GIVE_BACK);
        self.job.lane.hold(Held { until, job: Arc::clone(&self.job), then: Then::GiveBack });
    }

    fn end(&self, shared: &Shared, end: End) {
        if let Some(claim) = &self.claim {
            match &end {
                End::Completed(answer) => dedup::complete(shared, claim, answer),
                End::Moved | End::Returned => dedup::release(shared, claim),
            }
        }
        if let Some(key) = &self.key {
            shared.seen.end(key, end, shared.clock().now());
        }
    }
}
