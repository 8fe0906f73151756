//! `zc-events dead` against RabbitMQ: dead letters are listed, shown, replayed once each, and purged.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use integration_tests::eventually;
use serde_json::{Value, json};
use zc_events::{Context, Event, HandlerError, Retry, Service};

use integration_tests::command::{PATIENCE, Scene};

/// A service whose handler fails until `works` is set.
struct Failing {
    service: Service,
    works: Arc<AtomicBool>,
    /// The numbers of the handled events, in order.
    handled: Arc<Mutex<Vec<u64>>>,
}

impl Failing {
    fn start(scene: &Scene) -> Self {
        let works = Arc::new(AtomicBool::new(false));
        let is_well = Arc::clone(&works);
        let handled: Arc<Mutex<Vec<u64>>> = Arc::default();
        let note = Arc::clone(&handled);
        let service = Service::builder(&scene.client())
            .on("order_paid", move |_: &Context, order: Value| {
                if !is_well.load(Ordering::SeqCst) {
                    return Err(HandlerError::new("the bank is closed"));
                }
                note.lock().unwrap().extend(order["resource_id"].as_u64());
                Ok(())
            })
            .retry(Retry::never())
            .on("order_settled", |_: &Context, _: Value| Ok(()))
            .start()
            .unwrap();
        Self { service, works, handled }
    }

    fn fail(&self, scene: &Scene, count: u64) -> Vec<Event> {
        let client = scene.client();
        let events: Vec<_> = (0..count).map(|number| Event::new("order_paid").resource("Order", number)).collect();
        let before = self.service.health().dead_lettered;
        events.iter().for_each(|event| client.emit(event).unwrap());
        eventually(PATIENCE, || self.service.health().dead_lettered == before + count);
        events
    }

    fn processed(&self, count: u64) {
        eventually(PATIENCE, || self.service.health().processed == count);
    }
}

