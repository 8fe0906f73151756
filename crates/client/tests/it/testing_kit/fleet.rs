//! The kit for tests, itself tested: how time passes, what is answered and refused, what is recorded, and that a fleet
//! fails its test when it should.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use zc_events::{
    Channel, Clock, Context, Error, Event, EventClient, HandlerError, MessageKind, Method, Outcome, PendingSet,
    RemoteError, Retry, Service, Settings, Settlement, Stage,
};
use zc_events_testing::{Expectation, Expectations, Fleet, SendFault, Stub};

const MINUTE: Duration = Duration::from_secs(60);

/// What a test says that fails.
fn failure(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("the test passes");
    panic.downcast_ref::<String>().cloned().unwrap_or_else(|| (*panic.downcast_ref::<&str>().unwrap()).to_owned())
}

#[test]
fn unanswered_request_times_out_without_real_waiting() {
    let fleet = Fleet::new();
    let client = fleet.client("caller");
    fleet.expect(Expectation::get("Order").pk(5).never_answers().times(2));
    let (started, before) = (Instant::now(), fleet.clock().now());
    let error = client.get_remote_resource_data("Order", 5).unwrap_err();
    assert!(matches!(error, Error::Timeout { stage: Stage::Reply }), "{error:?}");
    // By the test's clock it was the whole EVENTS_TIMEOUT, and by any other nothing.
    assert_eq!(fleet.clock().now() - before, MINUTE);
    assert!(started.elapsed() < MINUTE / 6);
    let short = client.remote("Order").pk(5).timeout(Duration::from_secs(1)).fetch_document();
    assert!(matches!(short, Err(Error::Timeout { stage: Stage::Reply })), "{short:?}");
    assert_eq!(fleet.clock().now() - before, MINUTE + Duration::from_secs(1));
}

#[test]
fn time_passes_only_when_advanced_or_awaited() {
    let fleet = Fleet::new();
    let service = Service::builder(&fleet.client("orders"))
        .on("fails", |_: &Context, _: Value| Err(HandlerError::new("no").retry_after(MINUTE)))
        .start()
        .unwrap();
    let before = fleet.clock().now();
    let event = Event::new("fails");
    fleet.client("shop").emit(&event).unwrap();
    fleet.settle();
    assert_eq!((fleet.clock().now(), fleet.settlements(&event).len()), (before, 1));
    fleet.advance(MINUTE - Duration::from_millis(1));
    assert_eq!(fleet.settlements(&event).len(), 1);
    fleet.advance(Duration::from_millis(1));
    assert_eq!(fleet.settlements(&event).len(), 2);
    // Five attempts by default, a minute between them, and each at its time.
    fleet.advance(10 * MINUTE);
    assert_eq!(fleet.settlements(&event).last(), Some(&Settlement::DeadLettered { reason: "failed" }));
    assert_eq!(fleet.clock().now() - before, 11 * MINUTE);
    assert_eq!(service.health().failed, 5);
}

#[test]
fn delayed_answer_arrives_after_its_delay() {
    let fleet = Fleet::new();
    let client = fleet.client("caller");
    fleet.expect(Expectation::call("slow").returns("late").after(Duration::from_secs(20)).times(2));
    let before = fleet.clock().now();
    assert_eq!(client.get("slow").fetch::<String>().unwrap(), "late");
    assert_eq!(fleet.clock().now() - before, Duration::from_secs(20));
    let impatient = client.get("slow").timeout(Duration::from_secs(10)).fetch::<String>();
    assert!(matches!(impatient, Err(Error::Timeout { stage: Stage::Reply })), "{impatient:?}");
    assert_eq!(fleet.clock().now() - before, Duration::from_secs(30));
}

