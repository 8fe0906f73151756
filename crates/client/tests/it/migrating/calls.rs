//! Python's calls and ours, one beside the other, by kind.

use std::error::Error;

use serde_json::{Value, json};
use zc_events::{Channel, Email, Event, EventClient, Method, PushNotification};

use crate::migrating::page::cell;
use crate::support::vectors as captured;

/// A call.
pub(crate) struct Row {
    pub(crate) kind: &'static str,
    /// The message that Python's call has sent.
    pub(crate) vector: &'static str,
    /// Python's call, where it is not the one of the vector, but sends the same.
    python: Option<&'static str>,
    /// Ours, as it stands here.
    rust: &'static str,
    pub(crate) call: fn(&EventClient) -> Result<(), Box<dyn Error>>,
}

impl Row {
    /// Python's call.
    pub(crate) fn python(&self) -> String {
        let of_vector = || captured::read(self.vector)["call"].as_str().unwrap().to_owned();
        self.python.map_or_else(of_vector, str::to_owned)
    }

    fn version(&self) -> &'static str {
        match self.vector.split('_').next() {
            Some("v011") => "0.1.1",
            Some("v0110") => "0.1.10",
            Some("v024") => "0.2.4",
            Some("v0310") => "0.3.10",
            _ => "0.4.1",
        }
    }
}

macro_rules! rows {
    ($kind:literal: $($vector:literal $(as $python:literal)? => |$client:ident| $call:expr,)*) => {
        vec![$(Row {
            kind: $kind,
            vector: $vector,
            python: None $(.or(Some($python)))?,
            rust: stringify!($call),
            call: |$client| {
                let _ = $call?;
                Ok(())
            },
        }),*]
    };
}

/// The call as Markdown.
pub(crate) fn table() -> String {
    let mut text = String::new();
    let mut kind = "";
    for row in all() {
        if row.kind != kind {
            kind = row.kind;
            text += &format!("\n### {kind}\n\n| | Python | here | message |\n|---|---|---|---|\n");
        }
        let (python, rust) = (cell(&row.python()), cell(row.rust));
        text += &format!("| {} | {python} | {rust} | `{}` |\n", row.version(), row.vector);
    }
    text + "\n"
}

pub(crate) fn all() -> Vec<Row> {
    [events(), resources(), functions(), notifications(), emails(), rebuilds()].into_iter().flatten().collect()
}

fn events() -> Vec<Row> {
    rows! { "Events":
        "v011_event_args_kwargs" => |client| {
            let args = Event::new("order_created").arg("pos1")?.arg(2)?.arg(())?.arg(json!([1, "x"]))?.arg(json!({"k": "v"}))?;
            client.emit(&args.set("flag", true)?)
        },
        "v024_event_kwargs" => |client| client.emit(
            &Event::new("order_created").resource("Order", 23131024).user("56").meta(&json!({"a": [1, 2, {"b": null}]}))?
        ),
        "v0310_event_no_args" => |client| client.emit(&Event::new("order_created")),
        "v0310_event_priority_kw" => |client| client.emit(&Event::new("order_created").set("x", 1)?.priority(7)),
        "v0310_event_priority_kw" as "emit_microservice_message(events_exchange, '', 'order_created', priority=7, x=1)" =>
            |client| client.emit(&Event::new("order_created").set("x", 1)?.priority(7)),
        "v0310_event_priority_none" => |client| client.emit(&Event::new("order_created").set("x", 1)?.no_priority()),
        "head_event_task_id_override" => |client| client.emit(&Event::new("e").task_id("mine")),
    }
}

fn resources() -> Vec<Row> {
    rows! { "Resources of other services":
        "v024_rpc_get" => |client| client.get_remote_resource::<Value>("Order", "23131024"),
        "v0310_rpc_get_int_pk" => |client| client.get_remote_resource::<Value>("Order", 23131024),
        "v024_rpc_get_camel" => |client| client.get_remote_resource::<Value>("OrderLineItem", 1),
        "head_rpc_get_list_all" => |client| client.remote("Order").fetch_page::<Value>(),
        "head_rpc_get_pks_list" => |client| client.remote("Order").pks(["1", "2", "3"]).fetch_page::<Value>(),
        "head_rpc_get_pks_set" => |client| client.remote("Order").pks([7]).fetch_page::<Value>(),
        "head_rpc_get_include_page_size" => |client|
            client.remote("Order").pk("1").include("company,items").page_size(50).fetch::<Value>(),
        "v024_rpc_get_related" => |client|
            client.remote("Order").pk("1").related_resource("items").user("56").fetch_page::<Value>(),
        "v024_rpc_get_user_roles" => |client|
            client.remote("Order").pk("1").user("56").roles(["user", "staff"]).fetch::<Value>(),
        "v0310_rpc_get_query_params" => |client|
            client.remote("Order").query_param("filter[name]", "café & co").fetch_page::<Value>(),
        "v011_rpc_get" => |client| client.remote("Order").pk("23131024").roles(["service"]).fetch::<Value>(),
        "head_rpc_get_async" => |client| client.remote("Order").pk("1").send()?.wait(),
        "head_rpc_get_data" => |client| client.remote("Order").pk("1").priority(9).fetch_any(),
        "head_rpc_get_data" as "get_remote_resource_data('Order', '1'), and then: if response['status'] >= 400: raise .." =>
            |client| client.get_remote_resource_data("Order", "1"),
        "head_rpc_async" => |client| client.remote("Order").pk("1").method(Method::Delete).priority(5).send(),
        "head_rpc_service_post" => |client| client
            .make_service_request("Order")
            .method(Method::Post)
            .body(json!({"data": {"type": "Order", "attributes": {"name": "x/y"}}}))
            .fetch_any(),
        "v024_rpc_service_patch" => |client| client
            .make_service_request("Order")
            .pk("1")
            .user(56)
            .query_param("a", 1)
            .method(Method::Patch)
            .body("raw string body")
            .fetch_any(),
        "v011_rpc_service_post" => |client| client
            .make_service_request("Order")
            .method(Method::Post)
            .body(json!({"data": {"type": "Order", "attributes": {"name": "x/y"}}}))
            .fetch_document(),
        "v011_fetch_remote_resource" => |client| client
            .make_service_request("Order")
            .pk("1")
            .method(Method::Patch)
            .body(json!({"data": {"type": "Order"}}))
            .fetch_any(),
        "v011_fetch_remote_resource" as
            "emit_request_event('order_request', 'PATCH', None, ['service'], id='1', query_string=None, related_resource=None, body={'data': {'type': 'Order'}})"
            => |client| client
                .make_service_request("Order")
                .pk("1")
                .method(Method::Patch)
                .body(json!({"data": {"type": "Order"}}))
                .send(),
    }
}

