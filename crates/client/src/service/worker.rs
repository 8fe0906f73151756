//! The work on one message: read it, see whether it is to be handled, and by whom; handle
//! it. How that ends is in `work`; how requests are answered, in `answer`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, select_biased};
use zc_events_protocol::{
    Deadline, DecodeError, HeaderValue, Headers, Properties, Task, names, peek_event_type, size_of_headers,
};
use zc_events_transport::Delivery;

use super::context::Context;
use super::dedup::{self, Claimed};
use super::forward::Cause;
use super::handler::{EventHandler, HandlerError};
use super::health::Tally;
use super::history::{self, History};
use super::lane::{Held, Job, Then};
use super::retry::Retry;
use super::seen::{self, Begun};
use super::shared::{Route, Shared};
use super::work::Work;
use super::{answer, thread};
use crate::client::Scope;
use crate::lines::{About, Line};
use crate::{Result, metrics};

/// What metrics call an event type that cannot be read, or that is not handled here.
const UNKNOWN: &str = "unknown";
/// Longer than this a message is held back in a queue and not in memory.
const HOLD: Duration = Duration::from_secs(30);

/// How long a message waits when the reply store cannot tell whether it was handled.
const UNTOLD: Duration = Duration::from_secs(5);

/// A worker's end of the work.
#[derive(Clone)]
pub(super) struct Jobs {
    pub(super) requests: Receiver<Arc<Job>>,
    pub(super) events: Receiver<Arc<Job>>,
}

impl Jobs {
    /// The next message, requests first, since somebody waits for them. `None` when no more
    /// will come.
    fn take(&self) -> Option<Arc<Job>> {
        select_biased! {
            recv(self.requests) -> job => job.ok(),
            recv(self.events) -> job => job.ok(),
        }
    }
}

/// Starts a worker.
pub(super) fn spawn(shared: &Arc<Shared>, jobs: &Jobs) -> Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let (shared, jobs) = (Arc::clone(shared), jobs.clone());
    let name = format!("zc-events-worker-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    thread(name, move || run(&shared, &jobs)).map(drop)
}

/// A worker's life: jobs until there are no more to come, or another has taken its place.
fn run(shared: &Arc<Shared>, jobs: &Jobs) {
    while let Some(job) = jobs.take() {
        match work(shared, &job) {
            Fate::Decided => job.lane.finished(),
            Fate::TooLate { replaced: true } => return,
            Fate::TooLate { replaced: false } => {}
        }
    }
}

/// What a worker does next.
pub(super) enum Fate {
    Decided,
    /// It took so long that its message was given up.
    TooLate {
        replaced: bool,
    },
}

fn work(shared: &Shared, job: &Arc<Job>) -> Fate {
    let history = History::of(&job.delivery, job.lane.is_quarantine);
    let mut work = Work {
        job: Arc::clone(job),
        key: None,
        claim: None,
        history,
        event_type: UNKNOWN.to_owned(),
        label: "a message".to_owned(),
    };
    let task = match read(shared, &job.delivery) {
        Ok(task) => task,
        Err(cause) => {
            log::error!("a message cannot be read and goes to the dead letters: {}: {}", cause.reason, cause.detail);
            work.bury(shared, &cause);
            return Fate::Decided;
        }
    };
    let now = shared.clock().wall();
    let event_type = task.event_type().unwrap_or_default();
    let route = if task.task == names::EVENT_TASK { shared.routes.get_key_value(event_type) } else { None };
    if let Some((event_type, _)) = route {
        work.event_type = event_type.clone();
    }
    if is_over(shared, job, &task, now) {
        log::info!("MICROSERVICE_EVENT::EXPIRED: Received {}", about(&task));
        work.expire(shared);
        return Fate::Decided;
    }
    let Some((_, route)) = route else {
        ignore(shared, Some(&task));
        job.ack();
        return Fate::Decided;
    };
    work.label = about(&task).to_string();
    if let Some(due) = task.eta.max(work.history.due).filter(|due| *due > now) {
        hold(shared, &work, due.duration_since(now).unwrap_or_default());
        return Fate::Decided;
    }
    if !begin(shared, &mut work, &task, route) {
        return Fate::Decided;
    }
    match route {
        Route::Event { handler, retry } => handle(shared, work, task, handler, retry.as_ref().unwrap_or(&shared.retry)),
        Route::Resource(view) => answer::serve(shared, work, task, &**view),
    }
}

