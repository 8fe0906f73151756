//! What the Python client's calls put on the wire, beside ours: the same messages but for ids, held to the captured
//! vectors of the protocol crate.

mod fleet;

use fleet::{Fleet, PATIENCE, vectors};
use serde_json::{Value, json};
use zc_events::{Channel, Clock, Event, EventClient, Method, Protocol, Result};
use zc_events_protocol::{Limits, Task};
use zc_events_transport::{Broker, ConsumeOptions, Delivery, ExchangeKind, Topology};

/// A call of ours.
type Call = fn(&EventClient) -> Result<()>;

fn sent<T>(result: Result<T>) -> Result<()> {
    result.map(drop)
}

fn data() -> Value {
    json!({"x": 1, "y": 2})
}

/// Each vector, and the call that makes the same message.
fn calls() -> Vec<(&'static str, Call)> {
    vec![
        ("v0310_event_no_args", |c| c.emit(&Event::new("order_created").priority(0))),
        ("v0310_event_kwargs", |c| {
            let meta = json!({"a": [1, 2, {"b": null}]});
            c.emit(&Event::new("order_created").resource("Order", 23131024).user("56").meta(&meta)?)
        }),
        ("v0310_event_priority_kw", |c| c.emit(&Event::new("order_created").set("x", 1)?.priority(7))),
        ("v0310_event_priority_none", |c| c.emit(&Event::new("order_created").set("x", 1)?.no_priority())),
        ("head_rpc_get", |c| sent(c.remote("Order").pk("23131024").send())),
        ("head_rpc_get_int_pk", |c| sent(c.remote("Order").pk(23131024).send())),
        ("head_rpc_get_list_all", |c| sent(c.remote("Order").send())),
        ("head_rpc_get_pks_list", |c| sent(c.remote("Order").pks(["1", "2", "3"]).send())),
        ("head_rpc_get_pks_set", |c| sent(c.remote("Order").pks([7]).send())),
        ("head_rpc_get_include_page_size", |c| {
            sent(c.remote("Order").pk("1").include("company,items").page_size(50).send())
        }),
        ("head_rpc_get_data", |c| sent(c.remote("Order").pk("1").priority(9).send())),
        ("head_rpc_get_async", |c| sent(c.remote("Order").pk("1").send())),
        ("head_rpc_async", |c| sent(c.remote("Order").pk("1").method(Method::Delete).priority(5).send())),
        ("head_rpc_service_post", |c| {
            let order = json!({"data": {"type": "Order", "attributes": {"name": "x/y"}}});
            sent(c.make_service_request("Order").method(Method::Post).body(order).send())
        }),
        ("v024_rpc_service_patch", |c| {
            let request = c.make_service_request("Order").pk("1").user(56).method(Method::Patch);
            sent(request.query_param("a", 1).body("raw string body").send())
        }),
        ("v024_rpc_get_camel", |c| sent(c.remote("OrderLineItem").pk(1).send())),
        ("v024_rpc_get_related", |c| sent(c.remote("Order").pk("1").related_resource("items").user("56").send())),
        ("v024_rpc_get_user_roles", |c| sent(c.remote("Order").pk("1").user("56").roles(["user", "staff"]).send())),
        ("v0310_rpc_get_query_params", |c| sent(c.remote("Order").query_param("filter[name]", "café & co").send())),
        ("head_verb_get", |c| sent(c.get("add").data(data())?.send::<Value>())),
        ("head_verb_put", |c| sent(c.put("add").data(data())?.send::<Value>())),
        ("head_verb_post", |c| sent(c.post("add").data(data())?.send::<Value>())),
        ("head_verb_delete", |c| sent(c.delete("add").data(data())?.send::<Value>())),
        ("head_verb_get_defaults", |c| sent(c.get("none").send::<Value>())),
        ("head_verb_get_headers", |c| {
            let headers = json!({"pk": 3, "roles": ["user"], "user_id": "56", "query_string": "x=1"});
            sent(c.get("echo").data(json!({"q": 1}))?.headers(headers)?.send::<Value>())
        }),
        ("head_verb_put_no_wait", |c| c.put("add").data(data())?.no_wait()),
        ("head_verb_post_no_wait", |c| c.post("add").data(data())?.no_wait()),
        ("head_verb_delete_no_wait", |c| c.delete("add").data(data())?.no_wait()),
        ("head_verb_post_unicode", |c| {
            sent(c.post("echo").data(json!({"t": "café 中 \u{1f355} a/b \"q\" 's'"}))?.send::<Value>())
        }),
        ("v0310_verb_get", |c| sent(c.get("add").data(data())?.send::<Value>())),
        ("v0310_verb_post_no_wait", |c| c.post("add").data(data())?.no_wait()),
        ("v0310_notif_email", |c| {
            c.notify(Channel::Email, &Event::new("send_email").set("to", ["a@b.c"])?.set("subject", "hi")?)
        }),
        ("v0310_notif_text", |c| {
            c.notify(Channel::Text, &Event::new("send_text").set("to", "+15551234")?.set("body", "hi")?)
        }),
        ("v0310_notif_push", |c| c.notify(Channel::Push, &Event::new("send_push").set("title", "t")?)),
        ("head_notif_slack", |c| c.notify(Channel::Slack, &Event::new("send_slack").set("text", "t")?)),
    ]
}

