//! Handlers that do not return. In memory, where the test moves the time.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use zc_events::{Context, Document, Event, HandlerError, ResourceObject, ResourceView, Service, Value, ViewResult};

use crate::support::{DEAD, ManualFleet, eventually, nothing, reason};

#[test]
fn stuck_handler_is_replaced_and_its_message_dead_lettered() {
    let fleet = ManualFleet::new("never");
    let client = fleet.client();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let service = Service::builder(&client)
        .on("stuck", move |_: &Context, _: Value| Ok(wait.lock().map_err(|_| HandlerError::new("poisoned"))?.recv()?))
        .on("works", nothing)
        .workers(1)
        .start()
        .unwrap();
    client.emit(&Event::new("stuck")).unwrap();
    eventually(|| service.health().under_way == 1);
    assert!(service.health().is_ready());
    client.emit(&Event::new("works")).unwrap();
    eventually(|| {
        fleet.clock.advance(Duration::from_secs(10));
        service.health().stuck == 1
    });
    eventually(|| service.health().processed == 1 && service.health().dead_lettered == 1);
    assert!(!service.health().is_ready());
    go.send(()).unwrap();
    eventually(|| service.health().is_ready());
    eventually(|| service.health().under_way == 0);
    assert_eq!(service.health().processed, 1);
    drop(service);
    assert_eq!(fleet.empty(DEAD).iter().map(reason).collect::<Vec<_>>(), ["stuck"]);
}

#[test]
fn stuck_request_worker_is_replaced_by_a_request_worker() {
    struct Slow(Mutex<mpsc::Receiver<()>>);
    impl ResourceView for Slow {
        fn list(&self, _: &Context) -> ViewResult {
            self.0.lock().unwrap().recv()?;
            Err(HandlerError::not_found())
        }
        fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
            Ok(Document::one(ResourceObject::new("Slow", pk)).into())
        }
    }
    let fleet = ManualFleet::new("requests-only");
    let client = fleet.client();
    let (go, wait) = mpsc::channel::<()>();
    let (end, ended) = mpsc::channel::<()>();
    let ended = Mutex::new(ended);
    let service = Service::builder(&client)
        .resource("Slow", Slow(Mutex::new(wait)))
        .on("busy", move |_: &Context, _: Value| Ok(ended.lock().unwrap().recv()?))
        .workers(1)
        .start()
        .unwrap();
    // The worker for all is busy, so it is the other that gets stuck.
    client.emit(&Event::new("busy")).unwrap();
    eventually(|| service.health().under_way == 1);
    let request = Event::new("slow_request").set("method", "GET").unwrap().set("response_key", "the-key").unwrap();
    client.emit(&request).unwrap();
    eventually(|| service.health().under_way == 2);
    eventually(|| {
        fleet.clock.advance(Duration::from_secs(10));
        service.health().stuck >= 1
    });
    eventually(|| service.health().dead_lettered >= 1);
    go.send(()).unwrap();
    for _ in 0..3 {
        client.emit(&Event::new("busy")).unwrap();
    }
    // All that take events are busy or stuck by now; requests are answered all the same.
    let answer = std::thread::scope(|scope| {
        let asking = scope.spawn(|| client.remote("Slow").pk(7).timeout(Duration::from_secs(3600)).fetch_any());
        eventually(|| {
            // The first look at who is there waits for the clock.
            fleet.clock.advance(Duration::from_millis(10));
            asking.is_finished()
        });
        asking.join().unwrap()
    });
    assert_eq!(answer.unwrap().status(), 200);
    drop(end);
}
