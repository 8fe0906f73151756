//! Views beside those of Django REST framework with JSON:API (`drf/answers.json`), and what they are told of a request.
//! What they read is in `reading`. In memory.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zc_events::{
    Answer, Context, Document, ErrorObject, Event, EventClient, HandlerError, Identifier, Method, Relationship,
    ResourceObject, ResourceView, Served, Service, ViewResult,
};

use crate::support::{ManualFleet, PATIENCE, eventually};

const ANSWERS: &str = include_str!("../drf/answers.json");

#[derive(Deserialize, Serialize)]
struct Order {
    name: String,
    total_cents: i64,
}

/// What `capture.py` has in Django.
struct Orders;

fn order(number: u64) -> ResourceObject {
    let order = Order { name: format!("n{number}"), total_cents: number as i64 };
    ResourceObject::new("Order", number).attributes(&order).unwrap()
}

fn named(ids: &[u64]) -> Relationship {
    Relationship::to_many(ids.iter().map(|id| Identifier::new("Order", id)))
}

impl ResourceView for Orders {
    fn list(&self, context: &Context) -> ViewResult {
        let paging = context.paging(2, 100)?;
        let page = (1..=3).skip(paging.offset() as usize).take(paging.size() as usize).map(order);
        Ok(paging.document(page, 3)?.into())
    }

    fn create(&self, context: &Context) -> ViewResult {
        let order: Order = context.body()?;
        Ok(Served::created(&Document::one(ResourceObject::new("Order", 4).attributes(&order)?)))
    }

    fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
        Ok(Document::one(order(pk.parse().map_err(|_| HandlerError::not_found())?)).into())
    }

    fn partial_update(&self, context: &Context, pk: &str) -> ViewResult {
        let order: Order = context.body()?;
        Ok(Document::one(ResourceObject::new("Order", pk).attributes(&order)?).into())
    }

    fn destroy(&self, _: &Context, _: &str) -> ViewResult {
        Ok(Served::no_content())
    }

    fn related(&self, _: &Context, _: &str, name: &str) -> ViewResult {
        if name == "items" { Ok(Document::many([]).into()) } else { Err(HandlerError::not_found()) }
    }

    fn relationship(&self, _: &Context, _: &str, _: &str) -> ViewResult {
        Ok(named(&[1, 2, 3]).into())
    }

    fn replace_relationship(&self, context: &Context, _: &str, _: &str) -> ViewResult {
        Ok(Relationship::from(context.linkage()?).into())
    }

    fn add_to_relationship(&self, context: &Context, _: &str, _: &str) -> ViewResult {
        context.linkage().map(|_| Served::no_content())
    }

    fn remove_from_relationship(&self, context: &Context, _: &str, _: &str) -> ViewResult {
        context.linkage().map(|_| named(&[]).into())
    }
}

/// Sends a request that the client would refuse to send: its arguments are free.
fn ask(fleet: &ManualFleet, client: &EventClient, kwargs: &Value) -> (u16, Option<Value>) {
    use zc_events::Clock;
    use zc_events_cache::ReplyStore;
    let Value::Object(mut kwargs) = kwargs.clone() else { panic!("{kwargs}") };
    kwargs.insert("response_key".to_owned(), "the-key".into());
    client
        .emit(
            &kwargs
                .into_iter()
                .fold(Event::new("order_request"), |event, (name, value)| event.set(&name, value).unwrap()),
        )
        .unwrap();
    let (_, reply) = fleet.store().pop(&["the-key"], fleet.clock.deadline(PATIENCE)).unwrap().unwrap();
    let reply = zc_events_protocol::Reply::decode(&reply, &zc_events::Limits::default()).unwrap();
    (reply.status, reply.document().unwrap())
}

/// Theirs, and where ours is to be otherwise, why.
fn expected(asked: &Value, answer: &Value) -> (u16, Option<Value>) {
    let mut body = answer["body"].clone();
    if asked["method"] == "OPTIONS" {
        let data = body["data"].as_object_mut().unwrap();
        // Our answer leaves out the methods of a view, and names the type under which the view was registered.
        data.retain(|name, _| name != "allowed_methods" && name != "actions");
        data["name"] = "Order".into();
    }
    if let Some(errors) = body.get_mut("errors").and_then(Value::as_array_mut) {
        // Our deserializer stops at the first field that does not have the right type.
        errors.truncate(1);
        // Django's own 404 has no source.
        errors[0].as_object_mut().unwrap().entry("source").or_insert_with(|| json!({"pointer": "/data"}));
    }
    if let Some(links) = body.get_mut("links") {
        // The names of the Python client's parameters, and no address.
        *links = json!({"first": "?page=1", "last": "?page=2", "next": "?page=2", "prev": null});
    }
    let status = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
    (status, Some(body).filter(|body| !body.is_null()))
}

