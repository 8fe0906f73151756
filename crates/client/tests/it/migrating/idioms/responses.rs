//! Python's `responses`, which stands in for other services in a test.

use serde_json::{Value, json};
use zc_events::{
    Answer, Context, Document, Error, Event, EventClient, ResourceObject, ResourceView, Service, ViewResult,
};
use zc_events_testing::{Expectation, Fleet, SendFault};

use super::{Row, rows};

/// What a callback is here: a view.
struct Orders;

impl ResourceView for Orders {
    fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
        let order = ResourceObject::new("Order", pk).attributes(&json!({"name": format!("order {pk}")}))?;
        Ok(Document::one(order).into())
    }
}

fn ask(fleet: &Fleet) -> zc_events::Result<Answer> {
    fleet.client("shop").remote("Order").pk("5").fetch_any()
}

pub(crate) fn responses() -> Vec<Row> {
    let mut rows = rows! {
        "`responses.add(responses.GET, 'Order', pk='5', json=..)`" => |fleet: &Fleet|
            fleet.expect(Expectation::get("Order").pk("5").answer(200, json!({"data": null})));
            |form| {
                let fleet = Fleet::new();
                form(&fleet);
                assert_eq!(ask(&fleet).unwrap().data().unwrap(), Some(json!({"data": null})));
            },
        "`responses.add(.., status=404)`" => |fleet: &Fleet| fleet.expect(Expectation::get("Order").pk("5").status(404));
            |form| {
                let fleet = Fleet::new();
                form(&fleet);
                assert_eq!(ask(&fleet).unwrap().status(), 404);
            },
        "`responses.add(.., body=RequestTimeout())`: no service answers" => |fleet: &Fleet|
            fleet.expect(Expectation::get("Order").pk("5").never_answers());
            |form| {
                let fleet = Fleet::new();
                form(&fleet);
                assert!(ask(&fleet).unwrap_err().is_timeout());
            },
        "`responses.add(.., body=EmitEventException())`: the message does not go out" => |fleet: &Fleet|
            fleet.fail_sends(SendFault::Unroutable, 1);
            |form| {
                let fleet = Fleet::new();
                form(&fleet);
                assert!(matches!(ask(&fleet), Err(Error::Unroutable { .. })));
            },
        "`responses.add_callback(..)`, which fails at its first match in Python: start a service in the test" => |client: &EventClient|
            Service::builder(client).resource("Order", Orders).start();
            |form| {
                let fleet = Fleet::new();
                let _service = form(&fleet.client("orders")).unwrap();
                assert_eq!(ask(&fleet).unwrap().attributes::<Value>().unwrap()["name"], "order 5");
            },
        "`EventRequestsMock(assert_all_requests_are_fired=False)`, Python's default: any number of requests, including none" =>
            |fleet: &Fleet| fleet.expect(Expectation::get("Order").pk("5").status(204).always());
            |form| {
                let fleet = Fleet::new();
                form(&fleet);
                assert!(fleet.complaints().is_empty());
                assert_eq!((ask(&fleet).unwrap().status(), ask(&fleet).unwrap().status()), (204, 204));
            },
        "`responses.calls`" => |fleet: &Fleet| fleet.emitted("order_request").len();
            |form| {
                let fleet = Fleet::new();
                fleet.expect(Expectation::get("Order").pk("5").status(204));
                ask(&fleet).unwrap();
                assert_eq!(form(&fleet), 1);
            },
        "`mock_emit_microservice_event.assert_any_call(..)`" => |fleet: &Fleet| fleet.emitted("order_created");
            |form| {
                let fleet = Fleet::new();
                fleet.client("shop").emit(&Event::new("order_created").user("56")).unwrap();
                assert_eq!(form(&fleet)[0].kwargs()["user_id"], "56");
            },
    };
    rows.push(Row::none("`responses.reset()`", "none: each test has its own `Fleet`, which ends with the test"));
    rows
}
