//! Functions that are called by key, and many answers awaited at once: in memory, where the test moves the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Map, json};
use zc_events::{
    Clock, Context, Document, Error, Event, HandlerError, Method, Outcome, PendingSet, ResourceObject, ResourceView,
    Retry, Served, Service, Stage, Value, ViewResult,
};

use crate::support::{ManualFleet, PATIENCE, eventually, vectors};

const SOON: Duration = Duration::from_secs(5);

fn kinds(error: &Error) -> Vec<(String, String)> {
    let Error::Call { failure, .. } = error else { panic!("{error:?}") };
    failure.errors().iter().map(|error| (error.kind.clone(), error.message.clone())).collect()
}

#[test]
fn function_result_is_the_reply_and_context_has_method_and_headers() {
    let fleet = ManualFleet::new("calls-echo");
    let client = fleet.client();
    let _service = Service::builder(&client)
        .call("echo", |context: &Context, data: Value| {
            let call = context.call().unwrap();
            assert_eq!(context.event_type(), "echo");
            Ok(json!({"method": call.method.unwrap().as_str(), "data": data, "headers": call.headers}))
        })
        .start()
        .unwrap();
    for (call, method) in [
        (client.get("echo"), "get"),
        (client.put("echo"), "put"),
        (client.post("echo"), "post"),
        (client.delete("echo"), "delete"),
        (client.call("echo", Method::Patch), "patch"),
    ] {
        let answer: Value = call.data(json!([1, "ü"])).unwrap().headers(json!({"a": 1})).unwrap().fetch().unwrap();
        assert_eq!(answer["data"], json!([1, "ü"]));
        assert_eq!(answer["headers"], json!({"a": 1}));
        assert_eq!(answer["method"].as_str().unwrap().to_lowercase(), method);
    }
    // Neither is needed.
    let answer: Value = client.get("echo").fetch().unwrap();
    assert_eq!((&answer["data"], &answer["headers"]), (&json!({}), &json!({})));
}

#[test]
fn failed_call_is_answered_without_internal_details() {
    let fleet = ManualFleet::new("calls-fail");
    let client = fleet.client();
    let service = Service::builder(&client)
        .call("fails", |_: &Context, how: String| match how.as_str() {
            "told" => Err::<i64, _>(HandlerError::with_status(404, "no such order")),
            "named" => Err(HandlerError::with_status(400, "by zero").kind("ZeroDivisionError")),
            "inside" => Err(HandlerError::new("hush")),
            _ => panic!("hush"),
        })
        .start()
        .unwrap();
    let failure = |data: Value| client.get("fails").data(data).unwrap().fetch::<i64>().unwrap_err();
    let pair = |kind: &str, message: &str| vec![(kind.to_owned(), message.to_owned())];
    assert_eq!(kinds(&failure("told".into())), pair("NotFound", "no such order"));
    assert_eq!(kinds(&failure("named".into())), pair("ZeroDivisionError", "by zero"));
    assert_eq!(kinds(&failure("inside".into())), pair("APIException", "The service failed to answer."));
    assert_eq!(kinds(&failure("panics".into())), pair("APIException", "The service failed to answer."));
    let mismatch = failure(json!({"secret": "hush"}));
    assert_eq!(
        kinds(&mismatch),
        pair("ValidationError", "the data does not fit: invalid type: object, expected a string")
    );
    assert_eq!(mismatch.outcome(), Outcome::Delivered);
    let named = failure("named".into());
    assert_eq!(named.to_string(), "the call of `fails` failed at the other service: ZeroDivisionError");
    assert!(!format!("{named:?}").contains("by zero"));
    // Answered, every one.
    eventually(|| service.health().processed == 6);
    assert_eq!((service.health().failed, service.health().dead_lettered), (2, 0));
}