/// Without what differs from message to message.
fn masked(mut task: Task) -> Task {
    for id in [&mut task.id, &mut task.root_id, &mut task.parent_id, &mut task.origin] {
        *id = None;
    }
    task.expires = None;
    task.response_key = task.response_key.map(|_| "key".to_owned());
    for name in ["task_id", "response_key"] {
        if let Some(value) = task.kwargs.get_mut(name).filter(|value| value.is_string()) {
            *value = "masked".into();
        }
    }
    if let Some(Value::Object(call)) = task.args.get_mut(1) {
        for name in ["id", "response_key"] {
            if let Some(value) = call.get_mut(name).filter(|value| value.is_string()) {
                *value = "masked".into();
            }
        }
    }
    task
}

#[test]
fn each_call_makes_the_message_that_python_makes() {
    let fleet = Fleet::new("python");
    let broker = fleet.broker();
    let (events, notifications) = ("microservice-events-test", "microservice-notifications-test");
    let topology = Topology::new()
        .exchange(events, ExchangeKind::Fanout)
        .exchange(notifications, ExchangeKind::Topic)
        .queue_with_priority("seen", None)
        .bind("seen", events, "")
        .bind("seen", notifications, "#");
    broker.declare(&topology, fleet.clock.deadline(PATIENCE)).unwrap();
    let mut seen = broker.subscribe("seen", ConsumeOptions::default(), fleet.clock.deadline(PATIENCE)).unwrap();
    for (name, call) in calls() {
        let vector = vectors::read(name);
        let theirs = vectors::task(&vector);
        let settings = match theirs.protocol {
            Protocol::V1 => fleet.settings().events_protocol(Protocol::V1),
            _ => fleet.settings(),
        };
        let client = EventClient::new(settings.build().unwrap()).unwrap();
        call(&client).unwrap_or_else(|error| panic!("{name}: {error}"));
        let ours: Delivery = seen.next(fleet.clock.deadline(PATIENCE)).unwrap().unwrap();
        ours.settler.ack();
        let exchange = if name.contains("notif") { notifications } else { events };
        assert_eq!(
            (ours.exchange.as_str(), ours.routing_key.as_str()),
            (exchange, vector["routing_key"].as_str().unwrap())
        );
        let decoded = Task::decode(&ours.properties, &ours.body, &Limits::default()).unwrap();
        let (ours, theirs) = (masked(decoded), masked(theirs));
        assert_eq!(ours.args, theirs.args, "{name}");
        assert_eq!(ours.kwargs, theirs.kwargs, "{name}");
        assert!(ours == theirs, "{name}: {ours:?} {theirs:?} {:?} {:?}", ours.priority, theirs.priority);
    }
}
