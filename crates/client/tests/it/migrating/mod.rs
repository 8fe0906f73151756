//! Each call of the Python client beside ours: the same message but for ids, held to the captured vectors of the protocol
//! crate; and `docs/migrating-from-python.md`, whose tables are made of what is run here.
//!
//! Where a table is not what it should be, `UPDATE_DOCS=1 cargo test -p zc-events --test it migrating` writes it.

mod calls;
mod idioms;
mod mask;
mod page;
mod settings;

use std::collections::BTreeSet;
use std::error::Error;

use serde_json::Value;
use zc_events::{EventClient, Message, Protocol};
use zc_events_testing::Fleet;

use self::calls::Row;
use crate::support::vectors as captured;

fn client(fleet: &Fleet, protocol: Protocol) -> EventClient {
    let settings = fleet.settings("shop").events_content_url("memory://").aws_indexer_bucket_name("index");
    let settings = match protocol {
        // What zc_events 0.3 sends in protocol 1, 0.4 sends in 2, which is the default here.
        Protocol::V1 => settings.events_protocol(Protocol::V1),
        _ => settings,
    };
    EventClient::new(settings.build().unwrap()).unwrap()
}

/// What a receiver sees of a message, without what differs from message to message.
#[derive(Debug, PartialEq)]
struct Seen {
    task: String,
    protocol: Protocol,
    routing_key: String,
    priority: Option<u8>,
    content_type: Option<String>,
    content_encoding: Option<String>,
    /// Of the envelope in protocol 1, in which a call has its `response_key` once more.
    members: BTreeSet<String>,
    args: Value,
    kwargs: Value,
}

impl Seen {
    fn of(message: &Message) -> Self {
        Self {
            task: message.task_name().unwrap().to_owned(),
            protocol: message.protocol().unwrap(),
            routing_key: message.routing_key().to_owned(),
            priority: message.priority(),
            content_type: message.content_type().map(str::to_owned),
            content_encoding: message.content_encoding().map(str::to_owned),
            members: members(message.body()),
            args: mask::masked(&Value::from([&[message.event_type().into()], message.args()].concat())),
            kwargs: mask::masked(&Value::Object(message.kwargs().clone())),
        }
    }

    fn of_vector(vector: &Value) -> Self {
        let task = captured::task(vector);
        let properties = captured::properties(vector);
        Self {
            task: task.task,
            protocol: task.protocol,
            routing_key: vector["routing_key"].as_str().unwrap().to_owned(),
            priority: task.priority,
            content_type: properties.content_type,
            content_encoding: properties.content_encoding,
            members: members(captured::body(vector)),
            args: mask::masked(&task.args.into()),
            kwargs: mask::masked(&Value::Object(task.kwargs)),
        }
    }
}

/// The names in an envelope, but for those that only ours carry: what caused it, and when a request is void.
fn members(body: &[u8]) -> BTreeSet<String> {
    let is_ours = |name: &str| mask::OURS.contains(&name) || ["expires", "utc"].contains(&name);
    match serde_json::from_slice(body) {
        Ok(Value::Object(envelope)) => {
            envelope.into_iter().map(|(name, _)| name).filter(|name| !is_ours(name)).collect()
        }
        _ => BTreeSet::new(),
    }
}

/// The message that our call sends.
fn ours(row: &Row, protocol: Protocol) -> Result<Message, Box<dyn Error>> {
    let fleet = Fleet::new();
    // A request without an answer fails, but it was sent.
    let outcome = (row.call)(&client(&fleet, protocol));
    fleet.forgive();
    let sent = fleet.sent();
    match sent.as_slice() {
        [message] => Ok(message.clone()),
        _ => Err(format!("{} messages were sent; the call says {outcome:?}", sent.len()).into()),
    }
}

