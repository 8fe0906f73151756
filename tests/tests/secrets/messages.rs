//! What messages carry: arguments, bodies, headers and answers, on their ways out, in, back, and among the dead letters.

use std::time::Duration;

use integration_tests::{broker_url, eventually, redis_url, unique};
use serde::Deserialize;
use serde_json::json;
use zc_events::{
    Context, Document, Error, Event, EventClient, HandlerError, ResourceObject, ResourceView, Served, Service,
    Settings, Stage, Value, ViewResult,
};
use zc_events_protocol::{Clock, Deadline, HeaderValue, Headers, Properties, SystemClock};
use zc_events_transport::amqp::{AmqpBroker, AmqpOptions, BrokerUrl};
use zc_events_transport::{Broker, ConsumeOptions, Delivery, Outgoing};

use crate::canary::Canary;
use crate::log_lines::{has_heard, listen};
use crate::search::{assert_no_content, said};

const TIMEOUT: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(30);

fn soon() -> Deadline {
    SystemClock.deadline(PATIENCE)
}

fn client(name: &str) -> EventClient {
    listen();
    let settings = Settings::builder()
        .broker_url(broker_url())
        .events_redis_url(redis_url())
        .events_exchange(name)
        .service_name(name)
        .events_timeout(TIMEOUT)
        .events_publish_timeout(TIMEOUT);
    EventClient::new(settings.build().unwrap()).unwrap()
}

fn broker() -> AmqpBroker {
    AmqpBroker::new(AmqpOptions::new(broker_url().parse::<BrokerUrl>().unwrap())).unwrap()
}

#[derive(Deserialize)]
struct Order {
    #[serde(rename = "total")]
    _total: u64,
}

#[test]
fn unroutable_event() {
    let (canary, name) = (Canary::new(), unique("secrets"));
    let client = client(&name);
    let event = Event::new("order_created")
        .set("token", canary.plain())
        .and_then(|event| event.meta(&json!({"card": canary.plain()})))
        .and_then(|event| event.arg(canary.plain()))
        .unwrap();
    let error = client.emit(&event).unwrap_err();
    assert!(matches!(error, Error::Unroutable { .. }), "{error:?}");
    assert!(has_heard("zc_events", event.id()), "the event was not logged");
    assert_no_content(&canary, &format!("{} {event:?} {:?}", said(&error), client.health()));
}

#[test]
fn unanswered_request() {
    let (canary, name) = (Canary::new(), unique("secrets"));
    let client = client(&name);
    let service = Service::builder(&client).on("something_else", |_: &Context, _: Value| Ok(())).start().unwrap();
    let request = client
        .remote("Order")
        .pk(1)
        .body(json!({"card": canary.plain()}))
        .query_param("token", canary.piece())
        .roles([canary.plain()])
        .timeout(Duration::from_secs(1));
    let shown = format!("{request:?} {request:#?}");
    let pending = request.send().unwrap();
    let shown = format!("{shown} {pending:?}");
    let error = pending.wait().unwrap_err();
    assert!(matches!(error, Error::Timeout { stage: Stage::Reply }), "{error:?}");
    eventually(PATIENCE, || service.health().ignored == 1);
    assert_no_content(&canary, &format!("{shown} {} {service:?}", said(&error)));
}

struct Orders(String);

impl ResourceView for Orders {
    fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
        let secret = &self.0;
        match pk {
            "404" => Err(HandlerError::with_status(404, secret)),
            "500" => Ok(Served::with_status(500, json!({"errors": [{"detail": secret, "meta": {"a": secret}}]}))),
            "html" => Ok(Served::with_status(200, json!(secret))),
            _ => {
                let object = ResourceObject::new("Order", pk).attributes(&json!({"total": secret}))?;
                let mut document = Document::one(object);
                document.meta.insert("token".to_owned(), json!(secret));
                Ok(document.into())
            }
        }
    }
}

