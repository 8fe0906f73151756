//! The threads that work, and the way of one message through them: read it, see who is to handle it. Whether it is to be
//! handled now is decided in `admit`; how it is, in `handle`, `answer` and `call`; how that ends, in `work`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, select_biased};
use zc_events_protocol::{
    Deadline, DecodeError, HeaderValue, Headers, Properties, Query, Task, names, peek_event_type, size_of_headers,
};
use zc_events_transport::Delivery;

use super::context::Context;
use super::forward::Cause;
use super::health::Tally;
use super::history::History;
use super::lane::{Item, Job};
use super::routes::{Kind, Route};
use super::seen::End;
use super::shared::Shared;
use super::work::Work;
use super::{admit, answer, call, handle, thread};
use crate::Result;
use crate::client::Scope;
use crate::lines::{About, Line};
use crate::observe::{Observers, Settled, Settlement};

/// What metrics call an event type that cannot be read, or that is not handled here.
const UNKNOWN: &str = "unknown";
/// Longer than this a message is held back in a queue and not in memory.
const HOLD: Duration = Duration::from_secs(30);

/// A worker's end of the work.
#[derive(Clone)]
pub(super) struct Jobs {
    pub(super) requests: Receiver<Item>,
    pub(super) events: Receiver<Item>,
    /// Whether these are all, or requests alone.
    pub(super) takes_events: bool,
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
    shared.idle.free(&jobs);
    thread(name, move || run(&shared, &jobs)).map(drop)
}

/// A worker's life: work until there is no more to come, or another has taken its place.
fn run(shared: &Arc<Shared>, jobs: &Jobs) {
    while let Some(item) = jobs.take() {
        shared.idle.busy(jobs);
        let job = Arc::clone(item.job());
        let _at_work = AtWork::new(shared.observers(), job.number);
        if shared.is_stopping() {
            job.give_back();
            job.finished();
            shared.idle.free(jobs);
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
            Ok(Fate::Decided) => job.finished(),
            Ok(Fate::TooLate { replaced: true }) => return,
            Ok(Fate::TooLate { replaced: false }) => {}
            Err(panic) => {
                log::error!("a message goes back to its queue after a panic: {}", Line(handle::panic_text(&*panic)));
                if let Some(key) = job.key.get() {
                    shared.seen.end(key, End::Returned, shared.clock().now());
                }
                job.give_back();
                job.finished();
            }
        }
        shared.idle.free(jobs);
    }
}

/// Tells the observers that the thread works on a message, for as long as this lives.
struct AtWork<'a>(&'a Observers, u64);

impl<'a> AtWork<'a> {
    fn new(observers: &'a Observers, message: u64) -> Self {
        observers.tell(|observer| observer.work_started(message));
        Self(observers, message)
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.tell(|observer| observer.work_ended(self.1));
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
        id: None,
        kind: Kind::Event,
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
    work.id.clone_from(&task.id);
    let now = shared.clock().wall();
    let event_type = task.event_type().unwrap_or_default();
    let kind = Kind::of(&task);
    work.kind = kind.unwrap_or(work.kind);
    let route = kind.and_then(|kind| shared.routes.find(kind, event_type, work.channel()));
    if let Some((event_type, _)) = route {
        work.event_type = event_type.to_owned();
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
    let Some(work) = admit::admit(shared, work, &task, route) else { return Fate::Decided };
    match route {
        Route::Event { handler, retry } => {
            handle::handle(shared, work, task, handler, retry.as_ref().unwrap_or(&shared.retry))
        }
        Route::Call { handler, .. } => call::serve(shared, work, task, handler, route.retry().unwrap_or(&shared.retry)),
        Route::Resource { name, view } => answer::serve(shared, work, task, name, &**view),
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

/// Notes an event that nobody here handles. Not an error: most of what a service gets is
/// for others.
pub(super) fn ignore(shared: &Shared, task: Option<&Task>) {
    shared.count(Tally::Ignored);
    let settled = Settled {
        service: &shared.service,
        event_type: UNKNOWN,
        id: None,
        attempt: 1,
        settlement: Settlement::Ignored,
    };
    shared.observers().tell(|observer| observer.settled(&settled));
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
        message: Some(work.job.number),
    };
    Context {
        client: shared.client.scoped(scope),
        task,
        kind: work.kind,
        channel: work.channel(),
        request: None,
        call: None,
        resource: None,
        query: Query::default(),
        roles: Vec::new(),
        // A copy of its own, from the quarantine or a delay queue, is new to the broker and not to us.
        redelivered: work.job.delivery.redelivered || work.history.attempt > 1 || work.job.lane.is_quarantine(),
        attempt: work.history.attempt,
        deadline,
    }
}

fn about(task: &Task) -> About<'_> {
    About { event_type: task.event_type().unwrap_or_default(), task_id: task.task_id(), kwargs: &task.kwargs }
}
