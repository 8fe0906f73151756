//! A message that is worked on, and the ways in which that ends. Each keeps the promise
//! that there is always one copy somewhere; how a message gets to another queue is in `errand`.

use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::Channel;

use super::dedup;
use super::errand::{Errand, Place};
use super::forward::Cause;
use super::health::Tally;
use super::history::History;
use super::lane::{Item, Job};
use super::retry;
use super::routes::Kind;
use super::seen::{Answer, End};
use super::shared::Shared;
use super::worker::Jobs;
use crate::observe::{Settled, Settlement};

/// Why the message of a handler that does not return is a dead letter.
pub(super) const STUCK: &str = "stuck";

/// A message and what is known of it.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) job: Arc<Job>,
    /// Where its worker gets its work.
    pub(super) jobs: Jobs,
    /// What it is claimed by among processes.
    pub(super) claim: Option<String>,
    pub(super) history: History,
    /// The id of its envelope, once it was read.
    pub(super) id: Option<String>,
    /// What it is, once it was read.
    pub(super) kind: Kind,
    /// Its event type, where that is one that is handled here.
    pub(super) event_type: String,
    /// What log lines call it.
    pub(super) label: String,
}

impl Work {
    /// What it is known by, where it has an id and is being handled.
    pub(super) fn key(&self) -> Option<&str> {
        self.job.key.get().map(String::as_str)
    }

    /// What tells a notification from the same to another channel; empty for events.
    pub(super) fn channel_key(&self) -> &str {
        match self.kind {
            Kind::Event => "",
            Kind::Notification => self.history.routing_key(),
        }
    }

    /// The channel of a notification, where that is told.
    pub(super) fn channel(&self) -> Option<Channel> {
        Channel::of_routing_key(self.channel_key())
    }

    /// It was completed.
    pub(super) fn complete(&self, shared: &Shared, answer: Answer) {
        shared.count(Tally::Processed);
        self.tell(shared, Settlement::Handled);
        self.end(shared, End::Completed(answer));
        self.job.ack();
    }

    /// It came too late.
    pub(super) fn expire(&self, shared: &Shared) {
        self.drop_it(shared, Tally::Expired, Settlement::Expired);
    }

    /// It was completed before.
    pub(super) fn skip(&self, shared: &Shared) {
        self.drop_it(shared, Tally::Duplicate, Settlement::Duplicate);
    }

    /// It was answered, and nobody takes the answer.
    pub(super) fn give_up_answer(&self, shared: &Shared) {
        self.drop_it(shared, Tally::Unanswered, Settlement::Unanswered);
    }

    /// It is done with, for the reason that is counted and told.
    pub(super) fn drop_it(&self, shared: &Shared, tally: Tally, settlement: Settlement) {
        shared.count(tally);
        self.tell(shared, settlement);
        self.end(shared, End::Gone);
        self.job.ack();
    }

    /// Tells a test, if this is one, what became of it.
    pub(super) fn tell(&self, shared: &Shared, settlement: Settlement) {
        let settled = Settled {
            service: &shared.service,
            event_type: &self.event_type,
            id: self.id.as_deref(),
            attempt: self.history.attempt,
            settlement,
        };
        shared.observers().tell(|observer| observer.settled(&settled));
    }

    /// It cannot be done: to the dead letters.
    pub(super) fn bury(self, shared: &Shared, cause: Cause) {
        Errand::new(self, Place::Grave(cause)).run(shared);
    }

    /// It is to be tried again after `pause`.
    pub(super) fn retry(self, shared: &Shared, pause: Duration) {
        self.end(shared, End::Moved);
        let history = self.history.next();
        self.put_off(shared, history, pause, true);
    }

    /// It is not to be handled before `pause` has passed; no attempt.
    pub(super) fn postpone(self, shared: &Shared, pause: Duration) {
        self.end(shared, End::Moved);
        let history = self.history.clone();
        self.put_off(shared, history, pause, false);
    }

    /// It is not to be handled before `pause` has passed, and stays where it is.
    pub(super) fn wait(self, shared: &Shared, pause: Duration) {
        self.end(shared, End::Returned);
        self.job.lane.hold(shared.clock().deadline(pause), Item::Message(Arc::clone(&self.job)));
    }

    /// It was completed, but its answer could not be handed in: that is to be tried again.
    pub(super) fn retry_answer(self, shared: &Shared, answer: Answer) {
        self.end(shared, End::Completed(answer));
        let history = self.history.next();
        self.put_off(shared, history, retry::RUNGS[0], true);
    }

    fn put_off(self, shared: &Shared, mut history: History, pause: Duration, tried: bool) {
        let rung = retry::rung_within(pause);
        // What is left after the first queue is waited for in others.
        history.due = if rung < pause { shared.clock().wall().checked_add(pause) } else { None };
        Errand::new(self, Place::Delay { rung, history, tried }).run(shared);
    }

    /// It was delivered to a worker before that has vanished: it is handled alone.
    pub(super) fn quarantine(self, shared: &Shared, history: History) {
        log::info!("{}: delivered before to a worker that has vanished, to be handled alone", self.label);
        self.end(shared, End::Moved);
        Errand::new(self, Place::Quarantine(history)).run(shared);
    }

    /// Its handling ended.
    pub(super) fn end(&self, shared: &Shared, end: End) {
        if let Some(claim) = &self.claim {
            match &end {
                End::Completed(answer) => dedup::complete(shared, claim, answer),
                End::Moved | End::Gone | End::Returned => dedup::release(shared, claim),
            }
        }
        if let Some(key) = self.key() {
            for _ in 0..shared.seen.end(key, end, shared.clock().now()) {
                shared.count(Tally::Duplicate);
                self.tell(shared, Settlement::Duplicate);
            }
        }
    }
}
