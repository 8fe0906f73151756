//! A message that is to go to another queue of its service, until it is there. The original is acknowledged when its
//! copy is confirmed; until then it stays with this process, which tries again and again: given back to its queue it
//! would come again at once, be handled again, and in the end be dropped by queues that count deliveries.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::forward::{self, Cause};
use super::health::Tally;
use super::history::History;
use super::lane::Item;
use super::seen::End;
use super::shared::Shared;
use super::work::Work;
use crate::observe::Settlement;

/// The pause after a first failure, which doubles, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Where a message is to go.
pub(super) enum Place {
    /// A delay queue, to come back after it; `tried` where an attempt has failed.
    Delay { rung: Duration, history: History, tried: bool },
    /// Where messages are handled one by one.
    Quarantine(History),
    /// The dead letters.
    Grave(Cause),
}

/// A message on its way.
pub(super) struct Errand {
    work: Work,
    place: Place,
    failures: u32,
    held_up: Option<HeldUp>,
}

/// Counts one that waits, for as long as it lives.
struct HeldUp(Arc<AtomicUsize>);

impl HeldUp {
    fn among(others: &Arc<AtomicUsize>) -> Self {
        others.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(others))
    }
}

impl Drop for HeldUp {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Errand {
    pub(super) fn new(work: Work, place: Place) -> Self {
        Self { work, place, failures: 0, held_up: None }
    }

    pub(super) fn work(&self) -> &Work {
        &self.work
    }

    /// Takes the message there, or tries again later.
    pub(super) fn run(mut self, shared: &Shared) {
        let delivery = &self.work.job.delivery;
        let sent = match &self.place {
            Place::Delay { rung, history, .. } => forward::delay(shared, delivery, history, *rung, self.work.kind),
            Place::Quarantine(history) => forward::quarantine(shared, delivery, history),
            Place::Grave(cause) => forward::bury(shared, delivery, &self.work.history, cause),
        };
        let Err(error) = sent else { return self.arrived(shared) };
        let pause = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(self.failures)).min(LONGEST_PAUSE);
        log::error!("{}: not taken by {}, to be tried again in {pause:?}: {error}", self.work.label, self.name());
        self.failures = self.failures.saturating_add(1);
        self.held_up.get_or_insert_with(|| HeldUp::among(&shared.held_up));
        // Should the connection be lost meanwhile, it comes again, and nothing stands against that.
        self.work.end(shared, End::Returned);
        if let Some(key) = self.work.key() {
            shared.seen.stayed(key, shared.clock().now());
        }
        let lane = Arc::clone(&self.work.job.lane);
        lane.hold(shared.clock().deadline(pause), Item::Errand(Box::new(self)));
    }

    fn arrived(self, shared: &Shared) {
        let work = &self.work;
        match &self.place {
            Place::Delay { tried: true, .. } => {
                shared.count(Tally::Retried);
                work.tell(shared, Settlement::Retried);
                work.job.ack();
            }
            Place::Delay { tried: false, .. } => {
                work.tell(shared, Settlement::Deferred);
                work.job.ack();
            }
            Place::Quarantine(_) => {
                shared.count(Tally::Quarantined);
                work.tell(shared, Settlement::Quarantined);
                work.job.ack();
            }
            Place::Grave(cause) => {
                log::debug!("{}: dead letter, {}", work.label, cause.reason);
                work.drop_it(shared, Tally::DeadLettered, Settlement::DeadLettered { reason: cause.reason });
            }
        }
    }

    fn name(&self) -> &'static str {
        match self.place {
            Place::Delay { .. } => "a delay queue",
            Place::Quarantine(_) => "the quarantine",
            Place::Grave(_) => "the dead letters",
        }
    }
}
