//! Asking for resources: with types and without, what comes along, page after page. In memory.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::Deserialize;
use serde_json::{Value, json};
use zc_events::{
    Context, Document, Error, EventClient, HandlerError, Method, Resource, ResourceView, Result, Served, Service,
    ViewResult,
};

use crate::support::ManualFleet;

/// Orders of a company, which has them; what comes along is what is asked for.
struct Orders;

impl ResourceView for Orders {
    fn retrieve(&self, context: &Context, pk: &str) -> ViewResult {
        let relationship = |type_: &str, id: &str| json!({"data": {"type": type_, "id": id}});
        let included: Vec<Value> = [
            (
                "company",
                json!({"type": "Company", "id": "7", "attributes": {"name": "Acme"},
                "relationships": {"orders": {"data": [{"type": "Order", "id": pk}]}}}),
            ),
            (
                "items",
                json!({"type": "Item", "id": "5", "attributes": {"sku": "A-1", "unitPrice": 250},
                "relationships": {"order": relationship("Order", pk)}}),
            ),
        ]
        .into_iter()
        .filter(|(name, _)| context.include().contains(name))
        .map(|(_, object)| object)
        .collect();
        Ok(Served::with_status(
            200,
            json!({
                "data": {
                    "type": "Order", "id": pk, "attributes": {"name": "Lunch", "created-at": "2016-05-01"},
                    "relationships": {
                        "company": {"data": {"type": "Company", "id": "7"}, "links": {"related": "/orders/1/company"}},
                        "items": {"data": [{"type": "Item", "id": "5"}]},
                        "driver": {"data": null},
                        "invoices": {"links": {"related": "/orders/1/invoices"}}
                    }
                },
                "included": included,
                "meta": {"version": 3}
            }),
        ))
    }
}

