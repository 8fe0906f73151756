//! E-mails and push notifications: the messages of the Python services, held to the captured vectors, with what they name
//! in the store before they are sent.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use test_support::in_own_process;
use zc_events::blobs::{self, BlobStore, MemoryBlobStore};
use zc_events::{
    Channel, Clock, Context, Deadline, Email, Error, EventClient, Outcome, Protocol, PushNotification, Result, Service,
    StoredEmail, SystemClock,
};

use crate::support::PATIENCE;
use crate::support::wire_tap::{Still, WireTap, assert_sent_like, masked, soon, vector};

fn minimal() -> Email {
    Email::new().to(["a@b.c"]).subject("s").plaintext_body("p")
}

/// The e-mail of the `full` vectors; the file is `z.txt`.
fn full(file: &std::path::Path) -> Email {
    Email::new()
        .from("me@x.y")
        .to("a@b.c,d@e.f")
        .cc(["c@c.c"])
        .reply_to("r@r.r")
        .subject("S\u{e9}")
        .plaintext_body("p")
        .html_body("<p>h</p>")
        .header("X-A", "1")
        .attachment("f.pdf", "application/pdf", b"%PDF")
        .file(file)
        .user("56")
        .resource("Order", "1")
        .unsubscribe_group(3)
        .transactional(true)
}

/// The UUID and the time of an e-mail, from the first of its keys in a message.
fn folder(json: &Value) -> (String, u64) {
    let text = json.to_string();
    let key = ["/plaintext", "/html"]
        .iter()
        .find_map(|end| text.split(end).next().filter(|before| before.len() < text.len()));
    let (_, folder) = key.unwrap().rsplit_once('/').unwrap();
    let (time, uuid) = folder.split_once('_').unwrap();
    (uuid.to_owned(), time.parse().unwrap())
}

type Send = fn(&EventClient, &Email) -> Result<StoredEmail>;

fn legacy(client: &EventClient, email: &Email) -> Result<StoredEmail> {
    let stored = client.store_email(email)?;
    client.emit(&stored.legacy_event()?)?;
    Ok(stored)
}

fn contrib(client: &EventClient, email: &Email) -> Result<StoredEmail> {
    let stored = client.store_email(email)?;
    stored.post(client)?.no_wait()?;
    Ok(stored)
}

#[test]
fn each_kind_of_email_event_equals_the_python_message() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("z.txt");
    std::fs::File::create(&file).unwrap().write_all(b"z").unwrap();
    let (full, html) = (full(&file), Email::new().to("a@b.c").subject("s").html_body("<p>"));
    let sends: [(&str, &Email, Send); 12] = [
        ("head_send_email_full", &full, |c, email| c.send_email(email)),
        ("head_send_email_min", &minimal(), |c, email| c.send_email(email)),
        ("v0310_send_email_full", &full, |c, email| c.send_email(email)),
        ("v0310_send_email_min", &minimal(), |c, email| c.send_email(email)),
        ("v024_send_email_full", &full, |c, email| c.send_email(email)),
        ("v024_send_email_min", &minimal(), |c, email| c.send_email(email)),
        ("v0110_send_email_full", &full, |c, email| c.send_email(email)),
        ("v0110_send_email_min", &minimal(), |c, email| c.send_email(email)),
        ("v011_send_email_full", &full, legacy),
        ("v011_send_email_min", &minimal(), legacy),
        ("head_contrib_send_email", &html, contrib),
        ("v0310_contrib_send_email", &html, contrib),
    ];
    let mut seen = WireTap::new("email-python");
    for (name, email, send) in sends {
        let vector = vector(name);
        let theirs: Value = serde_json::from_str(vector["body_utf8"].as_str().unwrap()).unwrap();
        let (their_uuid, time) = folder(&theirs);
        let mut settings = seen.settings().clock(Arc::new(Still(time)));
        if name == "v0310_contrib_send_email" {
            settings = settings.events_protocol(Protocol::V1);
        }
        let client = EventClient::new(settings.build().unwrap()).unwrap();
        let stored = send(&client, email).unwrap_or_else(|error| panic!("{name}: {error}"));
        let message = seen.next();
        assert_sent_like(name, &message.delivery, &vector);
        let mut ours = masked(&message.json, &[stored.uuid()]);
        if name.starts_with("v0110") {
            // It came with 0.2.
            ours["kwargs"].as_object_mut().unwrap().remove("is_transactional").unwrap();
        }
        assert_eq!(ours, masked(&theirs, &[&their_uuid]), "{name}");
        assert_ne!(message.json["id"], stored.uuid(), "{name}: the message's id is another than the e-mail's");
    }
    assert_eq!(seen.left(), 0);
}

