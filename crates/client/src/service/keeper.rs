//! The thread that looks after running handlers: one that does not return in time counts
//! as stuck, its message becomes a dead letter, and another thread does its worker's work.
//! The claims of the others are prolonged.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use zc_events_protocol::clock;

use super::dedup;
use super::forward::Cause;
use super::roll::Running;
use super::shared::Shared;
use super::work::STUCK;
use super::worker::{self, Jobs};

/// The longest time between two looks, and the shortest.
const SELDOM: Duration = Duration::from_secs(10);
const OFTEN: Duration = Duration::from_millis(100);

/// Looks until `stop` has no sender any more.
pub(super) fn run(shared: &Arc<Shared>, jobs: &Jobs, stop: &Receiver<()>) {
    let timeout = shared.client.settings().handler_timeout;
    let pause = (timeout / 8).clamp(OFTEN, SELDOM);
    loop {
        let clock = shared.clock();
        if !clock::pause(clock, clock.deadline(pause), stop) {
            return;
        }
        dedup::renew_all(shared);
        for running in shared.roll.overdue(clock.now(), timeout) {
            // Unless it has returned just now.
            if running.work.job.decide() {
                give_up(shared, jobs, &running, timeout);
            }
        }
    }
}

fn give_up(shared: &Arc<Shared>, jobs: &Jobs, running: &Running, timeout: Duration) {
    let work = &running.work;
    // A thread that is stuck cannot be ended. There are at most as many again.
    let replaced = shared.roll.stuck() < shared.workers && worker::spawn(shared, jobs).is_ok();
    running.give_up(replaced);
    log::error!(
        "MICROSERVICE_EVENT::STUCK: {}: its handler has not returned within {timeout:?}; {}",
        work.label,
        if replaced { "another thread takes its place" } else { "there is no other thread to take its place" },
    );
    let detail = format!("the handler had not returned within {timeout:?}");
    work.bury(shared, &Cause { reason: STUCK, detail });
    work.job.lane.finished();
}
