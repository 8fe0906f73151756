//! The work on one message: decode, handle or answer, then give the verdict. A failing or
//! panicking handler costs its message an attempt, and never the worker.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::{REPLY_TTL, Task, names};
use zc_events_transport::{Delivery, Verdict};

use super::context::Context;
use super::dead::{self, Cause};
use super::handler::HandlerError;
use super::view;
use super::{Held, Route, Shared};
use crate::lines::{About, Line};

/// How long handing in an answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// Longer than any key that a caller makes.
const LONGEST_KEY: usize = 200;

/// Works on a message to its end, or gives it back: it is to be held until then.
fn work(shared: &Shared, delivery: Delivery) -> Option<Held> {
    let inner = shared.client.inner();
    let task = match Task::decode(&delivery.properties, &delivery.body, &inner.settings.limits) {
        Ok(task) => task,
        Err(error) => {
            log::error!("a message cannot be read and goes to the dead letters: {error}");
            bury(shared, &delivery, &Cause { reason: error.reason(), detail: error.to_string() });
            return None;
        }
    };
    let now = inner.clock().wall();
    if task.expires.is_some_and(|expires| expires <= now) {
        log::info!("MICROSERVICE_EVENT::EXPIRED: Received {}", about(&task));
        shared.count(|counts| &counts.expired);
        delivery.settler.ack();
        return None;
    }
    let event_type = task.event_type().unwrap_or_default().to_owned();
    let route = if task.task == names::EVENT_TASK { shared.routes.get(&event_type) } else { None };
    let Some(route) = route else {
        ignore(shared, Some(&task));
        delivery.settler.ack();
        return None;
    };
    if let Some(eta) = task.eta.filter(|eta| *eta > now) {
        return Some(Held { eta, delivery });
    }
    match route {
        Route::Event(handler) => {
            let context = context(shared, task, &delivery);
            let kwargs = context.task.kwargs.clone();
            let handled = caught(|| handler(&context, kwargs));
            finish_event(shared, &delivery, &context, handled);
        }
        Route::Resource(view) => answer(shared, &delivery, task, &**view),
    }
    None
}

/// Notes an event that nobody here handles. Not an error: most of what a service gets is
/// for others.
pub(super) fn ignore(shared: &Shared, task: Option<&Task>) {
    shared.count(|counts| &counts.ignored);
    if let Some(task) = task {
        log::info!("MICROSERVICE_EVENT::IGNORED: Received {}", about(task));
    }
}

fn finish_event(shared: &Shared, delivery: &Delivery, context: &Context, handled: Result<(), HandlerError>) {
    match handled {
        Ok(()) => {
            log::info!("MICROSERVICE_EVENT::PROCESSED: Received {}", about(&context.task));
            shared.count(|counts| &counts.processed);
            delivery.settler.ack();
        }
        Err(error) if delivery.redelivered || error.is_permanent() => {
            log::error!("MICROSERVICE_EVENT::FAILED: {}: {}", about(&context.task), Line(&error.to_string()));
            shared.count(|counts| &counts.failed);
            bury(shared, delivery, &Cause { reason: "failed", detail: error.to_string() });
        }
        Err(error) => {
            log::warn!("MICROSERVICE_EVENT::RETRIED: {}: {}", about(&context.task), Line(&error.to_string()));
            shared.count(|counts| &counts.failed);
            delivery.settler.settle(Verdict::Requeue);
        }
    }
}

fn answer(shared: &Shared, delivery: &Delivery, task: Task, view: &dyn super::ResourceView) {
    let Some(request) = task.resource_request() else {
        log::error!("MICROSERVICE_EVENT::FAILED: {}: it is no request for a resource", about(&task));
        bury(shared, delivery, &Cause { reason: "no_request", detail: "it has no method and no response_key".into() });
        return;
    };
    let context = Context { request: Some(request), ..context(shared, task, delivery) };
    let Some(request) = &context.request else { return };
    let served = caught(|| view::serve(view, &context, request));
    if let Err(error) = &served
        && error.status().is_none()
    {
        log::error!("MICROSERVICE_EVENT::FAILED: {}: {}", about(&context.task), Line(&error.to_string()));
        shared.count(|counts| &counts.failed);
    }
    let reply = view::reply(served);
    match push(shared, request.response_key.as_deref(), &reply) {
        Ok(()) => {
            log::info!("MICROSERVICE_EVENT::PROCESSED: Received {}", about(&context.task));
            shared.count(|counts| &counts.processed);
            delivery.settler.ack();
        }
        Err(why) if delivery.redelivered => {
            log::error!("MICROSERVICE_EVENT::UNANSWERED: {}: {why}", about(&context.task));
            delivery.settler.ack();
        }
        Err(why) => {
            log::warn!("MICROSERVICE_EVENT::RETRIED: {}: {why}", about(&context.task));
            delivery.settler.settle(Verdict::Requeue);
        }
    }
}

/// Hands in an answer. Without a key nobody waits for one.
fn push(shared: &Shared, key: Option<&str>, reply: &zc_events_protocol::Reply) -> Result<(), String> {
    let Some(key) = key else {
        return Ok(());
    };
    if key.is_empty() || key.len() > LONGEST_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        log::warn!("a request's response_key is none that a caller makes; it stays unanswered");
        return Ok(());
    }
    let inner = shared.client.inner();
    let bytes = reply.encode().or_else(|error| {
        log::error!("an answer cannot be sent, the caller is told 500: {error}");
        zc_events_protocol::Reply::empty(500).encode()
    });
    let bytes = bytes.map_err(|error| error.to_string())?;
    let store = inner.store().map_err(|error| error.to_string())?;
    store.push(key, &bytes, REPLY_TTL, inner.deadline(ANSWER)).map_err(|error| error.to_string())
}

fn bury(shared: &Shared, delivery: &Delivery, cause: &Cause<'_>) {
    match dead::bury(shared, delivery, cause) {
        Ok(()) => {
            shared.count(|counts| &counts.dead_lettered);
            delivery.settler.ack();
        }
        Err(error) => {
            log::error!("a message could not be put among the dead letters and goes back to the queue: {error}");
            delivery.settler.settle(Verdict::Requeue);
        }
    }
}

fn context(shared: &Shared, task: Task, delivery: &Delivery) -> Context {
    Context { client: shared.client.clone(), task, request: None, redelivered: delivery.redelivered }
}

/// Runs a handler; a panic in it is an error like any other.
fn caught<T>(handler: impl FnOnce() -> Result<T, HandlerError>) -> Result<T, HandlerError> {
    catch_unwind(AssertUnwindSafe(handler))
        .unwrap_or_else(|panic| Err(HandlerError::new(format!("the handler panicked: {}", panic_text(&*panic)))))
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("?")
}

fn about(task: &Task) -> About<'_> {
    About { event_type: task.event_type().unwrap_or_default(), task_id: task.task_id(), kwargs: &task.kwargs }
}

/// A worker's life: jobs until there are no more to come.
pub(super) fn run(shared: &Arc<Shared>, jobs: &super::Jobs) {
    while let Some(delivery) = jobs.take() {
        if let Some(held) = work(shared, delivery) {
            shared.hold(held);
        }
        shared.finished();
    }
}