#[test]
fn reply_of_another_type_names_the_path_and_hides_the_value() {
    let fleet = ManualFleet::new("calls-type");
    let client = fleet.client();
    let _service =
        Service::builder(&client).call("names", |_: &Context, _: Value| Ok(json!(["a", "hush"]))).start().unwrap();
    let error = client.get("names").fetch::<Vec<i64>>().unwrap_err();
    assert!(matches!(&error, Error::Decode { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the answer to the call of `names` cannot be read: `[0]`: invalid type: string, expected i64"
    );
    assert!(!format!("{error:?}").contains("hush"));
}

#[test]
fn call_without_reply_is_confirmed_and_retried_on_failure() {
    let fleet = ManualFleet::new("calls-no-wait");
    let client = fleet.client();
    assert!(matches!(client.post("note").no_wait(), Err(Error::Unroutable { .. })));
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let service = Service::builder(&client)
        .call("note", move |context: &Context, _: Value| {
            assert_eq!(context.call().unwrap().response_key, None);
            match counted.fetch_add(1, Ordering::SeqCst) {
                0 => Err(HandlerError::with_status(503, "not yet")),
                _ => Ok(()),
            }
        })
        .retry(Retry::attempts(2))
        .call("lost", |_: &Context, _: Value| Err::<(), _>(HandlerError::new("never")))
        .retry(Retry::never())
        .start()
        .unwrap();
    client.post("note").no_wait().unwrap();
    fleet.pass_time_until(&service, || service.health().processed == 1);
    assert_eq!((attempts.load(Ordering::SeqCst), service.health().retried), (2, 1));
    client.post("lost").start_no_wait().unwrap().wait().unwrap();
    eventually(|| service.health().dead_lettered == 1);
}

#[test]
fn unknown_call_is_ignored_and_malformed_call_dead_lettered() {
    let fleet = ManualFleet::new("calls-unknown");
    let client = fleet.client();
    let service = Service::builder(&client).call("known", |_: &Context, _: Value| Ok(())).start().unwrap();
    client.get("unknown").no_wait().unwrap();
    eventually(|| service.health().ignored == 1);
    client.emit(&Event::new("known")).unwrap();
    eventually(|| service.health().dead_lettered == 1);
    let dead = fleet.empty("orders-events.dead");
    assert_eq!(dead[0].properties.headers.as_ref().unwrap()["x-zc-reason"].as_str(), Some("no_call"));
}

#[test]
fn pending_set_awaits_each_reply_until_its_own_deadline() {
    let fleet = ManualFleet::new("calls-many");
    let client = fleet.client();
    let service = Service::builder(&client).call("square", |_: &Context, x: i64| Ok(x * x)).start().unwrap();
    let send = |x: i64| client.get("square").data(x).unwrap().send::<i64>().unwrap();
    let all: PendingSet<i64> = (0..50).map(send).collect();
    let all: Vec<i64> = all.wait_all(SOON).into_iter().map(Result::unwrap).collect();
    assert_eq!(all, (0..50).map(|x| x * x).collect::<Vec<_>>());

    let mut some: PendingSet<i64> = (0..3).map(send).collect();
    let mut seen = Vec::new();
    while let Some((index, answer)) = some.wait_any(SOON) {
        assert_eq!(answer.unwrap(), (index * index) as i64);
        seen.push(index);
    }
    seen.sort_unstable();
    assert_eq!((seen, some.is_empty()), (vec![0, 1, 2], true));

    // The service is stopped, and its queue is still bound.
    assert_eq!(service.stop(SOON).abandoned, 0);
    let mut late = PendingSet::new();
    late.push(client.get("square").data(2).unwrap().timeout(Duration::from_secs(30)).send::<i64>().unwrap());
    late.push(client.get("square").data(3).unwrap().timeout(Duration::from_secs(1)).send::<i64>().unwrap());
    let other = ManualFleet::new("calls-many-other").client();
    // This fleet has no service.
    let stranger = late.push(other.get("square").send::<i64>().unwrap());
    let (index, ended) = late.wait_any(SOON).unwrap();
    assert_eq!((index, matches!(ended, Err(Error::Config { .. }))), (stranger, true));
    let clock = fleet.clock.clone();
    let moving = std::thread::spawn(move || clock.advance(Duration::from_secs(2)));
    let (index, ended) = late.wait_any(Duration::from_secs(20)).unwrap();
    moving.join().unwrap();
    assert_eq!(index, 1);
    assert!(matches!(ended, Err(Error::Timeout { stage: Stage::Reply })), "{ended:?}");
    assert_eq!(late.len(), 1);
    assert!(late.wait_any(Duration::ZERO).is_none());
    let rest = late.wait_all(Duration::ZERO);
    assert!(matches!(rest[..], [Err(Error::Timeout { stage: Stage::Reply })]), "{rest:?}");
}

#[test]
fn pending_set_reports_unroutable_requests_at_once() {
    let fleet = ManualFleet::new("calls-unroutable");
    let client = fleet.client();
    let set: PendingSet<i64> = (0..2).map(|_| client.get("square").timeout(PATIENCE).send().unwrap()).collect();
    let start = fleet.clock.now();
    let ended = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| set.wait_all(PATIENCE));
        eventually(|| {
            fleet.clock.advance(Duration::from_millis(10));
            std::thread::sleep(Duration::from_millis(1)); // tidy: allow(thread::sleep) because what has become due must get a chance
            waiting.is_finished()
        });
        waiting.join().unwrap()
    });
    assert_eq!(ended.len(), 2);
    for ended in ended {
        assert!(matches!(ended, Err(Error::Unroutable { .. })), "{ended:?}");
    }
    assert!(fleet.clock.now() - start < PATIENCE);
}

/// What the captured Django views answered.
struct Orders;

