//! The clock of the kit for tests: it stands still but where it should not, and it never stands in the way. Each case is
//! one in which it once did.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use zc_events::{
    Clock, Context, Error, Event, EventClient, HandlerError, ResourceView, Retry, Service, ServiceBuilder, Settlement,
    ViewResult, Watched,
};
use zc_events_testing::{Expectation, Fleet};

const SECOND: Duration = Duration::from_secs(1);
/// By the real clock, far less than what the kit waits for in vain.
const AT_ONCE: Duration = Duration::from_secs(10);

/// A service with a handler that asks another one, which answers after a while.
fn asking(client: &EventClient) -> ServiceBuilder {
    Service::builder(client).on("asks", |context: &Context, _: Value| Ok(context.client().get("slow").fetch::<()>()?))
}

fn emit(fleet: &Fleet, event_type: &str, count: usize) -> Vec<Event> {
    let shop = fleet.client("shop");
    let events: Vec<Event> = (0..count).map(|number| Event::new(event_type).resource("Order", number)).collect();
    events.iter().for_each(|event| shop.emit(event).unwrap());
    events
}

#[test]
fn clock_stands_still_while_work_is_ready() {
    let fleet = Fleet::new();
    let client = fleet.client("orders");
    let _service = Service::builder(&client).call("add", |_: &Context, x: i64| Ok(x + 1)).start().unwrap();
    let mut watch = client.watch(Watched::Events).unwrap();
    let before = fleet.clock().now();
    for number in 0..300 {
        assert_eq!(client.get("add").data(number).unwrap().fetch::<i64>().unwrap(), number + 1);
        assert_eq!(watch.next(60 * SECOND).unwrap().unwrap().event_type(), "add");
        emit(&fleet, "created", 5);
        fleet.settle();
        for _ in 0..5 {
            assert_eq!(watch.next(60 * SECOND).unwrap().unwrap().event_type(), "created");
        }
    }
    assert_eq!(fleet.clock().now(), before);
}

#[test]
fn more_events_than_workers_are_all_handled() {
    let (fleet, started) = (Fleet::new(), Instant::now());
    fleet.expect(Expectation::call("slow").after(SECOND).times(9));
    let _service = asking(&fleet.client("orders")).workers(2).start().unwrap();
    let events = emit(&fleet, "asks", 9);
    for event in &events {
        assert_eq!(fleet.until_settled(event), [Settlement::Handled]);
    }
    assert!(started.elapsed() < AT_ONCE);
}

#[test]
fn two_instances_of_a_service_share_a_queue() {
    let (fleet, started) = (Fleet::new(), Instant::now());
    fleet.expect(Expectation::call("slow").after(SECOND).times(3));
    let _copies = [asking(&fleet.client("orders")).start().unwrap(), asking(&fleet.client("orders")).start().unwrap()];
    let events = emit(&fleet, "asks", 3);
    fleet.settle();
    fleet.advance(SECOND);
    assert!(events.iter().all(|event| fleet.settlements(event) == [Settlement::Handled]));
    assert!(started.elapsed() < AT_ONCE);
}

/// A view with a client of its own, which is not that of its context.
struct Asking(EventClient);

impl ResourceView for Asking {
    fn list(&self, _: &Context) -> ViewResult {
        self.0.get("slow").timeout(5 * SECOND).fetch::<()>()?;
        Err(HandlerError::not_found())
    }
}