fn answers() -> Vec<Value> {
    let all: Value = serde_json::from_str(ANSWERS).unwrap();
    all["answers"].as_array().unwrap().clone()
}

#[test]
fn replies_equal_django_rest_framework() {
    let fleet = ManualFleet::new("views-drf");
    let client = fleet.client();
    let service = Service::builder(&client).resource("Order", Orders).start().unwrap();
    let all = answers();
    let all: Vec<_> = all.iter().filter(|it| it["name"].is_null()).collect();
    for it in &all {
        assert_eq!(ask(&fleet, &client, &it["asked"]), expected(&it["asked"], &it["answer"]), "{}", it["asked"]);
    }
    assert_eq!(all.len(), 62);
    // Counted when the answer is there already.
    eventually(|| service.health().processed == all.len() as u64);
}

type Failure = fn() -> HandlerError;

/// A view that fails.
struct Failing(Failure);

impl ResourceView for Failing {
    fn retrieve(&self, _: &Context, _: &str) -> ViewResult {
        Err((self.0)())
    }
}

#[test]
fn error_replies_equal_django_rest_framework() {
    let failures: [(&str, Failure); 14] = [
        ("permission_denied", HandlerError::permission_denied),
        ("not_found", HandlerError::not_found),
        ("method_not_allowed", || HandlerError::method_not_allowed("PUT")),
        ("not_acceptable", || HandlerError::with_status(406, "Could not satisfy the request Accept header.")),
        ("conflict", || HandlerError::conflict("It is there already.")),
        ("unsupported", || HandlerError::with_status(415, "Unsupported media type \"text/plain\" in request.")),
        ("throttled", || HandlerError::throttled(None)),
        ("throttled_1", || HandlerError::throttled(Some(Duration::from_secs(1)))),
        ("throttled_3", || HandlerError::throttled(Some(Duration::from_millis(2500)))),
        ("server_error", || HandlerError::with_status(500, "A server error occurred.")),
        ("malformed", || HandlerError::malformed("Malformed request.")),
        ("invalid", || HandlerError::invalid("name", "No.").and_invalid("total_cents", "Nor this.")),
        ("invalid_all", || HandlerError::with_status(400, "Not so.")),
        ("invalid_nested", || {
            HandlerError::with_errors(400, [ErrorObject::new(400, "No.").pointer("/data/attributes/lines/1/price")])
        }),
    ];
    let all = answers();
    let theirs = |name: &str| all.iter().find(|it| it["name"] == name).unwrap()["answer"].clone();
    for (index, (name, failure)) in failures.into_iter().enumerate() {
        let fleet = ManualFleet::new(
            ["f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "fa", "fb", "fc", "fd"][index],
        );
        let client = fleet.client();
        let _service = Service::builder(&client).resource("Order", Failing(failure)).start().unwrap();
        let answer: Answer = client.remote("Order").pk("1").fetch_any().unwrap();
        let ours = json!({"status": answer.status(), "body": answer.data().unwrap()});
        assert_eq!(ours, theirs(name), "{name}");
    }
    // What is told the caller and logged nowhere else is told in the error's text, too.
    let error = HandlerError::invalid("name", "No.").and_invalid("total_cents", "Nor this.");
    assert_eq!(error.to_string(), "/data/attributes/name: No.; /data/attributes/total_cents: Nor this.");
    // Django answers 403 if no authentication class asks for credentials. Ours always answers 401.
    assert_eq!(HandlerError::not_authenticated().status(), Some(401));
    let theirs = &theirs("not_authenticated")["body"]["errors"][0];
    assert_eq!(theirs["detail"], HandlerError::not_authenticated().to_string());
}

struct Nothing;

impl ResourceView for Nothing {}

#[test]
fn unimplemented_method_is_answered_with_405_for_any_input() {
    let fleet = ManualFleet::new("views-nothing");
    let client = fleet.client();
    let service = Service::builder(&client).resource("Order", Nothing).start().unwrap();
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE", "", "\u{0}", &"X".repeat(100_000)];
    let pks = [json!(null), json!("1"), json!(1), json!(0), json!(""), json!(-1.5), json!(false)];
    let mut asked = 0;
    for method in methods {
        for pk in &pks {
            for (related, relationship) in [
                (json!(null), json!(null)),
                (json!("items"), json!(null)),
                (json!(null), json!("items")),
                (json!(""), json!("")),
                (json!(5), json!([])),
            ] {
                let kwargs =
                    json!({"method": method, "pk": pk, "related_resource": related, "relationship": relationship});
                let (status, body) = ask(&fleet, &client, &kwargs);
                let error = &body.unwrap()["errors"][0];
                assert_eq!((status, &error["code"]), (405, &json!("method_not_allowed")), "{kwargs}");
                assert!(error["detail"].as_str().unwrap().len() < 100);
                asked += 1;
            }
        }
    }
    for odd in [json!({"method": null}), json!({"method": 5}), json!({"method": ["GET"]}), json!({})] {
        assert_eq!(ask(&fleet, &client, &odd).0, 405, "{odd}");
    }
    for pk in [json!(true), json!([1]), json!({"a": 1})] {
        assert_eq!(ask(&fleet, &client, &json!({"method": "GET", "pk": pk})).0, 404, "{pk}");
    }
    let (status, body) = ask(&fleet, &client, &json!({"method": "options"}));
    assert_eq!((status, &body.unwrap()["data"]["name"]), (200, &json!("Order")));
    let many = json!({"method": "GET", "query_string": "a=1&".repeat(1001)});
    assert_eq!(ask(&fleet, &client, &many).0, 400);
    eventually(|| service.health().processed == asked + 4 + 3 + 1 + 1);
}

/// Tells what it was asked.
struct Echo;

impl Echo {
    fn tell(context: &Context, method: &str, pk: Option<&str>) -> ViewResult {
        Ok(Served::with_status(
            200,
            json!({
                "to": method,
                "pk": pk,
                "ids": context.filter_ids(),
                "include": context.include(),
                "page_size": context.query("page_size"),
                "name": context.filter("name"),
                "user": context.user_id(),
                "roles": context.roles(),
                "raw": context.raw_body(),
            }),
        ))
    }
}

impl ResourceView for Echo {
    fn list(&self, context: &Context) -> ViewResult {
        Self::tell(context, "list", None)
    }

    fn retrieve(&self, context: &Context, pk: &str) -> ViewResult {
        Self::tell(context, "retrieve", Some(pk))
    }

    fn update(&self, context: &Context, pk: &str) -> ViewResult {
        Self::tell(context, "update", Some(pk))
    }
}

#[test]
fn view_reads_the_request() {
    let client = ManualFleet::new("views-echo").client();
    let _service = Service::builder(&client).resource("Order", Echo).start().unwrap();
    let asked = client
        .remote("Order")
        .pks(std::collections::BTreeSet::from([3, 1, 2]))
        .include("company,items.product")
        .page_size(50)
        .query_param("filter[name]", "café & co")
        .user("56")
        .roles(["user", "staff"]);
    assert_eq!(
        asked.fetch_any().unwrap().data().unwrap().unwrap(),
        json!({
            "to": "list", "pk": null, "ids": ["1", "2", "3"], "include": ["company", "items.product"], "page_size": "50",
            "name": "café & co", "user": "56", "roles": ["user", "staff"], "raw": null
        })
    );
    let one = client.remote("Order").pk(5).fetch_any().unwrap().data().unwrap().unwrap();
    assert_eq!(
        (&one["to"], &one["pk"], &one["ids"], &one["roles"]),
        (&json!("retrieve"), &json!("5"), &json!(null), &json!(["anonymous"]))
    );
    // Whatever the caller's version of Python makes of it.
    let raw = client.remote("Order").pk("5").method(Method::Put).body("raw text").fetch_any().unwrap();
    let raw = raw.data().unwrap().unwrap();
    assert_eq!((&raw["to"], &raw["raw"]), (&json!("update"), &json!("raw text")));
}

struct Empty;

impl ResourceView for Empty {
    fn create(&self, context: &Context) -> ViewResult {
        let body = context.request().and_then(|request| request.body.clone());
        Ok(Served::with_status(201, json!({"data": {"type": "Order", "id": "9", "attributes": body}})))
    }

    fn destroy(&self, _: &Context, _: &str) -> ViewResult {
        Ok(Served::no_content())
    }
}

#[test]
fn unsupported_method_is_answered_with_405() {
    use zc_events::Method::{Delete, Get, Patch, Post, Put};
    let client = ManualFleet::new("views").client();
    let _service = Service::builder(&client).resource("OrderItem", Empty).start().unwrap();
    let ask = |method, pk: Option<&str>| {
        let request = client.remote("OrderItem").method(method).body(json!({"name": "x"}));
        pk.into_iter().fold(request, |request, pk| request.pk(pk))
    };
    // The time stands still, so that an answer is awaited for as long as it takes.
    for (method, pk, status) in [
        (Get, None, 405),
        (Get, Some("1"), 405),
        (Put, Some("1"), 405),
        (Patch, Some("1"), 405),
        (Put, None, 405),
        (Post, Some("1"), 405),
        (Post, None, 201),
        (Delete, Some("1"), 204),
    ] {
        assert_eq!(ask(method, pk).fetch_any().unwrap().status(), status, "{method:?} {pk:?}");
    }
    let created = ask(Post, None).fetch_document().unwrap();
    assert_eq!(created.object().unwrap().attributes["name"], "x");
    assert_eq!(ask(Delete, Some("1")).fetch_any().unwrap().data().unwrap(), None);
}
