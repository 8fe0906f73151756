//! What is no call: failures, what handlers and views are told, files, tests. Each form here is compiled where it stands.

use std::path::Path;

use serde_json::{Value, json};
use zc_events::content::ContentStore;
use zc_events::testing::{Expectation, Fleet};
use zc_events::{
    CallFailure, Channel, Context, Deadline, Error, Event, EventClient, Failure, HandlerError, Outcome, PendingSet,
    RemoteRequest, ResourceView, Retry, Service, ServiceBuilder, Stage,
};

use crate::page::cell;

/// Python's form, and ours.
type Row = (&'static str, &'static str);

macro_rules! rows {
    ($($python:literal => |$it:tt: $type:ty| $rust:expr,)*) => {
        vec![$({
            let _compiled = |$it: $type| {
                let _ = $rust;
            };
            ($python, stringify!($rust))
        }),*]
    };
}

/// As Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = "\n| Python | here |\n|---|---|\n".to_owned();
    for (python, rust) in rows {
        text += &format!("| {python} | {} |\n", cell(rust));
    }
    text + "\n"
}

/// A store, and by when.
type Stored<'a> = (&'a dyn ContentStore, Deadline);

/// What a handler does.
fn reserve(_: &[Value], _: &Value) {}

struct Orders;

impl ResourceView for Orders {}

pub(crate) fn failures() -> Vec<Row> {
    rows! {
        "`RequestTimeout` (status 408)" => |error: Error| matches!(error, Error::Timeout { stage: Stage::Reply }),
        "`ServiceRequestException`" => |error: Error| matches!(error, Error::Remote { status: 404, .. }),
        "its text, the body of the answer" => |failure: &Failure| (failure.errors(), failure.body()),
        "`RemoteResourceException`" => |error: Error| matches!(error, Error::Decode { .. }),
        "`EmitEventException`" => |error: Error| matches!(
            error,
            Error::Unroutable { .. } | Error::Nacked { .. } | Error::Blocked { .. } | Error::Unavailable { .. }
        ),
        "and whether the message may be out all the same: Python cannot tell" =>
            |error: &Error| error.outcome() == Outcome::Unknown,
        "`response.has_errors`" => |error: Error| matches!(error, Error::Call { .. }),
        "`response.errors`, a list of `type`, `message`, `trace`" => |failure: &CallFailure|
            failure.errors().iter().map(|error| (error.kind.clone(), error.message.clone(), error.trace.clone())).collect::<Vec<_>>(),
        "`ImproperlyConfigured`, `AttributeError` of a setting" => |error: Error| matches!(error, Error::Config { .. }),
        "`S3IOException`" => |error: Error| matches!(error, Error::Unavailable { .. } | Error::Rejected { .. }),
        "`TypeError` of `send_email`" => |error: Error| matches!(error, Error::Encode { .. }),
        "a status of 400 and above that `make_service_request` returns" => |request: RemoteRequest|
            request.fetch_any().map(|answer| answer.status()),
        "`event.wait()`, `wait_for_response(response_key)`, `get_request_event_response(response_key)`" =>
            |request: RemoteRequest| request.send().and_then(|pending| pending.wait()),
        "waiting for several" => |set: PendingSet| set.wait_all(std::time::Duration::from_secs(5)),
    }
}

