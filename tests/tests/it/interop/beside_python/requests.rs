//! Requests for resources, asked by either side and answered by the other.

use std::time::{Duration, Instant};

use interop_python::{Caller, Fleet, PATIENCE, client};
use serde_json::{Value, json};
use zc_events::{
    Channel, Context, Document, Error, Event, HandlerError, Identifier, Method, Protocol, Relationship, ResourceObject,
    ResourceView, Served, Service, Stage, ViewResult,
};

/// Serves what Python asks for in these tests. What it was asked is in the document's meta.
struct Orders;

fn order(pk: &str) -> Result<ResourceObject, HandlerError> {
    let attributes = json!({"name": "Café / 🍕", "created-at": "now", "total": 12.5, "item-count": 2, "tags": [null]});
    Ok(ResourceObject::new("Order", pk)
        .attributes(&attributes)?
        .relationship("company", Relationship::to_one("Company", "7"))
        .relationship("line-items", Relationship::to_many([1, 2].map(|id| Identifier::new("Item", id)))))
}

fn asked(context: &Context) -> Value {
    let request = context.request().unwrap();
    json!({
        "query": request.query_string, "user": request.user_id, "roles": request.roles, "body": request.body,
        "method": request.method_name,
    })
}

impl ResourceView for Orders {
    fn list(&self, context: &Context) -> ViewResult {
        let large = context.request().unwrap().query_string.as_deref() == Some("page_size=5000");
        let orders = (1..=if large { 5000 } else { 2 }).map(|pk| order(&pk.to_string()));
        let mut document = Document::many(orders.collect::<Result<Vec<_>, _>>()?);
        document.meta.insert("asked".into(), asked(context));
        Ok(document.into())
    }

    fn create(&self, context: &Context) -> ViewResult {
        let mut document = Document::one(order("99")?);
        document.meta.insert("asked".into(), asked(context));
        Ok(Served::created(&document))
    }

    fn retrieve(&self, context: &Context, pk: &str) -> ViewResult {
        match pk {
            "404" => Err(HandlerError::not_found()),
            "409" => Err(HandlerError::with_status(409, "Es ist schon da, Café")),
            "500" => Err(HandlerError::new("canary: what went wrong inside")),
            "panic" => panic!("canary: on purpose"),
            "null" => {
                let order = order(pk)?.relationship("coupon", Relationship::to_none());
                Ok(Document::one(order).into())
            }
            pk => {
                let mut document = Document::one(order(pk)?);
                if context.request().unwrap().query_string.as_deref() == Some("include=company") {
                    let company =
                        ResourceObject::new("Company", "7").attributes(&json!({"name": "ZC", "tax-id": null}))?;
                    document.included.push(company);
                }
                document.meta.insert("asked".into(), asked(context));
                Ok(document.into())
            }
        }
    }

    fn partial_update(&self, context: &Context, pk: &str) -> ViewResult {
        let mut document = Document::one(order(pk)?);
        document.meta.insert("asked".into(), asked(context));
        Ok(document.into())
    }

    fn destroy(&self, _: &Context, _: &str) -> ViewResult {
        Ok(Served::no_content())
    }

    fn related(&self, _: &Context, pk: &str, name: &str) -> ViewResult {
        Ok(Document::many([ResourceObject::new(name, format!("{pk}-1")).attributes(&json!({"of": pk}))?]).into())
    }
}

