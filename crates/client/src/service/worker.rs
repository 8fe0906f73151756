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
use super::history::History;
use super::lane::{Item, Job};
use super::retry::Retry;
use super::roll::Returned;
use super::seen::{self, Begun, End};
use super::shared::{Route, Shared};
use super::work::Work;
use super::{answer, call, thread};
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
    pub(super) requests: Receiver<Item>,
    pub(super) events: Receiver<Item>,
}

impl Jobs {
    /// The next message, requests first, since somebody waits for them. `None` when no more
    /// will come.
    fn take(&self) -> Option<Item> {
        select_biased! {
            recv(self.requests) -> item => item.ok(),
            recv(self.events) -> item => item.ok(),
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

/// A worker's life: work until there is no more to come, or another has taken its place.
fn run(shared: &Arc<Shared>, jobs: &Jobs) {
    while let Some(item) = jobs.take() {
        let job = Arc::clone(item.job());
        if shared.is_stopping() {
            job.give_back();
            job.lane.finished();
            continue;
        }
        // Handlers are caught where they are called. This is for whatever else panics: the worker goes on, and the
        // message is not lost.
        let done = catch_unwind(AssertUnwindSafe(|| match item {
            Item::Message(job) => work(shared, job, jobs),
            Item::Errand(errand) => {
                errand.run(shared);
                Fate::Decided
            }
        }));
        match done {
            Ok(Fate::Decided) => job.lane.finished(),
            Ok(Fate::TooLate { replaced: true }) => return,
            Ok(Fate::TooLate { replaced: false }) => {}
            Err(panic) => {
                log::error!("a message goes back to its queue after a panic: {}", Line(panic_text(&*panic)));
                if let Some(key) = job.key.get() {
                    shared.seen.end(key, End::Returned, shared.clock().now());
                }
                job.give_back();
                job.lane.finished();
            }
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

fn work(shared: &Shared, job: Arc<Job>, jobs: &Jobs) -> Fate {
    let mut work = Work {
        history: History::of(&job.delivery),
        job: Arc::clone(&job),
        jobs: jobs.clone(),
        claim: None,
        event_type: UNKNOWN.to_owned(),
        label: "a message".to_owned(),
    };
    let task = match read(shared, &job.delivery) {
        Ok(task) => task,
        Err(cause) => {
            log::error!("a message cannot be read and goes to the dead letters: {}: {}", cause.reason, cause.detail);
            work.bury(shared, cause);
            return Fate::Decided;
        }
    };
    let now = shared.clock().wall();
    let event_type = task.event_type().unwrap_or_default();
    let route = if task.task == names::EVENT_TASK { shared.routes.get_key_value(event_type) } else { None };
    if let Some((event_type, _)) = route {
        work.event_type = event_type.clone();
    }
    if is_over(shared, &job, &task, now) {
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
        hold(shared, work, due.duration_since(now).unwrap_or_default());
        return Fate::Decided;
    }
    let Some(work) = begin(shared, work, &task, route) else { return Fate::Decided };
    match route {
        Route::Event { handler, retry } => handle(shared, work, task, handler, retry.as_ref().unwrap_or(&shared.retry)),
        Route::Call { handler, .. } => call::serve(shared, work, task, handler, route.retry().unwrap_or(&shared.retry)),
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

fn hold(shared: &Shared, work: Work, left: Duration) {
    if left > HOLD {
        work.postpone(shared, left);
    } else {
        work.job.lane.hold(shared.clock().deadline(left), Item::Message(Arc::clone(&work.job)));
    }
}

/// The work, if it is to be done now: it was not completed before, is not being handled, has
/// attempts left, and is not suspected of having killed its worker.
fn begin(shared: &Shared, work: Work, task: &Task, route: &Route) -> Option<Work> {
    let job = Arc::clone(&work.job);
    let mut known = false;
    if let Some(key) = seen::key(task, &job.delivery.body) {
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
    if !work.job.lane.is_quarantine {
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
    if work.job.lane.is_quarantine {
        work.wait(shared, wait);
    } else {
        work.postpone(shared, wait);
    }
    None
}

fn handle(shared: &Shared, work: Work, task: Task, handler: &EventHandler, retry: &Retry) -> Fate {
    let (context, attempt) = (context(shared, &work, task), work.history.attempt);
    let kwargs = context.task.kwargs.clone();
    run_handler(
        shared,
        work,
        || handler(&context, kwargs),
        |error| retry.pause(attempt, error),
        |work, handled| conclude(shared, work, handled),
    )
}

/// What becomes of what nobody waits for, when its handler has returned.
pub(super) fn conclude<T>(shared: &Shared, work: Work, handled: Result<T, Failed>) {
    let Err(Failed { error, text, pause }) = handled else {
        log::info!("MICROSERVICE_EVENT::PROCESSED: Received {}", work.label);
        return work.complete(shared, None);
    };
    shared.count(Tally::Failed);
    match pause {
        Some(pause) => {
            log::warn!("MICROSERVICE_EVENT::RETRIED: {}: in {pause:?}: {}", work.label, Line(&text));
            work.retry(shared, pause);
        }
        None => {
            log::error!("MICROSERVICE_EVENT::FAILED: {}: {}", work.label, Line(&text));
            work.bury(shared, Cause { reason: error.reason(), detail: text });
        }
    }
}

/// A handler's failure, and all that its own code has to say about it.
pub(super) struct Failed {
    pub(super) error: HandlerError,
    pub(super) text: String,
    /// When to try again, if at all.
    pub(super) pause: Option<Duration>,
}

/// Runs a handler, on the roll, and lets `judge` say when to try again if it fails; then `then`, unless the handler took
/// so long that somebody else has decided.
pub(super) fn run_handler<T>(
    shared: &Shared,
    work: Work,
    handler: impl FnOnce() -> Result<T, HandlerError>,
    judge: impl Fn(&HandlerError) -> Option<Duration>,
    then: impl FnOnce(Work, Result<T, Failed>),
) -> Fate {
    let begun = shared.clock().now();
    let (number, running) = shared.roll.enter(work, begun);
    let handled = caught(handler, judge);
    let returned = shared.roll.strike(number);
    metrics::ran(&running.work.event_type, shared.clock().now().saturating_duration_since(begun));
    if let Returned::TooLate { replaced } = returned {
        log::warn!("MICROSERVICE_EVENT::STUCK: {}: its handler has returned after all", running.work.label);
        return Fate::TooLate { replaced };
    }
    then(running.work.clone(), handled);
    Fate::Decided
}

/// Runs what a user wrote: the handler, the judge of its errors, the text of the error itself. A panic in any is an
/// error like any other.
fn caught<T>(
    handler: impl FnOnce() -> Result<T, HandlerError>,
    judge: impl Fn(&HandlerError) -> Option<Duration>,
) -> Result<T, Failed> {
    let failed = |error: HandlerError| Failed { text: error.to_string(), pause: judge(&error), error };
    let panicked = |panic: Box<dyn Any + Send>| HandlerError::panicked(panic_text(&*panic));
    match catch_unwind(AssertUnwindSafe(|| handler().map_err(failed))) {
        Ok(handled) => handled,
        Err(panic) => {
            let error = panicked(panic);
            // A judge that panics knows no reason to try again.
            let pause = catch_unwind(AssertUnwindSafe(|| judge(&error))).unwrap_or(None);
            Err(Failed { text: error.to_string(), pause, error })
        }
    }
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
        call: None,
        // A copy of its own, from the quarantine or a delay queue, is new to the broker and not to us.
        redelivered: work.job.delivery.redelivered || work.history.attempt > 1 || work.job.lane.is_quarantine,
        attempt: work.history.attempt,
        deadline,
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("?")
}

fn about(task: &Task) -> About<'_> {
    About { event_type: task.event_type().unwrap_or_default(), task_id: task.task_id(), kwargs: &task.kwargs }
}