#[test]
fn clock_advances_while_handlers_wait_on_any_client_or_thread() {
    let (fleet, started) = (Fleet::new(), Instant::now());
    fleet.expect(Expectation::call("slow").after(SECOND).times(4));
    let client = fleet.client("orders");
    let (go, gone) = mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let _service = Service::builder(&client)
        .resource("Order", Asking(fleet.client("orders")))
        .on("fans_out", |context: &Context, _: Value| {
            let ask = || context.client().get("slow").fetch::<()>();
            let all = std::thread::scope(|scope| [0; 3].map(|_| scope.spawn(ask)).map(|thread| thread.join().unwrap()));
            Ok(all.into_iter().collect::<Result<(), Error>>()?)
        })
        .on("works", move |_: &Context, _: Value| Ok(gone.lock().unwrap().recv()?))
        .on("looks", |context: &Context, _: Value| {
            assert!(context.client().dead_letters()?.list()?.is_empty());
            Ok(())
        })
        .start()
        .unwrap();
    // The view waits, and no time passes while it is the only one.
    let before = fleet.clock().now();
    let pending = fleet.client("shop").remote("Order").send().unwrap();
    fleet.settle();
    assert_eq!(fleet.clock().now(), before);
    let answered = pending.wait_any().unwrap().status();
    assert_eq!((answered, fleet.clock().now() - before), (404, SECOND));
    // One that works is not hidden by one that waits in three threads.
    let works = emit(&fleet, "works", 1);
    let fans = emit(&fleet, "fans_out", 1);
    std::thread::scope(|scope| {
        let settling = scope.spawn(|| fleet.settle());
        // Nothing can be seen of a wait that goes on, but that it ends as soon as this is sent, and not before.
        go.send(()).unwrap();
        settling.join().unwrap();
    });
    assert_eq!(fleet.settlements(&works[0]), [Settlement::Handled]);
    // The kit does not see a thread that has not asked yet; a second later it would be answered a second later.
    while !fleet.complaints().is_empty() {
        std::thread::yield_now();
    }
    fleet.advance(SECOND);
    assert_eq!(fleet.settlements(&fans[0]), [Settlement::Handled]);
    let looks = emit(&fleet, "looks", 1);
    assert_eq!(fleet.until_settled(&looks[0]), [Settlement::Handled]);
    fleet.expect(Expectation::call("slow").times(1));
    assert!(fleet.client("shop").get("slow").fetch::<()>().is_ok());
    assert!(started.elapsed() < AT_ONCE);
}

#[test]
fn settle_returns_when_the_broker_takes_no_dead_letters() {
    let (fleet, started) = (Fleet::new(), Instant::now());
    let client = fleet.client("orders");
    let _service = Service::builder(&client)
        .retry(Retry::never())
        .on("fails", |_: &Context, _: Value| Err(HandlerError::new("no")))
        .start()
        .unwrap();
    emit(&fleet, "fails", 1);
    fleet.settle();
    fleet.block_broker(Some("low on memory"));
    let replayed = client.dead_letters().unwrap().replay(&zc_events::Replay::new(), |_| true).unwrap();
    assert!(matches!(replayed.stopped_by, Some(Error::Blocked { .. })), "{replayed:?}");
    fleet.block_broker(None);
    assert_eq!(fleet.dead_letters("orders").len(), 1);
    assert!(started.elapsed() < AT_ONCE);
}

#[test]
fn service_stops_although_its_handler_never_returns() {
    let (fleet, started) = (Fleet::new(), Instant::now());
    let (_keep, never) = mpsc::channel::<()>();
    let never = std::sync::Mutex::new(never);
    let (begin, begun) = mpsc::channel();
    let service = Service::builder(&fleet.client("orders"))
        .on("hangs", move |_: &Context, _: Value| {
            begin.send(())?;
            Ok(never.lock().unwrap().recv()?)
        })
        .start()
        .unwrap();
    emit(&fleet, "hangs", 1);
    begun.recv().unwrap();
    assert_eq!(service.stop(SECOND).abandoned, 1);
    assert!(started.elapsed() < AT_ONCE);
}

#[test]
fn stopping_service_finishes_running_handlers_and_leaves_the_rest_queued() {
    let (fleet, started) = (Fleet::new(), Instant::now());
    fleet.expect(Expectation::call("slow").after(30 * SECOND));
    let service = asking(&fleet.client("orders")).workers(1).start().unwrap();
    let events = emit(&fleet, "asks", 2);
    fleet.settle();
    assert_eq!(service.stop(60 * SECOND).abandoned, 0);
    assert_eq!((fleet.settlements(&events[0]), fleet.settlements(&events[1])), (vec![Settlement::Handled], vec![]));
    // It is still there for the next one.
    fleet.expect(Expectation::call("slow"));
    let _service = asking(&fleet.client("orders")).start().unwrap();
    assert_eq!(fleet.until_settled(&events[1]), [Settlement::Handled]);
    assert!(started.elapsed() < AT_ONCE);
}

#[test]
fn fleet_reads_all_sent_messages_before_it_reports() {
    for _ in 0..50 {
        let fleet = Fleet::new();
        fleet.expect(Expectation::call("note"));
        fleet.client("shop").put("note").no_wait().unwrap();
    }
}

#[test]
fn service_may_outlive_its_fleet() {
    let started = Instant::now();
    let fleet = Fleet::new();
    let service = asking(&fleet.client("orders")).start().unwrap();
    drop(fleet);
    drop(service);
    assert!(started.elapsed() < AT_ONCE);
}
