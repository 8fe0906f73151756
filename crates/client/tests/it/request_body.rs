//! What views read: bodies into types, relationships, the tokens of who asks. In memory.

use serde::Deserialize;
use serde_json::{Value, json};
use zc_events::{
    Context, Error, EventClient, Method, RelationshipData, ResourceObject, ResourceView, Served, Service, ViewResult,
};

use crate::support::ManualFleet;

#[derive(Debug, Deserialize)]
struct NewOrder {
    name: String,
    total_cents: Option<u32>,
    company: Option<u64>,
    #[serde(default)]
    lines: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct Line {
    unit_price: f64,
}

/// Reads its body.
struct Reading;

impl ResourceView for Reading {
    fn create(&self, context: &Context) -> ViewResult {
        let order: NewOrder = context.body()?;
        let prices: Vec<f64> = order.lines.iter().map(|line| line.unit_price).collect();
        Ok(Served::with_status(201, json!([order.name, order.total_cents, order.company, prices])))
    }

    fn update(&self, context: &Context, _: &str) -> ViewResult {
        let order: NewOrder = context.json()?;
        Ok(Served::with_status(200, json!(order.name)))
    }

    fn replace_relationship(&self, context: &Context, _: &str, _: &str) -> ViewResult {
        Ok(Served::with_status(
            200,
            json!(match context.linkage()? {
                RelationshipData::Null => "none".to_owned(),
                other => other.items().iter().map(|it| it.id.as_str()).collect::<Vec<_>>().join(","),
            }),
        ))
    }
}

#[test]
fn body_is_deserialized_and_errors_have_json_pointers() {
    let client = ManualFleet::new("reading-body").client();
    let service = Service::builder(&client).resource("Order", Reading).start().unwrap();
    let post = |body: Value| {
        let answer = client.remote("Order").method(Method::Post).body(body).fetch_any().unwrap();
        (answer.status(), answer.data().unwrap().unwrap())
    };
    let resource = json!({
        "type": "Order",
        "attributes": {"name": "Lunch", "totalCents": 5, "lines": [{"unit-price": 2}]},
        "relationships": {"company": {"data": {"type": "Company", "id": "7"}}}
    });
    let read = json!(["Lunch", 5, 7, [2.0]]);
    assert_eq!(post(json!({ "data": resource })), (201, read.clone()));
    // A text of JSON is JSON.
    assert_eq!(post(json!({ "data": resource }).to_string().into()), (201, read));

    let pointed = |attributes: Value| {
        let (status, body) = post(json!({"data": {"type": "Order", "attributes": attributes}}));
        let error = &body["errors"][0];
        assert!(!body.to_string().contains("hush"), "{body}");
        (status, error["source"]["pointer"].as_str().unwrap().to_owned(), error["code"].as_str().unwrap().to_owned())
    };
    let at = |pointer: &str, code: &str| (400, pointer.to_owned(), code.to_owned());
    assert_eq!(pointed(json!({})), at("/data/attributes/name", "required"));
    assert_eq!(pointed(json!({"name": ["hush"]})), at("/data/attributes/name", "invalid"));
    assert_eq!(pointed(json!({"name": "x", "totalCents": "hush"})), at("/data/attributes/totalCents", "invalid"));
    let lines = json!({"name": "x", "lines": [{"unit-price": 1}, {"unit-price": "hush"}]});
    assert_eq!(pointed(lines), at("/data/attributes/lines/1/unit-price", "invalid"));
    assert_eq!(pointed(json!({"name": "x", "lines": [{}]})), at("/data/attributes/lines/0/unit_price", "required"));

    for malformed in
        [json!("no json"), json!(""), json!("[1]"), json!(null), json!({"data": 5}), json!({"data": {"id": []}})]
    {
        let (status, body) = post(malformed.clone());
        assert_eq!((status, &body["errors"][0]["code"]), (400, &json!("parse_error")), "{malformed}: {body}");
    }
    let put = |body: Value| client.remote("Order").pk("1").method(Method::Put).body(body).fetch_any().unwrap();
    assert_eq!(put(json!({"name": "plain"})).data().unwrap(), Some(json!("plain")));
    let errors = put(json!({})).document().unwrap().errors;
    assert_eq!(errors[0].source, Some(json!({"pointer": "/name"})));

    let patch = |body: Value| {
        let request = client.remote("Order").pk("1").relationship("items").method(Method::Patch).body(body);
        request.fetch_any().unwrap().data().unwrap().unwrap()
    };
    assert_eq!(patch(json!({"data": [{"type": "Item", "id": 5}, {"type": "Item", "id": "6"}]})), "5,6");
    assert_eq!(patch(json!({"data": {"type": "Item", "id": "5"}})), "5");
    assert_eq!(patch(json!({"data": null})), "none");
    assert_eq!(patch(json!({"data": []})), "");
    assert_eq!(patch(json!({"data": "5"}))["errors"][0]["status"], "400");
    assert_eq!(service.health().failed, 0);
}

/// Five numbers in pages of two, four at most.
struct Numbers(u64);

impl ResourceView for Numbers {
    fn list(&self, context: &Context) -> ViewResult {
        let paging = context.paging(2, 4)?;
        assert_eq!(paging.offset(), (paging.number() - 1) * paging.size());
        let page = (1..=self.0).skip(paging.offset() as usize).take(paging.size() as usize);
        Ok(paging.document(page.map(|number| ResourceObject::new("Number", number)), self.0)?.into())
    }
}

#[test]
fn pagination_equals_djangos() {
    let client = ManualFleet::new("reading-pages").client();
    let _service =
        Service::builder(&client).resource("Number", Numbers(5)).resource("None", Numbers(0)).start().unwrap();
    let ask = |query: &str| {
        let answer = client.remote("Number").query_string(query).unwrap().fetch_any().unwrap();
        let document = answer.document().unwrap();
        match document.errors.first() {
            None => Ok(document),
            Some(error) => Err((answer.status(), error.detail.clone().unwrap())),
        }
    };
    let first = ask("").unwrap();
    assert_eq!(first.objects().unwrap().len(), 2);
    assert_eq!(Value::from(first.meta), json!({"pagination": {"page": 1, "pages": 3, "count": 5}}));
    assert_eq!(
        Value::from(first.links),
        json!({"first": "?page=1", "last": "?page=3", "next": "?page=2", "prev": null})
    );
    let last = ask("include=a&page[size]=3&page[number]=2&page[number]=2").unwrap();
    assert_eq!(last.objects().unwrap()[0].id.as_deref(), Some("4"));
    let link = |number: u8| format!("?include=a&page%5Bsize%5D=3&page%5Bnumber%5D={number}");
    assert_eq!(
        (last.prev_link(), last.next_link(), last.last_link()),
        (Some(link(1).as_str()), None, Some(link(2).as_str()))
    );
    for (query, count) in
        [("page_size=1000", 4), ("page_size=0", 2), ("page_size=x", 2), ("page_size=-1", 2), ("page=3", 1)]
    {
        assert_eq!(ask(query).unwrap().objects().unwrap().len(), count, "{query}");
    }
    for query in
        ["page=0", "page=x", "page=", "page=4", "page=-1", "page=99999999999999999999", "page=18446744073709551615"]
    {
        assert_eq!(ask(query).unwrap_err(), (404, "Invalid page.".to_owned()), "{query}");
    }
    // Of nothing there is a page.
    let none = client.remote("None").fetch_document().unwrap();
    assert_eq!(Value::from(none.meta), json!({"pagination": {"page": 1, "pages": 1, "count": 0}}));
}

/// Answers with its caller's token.
struct Tokens;

impl ResourceView for Tokens {
    fn list(&self, context: &Context) -> ViewResult {
        Ok(Served::with_status(200, context.jwt()?.into()))
    }

