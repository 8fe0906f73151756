//! Services and callers on RabbitMQ and Redis.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use integration_tests::{broker_url, eventually, redis_url, unique};
use serde_json::{Value, json};
use zc_events::{
    Context, Document, Error, Event, EventClient, HandlerError, ResourceObject, ResourceView, Retry, Service, Settings,
    ViewResult,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A fleet with an exchange of its own.
fn fleet() -> impl Fn(&str) -> EventClient {
    let exchange = unique("fleet");
    move |service| {
        let settings = Settings::builder()
            .broker_url(broker_url())
            .events_redis_url(redis_url())
            .events_exchange(&exchange)
            .service_name(format!("{exchange}-{service}"))
            .events_timeout(PATIENCE)
            .events_workers(2);
        EventClient::new(settings.build().unwrap()).unwrap()
    }
}

struct Orders;

impl ResourceView for Orders {
    fn list(&self, context: &Context) -> ViewResult {
        let query = context.request().and_then(|request| request.query_string.clone());
        let objects = [1, 2].map(|id| ResourceObject::new("Order", id));
        let mut document = Document::many(objects);
        document.meta.insert("query".into(), json!(query));
        Ok(document.into())
    }

    fn retrieve(&self, context: &Context, pk: &str) -> ViewResult {
        match pk {
            "404" => Err(HandlerError::not_found()),
            "500" => Err(HandlerError::new("canary: what went wrong inside")),
            "panic" => panic!("on purpose"),
            pk => {
                let attributes = json!({"name": "Café / lunch", "created-at": "now", "user": context.user_id(), "roles": context.roles()});
                Ok(Document::one(ResourceObject::new("Order", pk).attributes(&attributes)?).into())
            }
        }
    }

    fn related(&self, _: &Context, pk: &str, name: &str) -> ViewResult {
        Ok(Document::many([ResourceObject::new(name, format!("{pk}-1"))]).into())
    }
}

#[derive(serde::Deserialize)]
struct Order {
    id: u64,
    name: String,
    created_at: String,
    user: Option<String>,
    roles: Vec<String>,
}

#[test]
fn remote_resource_supports_every_method() {
    let client = fleet();
    let service = Service::builder(&client("orders")).resource("Order", Orders).start().unwrap();
    let caller = client("caller");

    let order: Order = caller.get_remote_resource("Order", "23131024").unwrap();
    assert_eq!((order.id, order.name.as_str(), order.created_at.as_str()), (23131024, "Café / lunch", "now"));
    assert_eq!((order.user, order.roles), (None, vec!["anonymous".to_owned()]));

    let order: Order = caller.remote("Order").pk(7).user("56").roles(["staff"]).fetch().unwrap();
    assert_eq!((order.user.as_deref(), order.roles), (Some("56"), vec!["staff".to_owned()]));

    let page = caller.remote("Order").pks([1, 2]).include("items").page_size(50).fetch_page::<Value>().unwrap();
    assert_eq!(page.items.iter().map(|order| order.id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(page.document.meta["query"], "filter%5Bid__in%5D=1%2C2&include=items&page_size=50");

    let related = caller.remote("Order").pk("9").related_resource("items").fetch_document().unwrap();
    assert_eq!(related.objects().unwrap()[0].type_, "items");

    // Sent now, both, and waited for later, in the other order.
    let first = caller.remote("Order").pk("1").send().unwrap();
    let second = caller.remote("Order").pk("2").send().unwrap();
    assert_eq!(second.wait().unwrap().resource::<Value>().unwrap().id, "2");
    assert_eq!(first.wait().unwrap().resource::<Value>().unwrap().id, "1");

    for (pk, status) in [("404", 404), ("500", 500), ("panic", 500)] {
        let error = caller.get_remote_resource::<Value>("Order", pk).unwrap_err();
        assert_eq!(error.status(), Some(status));
        let Error::Remote { failure, .. } = &error else { panic!("{error:?}") };
        assert_eq!(failure.errors().len(), 1);
        assert!(!format!("{error:?} {failure:?} {:?}", failure.body()).contains("canary"));
    }
    let answer = caller.remote("Order").method(zc_events::Method::Delete).pk("1").fetch_any().unwrap();
    assert_eq!(answer.status(), 405);
    assert_eq!(service.stop(PATIENCE).abandoned, 0);
}

#[test]
fn event_reaches_every_service() {
    let client = fleet();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let handled = Arc::clone(&seen);
    let mails = Service::builder(&client("mails"))
        .on("order_created", move |context: &Context, payload: Value| {
            handled.lock().unwrap().push((context.id().map(str::to_owned), payload, context.args().to_vec()));
            Ok(())
        })
        .start()
        .unwrap();
    let stock = Service::builder(&client("stock")).start().unwrap();
    let event = Event::new("order_created").resource("Order", 7).user("56").arg("positional").unwrap();
    client("caller").emit(&event).unwrap();
    eventually(PATIENCE, || mails.health().processed == 1 && stock.health().ignored == 1);
    let expected = json!({"resource_type": "Order", "resource_id": 7, "user_id": "56"});
    assert_eq!(*seen.lock().unwrap(), [(Some(event.id().to_owned()), expected, vec![json!("positional")])]);
}

#[test]
fn many_events_arrive_once_each() {
    let client = fleet();
    let sum = Arc::new(AtomicU32::new(0));
    let adder = Arc::clone(&sum);
    let service = Service::builder(&client("adder"))
        .on("add", move |_: &Context, payload: Value| {
            adder.fetch_add(payload["n"].as_u64().unwrap_or(0) as u32, Ordering::SeqCst);
            Ok(())
        })
        .workers(8)
        .start()
        .unwrap();
    let events: Vec<_> = (1..=2000).map(|n| Event::new("add").set("n", n).unwrap()).collect();
    assert!(client("caller").emit_many(&events).iter().all(Result::is_ok));
    eventually(PATIENCE, || service.health().processed == 2000);
    assert_eq!(sum.load(Ordering::SeqCst), 2000 * 2001 / 2);
}

#[test]
fn unhandled_message_is_dead_lettered_unchanged() {
    let client = fleet();
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let orders = client("orders");
    let service = Service::builder(&orders)
        .on("bad", move |_: &Context, _: Value| {
            counted.fetch_add(1, Ordering::SeqCst);
            Err(HandlerError::new("out of luck"))
        })
        .retry(Retry::attempts(2).backoff(Duration::from_millis(1), Duration::from_millis(1)))
        .start()
        .unwrap();
    client("caller").emit(&Event::new("bad")).unwrap();
    eventually(PATIENCE, || service.health().dead_lettered == 1);
    assert_eq!(attempts.load(Ordering::SeqCst), 2);

    // What Python's ujson makes of a NaN.
    let body = br#"{"task":"microservice.event","id":"1","args":["bad"],"kwargs":{"x":NaN}}"#;
    let mut connection = amiquip::Connection::insecure_open(&broker_url()).unwrap();
    let channel = connection.open_channel(None).unwrap();
    let exchange = orders.settings().events_exchange();
    let properties = amiquip::AmqpProperties::default().with_content_type("application/json".into());
    channel.basic_publish(exchange, amiquip::Publish::with_properties(body, "", properties)).unwrap();
    eventually(PATIENCE, || service.health().dead_lettered == 2);

    let dead = format!("{}.dead", format_args!("{}-events", orders.settings().service_name().unwrap()));
    let mut letters = Vec::new();
    while let Some(letter) = channel.basic_get(dead.as_str(), true).unwrap() {
        letters.push(letter.delivery);
    }
    let reason = |letter: &amiquip::Delivery| match letter.properties.headers().as_ref().unwrap().get("x-zc-reason") {
        Some(amiquip::AmqpValue::LongString(reason)) => reason.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(letters.iter().map(reason).collect::<Vec<_>>(), ["failed", "not_a_number"]);
    assert_eq!(letters[1].body, body);
    drop(service);
    connection.close().unwrap();
}

#[test]
fn handler_may_request_its_own_service() {
    let client = fleet();
    let orders = client("orders");
    let service = Service::builder(&orders)
        .resource("Order", Orders)
        .on("look", |context: &Context, _: Value| {
            context.client().get_remote_resource::<Value>("Order", "1")?;
            Ok(())
        })
        .workers(1)
        .start()
        .unwrap();
    orders.emit(&Event::new("look")).unwrap();
    eventually(PATIENCE, || service.health().processed == 2);
}

#[test]
fn unroutable_message_is_reported_at_once() {
    let client = fleet()("caller");
    assert!(matches!(client.emit(&Event::new("e")), Err(Error::Unroutable { .. })));
    let error = client.get_remote_resource::<Value>("Order", "1").unwrap_err();
    assert!(matches!(error, Error::Unroutable { .. }), "{error:?}");
}

#[test]
fn stopping_service_finishes_begun_messages_and_requeues_the_rest() {
    let client = fleet();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let orders = client("orders");
    let service = Service::builder(&orders)
        .on("slow", move |_: &Context, _: Value| Ok(wait.lock().unwrap().recv()?))
        .workers(1)
        .start()
        .unwrap();
    for _ in 0..5 {
        orders.emit(&Event::new("slow")).unwrap();
    }
    eventually(PATIENCE, || service.health().under_way == 5);
    let health = service.handle();
    let stopping = std::thread::spawn(move || service.stop(PATIENCE));
    eventually(PATIENCE, || health.health().under_way == 1);
    go.send(()).unwrap();
    assert_eq!(stopping.join().unwrap().abandoned, 0);
    assert_eq!(health.health().processed, 1);
    // The other four are there for the next one.
    let next = Service::builder(&orders).on("slow", |_: &Context, _: Value| Ok(())).start().unwrap();
    eventually(PATIENCE, || next.health().processed == 4);
}