impl ResourceView for Orders {
    fn list(&self, context: &Context) -> ViewResult {
        let query: Map<String, Value> =
            context.query_params().pairs().map(|(name, value)| (name.to_owned(), json!([value]))).collect();
        Ok(Served::with_status(200, json!({"data": [{"type": "Order", "id": "1"}], "q": query})))
    }

    fn retrieve(&self, context: &Context, pk: &str) -> ViewResult {
        if pk == "404" {
            return Err(HandlerError::not_found());
        }
        if pk == "3" {
            assert_eq!((context.user_id(), context.roles()), (Some(&json!("5")), &["user".to_owned()][..]));
        }
        let order = ResourceObject::new("Order", pk).attributes(&json!({"name": "Café / 🍕"}))?;
        Ok(Document::one(order).into())
    }

    fn create(&self, context: &Context) -> ViewResult {
        #[derive(serde::Deserialize)]
        struct Order {
            name: String,
        }
        let order: Order = context.body()?;
        Ok(Served::with_status(201, json!({"name": order.name})))
    }

    fn destroy(&self, _: &Context, _: &str) -> ViewResult {
        Ok(Served::no_content())
    }

    fn related(&self, _: &Context, pk: &str, name: &str) -> ViewResult {
        match name {
            "inside" => Err(HandlerError::new("hush")),
            "odd" => Ok(Served::with_status(418, json!({"errors": [{"detail": "a teapot"}]}))),
            _ => Ok(Served::with_status(200, json!([pk, name]))),
        }
    }
}

#[test]
fn resource_view_answers_calls_of_its_key() {
    let fleet = ManualFleet::new("calls-views");
    let client = fleet.client();
    let service = Service::builder(&client).call_view("vs", Orders).start().unwrap();
    let captured = |name: &str| -> Value {
        let vector = vectors::read(&format!("redis_v0310_dispatch_drf_{name}"));
        serde_json::from_str(vector["value_utf8"].as_str().unwrap()).unwrap()
    };
    let ask = |method: Method, headers: Value| client.call("vs", method).headers(headers).unwrap().fetch::<Value>();
    let detail = ask(Method::Get, json!({"pk": "3", "roles": ["user"], "user_id": "5"})).unwrap();
    assert_eq!(detail, captured("detail")["data"]);
    assert_eq!(ask(Method::Get, json!({"query_string": "a=1"})).unwrap(), captured("list")["data"]);
    for (name, method, headers) in
        [("404", Method::Get, json!({"pk": "404"})), ("405", Method::Put, json!({})), ("405", Method::Put, json!(null))]
    {
        let theirs = captured(name);
        assert_eq!((&theirs["data"], &theirs["has_errors"]), (&Value::Null, &json!(true)));
        // There by REST framework's own handler; ours are those of its JSON:API.
        let told = kinds(&ask(method, headers).unwrap_err());
        assert_eq!(told, [(told[0].0.clone(), theirs["errors"]["detail"].as_str().unwrap().to_owned())]);
    }
    // Python's service fails at its own empty answer.
    assert_eq!(ask(Method::Delete, json!({"pk": "3"})).unwrap(), Value::Null);

    assert_eq!(ask(Method::Get, json!({"pk": 7, "related_resource": "items"})).unwrap(), json!(["7", "items"]));
    let inside = kinds(&ask(Method::Get, json!({"pk": 7, "related_resource": "inside"})).unwrap_err());
    assert_eq!(inside, [("error".to_owned(), "The service failed to answer.".to_owned())]);
    let odd = kinds(&ask(Method::Get, json!({"pk": 7, "related_resource": "odd"})).unwrap_err());
    assert_eq!(odd, [("error".to_owned(), "a teapot".to_owned())]);
    let body = json!({"data": {"type": "Order", "attributes": {"name": "n"}}});
    let made: Value = client.post("vs").data(&body).unwrap().fetch().unwrap();
    assert_eq!(made, json!({"name": "n"}));
    let body = json!({"data": {"type": "Order", "attributes": {}}});
    let Error::Call { failure, .. } = client.post("vs").data(&body).unwrap().fetch::<Value>().unwrap_err() else {
        panic!()
    };
    assert_eq!(failure.errors()[0].message, "This field is required.");
    client.delete("vs").headers(json!({"pk": 1})).unwrap().no_wait().unwrap();
    eventually(|| service.health().processed == 12);
    assert_eq!((service.health().dead_lettered, service.health().failed), (0, 1));
}

#[test]
fn function_reads_the_query_of_its_call() {
    let fleet = ManualFleet::new("calls-query");
    let client = fleet.client();
    let _service = Service::builder(&client)
        .call("query", |context: &Context, _: Value| Ok(json!([context.query("a"), context.filter_ids()])))
        .start()
        .unwrap();
    let headers = json!({"query_string": "a=1&filter%5Bid__in%5D=5%2C6"});
    let found: Value = client.get("query").headers(headers).unwrap().fetch().unwrap();
    assert_eq!(found, json!(["1", ["5", "6"]]));
}