#[test]
fn failed_or_undecodable_answers() {
    let (canary, name) = (Canary::new(), unique("secrets"));
    let client = client(&name);
    let service = Service::builder(&client).resource("Order", Orders(canary.plain())).start().unwrap();
    let mut all = format!("{:?}", Served::with_status(200, json!(canary.plain())));
    for (pk, status) in [("404", 404), ("500", 500)] {
        let error = client.get_remote_resource::<Order>("Order", pk).err().unwrap();
        assert_eq!(error.status(), Some(status), "{error:?}");
        let Error::Remote { failure, .. } = &error else { panic!("{error:?}") };
        // The program can read the body if it asks for it.
        assert!(failure.body().unwrap().to_string().contains(canary.piece()));
        all += &format!("{} {failure:?} {:?}", said(&error), failure.errors());
    }
    for pk in ["1", "html"] {
        let error = client.get_remote_resource::<Order>("Order", pk).err().unwrap();
        assert!(matches!(error, Error::Decode { .. }), "{error:?}");
        all += &said(&error);
    }
    let answer = client.remote("Order").pk("1").fetch_any().unwrap();
    assert!(answer.data().unwrap().unwrap().to_string().contains(canary.piece()));
    let page = client.remote("Order").pk("1").fetch_document().unwrap();
    all += &format!("{answer:?} {page:?} {page:#?}");
    eventually(PATIENCE, || service.health().processed >= 6);
    assert!(has_heard("zc_events", "order_request"), "the requests were not logged");
    assert_no_content(&canary, &format!("{all} {service:?}"));
}

/// Takes the one dead letter of a service.
fn dead_letter(broker: &AmqpBroker, name: &str) -> Delivery {
    let subscription = broker.subscribe(&format!("{name}-events.dead"), ConsumeOptions::default(), soon()).unwrap();
    let letter = subscription.next(soon()).unwrap().expect("a dead letter");
    letter.settler.ack();
    letter
}

fn header<'a>(letter: &'a Delivery, name: &str) -> &'a str {
    letter.properties.headers.as_ref().and_then(|headers| headers.get(name)?.as_str()).unwrap_or_default()
}

/// Messages that cannot be read or handled, each with the reason that its dead letter names.
#[test]
fn dead_letters() {
    let canary = Canary::new();
    let secret = canary.plain();
    let v2 = Headers::from([("task".to_owned(), "microservice.event".into()), ("id".to_owned(), "1".into())]);
    let with = |name: &str, value: HeaderValue| {
        let mut headers = v2.clone();
        headers.insert(name.to_owned(), value);
        Some(headers)
    };
    let event = |kwargs: Value| json!([["order_created"], kwargs, {}]).to_string().into_bytes();
    let fits = event(json!({"total": 1}));
    let large = format!("{secret}{}", "x".repeat(70_000));
    let cases: [(&str, Option<Headers>, Vec<u8>); 8] = [
        ("payload_mismatch", Some(v2.clone()), event(json!({"total": secret, "card": secret}))),
        ("malformed", Some(v2.clone()), format!(r#"[["order_created"], {{"card": "{secret}"}}, {{}}"#).into_bytes()),
        (
            "not_a_number",
            Some(v2.clone()),
            format!(r#"[["order_created"], {{"card": "{secret}", "x": NaN}}, {{}}]"#).into_bytes(),
        ),
        ("bad_field", with("eta", secret.as_str().into()), fits.clone()),
        ("bad_field", Some(v2.clone()), format!(r#"[["order_created"], "{secret}", {{}}]"#).into_bytes()),
        ("inflate", with("compression", "zlib".into()), secret.clone().into_bytes()),
        ("headers_too_large", with("token", large.as_str().into()), fits.clone()),
        ("headers_too_large", with("token", HeaderValue::Bytes(large.clone().into_bytes())), fits),
    ];
    let broker = broker();
    for (reason, headers, body) in cases {
        let name = unique("secrets");
        let client = client(&name);
        let service = Service::builder(&client).on("order_created", |_: &Context, _: Order| Ok(())).start().unwrap();
        let content_type = Some("application/json".to_owned());
        let properties = Properties { headers, content_type, ..Properties::default() };
        let message =
            Outgoing { exchange: &name, routing_key: "", mandatory: true, properties: &properties, body: &body };
        let mut all = format!("{message:?} {message:#?} {properties:?}");
        broker.send(&message, soon()).unwrap().wait(soon()).unwrap();
        eventually(PATIENCE, || service.health().dead_lettered == 1);
        let letter = dead_letter(&broker, &name);
        assert_eq!(header(&letter, "x-zc-reason"), reason, "{letter:?}");
        let kept = format!("{:?}", letter.properties.headers).len() + letter.body.len();
        assert!(kept > secret.len(), "the dead letter is empty");
        // What we say of the message, beside the message itself.
        all += &format!("{letter:?} {letter:#?} {} {service:?}", header(&letter, "x-zc-detail"));
        assert!(has_heard("zc_events", if reason == "payload_mismatch" { "does not fit" } else { reason }));
        assert_no_content(&canary, &all);
    }
}
