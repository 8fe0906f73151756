//! Dead letters: listed, replayed and purged; and `watch`, which sees all messages and takes none. In memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use zc_events::{
    Channel, Context, Event, EventClient, HandlerError, MessageKind, Protocol, Replay, Retry, Service, Settings,
    Settlement, Watched,
};
use zc_events_testing::Fleet;

const SOON: Duration = Duration::from_secs(5);

/// A service that fails as long as it is told to.
struct Scene {
    service: Service,
    client: EventClient,
    works: Arc<AtomicBool>,
    renamed: Arc<AtomicU32>,
    fleet: Fleet,
}

fn scene() -> Scene {
    let fleet = Fleet::new();
    let (works, renamed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let (may, count) = (Arc::clone(&works), Arc::clone(&renamed));
    let client = fleet.client("orders");
    let service = Service::builder(&client)
        .retry(Retry::never())
        .on(
            "order_created",
            move |_: &Context, _: Value| {
                if may.load(Ordering::SeqCst) { Ok(()) } else { Err(HandlerError::new("not yet")) }
            },
        )
        .on("order_created_2", move |_: &Context, _: Value| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
        .start()
        .unwrap();
    Scene { service, client, works, renamed, fleet }
}

impl Scene {
    fn emit(&self, number: u64) -> Event {
        let event = Event::new("order_created").resource("Order", number);
        self.fleet.client("shop").emit(&event).unwrap();
        self.fleet.settle();
        event
    }
}

#[test]
fn dead_letters_are_listed_with_reason_and_stay_queued() {
    let scene = scene();
    let events = [scene.emit(1), scene.emit(2)];
    let letters = scene.client.dead_letters().unwrap();
    assert_eq!(letters.queue(), "orders-events.dead");
    for _ in 0..3 {
        let listed = letters.list().unwrap();
        let ids: Vec<_> = listed.iter().map(|letter| letter.id().unwrap()).collect();
        assert_eq!(ids, [events[0].id(), events[1].id()]);
        let first = &listed[0];
        assert_eq!((first.reason.as_str(), first.detail.as_str(), first.attempts), ("failed", "not yet", 1));
        assert_eq!((first.message.event_type(), &first.message.kwargs()["resource_id"]), ("order_created", &json!(1)));
        assert_eq!((first.exchange.as_str(), first.replays), ("microservice-events-test", 0));
        assert!(first.at.is_some());
    }
}

#[test]
fn replay_gives_the_chosen_dead_letter_all_attempts_again() {
    let scene = scene();
    let (first, second) = (scene.emit(1), scene.emit(2));
    scene.works.store(true, Ordering::SeqCst);
    let letters = scene.client.dead_letters().unwrap();
    let replayed = letters.replay(&Replay::new(), |letter| letter.id() == Some(first.id())).unwrap();
    assert_eq!((replayed.done, replayed.left.len()), (vec![first.id().to_owned()], 0));
    scene.fleet.settle();
    assert_eq!(scene.fleet.settlements(&first), [Settlement::DeadLettered { reason: "failed" }, Settlement::Handled]);
    let left: Vec<_> = letters.list().unwrap().iter().map(|letter| letter.id().unwrap().to_owned()).collect();
    assert_eq!(left, [second.id()]);
    // The other services have seen the event once.
    assert_eq!(scene.fleet.emitted("order_created").len(), 2);
}

#[test]
fn replay_does_nothing_if_a_requested_id_is_missing() {
    let scene = scene();
    let (first, second) = (scene.emit(1), scene.emit(2));
    let letters = scene.client.dead_letters().unwrap();
    let replayed = letters.replay(&Replay::new().only([first.id(), "nothing"]), |_| true).unwrap();
    assert_eq!((replayed.done.len(), replayed.missing), (0, vec!["nothing".to_owned()]));
    assert!(letters.replay(&Replay::new().event_type(""), |_| true).is_err(), "an empty event type is refused");
    let ids: Vec<_> = letters.list().unwrap().iter().map(|letter| letter.id().unwrap().to_owned()).collect();
    assert_eq!(ids, [first.id(), second.id()]);
    let replayed = letters.replay(&Replay::new().only([second.id()]), |_| true).unwrap();
    assert_eq!(replayed.done, [second.id()]);
}

#[test]
fn replay_skips_dead_letters_that_failed_too_often() {
    let scene = scene();
    let event = scene.emit(1);
    let letters = scene.client.dead_letters().unwrap();
    for count in 0..3 {
        let replayed = letters.replay(&Replay::new(), |_| true).unwrap();
        assert_eq!(replayed.done.len(), 1, "{count}");
        scene.fleet.settle();
        // What is made while a replay goes on is not looked at by it.
        scene.fleet.advance(Duration::from_secs(2));
        assert_eq!(letters.list().unwrap()[0].replays, count + 1);
    }
    let replayed = letters.replay(&Replay::new(), |_| true).unwrap();
    assert_eq!(replayed.left, [(event.id().to_owned(), "it was already replayed 3 times".to_owned())]);
    assert_eq!(letters.replay(&Replay::new().max_replays(10), |_| true).unwrap().done.len(), 1);
}

#[test]
fn replay_as_another_event_type_reaches_its_handler_in_both_protocols() {
    let scene = scene();
    let _ = scene.emit(1);
    let settings = scene.fleet.settings("shop").events_protocol(Protocol::V2).build().unwrap();
    EventClient::new(settings).unwrap().emit(&Event::new("order_created").resource("Order", 2)).unwrap();
    scene.fleet.settle();
    let replay = Replay::new().event_type("order_created_2");
    let letters = scene.client.dead_letters().unwrap();
    assert_eq!(letters.replay(&replay, |_| true).unwrap().done.len(), 2);
    scene.fleet.settle();
    assert_eq!((scene.renamed.load(Ordering::SeqCst), letters.list().unwrap().len()), (2, 0));
}

#[test]
fn purge_removes_only_the_chosen_dead_letters() {
    let scene = scene();
    let (first, second) = (scene.emit(1), scene.emit(2));
    let letters = scene.client.dead_letters().unwrap();
    assert_eq!(letters.purge(|letter| letter.id() == Some(second.id())).unwrap(), 1);
    assert_eq!(letters.list().unwrap()[0].id(), Some(first.id()));
    assert_eq!(letters.purge(|_| true).unwrap(), 1);
    assert!(letters.list().unwrap().is_empty());
    assert_eq!(scene.service.health().dead_lettered, 2);
}

#[test]
fn watch_sees_all_messages_and_takes_none() {
    let scene = scene();
    scene.works.store(true, Ordering::SeqCst);
    let watcher = scene.fleet.client("watcher");
    let mut events = watcher.watch(Watched::Events).unwrap();
    let mut all = watcher.watch(Watched::All).unwrap();
    let mut notifications = watcher.watch(Watched::Notifications).unwrap();
    let event = scene.emit(1);
    let shop = scene.fleet.client("shop");
    scene.fleet.expect(zc_events_testing::Expectation::get("Company").pk(7));
    shop.remote("Company").pk(7).fetch_any().unwrap();
    shop.post("note").data(json!({"a": 1})).unwrap().no_wait().unwrap();
    shop.notify(Channel::Text, &Event::new("send_text").set("to", "+1555").unwrap()).unwrap();
    scene.fleet.settle();
    assert_eq!(scene.fleet.settlements(&event), [Settlement::Handled]);

    let kinds = |watch: &mut zc_events::Watch| {
        let mut seen = Vec::new();
        while let Some(message) = watch.next(SOON).unwrap() {
            seen.push((message.kind(), message.event_type().to_owned()));
        }
        seen
    };
    let passed = [
        (MessageKind::Event, "order_created".to_owned()),
        (MessageKind::Request, "company_request".to_owned()),
        (MessageKind::Call, "note".to_owned()),
        (MessageKind::Notification, "send_text".to_owned()),
    ];
    assert_eq!(kinds(&mut events), passed[..3]);
    assert_eq!(kinds(&mut all), passed);
    assert_eq!(kinds(&mut notifications), passed[3..]);
}

#[test]
fn slow_watch_loses_the_oldest_and_blocks_no_consumer() {
    let settings = Settings::builder().broker_url("memory://").staging_name("test").build().unwrap();
    let client = EventClient::new(settings).unwrap();
    let mut watch = client.watch(Watched::Events).unwrap();
    let events: Vec<_> = (0..11_000).map(|number| Event::new("counted").set("number", number).unwrap()).collect();
    assert!(client.emit_many(&events).iter().all(Result::is_ok));
    let mut seen = Vec::new();
    while let Some(message) = watch.next(Duration::ZERO).unwrap() {
        seen.push(message.kwargs()["number"].as_u64().unwrap());
    }
    assert!((10_000..11_000).contains(&seen.len()), "{} are there", seen.len());
    assert!(seen.is_sorted() && seen.last() == Some(&10_999));
}
