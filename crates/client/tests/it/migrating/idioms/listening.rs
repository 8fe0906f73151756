//! Listening: handlers of events, functions, and views.

use std::time::Duration;

use serde_json::{Value, json};
use zc_events::{
    Channel, Context, Document, Event, EventClient, HandlerError, Method, ResourceObject, ResourceView, Retry, Service,
    ServiceBuilder, Settlement, ViewResult,
};
use zc_events_testing::Fleet;

use super::scene::{answered, called, failing, handled, viewed};
use super::{Row, rows};

/// What a handler does.
fn reserve(_: &[Value], _: &Value) {}

struct Orders;

impl ResourceView for Orders {
    fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
        Ok(Document::one(ResourceObject::new("Order", pk)).into())
    }
}

fn created() -> Event {
    Event::new("order_created").task_id("mine").resource("Order", 5).user("56")
}

/// How an event ends at a service that a form has built.
fn ending(form: impl Fn(ServiceBuilder) -> ServiceBuilder) -> Vec<Settlement> {
    let fleet = Fleet::new();
    let _service = form(Service::builder(&fleet.client("stock"))).start().unwrap();
    fleet.client("shop").emit(&created()).unwrap();
    fleet.settle();
    fleet.all_settlements().into_iter().map(|message| message.settlement).collect()
}

fn always_failing(service: ServiceBuilder) -> ServiceBuilder {
    service.on("order_created", |_: &Context, _: Value| Err(HandlerError::new("no")))
}

fn an_order(client: &EventClient) -> zc_events::RemoteRequest {
    client.remote("Order").pks([1, 2]).include("company,items").page_size(50).user("56").roles(["user"])
}

pub(crate) fn handlers() -> Vec<Row> {
    rows! {
        "`def order_created(*args, **kwargs)` in `microservice_events.py`" => |service: ServiceBuilder|
            service.on("order_created", |context: &Context, kwargs: Value| {
                reserve(context.args(), &kwargs);
                Ok(())
            });
            |form| assert_eq!(ending(form), [Settlement::Handled]),
        "`kwargs['task_id']`, `resource_type`, `resource_id`, `user_id`" => |context: &Context|
            (context.task_id().map(str::to_owned), context.resource_type().map(str::to_owned), context.resource_id().cloned(), context.user_id().cloned());
            |form| assert_eq!(
                handled(&created(), form),
                (Some("mine".to_owned()), Some("Order".to_owned()), Some(json!(5)), Some(json!("56")))
            ),
        "an event without a function: `IGNORED` in the log" => |service: &Service| service.health().ignored;
            |form| {
                let fleet = Fleet::new();
                let service = always_failing(Service::builder(&fleet.client("stock"))).start().unwrap();
                fleet.client("shop").emit(&Event::new("order_deleted")).unwrap();
                fleet.until(|| form(&service) == 1);
            },
        "an exception in a function: Python loses the event, here it is retried" => |service: ServiceBuilder| service.retry(Retry::attempts(5));
            |form| {
                let fleet = Fleet::new();
                let _service = form(always_failing(Service::builder(&fleet.client("stock")))).start().unwrap();
                let event = created();
                fleet.client("shop").emit(&event).unwrap();
                assert_eq!(fleet.until_settled(&event), [Settlement::DeadLettered { reason: "failed" }]);
                assert_eq!(fleet.settlements(&event).len(), 5);
            },
        "no counterpart in Python: the events that failed for good" => |client: &EventClient| client.dead_letters().and_then(|letters| letters.list());
            |form| {
                let fleet = Fleet::new();
                let client = fleet.client("stock");
                let _service = always_failing(Service::builder(&client)).start().unwrap();
                fleet.client("shop").emit(&created()).unwrap();
                fleet.until(|| !fleet.dead_letters("stock").is_empty());
                assert_eq!(form(&client).unwrap().len(), 1);
            },
        "`JOB_MAPPING`, `RPC_BACKEND`, `dispatch_task(name, data)`" => |service: ServiceBuilder|
            service.call("add", |_: &Context, (x, y): (i64, i64)| Ok(x + y));
            |form| {
                let fleet = Fleet::new();
                let _service = form(Service::builder(&fleet.client("stock"))).start().unwrap();
                let sum = fleet.client("shop").post("add").data((1, 2)).unwrap().fetch::<i64>();
                assert_eq!(sum.unwrap(), 3);
            },
        "`request.data`, `request.headers`, `request.id`, `request.response_key` of a call" => |context: &Context|
            context.call().map(|call| (call.data.clone(), call.headers.clone(), call.id.clone(), call.response_key.clone()));
            |form| {
                let (data, headers, id, response_key) = called(form).unwrap();
                assert_eq!((json!(data), json!(headers)), (json!({"q": 1}), json!({"pk": 3})));
                assert!(id.is_some() && response_key.is_some());
            },
        "a queue bound to the notifications exchange" => |service: ServiceBuilder|
            service.on_notification(Channel::Email, "send_email", |_: &Context, _: Value| Ok(()));
            |form| {
                let fleet = Fleet::new();
                let _service = form(Service::builder(&fleet.client("mailer"))).start().unwrap();
                fleet.client("shop").notify(Channel::Email, &Event::new("send_email")).unwrap();
                fleet.settle();
                assert_eq!(fleet.all_settlements()[0].settlement, Settlement::Handled);
            },
    }
}