/// Reads a message, within the limits.
fn read(shared: &Shared, delivery: &Delivery) -> Result<Task, Cause> {
    let settings = shared.client.settings();
    if let Some(reason) = delivery.defect {
        return Err(Cause { reason, detail: "its headers cannot be read".to_owned() });
    }
    let headers = delivery.properties.headers.as_ref().map_or(0, size_of_headers);
    if headers > settings.max_headers {
        let detail = format!("{headers} bytes of headers; EVENTS_MAX_HEADERS allows {}", settings.max_headers);
        return Err(Cause { reason: "headers_too_large", detail });
    }
    Task::decode(&delivery.properties, &delivery.body, &settings.limits)
        .map_err(|error: DecodeError| Cause { reason: error.reason(), detail: error.to_string() })
}

/// Whether nobody waits for it any more.
fn is_over(shared: &Shared, job: &Job, task: &Task, now: SystemTime) -> bool {
    let since_arrival = shared.clock().now().saturating_duration_since(job.arrived);
    task.expires.is_some_and(|expires| expires <= now) || time_to_live(job).is_some_and(|ttl| since_arrival > ttl)
}

/// What the sender gave the message; the broker counts it no further once it was delivered.
fn time_to_live(job: &Job) -> Option<Duration> {
    job.delivery.properties.expiration.as_deref()?.parse().ok().map(Duration::from_millis)
}

fn hold(shared: &Shared, work: &Work, left: Duration) {
    if left > HOLD {
        work.postpone(shared, left);
        return;
    }
    let until = shared.clock().deadline(left);
    work.job.lane.hold(Held { until, job: Arc::clone(&work.job), then: Then::HandOut });
}

/// Whether it is to be handled now: it was not completed before, is not being handled, has
/// attempts left, and is not suspected of having killed its worker.
fn begin(shared: &Shared, work: &mut Work, task: &Task, route: &Route) -> bool {
    let job = Arc::clone(&work.job);
    let mut known = false;
    if let Some(key) = seen::key(task) {
        match shared.seen.begin(&key, &job.delivery.settler, shared.clock().now()) {
            Begun::Now { known: before } => known = before,
            Begun::Parked => return false,
            Begun::Completed(given) => {
                log::info!("MICROSERVICE_EVENT::DUPLICATE: Received {}", work.label);
                answer::again(shared, work, task, given);
                return false;
            }
        }
        work.key = Some(key);
    }
    let is_suspect = if job.lane.is_quarantine {
        // Where the queue does not count, each time is noted in a new copy.
        job.delivery.redelivered && history::deliveries(&job.delivery).is_none() && !known
    } else {
        job.delivery.redelivered && !known && !job.lane.excuse_one()
    };
    let limit = match route {
        Route::Event { retry, .. } => retry.as_ref().unwrap_or(&shared.retry).limit(),
        Route::Resource(_) => shared.retry.limit(),
    };
    if work.history.attempt.saturating_add(u32::from(is_suspect)) > limit {
        let detail = format!("its worker vanished in the middle; {limit} attempts are allowed");
        log::error!("MICROSERVICE_EVENT::FAILED: {}: {detail}", work.label);
        work.bury(shared, &Cause { reason: "worker_lost", detail });
        return false;
    }
    if is_suspect {
        work.quarantine(shared);
        return false;
    }
    claim(shared, work, task)
}

/// Whether no other process of the service has it.
fn claim(shared: &Shared, work: &mut Work, task: &Task) -> bool {
    let Some(key) = &work.key else { return true };
    match dedup::claim(shared, key) {
        Claimed::Ours(claim) => work.claim = claim,
        Claimed::Elsewhere(left) => {
            work.postpone(shared, left);
            return false;
        }
        Claimed::Completed(given) => {
            log::info!("MICROSERVICE_EVENT::DUPLICATE: Received {}", work.label);
            answer::again(shared, work, task, given);
            return false;
        }
        // One that may have been handled before waits until that can be told.
        Claimed::Unknown if work.job.delivery.redelivered || work.history.attempt > 1 => {
            work.postpone(shared, UNTOLD);
            return false;
        }
        Claimed::Unknown => {}
    }
    true
}