pub(crate) fn listening() -> Vec<Row> {
    rows! {
        "`def order_created(*args, **kwargs)` in `microservice_events.py`" => |service: ServiceBuilder|
            service.on("order_created", |context: &Context, kwargs: Value| {
                reserve(context.args(), &kwargs);
                Ok(())
            }),
        "`kwargs['task_id']`, `resource_type`, `resource_id`, `user_id`" => |context: &Context|
            (context.task_id().map(str::to_owned), context.resource_type().map(str::to_owned), context.resource_id().cloned(), context.user_id().cloned()),
        "an event that has no function: `IGNORED` in the log" => |service: &Service| service.health().ignored,
        "an exception: the event is lost" => |service: ServiceBuilder| service.retry(Retry::attempts(5)),
        "and where it is afterwards: nowhere" => |client: &EventClient| client.dead_letters().and_then(|letters| letters.list()),
        "`handle_request_event(event, viewset=OrderViewSet)`, `view=..`, `relationship_viewset=..`" => |service: ServiceBuilder|
            service.resource("Order", Orders),
        "`JOB_MAPPING`, `dispatch_task(name, data)`" => |service: ServiceBuilder|
            service.call("add", |_: &Context, (x, y): (i64, i64)| Ok(x + y)),
        "`request.data`, `request.headers`, `request.id`, `request.response_key` of a call" => |context: &Context|
            context.call().map(|call| (call.data.clone(), call.headers.clone(), call.id.clone(), call.response_key.clone())),
        "`request.user`, the roles of its token" => |context: &Context| (context.user_id().cloned(), context.roles().to_vec()),
        "`HTTP_AUTHORIZATION`, made with `jwt_encode_handler`" => |context: &Context| context.jwt(),
        "`jwt_decode_handler(token)`" => |context: &Context| context.verify_jwt("a.b.c"),
        "`request.query_params['page_size']`, `filter[id__in]`, `include`" => |context: &Context|
            (context.query("page_size").map(str::to_owned), context.filter_ids().map(|ids| ids.len()), context.include().len()),
        "`request.data` of a view: the document" => |context: &Context| context.body::<Value>(),
        "`raise NotFound()`" => |(): ()| HandlerError::not_found(),
        "`raise ValidationError({'name': ['This field is required.']})`" => |(): ()|
            HandlerError::invalid("name", "This field is required."),
        "`raise PermissionDenied()`" => |(): ()| HandlerError::permission_denied(),
        "`MethodNotAllowed`: what a viewset does not implement" => |context: &Context| Orders.list(context),
        "a queue bound to the notifications exchange" => |service: ServiceBuilder|
            service.on_notification(Channel::Email, "send_email", |_: &Context, _: Value| Ok(())),
    }
}

pub(crate) fn helpers() -> Vec<Row> {
    rows! {
        "`save_string_contents_to_s3(text, bucket)`" => |(store, soon): Stored<'_>|
            store.put_new("application/json", b"[]", soon),
        "`save_string_contents_to_s3(text, bucket, key)`" => |(store, soon): Stored<'_>|
            store.put("key", "application/json", b"[]", soon),
        "`save_file_contents_to_s3(path, bucket, key)`" => |(store, soon): Stored<'_>|
            store.put_file("key", "application/pdf", Path::new("/srv/f.pdf"), soon),
        "`read_s3_file_as_string(bucket, key)`" => |(store, soon): Stored<'_>| store.get("key", soon),
        "`read_s3_file_as_string(bucket, key, delete=True)`" => |(store, soon): Stored<'_>|
            store.take("key", soon),
        "`notification_event_payload(resource_type, resource_id, user_id, meta)`" => |(): ()|
            Event::new("order_created").resource("Order", 5).user("56").meta(&json!({"a": 1})),
        "`model_to_dict(instance, {'name': 'name'})`" => |order: &serde_json::Map<String, Value>| serde_json::to_value(order),
        "`responses.add(responses.GET, 'Order', pk='5', json=..)`" => |fleet: &Fleet|
            fleet.expect(Expectation::get("Order").pk("5").answer(200, json!({"data": null}))),
        "`responses.add(.., status=404)`" => |fleet: &Fleet| fleet.expect(Expectation::get("Order").pk("5").status(404)),
        "`responses.calls`" => |fleet: &Fleet| fleet.emitted("order_request").len(),
        "`mock_emit_microservice_event.assert_any_call(..)`" => |fleet: &Fleet| fleet.emitted("order_created"),
    }
}
