//! Whatever is written can be read, and whatever arrives is survived.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use serde_json::{Map, Value};
use zc_events_protocol::{
    Call, CallReply, EncodeOptions, Event, HeaderValue, Headers, Limits, Method, Properties, Protocol, Query, Reply,
    ReplyBody, ResourceRequest, Task, peek_event_type,
};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |float| float.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            // Keys that mean something to kombu are left to the vectors.
            prop::collection::btree_map("[^_]{0,8}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn moment() -> impl Strategy<Value = Option<SystemTime>> {
    prop::option::of(
        (0_u64..200_000_000_000, 0_u64..1_000_000)
            .prop_map(|(seconds, micros)| UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(micros)),
    )
}

fn event() -> impl Strategy<Value = Event> {
    let kwargs = prop::collection::btree_map("[a-z]{1,6}", value(), 0..5);
    let task_id = prop::option::of("[a-z]{1,9}");
    (".{1,20}", prop::collection::vec(value(), 0..4), kwargs, prop::option::of(any::<u8>()), task_id).prop_map(
        |(event_type, args, kwargs, priority, task_id)| {
            let event = args.into_iter().fold(Event::new(event_type), |event, arg| event.arg(arg).unwrap());
            let event = kwargs.into_iter().fold(event, |event, (key, value)| event.set(key, value).unwrap());
            let event = task_id.into_iter().fold(event, |event, task_id| event.task_id(task_id));
            match priority {
                Some(priority) => event.priority(priority),
                None => event.no_priority(),
            }
        },
    )
}

/// A request, and what is asked of it.
fn request() -> impl Strategy<Value = ResourceRequest> {
    let method = prop::sample::select(vec![
        Method::Get,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
        Method::Head,
        Method::Options,
    ]);
    let pk = prop_oneof![Just(Value::Null), (1_i64..).prop_map(Value::from), ".{1,12}".prop_map(Value::from)];
    let query = prop::collection::btree_map(".{0,8}", ".{0,12}", 0..4);
    let names = (prop::option::of(".{1,8}"), prop::option::of(".{1,8}"));
    let who = (prop_oneof![Just(Value::Null), ".{1,8}".prop_map(Value::from)], prop::collection::vec(".{0,8}", 0..4));
    ("[A-Z][a-z]{1,9}", method, pk, query, names, who, value(), prop::option::of(0_u8..=10)).prop_map(
        |(resource, method, pk, query, (related, relationship), (user, roles), body, priority)| ResourceRequest {
            method,
            pk,
            query: query.into_iter().fold(Query::default(), |query, (name, value)| query.with(name, value)),
            related_resource: related,
            relationship,
            user_id: user,
            roles,
            body,
            priority,
            ..ResourceRequest::new(resource)
        },
    )
}

fn header() -> impl Strategy<Value = HeaderValue> {
    prop_oneof![
        Just(HeaderValue::Null),
        any::<i64>().prop_map(HeaderValue::Int),
        any::<u64>().prop_map(HeaderValue::Timestamp),
        ".{0,12}".prop_map(HeaderValue::Text),
        prop::sample::select(vec!["gzip", "bzip2", "microservice.event", "2030-01-02T03:04:05"])
            .prop_map(HeaderValue::from),
        prop::collection::vec(any::<u8>(), 0..8).prop_map(HeaderValue::Bytes),
    ]
}

fn properties() -> impl Strategy<Value = Properties> {
    let names =
        prop::sample::select(vec!["task", "id", "eta", "expires", "retries", "compression", "origin", "root_id"]);
    let headers = prop::option::of(prop::collection::btree_map(names.prop_map(str::to_owned), header(), 0..6));
    let text =
        || prop::option::of(prop::sample::select(vec!["application/json", "utf-8", "", "x", ";=;charset=", "latin1"]));
    (headers, text(), text()).prop_map(|(headers, content_type, content_encoding)| Properties {
        headers: headers.map(|headers| headers.into_iter().collect::<Headers>()),
        content_type: content_type.map(str::to_owned),
        content_encoding: content_encoding.map(str::to_owned),
        ..Properties::default()
    })
}