#[derive(Debug, Deserialize, PartialEq)]
struct Order {
    id: u64,
    name: String,
    created_at: String,
    company: Option<Company>,
    items: Vec<Item>,
    driver: Option<Company>,
    invoices: Option<Vec<u64>>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Company {
    name: String,
    orders: Vec<u64>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Item {
    sku: String,
    unit_price: u32,
}

#[test]
fn typed_resource_reads_included_resources() {
    let client = ManualFleet::new("remote-typed").client();
    let _service = Service::builder(&client).resource("Order", Orders).start().unwrap();
    let request = client.remote("Order").pk(1).include("company,items");
    let order: Order = request.clone().fetch().unwrap();
    assert_eq!(
        order,
        Order {
            id: 1,
            name: "Lunch".to_owned(),
            created_at: "2016-05-01".to_owned(),
            company: Some(Company { name: "Acme".to_owned(), orders: vec![1] }),
            items: vec![Item { sku: "A-1".to_owned(), unit_price: 250 }],
            driver: None,
            invoices: None,
        }
    );
    // Asked now, read when it is needed.
    let pending = request.send().unwrap();
    let resource: Resource<Order> = pending.wait().unwrap().resource().unwrap();
    assert_eq!((resource.type_.as_str(), resource.attributes), ("Order", order));
    let without = client.remote("Order").pk(1).include("items").fetch::<Order>().unwrap_err();
    assert_eq!(
        without.to_string(),
        "the answer to the request for Order cannot be read: Order 1: relationship `company`: missing field `name`: the document does not include Company 7"
    );
}

#[test]
fn untyped_resource_is_read_by_names() {
    let client = ManualFleet::new("remote-untyped").client();
    let _service = Service::builder(&client).resource("Order", Orders).start().unwrap();
    let document = client.remote("Order").pk("1").include("company,items").fetch_document().unwrap();
    let order = document.remote_resource().unwrap();
    assert_eq!((order.text("name"), order.text("created_at")), (Some("Lunch"), Some("2016-05-01")));
    assert_eq!(order.related("company").text("name"), Some("Acme"));
    assert_eq!(order.related_list("items")[0]["unit_price"], 250);
    assert_eq!(order.related("company").link("related"), Some("/orders/1/company"));
    assert_eq!(order.related("invoices").link("related"), Some("/orders/1/invoices"));
    assert_eq!(order.related("company").related_list("orders")[0].text("name"), Some("Lunch"));
    assert!(!order.related("driver").exists());
    assert_eq!(document.meta["version"], 3);
    let data = client.get_remote_resource_data("Order", "1").unwrap();
    assert_eq!(data["data"]["attributes"]["name"], "Lunch");
}

/// A list whose links a test chooses.
struct List(fn(&Context) -> Value);

impl ResourceView for List {
    fn list(&self, context: &Context) -> ViewResult {
        Ok(Served::with_status(200, (self.0)(context)))
    }

    fn create(&self, context: &Context) -> ViewResult {
        Err(HandlerError::with_status(409, context.query("page").unwrap_or("none")))
    }
}

fn serve(name: &'static str, list: fn(&Context) -> Value) -> (EventClient, Service) {
    let client = ManualFleet::new(name).client();
    let service = Service::builder(&client).resource("Order", List(list)).start().unwrap();
    (client, service)
}

/// Three pages of one order each, with what else was asked.
fn three(context: &Context) -> Value {
    let number: u32 = context.query("page").map_or(1, |page| page.parse().unwrap());
    let ids = context.filter("id__in").unwrap_or_default();
    let next = format!("http://local.zerocater.com/orders?filter%5Bid__in%5D={ids}&page={}&page_size=1", number + 1);
    json!({
        "data": [{"type": "Order", "id": number, "attributes": {"ids": ids, "size": context.query("page_size")}}],
        "links": {"next": if number < 3 { Value::from(next) } else { Value::Null }},
        "meta": {"pagination": {"page": number, "pages": 3, "count": 3}}
    })
}

#[test]
fn list_is_fetched_page_by_page() {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let (client, _service) = serve("remote-pages", |context| {
        ASKED.fetch_add(1, Ordering::SeqCst);
        three(context)
    });
    let request = client.remote("Order").pks([1, 2, 3]).page_size(1).user("56");
    let first = request.clone().fetch_page::<Value>().unwrap();
    assert!(first.has_next());
    assert_eq!(first.document.meta["pagination"]["pages"], 3);
    let second = first.next_request().unwrap().unwrap().fetch_page::<Value>().unwrap();
    assert_eq!((second.items[0].id.as_str(), &second.items[0].attributes["ids"]), ("2", &json!("1,2,3")));
    let all = request.clone().fetch_all::<Value>(3).unwrap();
    assert_eq!(all.iter().map(|order| order.id.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert!(all.iter().all(|order| order.attributes["size"] == "1"));
    // No page is asked for before it is wanted.
    let before = ASKED.load(Ordering::SeqCst);
    let mut pages = request.clone().pages::<Value>(10);
    assert_eq!(ASKED.load(Ordering::SeqCst), before);
    assert!(pages.next().unwrap().is_ok());
    assert_eq!(ASKED.load(Ordering::SeqCst), before + 1);
    assert_eq!(pages.map(Result::unwrap).count(), 2);
    // From a pending one, too.
    let page = request.send().unwrap().wait().unwrap().page::<Value>().unwrap();
    assert!(page.next_request().unwrap().is_some());
}

#[test]
fn list_beyond_the_page_limit_is_an_error() {
    let (client, _service) = serve("remote-longer", three);
    let pages: Vec<Result<_>> = client.remote("Order").pages::<Value>(2).collect();
    assert_eq!(pages.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false]);
    let error = pages[2].as_ref().unwrap_err();
    assert_eq!(error.to_string(), "the list of Order cannot be read: it has more than 2 pages");
    assert!(matches!(client.remote("Order").fetch_all::<Value>(2), Err(Error::Decode { .. })));
    let two: Vec<_> = client.remote("Order").pages::<Value>(100).take(2).collect::<Result<_>>().unwrap();
    assert_eq!(two.len(), 2);
}

#[test]
fn next_links_in_a_circle_are_an_error() {
    let (client, _service) = serve("remote-loop", |context| {
        let next = if context.query("page") == Some("2") { "?page=1" } else { "?page=2" };
        json!({"data": [], "links": {"next": next}})
    });
    let ends = |pages: Vec<Result<zc_events::Page<Value>>>| {
        let count = pages.len();
        (count, pages.into_iter().next_back().unwrap().unwrap_err().to_string())
    };
    // The first has no query of its own, so that `page=1` is new once.
    let (count, error) = ends(client.remote("Order").pages(100).collect());
    assert_eq!(
        (count, error.as_str()),
        (4, "the list of Order cannot be read: the link to the next page leads to an earlier page")
    );
    let (client, _service) = serve("remote-nowhere", |_| json!({"data": [], "links": {"next": "/orders/2"}}));
    let (count, error) = ends(client.remote("Order").pages(100).collect());
    assert_eq!(count, 2);
    assert!(error.starts_with("the link to the next page of Order cannot be read"), "{error}");
    let (client, _service) = serve("remote-failing", |context| match context.query("page") {
        None => json!({"data": [], "links": {"next": "?page=2"}}),
        Some(_) => json!({"data": 5}),
    });
    let pages: Vec<Result<_>> = client.remote("Order").pages::<Value>(100).collect();
    assert_eq!(pages.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn query_string_and_every_method_are_sent() {
    let (client, _service) =
        serve("remote-query", |context| json!({"data": [], "meta": {"page": context.query("page")}}));
    let request = || client.remote("Order").page_size(5).query_string("page=a%26b&x=1").unwrap();
    assert_eq!(request().fetch_document().unwrap().meta["page"], "a&b");
    assert!(matches!(client.remote("Order").query_string(&"a=1&".repeat(1001)), Err(Error::Decode { .. })));
    let answer = request().method(Method::Post).fetch_any().unwrap();
    assert_eq!((answer.status(), answer.document().unwrap().errors[0].detail.as_deref()), (409, Some("a&b")));
    let head: Document = request().method(Method::Head).fetch_document().unwrap();
    assert_eq!(head.meta["page"], "a&b");
    let options = request().method(Method::Options).fetch_any().unwrap();
    assert_eq!(options.data().unwrap().unwrap()["data"]["name"], "Order");
}

#[test]
fn an_empty_list_of_primary_keys_is_not_sent() {
    let (client, _service) = serve("remote-empty", three);
    let empty = || client.remote("Order").pks(Vec::<u8>::new());
    let error = empty().fetch_document().unwrap_err();
    assert!(matches!(&error, Error::Encode { .. }) && error.to_string().contains("list of ids"), "{error:?}");
    assert!(empty().pks([1]).fetch_document().is_ok());
}