/// The status and the document that Python's `make_service_request` gives for these arguments.
fn request(python: &mut Caller, how: Value) -> (Value, Value) {
    let answer = python.does("make_service_request", how);
    let body = answer["body"].as_str().expect("a body that is a text");
    (answer["status"].clone(), serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn python_requests_a_resource_of_rust() {
    let fleet = Fleet::new();
    let service = Service::builder(&fleet.client("ours")).resource("Order", Orders).start().unwrap();
    let mut python = fleet.caller("python");

    // The README's own call; and pk as a number.
    for pk in [json!("23131024"), json!(23_131_024)] {
        let order = python.does("get_remote_resource", json!({"resource_type": "Order", "pk": pk}));
        assert_eq!((&order["id"], &order["type"]), (&json!("23131024"), &json!("Order")));
        assert_eq!((&order["name"], &order["created_at"]), (&json!("Café / 🍕"), &json!("now")));
        assert_eq!((&order["total"], &order["item_count"], &order["tags"]), (&json!(12.5), &json!(2), &json!([null])));
        assert_eq!(order["company"], json!({"type": "Company", "id": "7"}));
        assert_eq!(order["line_items"], json!([{"type": "Item", "id": "1"}, {"type": "Item", "id": "2"}]));
    }
    let how = json!({"resource_type": "Order", "pk": "1", "include": "company"});
    let order = python.does("get_remote_resource", how);
    assert_eq!(order["company"], json!({"type": "Company", "id": "7", "name": "ZC", "tax_id": null}));

    let orders = python.does("get_remote_resource", json!({"resource_type": "Order", "pk": [1, 2], "page_size": 50}));
    assert_eq!(orders.as_array().unwrap().iter().map(|it| &it["id"]).collect::<Vec<_>>(), ["1", "2"]);

    let items = json!({"resource_type": "Order", "pk": "9", "related_resource": "items"});
    assert_eq!(python.does("get_remote_resource", items), json!([{"type": "items", "id": "9-1", "of": "9"}]));

    // What it asks arrives as it was meant.
    let how = json!({"resource_type": "Order", "pk": "1", "user_id": "56", "roles": ["staff", "user"],
                     "query_params": {"filter[name]": "café & co"}});
    let data = python.does("get_remote_resource_data", how);
    assert_eq!(data["status"], 200);
    let document: Value = serde_json::from_str(data["body"].as_str().unwrap()).unwrap();
    let asked = json!({"query": "filter%5Bname%5D=caf%C3%A9+%26+co", "user": "56", "roles": ["staff", "user"],
                       "body": null, "method": "GET"});
    assert_eq!(document["meta"]["asked"], asked);

    let body = json!({"data": {"type": "Order", "attributes": {"name": "a/b"}}});
    let how = json!({"resource_type": "Order", "method": "POST", "data": body});
    let (status, document) = request(&mut python, how);
    assert_eq!((status, &document["data"]["id"]), (json!(201), &json!("99")));
    assert_eq!((&document["meta"]["asked"]["body"], &document["meta"]["asked"]["roles"]), (&body, &json!(["service"])));
    let how = json!({"resource_type": "Order", "resource_id": "5", "method": "PATCH", "data": "a text"});
    let (status, document) = request(&mut python, how);
    assert_eq!((status, &document["meta"]["asked"]["body"]), (json!(200), &json!("a text")));
    let how = json!({"resource_type": "Order", "resource_id": "5", "method": "DELETE"});
    assert_eq!(request(&mut python, how), (json!(204), Value::Null));
    assert_eq!(service.health().unanswered, 0);
}

#[test]
fn python_reads_error_replies_of_rust() {
    let fleet = Fleet::new();
    let service = Service::builder(&fleet.client("ours")).resource("Order", Orders).start().unwrap();
    let mut python = fleet.caller("python");
    let failures = [
        ("404", json!({"status": "404", "detail": "Not found."})),
        ("409", json!({"status": "409", "detail": "Es ist schon da, Café"})),
        ("500", json!({"status": "500", "detail": "The service failed to answer."})),
        ("panic", json!({"status": "500", "detail": "The service failed to answer."})),
    ];
    for (pk, error) in failures {
        let raised = python.tries("get_remote_resource", json!({"resource_type": "Order", "pk": pk})).unwrap_err();
        assert_eq!(raised.class, "ServiceRequestException");
        assert!(!raised.says.contains("canary"), "{raised:?}");
        let document: Value = serde_json::from_str(&raised.says).unwrap();
        for (name, value) in error.as_object().unwrap() {
            assert_eq!(document["errors"][0][name], *value, "{pk}: {document}");
        }
        let (status, _) = request(&mut python, json!({"resource_type": "Order", "resource_id": pk, "method": "GET"}));
        assert_eq!(status.to_string(), error["status"].as_str().unwrap());
    }
    // A method that the view does not have, an unknown method, and no method.
    for (method, name) in [(json!("PUT"), "PUT"), (json!("TRACE"), "TRACE"), (Value::Null, "None")] {
        let (status, document) =
            request(&mut python, json!({"resource_type": "Order", "resource_id": "1", "method": method}));
        assert_eq!(status, 405);
        assert_eq!(document["errors"][0]["detail"], format!("Method \"{name}\" not allowed."));
    }
    // No view implements these, but the Python library answers them.
    for (method, status) in [("HEAD", 200), ("OPTIONS", 200), ("get", 200)] {
        let how = json!({"resource_type": "Order", "resource_id": "1", "method": method});
        assert_eq!(request(&mut python, how).0, status, "{method}");
    }
    // Python's wrapper cannot represent an empty relationship, also in answers of Python services. Its plain data can.
    let raised = python.tries("get_remote_resource", json!({"resource_type": "Order", "pk": "null"})).unwrap_err();
    assert_eq!(raised.class, "AttributeError");
    let data = python.does("get_remote_resource_data", json!({"resource_type": "Order", "pk": "null"}));
    assert_eq!(data["status"], 200);
    assert_eq!(service.health().unanswered, 0);
}

#[derive(Debug, serde::Deserialize, PartialEq)]
struct Order {
    id: u64,
    name: String,
    created_at: String,
    total: f64,
    items_count: u32,
}

#[test]
fn rust_requests_a_resource_of_python() {
    let fleet = Fleet::new();
    let mut python = fleet.worker("python").start();
    let client = fleet.client("ours");

    let order: Order = client.get_remote_resource("Order", "23131024").unwrap();
    let wanted = Order {
        id: 23_131_024,
        name: "Café / 🍕".to_owned(),
        created_at: "2026-01-02T03:04:05Z".to_owned(),
        total: 12.5,
        items_count: 2,
    };
    assert_eq!(order, wanted);
    let mut asked = python.told("asked", 1).swap_remove(0)["request"].take();
    assert!(asked["task_id"].take().is_string());
    let wanted = json!({"method": "GET", "user_id": null, "roles": ["anonymous"], "pk": "23131024", "query_string": null,
                        "related_resource": null, "body": null, "task_id": null});
    assert_eq!(asked, wanted);

    let order = client.remote("Order").pk(7).include("company").user("56").roles(["staff"]).fetch_document().unwrap();
    assert_eq!(order.included[0].attributes["name"], "ZC");
    let asked = &python.told("asked", 2)[1]["request"];
    assert_eq!((&asked["pk"], &asked["user_id"], &asked["roles"]), (&json!(7), &json!("56"), &json!(["staff"])));

    let resource = client.remote("Order").pk("1").fetch_resource::<Value>().unwrap();
    assert_eq!((resource.id.as_str(), resource.type_.as_str()), ("1", "Order"));
    let names: Vec<_> = resource.relationships.keys().map(String::as_str).collect();
    assert_eq!(names, ["company", "coupon", "items"]);

    let page = client.remote("Order").pks([4, 5]).page_size(50).fetch_page::<Order>().unwrap();
    assert_eq!(page.items.iter().map(|it| it.attributes.id).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(page.document.meta["query"], "filter%5Bid__in%5D=4%2C5&page_size=50");

    let related = client.remote("Order").pk("9").related_resource("items").fetch_page::<Value>().unwrap();
    assert_eq!((related.items[0].id.as_str(), &related.items[0].attributes["of"]), ("9-1", &json!("9")));
    let related = client.remote("Order").pk("9").relationship("company").fetch_document().unwrap();
    assert_eq!(related.object().unwrap().id.as_deref(), Some("9-2"));

    let body = json!({"data": {"type": "Order", "attributes": {"name": "a/b"}}});
    let request = client.make_service_request("Order").method(Method::Post).body(body.clone());
    let created = request.fetch_any().unwrap();
    assert_eq!((created.status(), created.data().unwrap().unwrap()["data"]["id"].clone()), (201, json!("99")));
    let changed = client.make_service_request("Order").pk("5").method(Method::Patch).body(body).fetch_any().unwrap();
    assert_eq!(changed.data().unwrap().unwrap()["data"]["attributes"], json!({"name": "a/b"}));
    let gone = client.make_service_request("Order").pk("5").method(Method::Delete).fetch_any().unwrap();
    assert_eq!((gone.status(), gone.data().unwrap()), (204, None));
    assert_eq!(python.told("asked", 9).last().unwrap()["request"]["roles"], json!(["service"]));
}

/// An answer of more than a megabyte, which repeats itself as lists do.
#[test]
fn large_replies_arrive_both_ways() {
    let fleet = Fleet::new();
    let _service = Service::builder(&fleet.client("ours")).resource("Meal", Orders).start().unwrap();
    let _worker = fleet.worker("python").start();
    let mut python = fleet.caller("caller");
    let orders = python.does("get_remote_resource", json!({"resource_type": "Meal", "page_size": 5000}));
    let ids: Vec<_> = orders.as_array().unwrap().iter().map(|order| order["id"].as_str().unwrap()).collect();
    assert_eq!(ids, Vec::from_iter((1..=5000).map(|id| id.to_string())));

    let page = fleet.client("caller").remote("Order").page_size(5000).fetch_page::<Order>().unwrap();
    let ids: Vec<_> = page.items.iter().map(|order| order.attributes.id).collect();
    assert_eq!(ids, Vec::from_iter(0..5000));
}

/// Requests in protocol 2, which no zc_events sends, are read by Python all the same.
#[test]
fn python_answers_in_either_protocol() {
    let fleet = Fleet::new();
    let mut worker = fleet.worker("python").start();
    for (number, protocol) in [Protocol::V1, Protocol::V2].into_iter().enumerate() {
        let client = client(fleet.settings("ours").events_protocol(protocol));
        let order: Order = client.get_remote_resource("Order", 7).unwrap();
        assert_eq!(order.id, 7);
        client.notify(Channel::Email, &Event::new("send_it").set("n", number).unwrap()).unwrap();
        assert_eq!(worker.told("notified", number + 1)[number]["kwargs"]["n"], number);
    }
}

#[test]
fn rust_reads_error_replies_of_python() {
    let fleet = Fleet::new();
    let mut python = fleet.worker("python").start();
    let client = fleet.client("ours");
    for (pk, status, detail) in
        [("404", 404, "Not found."), ("404-drf", 404, "Not found."), ("500", 500, "A server error occurred.")]
    {
        let error = client.get_remote_resource::<Value>("Order", pk).unwrap_err();
        let Error::Remote { status: found, failure, .. } = &error else { panic!("{error:?}") };
        assert_eq!((*found, failure.errors()[0].detail.as_deref()), (status, Some(detail)));
    }
    let refused = client.remote("Order").pk("1").method(Method::Put).fetch_document().unwrap_err();
    assert_eq!(refused.status(), Some(405));

    // A view that raises answers nothing in Python: the deadline does.
    let started = Instant::now();
    let request = client.remote("Order").pk("raises").timeout(Duration::from_secs(3));
    let error = request.fetch::<Value>().unwrap_err();
    assert!(matches!(error, Error::Timeout { stage: Stage::Reply }), "{error:?}");
    assert!(started.elapsed() < PATIENCE);
    assert_eq!(python.told("failed", 1)[0]["error"], "RuntimeError");
    assert!(python.runs());
}