fn functions() -> Vec<Row> {
    rows! { "Calls by key":
        "v0310_verb_call" => |client| client.post("add").data(json!({"x": 1, "y": 2}))?.fetch::<i64>(),
        "head_verb_call_no_wait" => |client| client.post("add").data(json!({"x": 1, "y": 2}))?.no_wait(),
        "head_verb_get" => |client| client.get("add").data(json!({"x": 1, "y": 2}))?.fetch::<i64>(),
        "v0310_verb_get" => |client| client.get("add").data(json!({"x": 1, "y": 2}))?.fetch::<i64>(),
        "head_verb_get_defaults" => |client| client.get("none").fetch::<Value>(),
        "head_verb_get_headers" => |client| client
            .get("echo")
            .data(json!({"q": 1}))?
            .headers(json!({"pk": 3, "roles": ["user"], "user_id": "56", "query_string": "x=1"}))?
            .fetch::<Value>(),
        "head_verb_put" => |client| client.put("add").data(json!({"x": 1, "y": 2}))?.fetch::<i64>(),
        "head_verb_put_no_wait" => |client| client.put("add").data(json!({"x": 1, "y": 2}))?.no_wait(),
        "head_verb_post" => |client| client.post("add").data(json!({"x": 1, "y": 2}))?.fetch::<i64>(),
        "head_verb_post_no_wait" => |client| client.post("add").data(json!({"x": 1, "y": 2}))?.no_wait(),
        "v0310_verb_post_no_wait" => |client| client.post("add").data(json!({"x": 1, "y": 2}))?.no_wait(),
        "head_verb_delete" => |client| client.delete("add").data(json!({"x": 1, "y": 2}))?.fetch::<i64>(),
        "head_verb_delete_no_wait" => |client| client.delete("add").data(json!({"x": 1, "y": 2}))?.no_wait(),
        "head_verb_post_data_none" => |client| client.post("echo").data(())?.headers(())?.fetch::<Value>(),
        "head_verb_post_unicode" => |client| client
            .post("echo")
            .data(json!({"t": "café 中 \u{1f355} a/b \"q\" 's'"}))?
            .fetch::<Value>(),
    }
}

fn notifications() -> Vec<Row> {
    rows! { "Notifications":
        "v024_notif_email" => |client|
            client.notify(Channel::Email, &Event::new("send_email").set("to", ["a@b.c"])?.set("subject", "hi")?),
        "v024_notif_text" => |client|
            client.notify(Channel::Text, &Event::new("send_text").set("to", "+15551234")?.set("body", "hi")?),
        "v0310_notif_push" => |client| client.notify(Channel::Push, &Event::new("send_push").set("title", "t")?),
        "head_notif_slack" => |client| client.notify(Channel::Slack, &Event::new("send_slack").set("text", "t")?),
        "head_notif_send_push" => |client| client.send_push_notification(
            &PushNotification::new("u1").notification_type("order").title("T").body("B").application("app").data(json!({"k": 1}))?
        ),
    }
}

fn emails() -> Vec<Row> {
    rows! { "E-mail":
        "v024_send_email_min" => |client| client.send_email(&Email::new().to(["a@b.c"]).subject("s").plaintext_body("p")),
        "head_send_email_min" => |client| client.send_email(&Email::new().to(["a@b.c"]).subject("s").plaintext_body("p")),
        "v011_send_email_min" => |client| client.emit(
            &client.store_email(&Email::new().to(["a@b.c"]).subject("s").plaintext_body("p"))?.legacy_event()?
        ),
        "head_contrib_send_email" => |client|
            client.store_email(&Email::new().to("a@b.c").subject("s").html_body("<p>"))?.post(client)?.no_wait(),
    }
}

fn rebuilds() -> Vec<Row> {
    rows! { "Rebuilding an index":
        "v0110_index_rebuild" => |client| client
            .index_rebuild("index_order", "Order")
            .batch_size(50)
            .emit([json!({"id": 1}), json!({"id": 2})]),
    }
}