/// The statuses that a resource's requests get: GET with a key, POST without one, POST with one.
fn statuses(form: impl Fn(ServiceBuilder) -> ServiceBuilder) -> [u16; 3] {
    let fleet = Fleet::new();
    let _service = form(Service::builder(&fleet.client("stock"))).start().unwrap();
    let orders = fleet.client("shop").remote("Order").timeout(Duration::from_secs(5));
    let post = orders.clone().method(Method::Post);
    [orders.pk(5), post.clone(), post.pk(5)].map(|request| request.fetch_any().unwrap().status())
}

pub(crate) fn views() -> Vec<Row> {
    rows! {
        "`handle_request_event(event, viewset=OrderViewSet)`, `relationship_viewset=..`" => |service: ServiceBuilder|
            service.resource("Order", Orders);
            |form| assert_eq!(statuses(form), [200, 405, 405]),
        "`handle_request_event(event, view=OrderView)`: in Python a plain view gets each method; here it is routed like a viewset, and POST with a key is 405" =>
            |service: ServiceBuilder| service.resource("Order", Orders);
            |form| assert_eq!(statuses(form), [200, 405, 405]),
        "`request.user`, and the roles in its token" => |context: &Context| (context.user_id().cloned(), context.roles().to_vec());
            |form| assert_eq!(viewed(an_order, form), (Some(json!("56")), vec!["user".to_owned()])),
        "`HTTP_AUTHORIZATION`, made with `jwt_encode_handler`" => |context: &Context| context.jwt();
            |form| assert_eq!(viewed(an_order, form).unwrap().split('.').count(), 3),
        "`jwt_decode_handler(token)`" => |context: &Context| context.verify_jwt("a.b.c");
            |form| assert_eq!(viewed(an_order, form).unwrap_err().status(), Some(401)),
        "`request.query_params['page_size']`, `filter[id__in]`, `include`" => |context: &Context|
            (context.query("page_size").map(str::to_owned), context.filter_ids().map(|ids| ids.len()), context.include().len());
            |form| assert_eq!(viewed(an_order, form), (Some("50".to_owned()), Some(2), 2)),
        "`request.data` in a view: the document" => |context: &Context| context.body::<Value>();
            |form| {
                let order = || json!({"data": {"type": "Order", "attributes": {"name": "Lunch"}}});
                let post = move |client: &EventClient| client.remote("Order").method(Method::Post).body(order());
                assert_eq!(viewed(post, form).unwrap()["name"], "Lunch");
            },
        "`raise NotFound()`" => |(): ()| HandlerError::not_found();
            |form| assert_eq!(failing(move || form(())).status(), 404),
        "`raise ValidationError({'name': ['This field is required.']})`" => |(): ()|
            HandlerError::invalid("name", "This field is required.");
            |form| {
                let answer = failing(move || form(()));
                let pointer = &answer.data().unwrap().unwrap()["errors"][0]["source"]["pointer"];
                assert_eq!((answer.status(), pointer), (400, &json!("/data/attributes/name")));
            },
        "`raise PermissionDenied()`" => |(): ()| HandlerError::permission_denied();
            |form| assert_eq!(failing(move || form(())).status(), 403),
        "`MethodNotAllowed`: a method that a viewset does not implement" => |context: &Context| Orders.list(context);
            |form| assert_eq!(answered(|client| client.remote("Order"), form).status(), 405),
    }
}