    fn retrieve(&self, context: &Context, pk: &str) -> ViewResult {
        let caller = context.verify_jwt(pk)?;
        Ok(Served::with_status(200, json!([caller.id(), caller.roles()])))
    }
}

#[test]
fn view_reads_the_jwt_as_in_python() {
    let tokens: Value = serde_json::from_str(include_str!("../python_jwt/tokens.json")).unwrap();
    let theirs = &tokens["pyjwt 2.15.1"];
    let fleet = ManualFleet::new("reading-jwt");
    let settings = fleet.settings().secret_key(tokens["key"].as_str().unwrap());
    let client = EventClient::new(settings.build().unwrap()).unwrap();
    let _service = Service::builder(&client)
        .resource("Order", Tokens)
        .call("token", |context: &Context, _: Value| Ok(context.jwt()?))
        .call("check", |context: &Context, token: String| Ok(context.verify_jwt(&token)?.has_role("staff")))
        .start()
        .unwrap();
    let token = |user: Value, roles: &[&str]| {
        let request = client.remote("Order").roles(roles.iter().copied());
        let request = if user.is_null() { request } else { request.user(user) };
        request.fetch_any().unwrap().data().unwrap().unwrap()
    };
    assert_eq!(token(json!("56"), &["user", "staff"]), theirs["user"]);
    assert_eq!(token(json!(56), &["user"]), theirs["user_int_id"]);
    // No user, and all values that Python treats as no user.
    for no_user in [json!(null), json!(""), json!(0), json!(false)] {
        assert_eq!(token(no_user, &["service"]), theirs["service"]);
    }
    let check = |token: &Value| client.remote("Order").pk(token.clone()).fetch_any().unwrap();
    assert_eq!(check(&theirs["user"]).data().unwrap(), Some(json!(["56", ["user", "staff"]])));
    for bad in ["none", "hs512", "another_key", "expired_in_2001"] {
        let refused = check(&theirs[bad]);
        assert_eq!(
            (refused.status(), refused.document().unwrap().errors[0].code.as_deref()),
            (401, Some("authentication_failed"))
        );
    }
    // Calls by key have user and roles in their headers.
    let headers = json!({"roles": ["user", "staff"], "user_id": "56"});
    let of_call: Value = client.get("token").headers(headers).unwrap().fetch().unwrap();
    assert_eq!(of_call, theirs["user"]);
    assert!(client.get("check").data(&theirs["user"]).unwrap().fetch::<bool>().unwrap());
    let Err(Error::Call { failure, .. }) = client.get("check").data("a.b.c").unwrap().fetch::<bool>() else { panic!() };
    assert_eq!(failure.errors()[0].kind, "AuthenticationFailed");
}

#[test]
fn jwt_without_a_key_is_an_internal_error() {
    let fleet = ManualFleet::new("reading-no-key");
    let client = fleet.client();
    let service = Service::builder(&client).resource("Order", Tokens).start().unwrap();
    for request in [client.remote("Order"), client.remote("Order").pk("a.b.c")] {
        let answer = request.fetch_any().unwrap();
        assert_eq!(answer.status(), 500);
        assert!(!answer.data().unwrap().unwrap().to_string().contains("SECRET_KEY"));
    }
    assert_eq!(service.health().failed, 2);
}
