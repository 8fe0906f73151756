//! Whether a message is to be handled now: it was not completed before, is not being handled here or elsewhere, has
//! attempts left, and is not suspected of having killed its worker. Handling it is the business of `handle`.

use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::Task;

use super::answer;
use super::dedup::{self, Claimed};
use super::forward::Cause;
use super::routes::Route;
use super::seen::{self, Begun};
use super::shared::Shared;
use super::work::Work;

/// How long a message waits when the reply store cannot tell whether it was handled.
const UNTOLD: Duration = Duration::from_secs(5);

/// The work, if it is to be done now: it was not completed before, is not being handled, has
/// attempts left, and is not suspected of having killed its worker.
pub(super) fn admit(shared: &Shared, work: Work, task: &Task, route: &Route) -> Option<Work> {
    let job = Arc::clone(&work.job);
    let mut known = false;
    if let Some(key) = seen::key(task, work.channel_key(), &job.delivery.body) {
        match shared.seen.begin(&key, &job.delivery.settler, shared.clock().now()) {
            Begun::Now { known: before } => known = before,
            Begun::Parked => return None,
            Begun::Completed(given) => {
                log::info!("MICROSERVICE_EVENT::DUPLICATE: Received {}", work.label);
                answer::again(shared, work, task, given);
                return None;
            }
        }
        // It has one already where it was held back before.
        let _ = job.key.set(key);
    }
    let limit = route.retry().unwrap_or(&shared.retry).limit();
    if job.delivery.redelivered && !known && !job.lane.excuse_one(shared.clock().now()) {
        suspect(shared, work, limit);
        return None;
    }
    if work.history.attempt > limit {
        let detail = format!("{limit} attempts are allowed");
        log::error!("MICROSERVICE_EVENT::FAILED: {}: {detail}", work.label);
        work.bury(shared, Cause { reason: "failed", detail });
        return None;
    }
    claim(shared, work, task)
}

/// It was delivered before, to a worker that has vanished. Among others it is no more than a suspect, and is handled alone
/// from now on; alone, it is the culprit, and that was an attempt, which a new copy remembers.
fn suspect(shared: &Shared, work: Work, limit: u32) {
    if !work.job.lane.is_quarantine() {
        let history = work.history.clone();
        return work.quarantine(shared, history);
    }
    let history = work.history.next();
    if history.attempt > limit {
        let detail = format!("its worker vanished in the middle; {limit} attempts are allowed");
        log::error!("MICROSERVICE_EVENT::FAILED: {}: {detail}", work.label);
        work.bury(shared, Cause { reason: "worker_lost", detail });
    } else {
        work.quarantine(shared, history);
    }
}

/// The work, if no other process of the service has it.
fn claim(shared: &Shared, mut work: Work, task: &Task) -> Option<Work> {
    let Some(key) = work.key() else { return Some(work) };
    let wait = match dedup::claim(shared, key) {
        Claimed::Ours(claim) => {
            work.claim = claim;
            return Some(work);
        }
        Claimed::Completed(given) => {
            log::info!("MICROSERVICE_EVENT::DUPLICATE: Received {}", work.label);
            answer::again(shared, work, task, given);
            return None;
        }
        Claimed::Elsewhere(left) => left,
        // One that may have been handled before waits until that can be told.
        Claimed::Unknown if work.job.delivery.redelivered || work.history.attempt > 1 => UNTOLD,
        Claimed::Unknown => return Some(work),
    };
    // A delay queue leads back among the others.
    if work.job.lane.is_quarantine() {
        work.wait(shared, wait);
    } else {
        work.postpone(shared, wait);
    }
    None
}