#[test]
fn push_notification_equals_the_python_message() {
    let mut seen = WireTap::new("email-push");
    let push = PushNotification::new("u1").notification_type("order").title("T").body("B").application("app");
    seen.client().send_push_notification(&push.data(json!({"k": 1})).unwrap()).unwrap();
    let (message, vector) = (seen.next(), vector("head_notif_send_push"));
    assert_sent_like("head_notif_send_push", &message.delivery, &vector);
    let theirs: Value = serde_json::from_str(vector["body_utf8"].as_str().unwrap()).unwrap();
    assert_eq!(masked(&message.json, &[]), masked(&theirs, &[]));
}

#[test]
fn bodies_and_attachments_are_in_the_store_under_the_keys_sent() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("z.txt");
    std::fs::write(&file, b"z").unwrap();
    let mut seen = WireTap::new("email-stored");
    let (client, store) = (seen.client(), MemoryBlobStore::new());
    let email = full(&file).attachment("f.pdf", "application/pdf", b"another");
    client.send_email_with(&store, &email).unwrap();
    let message = seen.next();
    let kwargs = message.kwargs();
    let mut named = Vec::new();
    let mut is_stored = |key: &Value, content_type: &str, content: &[u8]| {
        let key = key.as_str().unwrap();
        assert_eq!(store.get(key, soon()).unwrap().as_deref(), Some(content), "{key}");
        assert_eq!(store.content_type(key).as_deref(), Some(content_type), "{key}");
        named.push(key.to_owned());
    };
    is_stored(&kwargs["plaintext_body_key"], "text/plain; charset=utf-8", b"p");
    is_stored(&kwargs["html_body_key"], "text/html; charset=utf-8", b"<p>h</p>");
    is_stored(&kwargs["attachments_keys"][0], "application/pdf", b"%PDF");
    is_stored(&kwargs["attachments_keys"][1], "application/octet-stream", b"z");
    is_stored(&kwargs["attachments_keys"][2], "application/pdf", b"another");
    assert!(named[4].ends_with("/attachment_f (2).pdf"), "{}", named[4]);
    named.sort();
    assert_eq!(store.keys(), named, "something else was stored");
}

/// In `raised` vectors Python refuses the e-mail, too: it has no recipients. We have no type for a tuple of recipients.
#[test]
fn email_without_recipients_is_refused_before_storing() {
    for name in ["v0110_send_email_no_recipient", "v024_send_email_no_recipient"] {
        assert!(vector(name)["raised"].as_str().unwrap().contains("can't all be empty"), "{name}");
    }
    let seen = WireTap::new("email-refused");
    let (client, store) = (seen.client(), MemoryBlobStore::new());
    for email in [
        Email::new().subject("s").plaintext_body("p"),
        minimal().bcc("x@y.z\r\nTo: all@h"),
        minimal().attachment("f", "a/b", "x").file("/no/such/file"),
    ] {
        let error = client.send_email_with(&store, &email).unwrap_err();
        assert!(matches!(error, Error::Encode { .. }) && error.outcome() == Outcome::NotSent, "{error:?}");
    }
    assert_eq!((store.keys().len(), seen.left()), (0, 0));
}

/// A store that refuses one kind of content, and notes the deadlines it is given.
#[derive(Default)]
struct Fussy {
    inner: MemoryBlobStore,
    deadlines: Mutex<Vec<Deadline>>,
}

impl BlobStore for Fussy {
    fn put(&self, key: &str, content_type: &str, blob: &[u8], deadline: Deadline) -> blobs::Result<()> {
        self.deadlines.lock().unwrap().push(deadline);
        if key.contains("attachment_bad") {
            return Err(blobs::Error::Rejected { why: "no room for it".to_owned() });
        }
        self.inner.put(key, content_type, blob, deadline)
    }

    fn get(&self, key: &str, deadline: Deadline) -> blobs::Result<Option<Vec<u8>>> {
        self.inner.get(key, deadline)
    }

    fn delete(&self, key: &str, deadline: Deadline) -> blobs::Result<()> {
        self.inner.delete(key, deadline)
    }
}

#[test]
fn email_is_not_sent_if_a_part_cannot_be_stored() {
    let seen = WireTap::new("email-partly");
    let (client, store) = (seen.client(), Fussy::default());
    let email = minimal().attachment("good", "a/b", "x").attachment("bad", "a/b", "canary");
    let error = client.send_email_with(&store, &email).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("was not sent") && said.contains("attachment 2") && said.contains("no room for it"),
        "{said}"
    );
    assert!(!said.contains("canary") && error.outcome() == Outcome::NotSent, "{said}");
    assert_eq!((store.inner.keys().len(), seen.left()), (2, 0));
    // Its parts share one deadline.
    let deadlines = store.deadlines.lock().unwrap();
    assert_eq!(deadlines.len(), 3);
    assert!(deadlines.iter().all(|deadline| *deadline == deadlines[0]));

    let down = MemoryBlobStore::new();
    down.fail_with(Some("the store is down"));
    let error = client.send_email_with(&down, &minimal()).unwrap_err();
    assert!(matches!(&error, Error::Unavailable { what, .. } if what.contains("the store is down")), "{error:?}");
    assert_eq!(seen.left(), 0);
}

