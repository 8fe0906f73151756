//! The thread that looks after running handlers: one that does not return in time counts
//! as stuck, its message becomes a dead letter, and another thread does its worker's work.
//! The claims of the others are prolonged.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use zc_events_protocol::clock;

use super::errand::{Errand, Place};
use super::forward::Cause;
use super::lane::Item;
use super::shared::Shared;
use super::work::{STUCK, Work};
use super::{dedup, thread, worker};

/// The longest time between two looks, and the shortest.
const SELDOM: Duration = Duration::from_secs(10);
const OFTEN: Duration = Duration::from_millis(100);

/// Looks until `stop` has no sender any more.
pub(super) fn run(shared: &Arc<Shared>, stop: &Receiver<()>) {
    let timeout = shared.client.settings().handler_timeout;
    let pause = (timeout / 8).clamp(OFTEN, SELDOM);
    loop {
        let clock = shared.clock();
        if !clock::pause(clock, clock.deadline(pause), stop) {
            return;
        }
        dedup::renew_all(shared);
        for (running, replaced) in shared.roll.give_up(clock.now(), timeout, shared.workers) {
            give_up(shared, running.work.clone(), replaced, timeout);
        }
    }
}

fn give_up(shared: &Arc<Shared>, work: Work, replaced: bool, timeout: Duration) {
    // A thread that is stuck cannot be ended. There are at most as many again.
    let replaced = replaced && worker::spawn(shared, &work.jobs).is_ok();
    log::error!(
        "MICROSERVICE_EVENT::STUCK: {}: its handler has not returned within {timeout:?}; {}",
        work.label,
        if replaced { "another thread takes its place" } else { "there is no other thread to take its place" },
    );
    let detail = format!("the handler had not returned within {timeout:?}");
    let errand = Errand::new(work, Place::Grave(Cause { reason: STUCK, detail }));
    let (job, now) = (Arc::clone(&errand.work().job), shared.clock().deadline(Duration::ZERO));
    let burying = Arc::clone(shared);
    // On a thread of its own: this one has others to look after, and there may be no worker left.
    let (hand, handed) = bounded(1);
    let _ = hand.send(errand);
    let buried = thread("zc-events-burial".to_owned(), {
        let handed = handed.clone();
        move || {
            for errand in handed.try_iter() {
                let number = errand.work().job.number;
                burying.observers().tell(|observer| observer.work_started(number));
                errand.run(&burying);
                burying.observers().tell(|observer| observer.work_ended(number));
            }
        }
    });
    if buried.is_err() {
        handed.try_iter().for_each(|errand| job.lane.hold(now, Item::Errand(Box::new(errand))));
    }
    job.finished();
}
