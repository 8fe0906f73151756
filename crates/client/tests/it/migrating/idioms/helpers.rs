//! Files, e-mails, and what else Python has helpers for.

use std::path::Path;

use serde_json::{Value, json};
use zc_events::blobs::BlobStore;
use zc_events::{Deadline, Document, Email, Event, EventClient};
use zc_events_testing::{Expectation, Fleet};

use super::scene::{fleet_of, lunch, soon, store};
use super::{Row, rows};

/// A store, and by when.
type Stored<'a> = (&'a dyn BlobStore, Deadline);

/// A file that is there.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

fn text_of(store: &dyn BlobStore, key: &str) -> Option<Vec<u8>> {
    store.get(key, soon()).unwrap()
}

/// What an e-mail's event says of this.
fn told(name: &str, form: impl Fn(Email) -> Email) -> Value {
    let fleet = Fleet::new();
    let stored = fleet.client("shop").store_email(&form(Email::new().to("a@b.c"))).unwrap();
    stored.data().get(name).cloned().unwrap_or_default()
}

/// How the key of an e-mail's attachment ends.
fn attached(form: impl Fn(Email) -> Email) -> String {
    let keys = told("attachments_keys", form);
    keys[0].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

pub(crate) fn mails() -> Vec<Row> {
    rows! {
        "`attachments=[('menu.txt', 'text/plain', 'Lunch')]`" => |email: Email| email.attachment("menu.txt", "text/plain", "Lunch");
            |form| assert_eq!(attached(form), "attachment_menu.txt"),
        "`files=[path]`" => |(email, path): (Email, &Path)| email.file(path);
            |form| assert_eq!(attached(|email| form((email, Path::new(FILE)))), "attachment_Cargo.toml"),
        "`unsubscribe_group='weekly'`" => |email: Email| email.unsubscribe_group("weekly");
            |form| assert_eq!(told("unsubscribe_group", form), "weekly"),
        "`is_transactional=True`" => |email: Email| email.transactional(true);
            |form| assert_eq!(told("is_transactional", form), true),
        "`headers={'X-A': '1'}`" => |email: Email| email.header("X-A", "1");
            |form| assert_eq!(told("headers", form), json!({"X-A": "1"})),
        "`user_id='56'`, `resource_type='Order'`, `resource_id=5`" => |email: Email| email.user("56").resource("Order", 5);
            |form| assert_eq!(
                (told("user_id", form), told("resource_type", form), told("resource_id", form)),
                (json!("56"), json!("Order"), json!(5))
            ),
        "`zc_events.contrib.send_email(client, .., wait_for_response=True)`" => |(client, email): (&EventClient, &Email)|
            client.store_email(email)?.post(client)?.fetch::<Value>();
            |form| {
                let fleet = fleet_of(Expectation::call("send_email").returns(json!({"sent": 1})));
                assert_eq!(form((&fleet.client("shop"), &Email::new().to("a@b.c"))).unwrap(), json!({"sent": 1}));
            },
    }
}

pub(crate) fn files() -> Vec<Row> {
    let mut rows = rows! {
        "`save_string_contents_to_s3(text, bucket)`" => |(store, soon): Stored<'_>|
            store.put_new("application/json", b"[]", soon);
            |form| {
                let store = store();
                let key = form((&store, soon())).unwrap();
                assert_eq!(text_of(&store, &key).as_deref(), Some(&b"[]"[..]));
            },
        "`save_string_contents_to_s3(text, bucket, key)`" => |(store, soon): Stored<'_>|
            store.put("key", "application/json", b"[]", soon);
            |form| {
                let store = store();
                form((&store, soon())).unwrap();
                assert_eq!(text_of(&store, "key").as_deref(), Some(&b"[]"[..]));
            },
        "`save_file_contents_to_s3(path, bucket, key)`" => |((store, soon), path): (Stored<'_>, &Path)|
            store.put_file("key", "application/pdf", path, soon);
            |form| {
                let store = store();
                form(((&store, soon()), Path::new(FILE))).unwrap();
                assert_eq!(text_of(&store, "key"), Some(std::fs::read(FILE).unwrap()));
            },
        "`read_s3_file_as_string(bucket, key)`" => |(store, soon): Stored<'_>| store.get("key", soon);
            |form| {
                let store = store();
                store.put("key", "text/plain", b"v", soon()).unwrap();
                assert_eq!(form((&store, soon())).unwrap().as_deref(), Some(&b"v"[..]));
            },
        "`read_s3_file_as_string(bucket, key, delete=True)`" => |(store, soon): Stored<'_>| store.take("key", soon);
            |form| {
                let store = store();
                store.put("key", "text/plain", b"v", soon()).unwrap();
                assert_eq!(form((&store, soon())).unwrap().as_deref(), Some(&b"v"[..]));
                assert_eq!(text_of(&store, "key"), None);
            },
        "`notification_event_payload(resource_type, resource_id, user_id, meta)`" => |(): ()|
            Event::new("order_created").resource("Order", 5).user("56").meta(&json!({"a": 1}));
            |form| assert_eq!(form(()).unwrap().kwargs()["meta"], json!({"a": 1})),
        "`model_to_dict(instance, {'name': 'name'})`: a type that serializes" => |order: &serde_json::Map<String, Value>|
            serde_json::to_value(order);
            |form| {
                let order = [("name".to_owned(), json!("Lunch"))].into_iter().collect();
                assert_eq!(form(&order).unwrap(), json!({"name": "Lunch"}));
            },
        "`wrap_resource_from_response(response)`, `wrap_response`, `RemoteResourceWrapper`: `order.company.name`" =>
            |document: &Document| document.remote_resource().map(|order| order.related("company").text("name").map(str::to_owned));
            |form| {
                let fleet = fleet_of(Expectation::get("Order").pk(5).answer(200, lunch()));
                let document = fleet.client("shop").remote("Order").pk(5).fetch_document().unwrap();
                assert_eq!(form(&document).unwrap().as_deref(), Some("Acme"));
            },
    };
    rows.push(Row::none(
        "`create_django_request_object(..)`, `structure_response(status, body)`",
        "none: a view gets the request as a `Context`, and returns the answer",
    ));
    rows
}
