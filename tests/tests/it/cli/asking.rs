//! `zc-events get` and `call` against real servers: the requests, the outcomes and their exit codes.

use integration_tests::eventually;
use serde_json::{Value, json};
use zc_events::{Context, Document, HandlerError, ResourceObject, ResourceView, Served, Service, ViewResult, Watched};

use integration_tests::command::{PATIENCE, Scene};

struct Orders;

impl ResourceView for Orders {
    fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
        match pk {
            "5" => Ok(Document::one(ResourceObject::new("Order", pk).attributes(&json!({"name": "Lunch"}))?).into()),
            _ => Err(HandlerError::not_found()),
        }
    }

    fn destroy(&self, _: &Context, _: &str) -> ViewResult {
        Ok(Served::no_content())
    }
}

fn orders(scene: &Scene) -> Service {
    Service::builder(&scene.client())
        .resource("Order", Orders)
        .call("add", |_: &Context, (x, y): (i64, i64)| Ok(x + y))
        .call("boom", |_: &Context, _: Value| -> Result<Value, HandlerError> {
            Err(HandlerError::with_status(400, "hunter2").kind("KeyError"))
        })
        .start()
        .unwrap()
}

#[test]
fn each_outcome_has_its_exit_code_and_output() {
    let scene = Scene::new();
    let _service = orders(&scene);
    let found = scene.run(&["get", "Order", "5"]).with_code(0);
    assert_eq!(found.json()[0]["data"]["attributes"]["name"], "Lunch");
    assert!(found.stderr.is_empty(), "{}", found.stderr);
    let missing = scene.run(&["get", "Order", "6"]).with_code(6);
    assert_eq!(missing.json()[0]["errors"][0]["status"], "404");
    assert!(missing.stderr.contains("status 404"), "{}", missing.stderr);
    let deleted = scene.run(&["get", "Order", "5", "--method", "delete"]).with_code(0);
    assert_eq!(deleted.stdout, "null\n");
    let late = scene.run(&["get", "Invoice", "5", "--timeout", "300ms"]).with_code(5);
    assert!(late.stderr.contains("Invoice: the deadline passed") && late.stdout.is_empty(), "{}", late.stderr);

    assert_eq!(scene.run(&["call", "add", "--data", "[1, 2]"]).with_code(0).stdout, "3\n");
    let failed = scene.run(&["call", "boom"]).with_code(6);
    assert_eq!(failed.json()[0]["errors"][0]["type"], "KeyError");
    assert!(failed.stderr.contains("KeyError") && !failed.stderr.contains("hunter2"), "{}", failed.stderr);
    let late = scene.run(&["call", "nothing", "--timeout", "300ms"]).with_code(5);
    assert!(late.stderr.contains("nothing: the deadline passed"), "{}", late.stderr);
    assert_eq!(scene.run(&["call", "add", "--no-wait", "--data", "[1, 2]"]).with_code(0).json()[0]["confirmed"], true);
}

#[test]
fn without_a_bound_queue_a_request_fails_at_once() {
    let scene = Scene::new();
    for words in [["get", "Order"], ["call", "add"]] {
        let ended = scene.run(&words).with_code(7);
        assert!(ended.took < PATIENCE && ended.stderr.contains("no queue is bound"), "{}", ended.stderr);
    }
}

#[test]
fn all_options_arrive_in_the_request() {
    let scene = Scene::new();
    let mut watch = scene.client().watch(Watched::Events).unwrap();
    // The timeout covers connecting too, and the message must be sent.
    let brief = ["--timeout", "3s"];
    let request = [
        "get",
        "OrderItem",
        "5",
        "--include",
        "order,sku",
        "--page-size",
        "7",
        "--query",
        "filter[name]=a b",
        "--related",
        "parts",
        "--user",
        "56",
        "--role",
        "staff",
        "--role",
        "admin",
        "--method",
        "PATCH",
        "--data",
        "-",
        "--priority",
        "9",
    ];
    scene.run_with(&[&request[..], &brief].concat(), "{\"data\": {\"type\": \"OrderItem\"}}").with_code(5);
    let message = watch.next(PATIENCE).unwrap().expect("it passes");
    assert_eq!((message.event_type(), message.priority()), ("order_item_request", Some(9)));
    let asked = message.request().expect("it is one");
    assert_eq!((asked.pk, asked.user_id), (Some(json!("5")), Some(json!("56"))));
    assert_eq!((asked.method_name.as_deref(), asked.related_resource.as_deref()), (Some("PATCH"), Some("parts")));
    assert_eq!(
        (asked.roles, asked.body),
        (vec!["staff".to_owned(), "admin".to_owned()], Some(json!({"data": {"type": "OrderItem"}})))
    );
    let query = zc_events::Query::parse(&asked.query_string.unwrap_or_default()).unwrap();
    let query: Vec<_> = query.pairs().collect();
    for pair in [("include", "order,sku"), ("page_size", "7"), ("filter[name]", "a b")] {
        assert!(query.contains(&pair), "{query:?}");
    }

    scene.run(&[&["get", "Order", "1", "2"][..], &brief].concat()).with_code(5);
    let asked = watch.next(PATIENCE).unwrap().unwrap().request().expect("it is one");
    assert_eq!((asked.pk, asked.query_string.as_deref()), (None, Some("filter%5Bid__in%5D=1%2C2")));

    let call =
        ["call", "add", "--method", "put", "--data", "{\"x\": 1}", "--header", "tenant=a", "--header", "trace=b"];
    scene.run(&[&call[..], &brief].concat()).with_code(5);
    let called = watch.next(PATIENCE).unwrap().unwrap().call().expect("it is one");
    assert_eq!((called.method, &called.data), (Some(zc_events::Method::Put), &json!({"x": 1})));
    assert_eq!(json!(called.headers), json!({"tenant": "a", "trace": "b"}));
}

#[test]
fn ctrl_c_ends_a_waiting_request() {
    let scene = Scene::new();
    let mut watch = scene.client().watch(Watched::Events).unwrap();
    let mut running = scene.start(&["get", "Order", "5", "--timeout", "1m"]);
    eventually(PATIENCE, || watch.next(PATIENCE).unwrap());
    running.interrupt();
    let ended = running.end().with_code(130);
    assert!(ended.stdout.is_empty() && ended.stderr.is_empty(), "{ended:?}");
}
