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
use crate::Result;
use crate::metrics::{self, Handled};

/// How long a message is kept before it goes back to its queue because it could go nowhere else.
const GIVE_BACK: Duration = Duration::from_secs(1);

/// Why the message of a handler that does not return is a dead letter.
pub(super) const STUCK: &str = "stuck";

/// A message and what is known of it.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) job: Arc<Job>,
    /// What it is known by, where it has an id.
    pub(super) key: Option<String>,
    /// What it is claimed by among processes.
    pub(super) claim: Option<String>,
    pub(super) history: History,
    /// Its event type, where that is one that is handled here.
    pub(super) event_type: String,
    /// What log lines call it.
    pub(super) label: String,
}

impl Work {
    /// It was completed.
    pub(super) fn complete(&self, shared: &Shared, answer: Answer) {
        shared.count(Tally::Processed);
        metrics::handled(&self.event_type, Handled::Processed);
        self.end(shared, End::Completed(answer));
        self.job.ack();
    }

    /// It came too late.
    pub(super) fn expire(&self, shared: &Shared) {
        metrics::handled(&self.event_type, Handled::Expired);
        self.drop_it(shared, Tally::Expired);
    }

    /// It was completed before.
    pub(super) fn skip(&self, shared: &Shared) {
        metrics::handled(&self.event_type, Handled::Duplicate);
        self.drop_it(shared, Tally::Duplicate);
    }

    /// It is done with, for the reason that is counted.
    pub(super) fn drop_it(&self, shared: &Shared, tally: Tally) {
        shared.count(tally);
        self.end(shared, End::Gone);
        self.job.ack();
    }

    /// It cannot be done: to the dead letters.
    pub(super) fn bury(&self, shared: &Shared, cause: &Cause) {
        match forward::bury(shared, &self.job.delivery, &self.history, cause) {
            Ok(()) => {
                log::debug!("{}: dead letter, {}", self.label, cause.reason);
                metrics::dead_lettered(cause.reason);
                let outcome = if cause.reason == STUCK { Handled::Stuck } else { Handled::DeadLettered };
                metrics::handled(&self.event_type, outcome);
                self.drop_it(shared, Tally::DeadLettered);
            }
            Err(error) => {
                log::error!("{}: not taken among the dead letters, back to the queue: {error}", self.label);
                self.end(shared, End::Returned);
                self.give_back(shared);
            }
        }
    }

    /// It is to be tried again after `pause`.
    pub(super) fn retry(&self, shared: &Shared, pause: Duration) {
        self.end(shared, End::Moved);
        self.next_attempt(shared, pause);
    }

    fn next_attempt(&self, shared: &Shared, pause: Duration) {
        if self.put_off(shared, self.history.next(), pause) {
            shared.count(Tally::Retried);
            metrics::retried(&self.event_type);
            metrics::handled(&self.event_type, Handled::Retried);
        }
    }

    /// It is not to be handled before `pause` has passed; no attempt.
    pub(super) fn postpone(&self, shared: &Shared, pause: Duration) {
        self.end(shared, End::Moved);
        self.put_off(shared, self.history.clone(), pause);
    }

    /// It was completed, but its answer could not be handed in: that is to be tried again.
    pub(super) fn retry_answer(&self, shared: &Shared, answer: Answer) {
        self.end(shared, End::Completed(answer));
        self.next_attempt(shared, retry::RUNGS[0]);
    }

    fn put_off(&self, shared: &Shared, mut history: History, pause: Duration) -> bool {
        let rung = retry::rung_within(pause);
        // What is left after the first queue is waited for in others.
        history.due = if rung < pause { shared.clock().wall().checked_add(pause) } else { None };
        self.moved(shared, "a delay queue", forward::delay(shared, &self.job.delivery, &history, rung))
    }

    /// It was delivered to a worker before that has vanished: it is handled alone.
    pub(super) fn quarantine(&self, shared: &Shared) {
        log::info!("{}: delivered before to a worker that has vanished, to be handled alone", self.label);
        self.end(shared, End::Moved);
        let sent = forward::quarantine(shared, &self.job.delivery, &self.history.next());
        if self.moved(shared, "the quarantine", sent) {
            shared.count(Tally::Quarantined);
        }
    }

    /// Gives the verdict on one that was to move. Whether it did.
    fn moved(&self, shared: &Shared, place: &str, sent: Result<()>) -> bool {
        match sent {
            Ok(()) => {
                self.job.ack();
                true
            }
            Err(error) => {
                log::error!("{}: not taken by {place}, back to the queue: {error}", self.label);
                if let Some(key) = &self.key {
                    shared.seen.stayed(key, shared.clock().now());
                }
                self.give_back(shared);
                false
            }
        }
    }

    /// Back to its queue, after a moment: it would come again at once.
    fn give_back(&self, shared: &Shared) {
        let until = shared.clock().deadline(GIVE_BACK);
        self.job.lane.hold(Held { until, job: Arc::clone(&self.job), then: Then::GiveBack });
    }

    /// Its handling ended.
    fn end(&self, shared: &Shared, end: End) {
        if let Some(claim) = &self.claim {
            match &end {
                End::Completed(answer) => dedup::complete(shared, claim, answer),
                End::Moved | End::Gone | End::Returned => dedup::release(shared, claim),
            }
        }
        if let Some(key) = &self.key {
            shared.seen.end(key, end, shared.clock().now());
        }
    }
}
