//! `zc-events dead` against RabbitMQ: letters of a service are listed, shown, replayed once each, and thrown away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use integration_tests::eventually;
use serde_json::{Value, json};
use zc_events::{Context, Event, HandlerError, Retry, Service};

use integration_tests::command::{PATIENCE, Scene};

/// A service that fails until it is told to work.
struct Failing {
    service: Service,
    works: Arc<AtomicBool>,
}

impl Failing {
    fn start(scene: &Scene) -> Self {
        let works = Arc::new(AtomicBool::new(false));
        let is_well = Arc::clone(&works);
        let service = Service::builder(&scene.client())
            .on("order_paid", move |_: &Context, _: Value| {
                if is_well.load(Ordering::SeqCst) { Ok(()) } else { Err(HandlerError::new("the bank is closed")) }
            })
            .retry(Retry::never())
            .on("order_settled", |_: &Context, _: Value| Ok(()))
            .start()
            .unwrap();
        Self { service, works }
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

/// The ids that are listed, in the order of their text.
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
fn letters_are_listed_and_shown_with_why_they_are_dead_and_stay() {
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
    // Of another service's, wherever SERVICE_NAME leads.
    let elsewhere = Scene::new().env("SERVICE_NAME", "nobody");
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
    assert!(missing.stderr.contains("has the id nothing"), "{}", missing.stderr);
    failing.processed(2);
    failing.works.store(false, Ordering::SeqCst);
    scene.run(&["dead", "replay", events[0].id(), "--to", "order_settled"]).with_code(0);
    failing.processed(3);
    failing.works.store(true, Ordering::SeqCst);
    assert_eq!(scene.run(&["dead", "replay", "--all"]).with_code(0).json().len(), 1);
    failing.processed(4);
    assert_eq!(ids(&scene), Vec::<String>::new());
}

#[test]
fn what_dies_again_is_not_replayed_for_ever() {
    let scene = Scene::new();
    let failing = Failing::start(&scene);
    let event = failing.fail(&scene, 1).remove(0);
    for replays in 1..=2 {
        scene.run(&["dead", "replay", "--all", "--most", "2"]).with_code(0);
        eventually(PATIENCE, || failing.service.health().dead_lettered == replays + 1);
        // A letter that is younger than the look at it is left for the next look.
        eventually(PATIENCE, || {
            let letter = scene.run(&["dead", "list"]).json().pop()?;
            (letter["replays"] == replays).then_some(())
        });
    }
    let left = scene.run(&["dead", "replay", "--all", "--most", "2"]).with_code(1);
    let told = &left.json()[0];
    assert_eq!((&told["id"], &told["replayed"]), (&json!(event.id()), &json!(false)));
    assert!(left.stderr.contains("2 times already") && left.stderr.contains("1 dead letter stayed"), "{}", left.stderr);
    assert_eq!(ids(&scene), [event.id()]);
}

#[test]
fn letters_are_thrown_away_only_on_a_clear_word() {
    let scene = Scene::new();
    let failing = Failing::start(&scene);
    let events = failing.fail(&scene, 3);
    let asked = scene.run_with(&["dead", "purge", "--all"], "y\n").with_code(2);
    assert!(asked.stderr.contains("Throw away 3 dead letters") && asked.stderr.contains("--yes"), "{}", asked.stderr);
    scene.run(&["dead", "purge", "--yes"]).with_code(2);
    scene.run(&["dead", "purge", "nothing", "--yes"]).with_code(1);
    assert_eq!(ids(&scene).len(), 3);
    let purged = scene.run(&["dead", "purge", events[1].id(), "--yes"]).with_code(0);
    assert_eq!(purged.json(), [json!({"purged": 1})]);
    assert_eq!(ids(&scene), sorted([&events[0], &events[2]]));
    let purged = scene.run(&["dead", "purge", "--all", "--yes", "--output", "pretty"]).with_code(0);
    assert_eq!(purged.stdout, "2 dead letters thrown away\n");
    assert_eq!(ids(&scene), Vec::<String>::new());
}