/// The listed ids, sorted.
fn ids(scene: &Scene) -> Vec<String> {
    let listed = scene.run(&["dead", "list"]).with_code(0);
    let mut ids: Vec<_> = listed.json().iter().map(|letter| letter["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn sorted<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<&'a str> {
    let mut ids: Vec<_> = events.into_iter().map(Event::id).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn letters_are_listed_and_shown_with_their_reason_and_stay() {
    let scene = Scene::new();
    let failing = Failing::start(&scene);
    assert_eq!(ids(&scene), Vec::<String>::new());
    let events = failing.fail(&scene, 2);
    assert_eq!(ids(&scene), sorted(&events));
    let id = events[0].id();
    let shown = scene.run(&["dead", "show", id]).with_code(0).json().remove(0);
    assert_eq!(
        ["id", "reason", "detail", "attempts", "replays", "exchange"].map(|name| shown[name].clone()),
        [
            json!(id),
            json!("failed"),
            json!("the bank is closed"),
            json!(1),
            json!(0),
            json!(scene.client().settings().events_exchange())
        ]
    );
    assert_eq!(
        (&shown["message"]["event_type"], &shown["message"]["kwargs"]["resource_id"]),
        (&json!("order_paid"), &json!(0))
    );
    // `--service` overrides SERVICE_NAME.
    let elsewhere = Scene::new().env("SERVICE_NAME", "other");
    let shown = elsewhere.run(&["dead", "--service", &scene.service, "show", id, "--output", "pretty"]).with_code(0);
    assert!(
        shown.stdout.contains("the bank is closed") && shown.stdout.contains("\"resource_id\": 0"),
        "{}",
        shown.stdout
    );
    let missing = scene.run(&["dead", "show", "nothing"]).with_code(1);
    assert!(
        missing.stderr.contains("has the id nothing") && missing.stderr.contains("dead list"),
        "{}",
        missing.stderr
    );
}

#[test]
fn letters_are_replayed_one_or_all_and_as_another_type() {
    let scene = Scene::new();
    let failing = Failing::start(&scene);
    let events = failing.fail(&scene, 4);
    failing.works.store(true, Ordering::SeqCst);
    let replayed = scene.run(&["dead", "replay", events[1].id()]).with_code(0);
    assert_eq!(replayed.json(), [json!({"id": events[1].id(), "replayed": true})]);
    failing.processed(1);
    let missing = scene.run(&["dead", "replay", events[2].id(), "nothing"]).with_code(1);
    assert!(missing.stderr.contains("has the id nothing") && missing.stdout.is_empty(), "{missing:?}");
    scene.run(&["dead", "replay", events[2].id(), "--to", ""]).with_code(2);
    assert_eq!(ids(&scene), sorted([&events[0], &events[2], &events[3]]), "nothing was touched");
    scene.run(&["dead", "replay", events[2].id()]).with_code(0);
    failing.processed(2);
    failing.works.store(false, Ordering::SeqCst);
    scene.run(&["dead", "replay", events[0].id(), "--to", "order_settled"]).with_code(0);
    failing.processed(3);
    failing.works.store(true, Ordering::SeqCst);
    assert_eq!(scene.run(&["dead", "replay", "--all"]).with_code(0).json().len(), 1);
    failing.processed(4);
    assert_eq!(ids(&scene), Vec::<String>::new());
}

/// A listing takes the letters out and puts them back.
#[test]
fn letters_are_listed_and_replayed_oldest_first_after_several_listings() {
    // With several workers, the order of handling would vary.
    let scene = Scene::new().env("EVENTS_WORKERS", "1");
    let failing = Failing::start(&scene);
    let events = failing.fail(&scene, 6);
    let expected: Vec<&str> = events.iter().map(Event::id).collect();
    for looks in 1..=3 {
        let listed = scene.run(&["dead", "list"]).with_code(0).json();
        let listed: Vec<&str> = listed.iter().filter_map(|letter| letter["id"].as_str()).collect();
        assert_eq!(listed, expected, "look {looks}");
    }
    failing.works.store(true, Ordering::SeqCst);
    let replayed = scene.run(&["dead", "replay", "--all"]).with_code(0).json();
    let replayed: Vec<&str> = replayed.iter().filter_map(|letter| letter["id"].as_str()).collect();
    assert_eq!(replayed, expected);
    failing.processed(6);
    assert_eq!(*failing.handled.lock().unwrap(), (0..6).collect::<Vec<u64>>());
}

#[test]
fn a_deleted_queue_is_named_with_the_remedy() {
    let scene = Scene::new();
    let failing = Failing::start(&scene);
    failing.fail(&scene, 1);
    assert_eq!(failing.service.stop(PATIENCE).abandoned, 0);
    let queue = format!("{}-events", scene.service);
    let mut connection = amiquip::Connection::insecure_open(&integration_tests::broker_url()).unwrap();
    let channel = connection.open_channel(None).unwrap();
    channel.queue_delete(queue.as_str(), amiquip::QueueDeleteOptions::default()).unwrap();
    connection.close().unwrap();
    let ended = scene.run(&["dead", "replay", "--all"]).with_code(7);
    assert!(ended.stderr.contains(&format!("the queue `{queue}` does not exist; start its service once")), "{ended:?}");
    assert!(!ended.stderr.contains("no queue is bound"), "{ended:?}");
    assert_eq!(ids(&scene).len(), 1, "it stays");
}

#[test]
fn a_letter_that_fails_again_is_not_replayed_for_ever() {
    let scene = Scene::new();
    let failing = Failing::start(&scene);
    let event = failing.fail(&scene, 1).remove(0);
    for replays in 1..=2 {
        scene.run(&["dead", "replay", "--all", "--most", "2"]).with_code(0);
        eventually(PATIENCE, || failing.service.health().dead_lettered == replays + 1);
        // A listing skips letters that are younger than itself.
        eventually(PATIENCE, || {
            let letter = scene.run(&["dead", "list"]).json().pop()?;
            (letter["replays"] == replays).then_some(())
        });
    }
    let left = scene.run(&["dead", "replay", "--all", "--most", "2"]).with_code(1);
    let told = &left.json()[0];
    assert_eq!((&told["id"], &told["replayed"]), (&json!(event.id()), &json!(false)));
    for says in ["already replayed 2 times", "1 dead letter was not replayed", "--most allows more"] {
        assert!(left.stderr.contains(says), "{says}: {}", left.stderr);
    }
    assert_eq!(ids(&scene), [event.id()]);
}

#[test]
fn letters_are_purged_only_after_confirmation() {
    let scene = Scene::new();
    let failing = Failing::start(&scene);
    let events = failing.fail(&scene, 3);
    let asked = scene.run_with(&["dead", "purge", "--all"], "y\n").with_code(2);
    assert!(asked.stderr.contains("Delete 3 dead letters") && asked.stderr.contains("--yes"), "{}", asked.stderr);
    scene.run(&["dead", "purge", "--yes"]).with_code(2);
    scene.run(&["dead", "purge", "nothing", "--yes"]).with_code(1);
    assert_eq!(ids(&scene).len(), 3);
    let purged = scene.run(&["dead", "purge", events[1].id(), "--yes"]).with_code(0);
    assert_eq!(purged.json(), [json!({"purged": 1})]);
    assert_eq!(ids(&scene), sorted([&events[0], &events[2]]));
    let purged = scene.run(&["dead", "purge", "--all", "--yes", "--output", "pretty"]).with_code(0);
    assert_eq!(purged.stdout, "2 dead letters deleted\n");
    assert_eq!(ids(&scene), Vec::<String>::new());
}