#[test]
fn storing_has_its_own_deadline() {
    let seen = WireTap::new("email-time");
    let timeout = std::time::Duration::from_secs(7);
    let client = EventClient::new(seen.settings().events_content_timeout(timeout).build().unwrap()).unwrap();
    let store = Fussy::default();
    client.send_email_with(&store, &minimal()).unwrap();
    let left = store.deadlines.lock().unwrap()[0].remaining(&SystemClock);
    assert!(left <= timeout && left > timeout / 2, "{left:?}");
}

#[test]
fn email_with_content_needs_a_blob_store() {
    let mut seen = WireTap::new("email-storeless");
    let settings = zc_events::Settings::builder().broker_url("memory://email-storeless").staging_name("test");
    let client = EventClient::new(settings.build().unwrap()).unwrap();
    let error = client.send_email(&minimal()).unwrap_err();
    assert!(matches!(&error, Error::Config { why } if why.contains("EVENTS_CONTENT_URL")), "{error:?}");
    assert_eq!(seen.left(), 0);
    client.send_email(&Email::new().to("a@b.c").subject("s")).unwrap();
    assert!(seen.next().kwargs()["plaintext_body_key"].is_null());
}

#[test]
fn sending_a_stored_email_again_sends_the_same_message() {
    let mut seen = WireTap::new("email-again");
    let client = seen.client();
    let stored = client.store_email(&minimal()).unwrap();
    assert_eq!(seen.left(), 0, "storing sends nothing");
    client.send_stored_email(&stored).unwrap();
    client.notify(Channel::Email, stored.event()).unwrap();
    let (first, second) = (seen.next(), seen.next());
    assert_eq!(first.json, second.json);
    assert_eq!(first.json["kwargs"]["task_id"], stored.uuid());
    let [one, two] = [client.store_email(&minimal()).unwrap(), client.store_email(&minimal()).unwrap()];
    assert_ne!(one.uuid(), two.uuid());
}

/// The service that sends e-mails, in Rust: it is called, fetches what the keys name, and answers.
#[test]
fn mail_service_reads_the_stored_body() {
    let seen = WireTap::new("email-service");
    let settings = seen.settings().service_name("post").build().unwrap();
    let client = EventClient::new(settings).unwrap();
    let service = Service::builder(&client)
        .call("send_email", |context: &Context, email: Value| {
            let key = email["html_body_key"].as_str().unwrap_or_default();
            let body = context.client().email_blobs()?.take(key, SystemClock.deadline(PATIENCE))?;
            Ok(json!({"to": email["to"], "body": String::from_utf8(body.unwrap_or_default())?}))
        })
        .start()
        .unwrap();
    let stored = client.store_email(&Email::new().to("a@b.c").html_body("<p>Lunch</p>")).unwrap();
    let answer: Value = stored.post(&client).unwrap().fetch().unwrap();
    assert_eq!(answer, json!({"to": ["a@b.c"], "body": "<p>Lunch</p>"}));
    assert_eq!(service.stop(PATIENCE).abandoned, 0);
}

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Listener;

impl log::Log for Listener {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LINES.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

#[test]
fn email_log_lines_equal_pythons_and_hide_addresses_and_bodies() {
    in_own_process(|| {
        the_log_of_sending();
    });
}

fn the_log_of_sending() {
    log::set_logger(&Listener).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let seen = WireTap::new("email-log");
    let (client, store) = (seen.client(), MemoryBlobStore::new());
    let email =
        Email::new().from("kNr@x.y").to("kNr@b.c, kNr@e.f").subject("kNr").plaintext_body("kNr").html_body("kNr");
    let email = email.attachment("kNr.pdf", "a/b", "kNr").header("X", "kNr");
    let stored = client.send_email_with(&store, &email).unwrap();
    store.fail_with(Some("down"));
    client.send_email_with(&store, &email).unwrap_err();
    let lines = LINES.lock().unwrap().clone();
    let uuid = stored.uuid();
    for wanted in [
        format!("MICROSERVICE_SEND_EMAIL: Upload email with UUID {uuid}, to 2 recipients, with 1 attachments"),
        format!("MICROSERVICE_SEND_EMAIL: Sent email with UUID {uuid}"),
    ] {
        assert!(lines.contains(&wanted), "{wanted}");
    }
    assert!(lines.iter().any(|line| line.contains("MICROSERVICE_SEND_EMAIL: Failure storing email with UUID")));
    assert!(!lines.iter().any(|line| line.contains("kNr")), "{lines:?}");
}
