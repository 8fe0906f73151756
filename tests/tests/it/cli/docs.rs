//! The sessions of docs/cli.md that need servers: the document shows the real output.

use std::path::Path;
use std::time::Duration;

use integration_tests::command::{PATIENCE, Scene, binary};
use integration_tests::{broker_url, eventually, redis_url};
use serde_json::Value;
use test_support::console::{self, Shell};
use zc_events::{Context, Event, HandlerError, Retry, Service, Watched};

/// The id of the dead letter in the document.
const LETTER: &str = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed";

#[test]
fn sessions_with_servers_match_the_document() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    console::check(&document, true, |heading| {
        let scene = Scene::new();
        match heading {
            "`emit`" | "`doctor`" => {
                let service = orders(&scene);
                shell(&scene, service)
            }
            "`rebuild`" => {
                let indexer = indexer(&scene);
                let contents = tempfile::tempdir().unwrap();
                let url = format!("file://{}", contents.path().display());
                let shell = shell(&scene, (indexer, contents));
                shell.env("EVENTS_CONTENT_URL", url).env("AWS_INDEXER_BUCKET_NAME", "index")
            }
            "`dead`" => {
                letters(&scene);
                shell(&scene, ())
            }
            // The exchange exists before the session.
            "`listen`" | "`stub`" | "`get`" | "`call`" => {
                drop(scene.client().watch(Watched::Events).unwrap());
                shell(&scene, ())
            }
            "When something is wrong" => shell(&scene, ()).env("BROKER_URL", wrong_password()),
            _ => shell(&scene, ()),
        }
    });
}

fn shell(scene: &Scene, around: impl std::any::Any) -> Shell {
    let node = broker_url();
    let node = node.split(['@', '/']).find(|part| part.starts_with("127.0.0.1:")).expect("a node on this machine");
    let redis = redis_url();
    let redis = redis.split(['@', '/']).find(|part| part.starts_with("127.0.0.1:")).expect("a node on this machine");
    Shell::new(binary(), around)
        .env("BROKER_URL", broker_url())
        .env("EVENTS_REDIS_URL", redis_url())
        .env("STAGING_NAME", &scene.staging)
        .env("SERVICE_NAME", &scene.service)
        .shown_as(&scene.staging, "staging")
        .shown_as(&scene.service, "orders")
        .shown_as(node, "rabbitmq.internal:5672")
        .shown_as(redis, "redis.internal:6379")
}

fn wrong_password() -> String {
    let url = broker_url();
    let (login, node) = url.split_once('@').expect("a URL with a login");
    let user = login.rsplit_once(':').map_or(login, |(user, _)| user);
    format!("{user}:wrong@{node}")
}

/// A service that handles all events.
fn orders(scene: &Scene) -> Service {
    let service = Service::builder(&scene.client()).on("order_created", |_: &Context, _: Value| Ok(()));
    service.start().unwrap()
}

/// A service that receives batches.
fn indexer(scene: &Scene) -> Service {
    let service = Service::builder(&scene.client()).on("index_order", |_: &Context, _: Value| Ok(()));
    service.start().unwrap()
}

/// Two dead letters of a service that has stopped.
fn letters(scene: &Scene) {
    #[derive(serde::Deserialize)]
    struct OrderShipped {
        #[expect(dead_code, reason = "nothing of it is looked at: it is not there")]
        resource_id: u64,
    }
    let client = scene.client();
    let service = Service::builder(&client)
        .on("order_paid", |_: &Context, _: Value| Err(HandlerError::new("the bank is closed")))
        .retry(Retry::never())
        .on("order_shipped", |_: &Context, _: OrderShipped| Ok(()))
        .start()
        .unwrap();
    let emit = |event: Event, letters: u64| {
        client.emit(&event).unwrap();
        eventually(PATIENCE, || service.health().dead_lettered == letters);
    };
    emit(Event::new("order_paid").with_id(LETTER).resource("Order", 23131024).user(56), 1);
    emit(Event::new("order_shipped"), 2);
    assert_eq!(service.stop(Duration::from_secs(10)).abandoned, 0);
}
