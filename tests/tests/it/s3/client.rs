//! A program that is configured for S3: its e-mails and index rebuilds, from the settings to the server's files, and no
//! secret in anything it shows.

use std::sync::Mutex;

use integration_tests::in_own_process;
use log::{Level, Log, Metadata, Record};
use zc_events::{Context, Email, Error, EventClient, Outcome, Service, Settings, SettingsBuilder, Value};

use super::server::{BUCKET, ID, SECRET, Server, soon};

const INDEX: &str = "index-batches";
const TOKEN: &str = "kNrTokenY/with+all=";
const WRONG: &str = "kNrSecretY";

fn settings(server: &Server) -> SettingsBuilder {
    Settings::builder()
        .broker_url("memory://")
        .staging_name("test")
        .service_name("search")
        .aws_endpoint_url(server.url())
        .aws_access_key_id(ID)
        .aws_secret_access_key(SECRET)
        .aws_session_token(TOKEN)
        .aws_indexer_bucket_name(INDEX)
}

#[test]
fn email_is_stored_in_the_bucket_of_the_python_services() {
    let server = Server::start();
    let client = EventClient::new(settings(&server).build().unwrap()).unwrap();
    let email =
        Email::new().to("a@b.c").html_body("<p>Lunch</p>").attachment("men\u{fc} 1.pdf", "application/pdf", b"%PDF");
    let stored = client.store_email(&email).unwrap();
    let data = stored.data();
    for (key, content) in [(&data["html_body_key"], &b"<p>Lunch</p>"[..]), (&data["attachments_keys"][0], b"%PDF")] {
        let key = key.as_str().unwrap();
        assert_eq!(std::fs::read(server.file(BUCKET, key)).unwrap(), content);
        assert_eq!(client.email_blobs().unwrap().take(key, soon()).unwrap().as_deref(), Some(content));
        assert!(!server.file(BUCKET, key).exists());
    }
}

#[test]
fn index_is_rebuilt_through_the_bucket() {
    let server = Server::start();
    server.add_bucket(INDEX);
    let client = EventClient::new(settings(&server).build().unwrap()).unwrap();
    let (sender, indexed) = crossbeam_channel::unbounded();
    let service = Service::builder(&client)
        .on("index_order", move |context: &Context, event: Value| {
            let key = event["meta"]["s3_key"].as_str().unwrap_or_default();
            let batch = context.client().index_blobs()?.take(key, soon())?.unwrap_or_default();
            let batch: Vec<u64> = serde_json::from_slice(&batch)?;
            sender.send(batch)?;
            Ok(())
        })
        .start()
        .unwrap();
    let done = client.index_rebuild("index_order", "Order").batch_size(40).emit(1..=100_u64).unwrap();
    assert_eq!((done.batches, done.items), (3, 100));
    let mut items: Vec<u64> =
        (0..3).flat_map(|_| indexed.recv_timeout(std::time::Duration::from_secs(30)).unwrap()).collect();
    items.sort_unstable();
    assert_eq!(items, (1..=100).collect::<Vec<_>>());
    assert_eq!(service.stop(std::time::Duration::from_secs(30)).abandoned, 0);
}

static LINES: Mutex<Vec<(Level, String, String)>> = Mutex::new(Vec::new());

struct Listener;

impl Log for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = (record.level(), record.target().to_owned(), record.args().to_string());
        LINES.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

/// The secret key is in no error and no log line, at any level: it is not even sent. The token and the contents
/// are in nothing that we say, and in nothing that others log at a level that is on in production.
#[test]
fn s3_refusal_shows_no_secret() {
    in_own_process(|| {
        log::set_logger(&Listener).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        let server = Server::start();
        let settings = settings(&server).aws_secret_access_key(WRONG).build().unwrap();
        let client = EventClient::new(settings).unwrap();
        let email = Email::new().to("kNrPerson@b.c").subject("kNrSubject").plaintext_body("kNrBody");
        let error = client.send_email(&email).unwrap_err();
        assert!(matches!(&error, Error::Rejected { outcome: Outcome::NotSent, .. }), "{error:?}");
        let told = error.to_string();
        assert!(
            told.contains("its plaintext body could not be stored") && told.contains("AWS_SECRET_ACCESS_KEY"),
            "{told}"
        );
        let shown =
            format!("{error:?} {error:#?} {client:?} {client:#?} {:?} {:#?}", client.settings(), client.settings());
        assert!(!shown.contains("kNr"), "{shown}");
        let lines = LINES.lock().unwrap();
        assert!(lines.iter().any(|(_, target, _)| target.starts_with("ureq")), "ureq was not listened to");
        assert!(lines.iter().any(|(_, _, text)| text.contains("MICROSERVICE_SEND_EMAIL: Failure storing")));
        for (level, target, text) in lines.iter() {
            assert!(!text.contains(WRONG), "{target} at {level}: {text}");
            // Of other tests' servers, too, what is sent is full of it.
            if target.starts_with("zc_events") || *level <= Level::Info {
                assert!(!text.contains("kNr"), "{target} at {level}: {text}");
            }
        }
    });
}