/// JSON in the likeness of a message, and pieces of it.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "\"args\"",
        "\"task\"",
        "\"kwargs\"",
        "\"id\"",
        "\"e\"",
        "\"\\u0065\"",
        "null",
        "1",
        " ",
        "{\"task\":\"t\",\"args\":[\"e\"]}",
        "[[\"e\"],{},{}]",
        "\"__type__\"",
        "\"__value__\"",
        "\"\\\"args\\\":[\"",
    ]);
    prop_oneof![
        prop::collection::vec(token, 0..16).prop_map(|tokens| tokens.concat().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..200),
        value().prop_map(|value| value.to_string().into_bytes()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn event_roundtrips(event in event(), eta in moment(), expires in moment(), second in any::<bool>()) {
        let protocol = if second { Protocol::V2 } else { Protocol::V1 };
        let options = EncodeOptions {
            protocol: Some(protocol),
            origin: Some("me@here".to_owned()),
            root_id: Some("root".to_owned()),
            parent_id: Some("parent".to_owned()),
            eta,
            expires,
            persistent: true,
            ..EncodeOptions::default()
        };
        let encoded = event.encode(&options).unwrap();
        let mut task = Task::decode(&encoded.properties, &encoded.body, &Limits::default()).unwrap();
        prop_assert_eq!(task.protocol, protocol);
        prop_assert_eq!(task.id.as_deref(), Some(event.id()));
        prop_assert_eq!(task.event_type(), Some(event.event_type()));
        prop_assert_eq!(task.task_id(), Some(event.effective_task_id()));
        prop_assert_eq!(&task.args[1..], event.args());
        task.kwargs.remove("task_id");
        prop_assert_eq!(&task.kwargs, event.kwargs());
        prop_assert_eq!((task.eta, task.expires, task.priority), (eta, expires, event.effective_priority()));
        prop_assert_eq!(encoded.properties.delivery_mode, Some(2));
        prop_assert_eq!(task.root_id.as_deref(), Some("root"));
        prop_assert_eq!(task.parent_id.as_deref(), Some("parent"));
        if second {
            prop_assert_eq!(task.origin.as_deref(), Some("me@here"));
        }
        let peeked = peek_event_type(&encoded.properties, &encoded.body);
        let plain = !event.event_type().contains(|c: char| c.is_control() || c == '"' || c == '\\');
        prop_assert!(peeked == Some(event.event_type()) || peeked.is_none() && !plain);
    }

    #[test]
    fn call_roundtrips(data in value(), headers in value(), wait in any::<bool>(), second in any::<bool>()) {
        let call = Call::new("key", Method::Put).data(&data).unwrap().headers(&headers).unwrap();
        let call = if wait { call } else { call.no_wait() };
        let protocol = Some(if second { Protocol::V2 } else { Protocol::V1 });
        let encoded = call.encode(&EncodeOptions { protocol, ..EncodeOptions::default() }).unwrap();
        let task = Task::decode(&encoded.properties, &encoded.body, &Limits::default()).unwrap();
        let incoming = task.call().unwrap();
        prop_assert_eq!((incoming.data, incoming.headers, incoming.method), (data, headers, Some(Method::Put)));
        prop_assert_eq!(incoming.response_key.as_deref(), call.response_key());
        prop_assert_eq!(incoming.id.as_deref(), Some(call.id()));
    }

    #[test]
    fn request_roundtrips(request in request(), second in any::<bool>()) {
        let protocol = Some(if second { Protocol::V2 } else { Protocol::V1 });
        let encoded = request.encode(&EncodeOptions { protocol, ..EncodeOptions::default() }).unwrap();
        let task = Task::decode(&encoded.properties, &encoded.body, &Limits::default()).unwrap();
        prop_assert_eq!(task.id.as_deref(), Some(request.id.as_str()));
        prop_assert_eq!(task.event_type().map(str::to_owned), Some(request.event_type()));
        let incoming = task.resource_request().unwrap();
        prop_assert_eq!(incoming.response_key.as_deref(), Some(request.response_key.as_str()));
        prop_assert_eq!(incoming.method, Some(request.method));
        prop_assert_eq!(&incoming.query_string, &request.query_string());
        let event = request.to_event().unwrap();
        let sent = |name: &str| event.kwargs().get(name).filter(|value| !value.is_null()).cloned();
        prop_assert_eq!((&incoming.pk, &incoming.user_id, &incoming.body), (&sent("pk"), &sent("user_id"), &sent("body")));
        prop_assert_eq!(Some(Value::from(incoming.roles)), sent("roles"));
        let names = (incoming.related_resource.map(Value::from), incoming.relationship.map(Value::from));
        prop_assert_eq!(names, (sent("related_resource"), sent("relationship")));
    }

    #[test]
    fn reply_roundtrips(status in any::<u16>(), document in value(), text in ".{0,40}") {
        let reply = Reply::new(status, &document).unwrap();
        let read = Reply::decode(&reply.encode().unwrap(), &Limits::default()).unwrap();
        prop_assert_eq!(&read, &reply);
        prop_assert_eq!(read.document().unwrap(), Some(document.clone()).filter(|document| !document.is_null()));
        let reply = Reply { status, body: ReplyBody::Text(text) };
        prop_assert_eq!(Reply::decode(&reply.encode().unwrap(), &Limits::default()).unwrap(), reply);
        let reply = CallReply::success(&document).unwrap();
        prop_assert_eq!(CallReply::decode(&reply.encode().unwrap(), &Limits::default()).unwrap(), reply);
    }

    #[test]
    fn peek_agrees_with_decode(properties in properties(), body in body()) {
        let twice = body.windows(6).filter(|window| window == b"\"args\"").count() > 1;
        if let Ok(task) = Task::decode(&properties, &body, &Limits::default())
            && let Some(peeked) = peek_event_type(&properties, &body)
            && !twice
        {
            prop_assert_eq!(Some(peeked), task.event_type());
        }
    }

    #[test]
    fn arbitrary_input_never_panics(properties in properties(), body in body()) {
        let _ = peek_event_type(&properties, &body);
        if let Ok(task) = Task::decode(&properties, &body, &Limits::default()) {
            let _ = (task.call(), task.resource_request(), task.task_id());
        }
        let _ = Reply::decode(&body, &Limits::default()).map(|reply| reply.document());
        let _ = CallReply::decode(&body, &Limits::default()).map(|reply| reply.errors());
    }
}