#[test]
fn each_call_sends_the_message_of_python() {
    for row in calls::all() {
        let vector = captured::read(row.vector);
        let mut theirs = Seen::of_vector(&vector);
        let ours = ours(&row, theirs.protocol).unwrap_or_else(|error| panic!("{}: {error}", row.vector));
        let exchange = if vector["exchange_type"] == "topic" {
            "microservice-notifications-test"
        } else {
            "microservice-events-test"
        };
        assert_eq!(ours.exchange(), exchange, "{}", row.vector);
        let mut ours = Seen::of(&ours);
        if row.vector.starts_with("v01") {
            // Before 0.2 nothing had a priority, and a request's key was called `id`.
            (ours.priority, theirs.priority) = (None, None);
            if let Some(id) = theirs.kwargs.as_object_mut().unwrap().remove("id") {
                theirs.kwargs["pk"] = id;
            }
        }
        assert_eq!(ours, theirs, "{}", row.vector);
    }
}

/// The public methods of the Python `EventClient`, from the packages on PyPI, and of 0.4.1 from its last published source.
const METHODS: [(&str, &[&str]); 4] = [
    (
        "0.1.1",
        &[
            "emit_microservice_event",
            "emit_request_event",
            "handle_request_event",
            "get_request_event_response",
            "fetch_remote_resource",
            "make_service_request",
            "get_remote_resource",
            "send_email",
        ],
    ),
    (
        "0.2.4",
        &[
            "emit_microservice_message",
            "emit_microservice_event",
            "emit_microservice_email_notification",
            "emit_microservice_text_notification",
            "wait_for_response",
            "handle_request_event",
            "async_resource_request",
            "make_service_request",
            "get_remote_resource_async",
            "get_remote_resource",
            "get_remote_resource_data",
            "send_email",
            "emit_index_rebuild_event",
        ],
    ),
    (
        "0.3.10",
        &[
            "call",
            "call_no_wait",
            "get",
            "put",
            "put_no_wait",
            "post",
            "post_no_wait",
            "delete",
            "delete_no_wait",
            "emit_microservice_push_notification",
            "send_push_notification",
        ],
    ),
    ("0.4.1", &["emit_microservice_slack_notification"]),
];

/// Those that put nothing on the exchange, which the page shows in its text.
const WITHOUT_A_MESSAGE: [&str; 3] = ["handle_request_event", "get_request_event_response", "wait_for_response"];

#[test]
fn every_public_method_of_python_is_on_the_page() {
    let rows: Vec<String> = calls::all().iter().map(Row::python).collect();
    let page = page::read();
    for (version, methods) in METHODS {
        for method in methods {
            let has_row = rows.iter().any(|row| row.split('(').next().unwrap().rsplit('.').next() == Some(method));
            let is_shown = WITHOUT_A_MESSAGE.contains(method) && page.contains(&format!("`{method}"));
            assert!(has_row || is_shown, "{version}: `{method}` has neither");
        }
    }
}

#[test]
fn page_has_the_tested_calls() {
    page::hold("calls", &calls::table());
}

#[test]
fn page_has_the_tested_settings() {
    page::hold("settings", &settings::table());
}

#[test]
fn page_has_the_tested_examples() {
    for (name, rows) in idioms() {
        page::hold(name, &idioms::table(&rows));
    }
}

#[test]
fn each_example_does_what_the_page_says() {
    idioms().iter().for_each(|(_, rows)| idioms::run(rows));
}

fn idioms() -> [(&'static str, Vec<idioms::Row>); 6] {
    [
        ("failures", idioms::failures()),
        ("handlers", idioms::handlers()),
        ("views", idioms::views()),
        ("mails", idioms::mails()),
        ("helpers", idioms::files()),
        ("responses", idioms::responses()),
    ]
}

#[test]
fn each_setting_of_python_exists() {
    for row in settings::all() {
        let built = (row.set)(zc_events::Settings::builder().broker_url("memory://").staging_name("test")).build();
        assert!(built.is_ok(), "{}: {built:?}", row.python);
    }
}