fn handle(shared: &Shared, work: Work, task: Task, handler: &EventHandler, retry: &Retry) -> Fate {
    let context = context(shared, &work, task);
    let kwargs = context.task.kwargs.clone();
    run_handler(
        shared,
        work,
        || handler(&context, kwargs),
        |work, handled| match handled {
            Ok(()) => {
                log::info!("MICROSERVICE_EVENT::PROCESSED: Received {}", work.label);
                work.complete(shared, None);
            }
            Err(error) => {
                shared.count(Tally::Failed);
                let text = error.to_string();
                match retry.pause(work.history.attempt, &error) {
                    Some(pause) => {
                        log::warn!("MICROSERVICE_EVENT::RETRIED: {}: in {pause:?}: {}", work.label, Line(&text));
                        work.retry(shared, pause);
                    }
                    None => {
                        log::error!("MICROSERVICE_EVENT::FAILED: {}: {}", work.label, Line(&text));
                        work.bury(shared, &Cause { reason: error.reason(), detail: text });
                    }
                }
            }
        },
    )
}

/// Runs a handler, on the roll; then `then`, unless the handler took so long that somebody
/// else has decided.
pub(super) fn run_handler<T>(
    shared: &Shared,
    work: Work,
    handler: impl FnOnce() -> Result<T, HandlerError>,
    then: impl FnOnce(&Work, Result<T, HandlerError>),
) -> Fate {
    let begun = shared.clock().now();
    let (number, running) = shared.roll.enter(work, begun);
    let handled = caught(handler);
    shared.roll.strike(number);
    metrics::ran(&running.work.event_type, shared.clock().now().saturating_duration_since(begun));
    if !running.work.job.decide() {
        log::warn!("MICROSERVICE_EVENT::STUCK: {}: its handler has returned after all", running.work.label);
        return Fate::TooLate { replaced: running.is_replaced() };
    }
    then(&running.work, handled);
    Fate::Decided
}

/// Notes an event that nobody here handles. Not an error: most of what a service gets is
/// for others.
pub(super) fn ignore(shared: &Shared, task: Option<&Task>) {
    shared.count(Tally::Ignored);
    metrics::ignored();
    if let Some(task) = task {
        log::info!("MICROSERVICE_EVENT::IGNORED: Received {}", about(task));
    }
}

/// The event type of a delivery, found without reading all of it; that of one whose
/// headers cannot be read as well, since it may be for others.
pub(super) fn event_type(delivery: &Delivery) -> Option<&str> {
    if delivery.defect.is_none() {
        return peek_event_type(&delivery.properties, &delivery.body);
    }
    let headers = Headers::from([("task".to_owned(), HeaderValue::from(names::EVENT_TASK))]);
    let assumed = Properties {
        content_type: Some("application/json".to_owned()),
        headers: Some(headers),
        ..Properties::default()
    };
    peek_event_type(&assumed, &delivery.body)
}

pub(super) fn context(shared: &Shared, work: &Work, task: Task) -> Context {
    let now = shared.clock().now();
    let longest = Deadline::at(now + shared.client.settings().handler_timeout);
    let caller = time_to_live(&work.job).and_then(|ttl| work.job.arrived.checked_add(ttl)).map(Deadline::at);
    let deadline = caller.map_or(longest, |caller| caller.min(longest));
    let scope = Scope {
        root_id: task.root_id.clone().or_else(|| task.id.clone()),
        parent_id: task.id.clone(),
        deadline: Some(deadline),
    };
    Context {
        client: shared.client.scoped(scope),
        task,
        request: None,
        // A copy of its own, from the quarantine or a delay queue, is new to the broker and not to us.
        redelivered: work.job.delivery.redelivered || work.history.attempt > 1,
        attempt: work.history.attempt,
        deadline,
    }
}

/// Runs a handler; a panic in it is an error like any other.
fn caught<T>(handler: impl FnOnce() -> Result<T, HandlerError>) -> Result<T, HandlerError> {
    catch_unwind(AssertUnwindSafe(handler)).unwrap_or_else(|panic| Err(HandlerError::panicked(panic_text(&*panic))))
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("?")
}

fn about(task: &Task) -> About<'_> {
    About { event_type: task.event_type().unwrap_or_default(), task_id: task.task_id(), kwargs: &task.kwargs }
}
