//! What the forms are about: failures as they come, what a handler and a view are given, a store.

use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};
use zc_events::blobs::MemoryBlobStore;
use zc_events::{
    Answer, Clock, Context, Deadline, Error, Event, EventClient, HandlerError, RemoteRequest, ResourceView, Served,
    Service, SystemClock, ViewResult,
};
use zc_events_testing::{Expectation, Fleet};

pub(super) fn soon() -> Deadline {
    SystemClock.deadline(Duration::from_secs(20))
}

pub(super) fn store() -> MemoryBlobStore {
    MemoryBlobStore::new()
}

/// A fleet in which orders are asked for, and answered so.
pub(super) fn fleet_of(order: Expectation) -> Fleet {
    let fleet = Fleet::new();
    fleet.expect(order);
    fleet
}

/// The order that is there, and the company that it is of.
pub(super) fn lunch() -> Value {
    json!({
        "data": {"type": "Order", "id": "5", "attributes": {"name": "Lunch"}, "relationships": {
            "company": {"data": {"type": "Company", "id": "7"}}
        }},
        "included": [{"type": "Company", "id": "7", "attributes": {"name": "Acme"}}]
    })
}

/// The document of an order that is not there.
pub(super) fn not_found() -> Value {
    json!({"errors": [{"detail": "Not found.", "status": "404"}]})
}

/// The error of a request for an order that does not exist.
pub(super) fn refused() -> Error {
    let fleet = fleet_of(Expectation::get("Order").pk(5).answer(404, not_found()));
    fleet.client("shop").get_remote_resource::<Value>("Order", 5).unwrap_err()
}

/// What a form returns for a request for an order that does not exist.
pub(super) fn of_a_missing_order<T>(form: impl Fn(RemoteRequest) -> T) -> T {
    let fleet = fleet_of(Expectation::get("Order").pk(5).answer(404, not_found()));
    form(fleet.client("shop").remote("Order").pk(5))
}

/// What is said of a call that failed in Python's way.
pub(super) fn failed_call() -> Error {
    let fleet = fleet_of(Expectation::call("add").fails("KeyError", "'y'"));
    fleet.client("shop").get("add").fetch::<i64>().unwrap_err()
}

/// What a form makes of an event, within a handler.
pub(super) fn handled<T: Send + 'static>(event: &Event, form: impl Fn(&Context) -> T + Send + Sync + 'static) -> T {
    let fleet = Fleet::new();
    let (seen, sees) = mpsc::channel();
    let on_event = move |context: &Context, _: Value| {
        seen.send(form(context)).map_err(|_| HandlerError::new("the test has ended"))
    };
    let _service = Service::builder(&fleet.client("stock")).on(event.event_type(), on_event).start().unwrap();
    fleet.client("shop").emit(event).unwrap();
    fleet.settle();
    sees.try_recv().unwrap()
}

/// What a form makes of a call, within its function.
pub(super) fn called<T: Send + 'static>(form: impl Fn(&Context) -> T + Send + Sync + 'static) -> T {
    let fleet = Fleet::new();
    let (seen, sees) = mpsc::channel();
    let function = move |context: &Context, _: Value| {
        seen.send(form(context)).map_err(|_| HandlerError::new("the test has ended"))
    };
    let _service = Service::builder(&fleet.client("stock")).call("echo", function).start().unwrap();
    let call = fleet.client("shop").post("echo").data(json!({"q": 1})).unwrap().headers(json!({"pk": 3})).unwrap();
    call.fetch::<Value>().unwrap();
    sees.try_recv().unwrap()
}

/// A view that answers whatever it is asked by a form.
struct View<F>(F);

impl<F: Fn(&Context) -> ViewResult + Send + Sync> ResourceView for View<F> {
    fn list(&self, context: &Context) -> ViewResult {
        (self.0)(context)
    }

    fn create(&self, context: &Context) -> ViewResult {
        (self.0)(context)
    }
}

/// What a form makes of a request, within a view.
pub(super) fn viewed<T: Send + 'static>(
    request: impl Fn(&EventClient) -> RemoteRequest,
    form: impl Fn(&Context) -> T + Send + Sync + 'static,
) -> T {
    let (seen, sees) = mpsc::channel();
    answered(request, move |context| {
        seen.send(form(context)).map_err(|_| HandlerError::new("the test has ended"))?;
        Ok(Served::no_content())
    });
    sees.try_recv().unwrap()
}

/// What the caller of a view is answered.
pub(super) fn answered(
    request: impl Fn(&EventClient) -> RemoteRequest,
    view: impl Fn(&Context) -> ViewResult + Send + Sync + 'static,
) -> Answer {
    let fleet = Fleet::new();
    let settings = fleet.settings("stock").secret_key("hush").build().unwrap();
    let stock = EventClient::new(settings).unwrap();
    let _service = Service::builder(&stock).resource("Order", View(view)).start().unwrap();
    request(&fleet.client("shop")).fetch_any().unwrap()
}

/// What the caller of a view that fails so is answered.
pub(super) fn failing(error: impl Fn() -> HandlerError + Send + Sync + 'static) -> Answer {
    answered(|client| client.remote("Order"), move |_| Err(error()))
}