#[test]
fn unexpected_request_is_answered_at_once_and_fails_the_test() {
    let text = failure(|| {
        let fleet = Fleet::new();
        let client = fleet.client("caller");
        fleet.expect(Expectation::get("Order").pk(5).query("include", "items"));
        let before = fleet.clock().now();
        let error = client.get_remote_resource_data("Order", 6).unwrap_err();
        assert_eq!(error.status(), Some(501));
        let Error::Remote { failure, .. } = error else { unreachable!() };
        assert!(failure.errors()[0].detail.as_ref().unwrap().contains("closest expectation"));
        let error = client.post("add").fetch::<i64>().unwrap_err();
        assert!(error.to_string().ends_with(": UnexpectedCall"), "{error}");
        assert_eq!(fleet.clock().now(), before);
    });
    let told: Vec<&str> = text.lines().collect();
    let closest = r#"closest expectation: GET Order "5"?include=items"#;
    assert_eq!(told.len(), 4, "{text}");
    assert_eq!(
        told[1].trim(),
        format!(
            r#"unexpected GET Order "6": no match; {closest} (pk differs: got "6"; query parameter include is missing)"#
        )
    );
    assert_eq!(told[2].trim(), "unexpected POST call of `add`: no expectation for a POST call of `add`");
    assert_eq!(told[3].trim(), r#"not received: GET Order "5"?include=items (expected 1 time, received 0 times)"#);
}

#[test]
fn fleet_with_met_expectations_passes() {
    let fleet = Fleet::new();
    let client = fleet.client("caller");
    fleet.expect_all([
        Expectation::post("Order").data(json!({"data": {}})).roles(["service"]).answer(201, json!({"data": null})),
        Expectation::get("Order").pks([3, 1]).always().answer(200, json!({"data": []})),
        Expectation::get("Order").pk("5").relationship("items").status(204),
        Expectation::delete("Order").pk(5).user("56").status(204),
        Expectation::call("note").method(Method::Put),
        Expectation::get("Never").always(),
    ]);
    assert_eq!(fleet.complaints().len(), 4);
    let created = client.make_service_request("Order").method(Method::Post).body(json!({"data": {}}));
    assert_eq!(created.fetch_any().unwrap().status(), 201);
    assert!(client.remote("Order").pks([1, 3]).fetch_page::<Value>().unwrap().items.is_empty());
    assert_eq!(client.remote("Order").pk(5).relationship("items").fetch_any().unwrap().status(), 204);
    assert_eq!(client.remote("Order").pk(5).method(Method::Delete).user("56").fetch_any().unwrap().status(), 204);
    // An expected call without a response key counts once it has arrived.
    client.put("note").no_wait().unwrap();
    fleet.settle();
    assert_eq!(fleet.complaints(), Vec::<String>::new());
    // An unexpected call without a response key is an event like any other.
    client.put("unheard_of").no_wait().unwrap();
    fleet.settle();
    assert_eq!(fleet.complaints(), Vec::<String>::new());
}

#[test]
fn services_of_the_fleet_answer_their_own_requests() {
    let fleet = Fleet::new();
    let service = Service::builder(&fleet.client("sums"))
        .call("add", |_: &Context, (x, y): (i64, i64)| Ok(x + y))
        .start()
        .unwrap();
    let caller = fleet.client("caller");
    assert_eq!(caller.post("add").data((2, 3)).unwrap().fetch::<i64>().unwrap(), 5);
    // Many at once, and to the fleet's own clock.
    let all: PendingSet<i64> = (0..20).map(|x| caller.post("add").data((x, x)).unwrap().send().unwrap()).collect();
    assert_eq!(all.wait_all(MINUTE).into_iter().map(Result::unwrap).sum::<i64>(), 380);
    drop(service);
    fleet.expect(Expectation::call("add").fails("ServiceGone", "there was one"));
    let Err(Error::Call { failure, .. }) = caller.post("add").data((2, 3)).unwrap().fetch::<i64>() else { panic!() };
    assert_eq!(failure.errors()[0], RemoteError { trace: None, ..RemoteError::new("ServiceGone", "there was one") });
}

#[test]
fn handler_waits_for_another_service_by_the_same_clock() {
    let fleet = Fleet::new();
    let _gateway = Service::builder(&fleet.client("gateway"))
        .call("total", |context: &Context, _: Value| {
            let price: f64 = context.client().get("price").timeout(Duration::from_secs(5)).fetch()?;
            Ok(price * 2.0)
        })
        .start()
        .unwrap();
    let caller = fleet.client("caller");
    fleet.expect(Expectation::call("price").returns(2.5).after(Duration::from_secs(4)));
    fleet.expect(Expectation::call("price").never_answers());
    let before = fleet.clock().now();
    assert_eq!(caller.get("total").fetch::<f64>().unwrap(), 5.0);
    assert_eq!(fleet.clock().now() - before, Duration::from_secs(4));
    // Its own five seconds are over, and it says so.
    assert!(matches!(caller.get("total").fetch::<f64>(), Err(Error::Call { .. })));
    assert_eq!(fleet.clock().now() - before, Duration::from_secs(9));
}

#[test]
fn sent_messages_can_be_inspected() {
    #[derive(serde::Deserialize, PartialEq, Debug)]
    struct Created {
        resource_id: u64,
    }

    let fleet = Fleet::new();
    let client = fleet.client("shop");
    fleet.expect_all([Expectation::get("Order").any_pk().times(1), Expectation::call("add").times(1)]);
    let event = Event::new("order_created").resource("Order", 5).arg("more").unwrap().priority(7);
    client.emit(&event).unwrap();
    client.remote("Order").pk(5).fetch_any().unwrap();
    client.post("add").data(json!({"x": 1})).unwrap().fetch::<Value>().unwrap();
    client.notify(Channel::Email, &Event::new("send_email").set("subject", "hush").unwrap()).unwrap();

    let sent = fleet.sent();
    let kinds: Vec<(MessageKind, &str)> = sent.iter().map(|it| (it.kind(), it.event_type())).collect();
    assert_eq!(
        kinds,
        [
            (MessageKind::Event, "order_created"),
            (MessageKind::Request, "order_request"),
            (MessageKind::Call, "add"),
            (MessageKind::Notification, "send_email")
        ]
    );
    assert_eq!((sent[0].id(), sent[0].priority()), (Some(event.id()), Some(7)));
    assert_eq!(
        (sent[0].args(), sent[0].payload::<Created>().unwrap()),
        (&[json!("more")][..], Created { resource_id: 5 })
    );
    assert_eq!(sent[2].payload::<Value>().unwrap(), json!({"x": 1}));
    assert_eq!(sent[3].routing_key(), "microservice.notification.email");
    assert!(sent[0].payload::<Vec<u8>>().unwrap_err().to_string().contains("the payload of `order_created`"));
    assert!(!format!("{sent:?}").contains("hush"));
    assert_eq!(fleet.emitted("send_email").len(), 1);
}

#[test]
fn each_fault_gives_its_production_error() {
    let fleet = Fleet::new();
    let client = fleet.client("shop");
    let event = Event::new("order_created");
    for (fault, outcome) in [
        (SendFault::Unavailable, Outcome::NotSent),
        (SendFault::ConfirmLost, Outcome::Unknown),
        (SendFault::MessageLost, Outcome::Unknown),
        (SendFault::Nacked, Outcome::Unknown),
        (SendFault::Unroutable, Outcome::NotSent),
    ] {
        fleet.fail_sends(fault, 1);
        assert_eq!(client.emit(&event).unwrap_err().outcome(), outcome, "{fault:?}");
    }
    client.emit(&event).unwrap();

    let before = fleet.clock().now();
    fleet.block_broker(Some("low on memory"));
    assert!(matches!(client.emit(&event), Err(Error::Blocked { .. })));
    // EVENTS_PUBLISH_TIMEOUT.
    assert_eq!(fleet.clock().now() - before, Duration::from_secs(10));
    fleet.block_broker(None);

    fleet.take_store_down(Some("no Redis"));
    let error = client.get("add").fetch::<i64>().unwrap_err();
    assert_eq!(error.to_string(), "EVENTS_REDIS_URL: no Redis");
    fleet.take_store_down(None);
    // The call was sent, and the fleet has one complaint about it.
    fleet.settle();
    assert_eq!(fleet.complaints().len(), 1);
    fleet.forgive();
}

#[test]
fn lost_broker_ends_requests_and_loses_no_events() {
    let fleet = Fleet::new();
    let handled = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&handled);
    let service = Service::builder(&fleet.client("orders"))
        .on("order_created", move |_: &Context, _: Value| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
        .start()
        .unwrap();
    let client = fleet.client("shop");
    let event = Event::new("order_created");
    client.emit(&event).unwrap();
    fleet.take_broker_down(Some("gone"));
    assert!(matches!(client.emit(&Event::new("order_created")), Err(Error::Unavailable { .. })));
    fleet.take_broker_down(None);
    assert!(service.health().consuming);
    fleet.settle();
    // Handled before or after, and once.
    assert_eq!((fleet.until_settled(&event).contains(&Settlement::Handled), handled.load(Ordering::SeqCst)), (true, 1));
    fleet.restart_broker();
    client.emit(&Event::new("order_created")).unwrap();
    fleet.settle();
    assert_eq!(handled.load(Ordering::SeqCst), 2);
}

#[test]
fn waiting_for_an_impossible_outcome_fails_the_test() {
    let fleet = Fleet::new();
    let text = failure(|| drop(fleet.until_settled(&Event::new("unheard_of"))));
    assert_eq!(text, "no service of this fleet handles `unheard_of`");
    let text = failure(|| fleet.until(|| false));
    assert!(text.contains("did not hold within a day of the test's time, and no work is left"), "{text}");
}

#[test]
fn service_with_a_waiting_handler_stops() {
    let fleet = Fleet::new();
    let started = Instant::now();
    let service = Service::builder(&fleet.client("orders"))
        .on("asks", |context: &Context, _: Value| Ok(context.client().get("silent").fetch::<()>()?))
        .retry(Retry::never())
        .start()
        .unwrap();
    fleet.expect(Expectation::call("silent").never_answers());
    fleet.client("shop").emit(&Event::new("asks")).unwrap();
    fleet.settle();
    assert_eq!(service.health().under_way, 1);
    drop(service);
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn stub_works_for_any_client_and_leaves_unknown_requests() {
    let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test");
    let client = EventClient::new(settings.build().unwrap()).unwrap();
    let expected: Vec<Expectation> = serde_json::from_value(json!([
        {"resource": "Order", "pk": 5, "body": {"data": {"type": "Order", "id": "5", "attributes": {"name": "Lunch"}}}},
        {"call": "add", "result": 3, "times": "always"},
        {"call": "late", "result": 4, "delay": 0.01}
    ]))
    .unwrap();
    let expectations = Arc::new(Expectations::new(expected));
    let (reports, told) = std::sync::mpsc::channel();
    let stub = Stub::start(&client, "orders-stub", Arc::clone(&expectations), move |report| {
        let _ = reports.send(report);
    })
    .unwrap();
    let order: Value = client.get_remote_resource("Order", 5).unwrap();
    assert_eq!(order["name"], "Lunch");
    assert_eq!(client.get("add").fetch::<i64>().unwrap(), 3);
    assert_eq!(client.get("late").fetch::<i64>().unwrap(), 4);
    let unknown = client.get("unknown").timeout(Duration::from_secs(2)).fetch::<i64>();
    assert!(matches!(unknown, Err(Error::Timeout { stage: Stage::Reply })), "{unknown:?}");
    let told = Vec::from_iter(told.iter().take(4).map(|report| (report.to_string(), report.is_expected)));
    drop(stub);
    assert_eq!(told[0], (r#"GET Order "5": answered with status 200"#.to_owned(), true));
    assert_eq!(told[1], ("GET call of `add`: answered with a result".to_owned(), true));
    let unknown = "GET call of `unknown`: no expectation for a GET call of `unknown`";
    assert_eq!(told[3], (unknown.to_owned(), false));
    assert!(expectations.unmet().is_empty());
}

#[test]
fn request_to_a_stopped_service_waits_for_its_restart() {
    let fleet = Fleet::new();
    let service = || Service::builder(&fleet.client("sums")).call("square", |_: &Context, x: i64| Ok(x * x)).start();
    assert_eq!(service().unwrap().stop(Duration::from_secs(5)).abandoned, 0);
    let caller = fleet.client("shop");
    let call = |seconds| caller.get("square").data(3).unwrap().timeout(Duration::from_secs(seconds)).send::<i64>();
    let (early, late) = (call(1).unwrap(), call(60).unwrap());
    assert!(early.wait().unwrap_err().is_timeout());
    let _service = service().unwrap();
    assert_eq!(late.wait().unwrap(), 9);
    assert!(fleet.complaints().is_empty(), "{:?}", fleet.complaints());
    // Another stub may answer for it meanwhile.
    drop(_service);
    fleet.expect(Expectation::call("square").returns(16));
    assert_eq!(caller.get("square").data(4).unwrap().fetch::<i64>().unwrap(), 16);
}

#[test]
fn redelivered_notification_is_a_duplicate_and_unused_fault_fails_the_test() {
    let fleet = Fleet::new();
    let _service = Service::builder(&fleet.client("mails"))
        .on_notification(None, "shipped", |_: &Context, _: Value| Ok(()))
        .start()
        .unwrap();
    let shipped = Event::new("shipped").task_id("with \"quotes\" and é");
    fleet.deliver_again("mails", &shipped);
    fleet.client("shop").notify(Channel::Email, &shipped).unwrap();
    fleet.settle();
    assert_eq!(fleet.settlements(&shipped), [Settlement::Handled, Settlement::Duplicate]);

    let failed = |fault: fn(&Fleet)| {
        let panic = std::panic::catch_unwind(|| {
            let fleet = Fleet::new();
            fault(&fleet);
        });
        panic.unwrap_err().downcast_ref::<String>().cloned().unwrap()
    };
    let text = failed(|fleet| fleet.deliver_next_again("mails", "order_created"));
    assert!(text.contains("no message with `\"order_created\"` was acknowledged in mails-events"), "{text}");
    let text = failed(|fleet| fleet.fail_sends(SendFault::Nacked, 3));
    assert!(text.contains("3 sends should have failed"), "{text}");
}

#[test]
fn repeated_unexpected_requests_are_one_complaint() {
    let fleet = Fleet::new();
    let _service = Service::builder(&fleet.client("mails"))
        .on("shipped", |context: &Context, _: Value| {
            context.client().get_remote_resource::<Value>("Company", 7)?;
            Ok(())
        })
        .retry(zc_events::Retry::attempts(3))
        .start()
        .unwrap();
    let shipped = Event::new("shipped");
    fleet.client("shop").emit(&shipped).unwrap();
    assert_eq!(fleet.until_settled(&shipped), [Settlement::DeadLettered { reason: "failed" }]);
    let complaints = fleet.complaints();
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].contains("Company") && complaints[0].ends_with("(received 3 times)"), "{complaints:?}");
    fleet.forgive();
}
