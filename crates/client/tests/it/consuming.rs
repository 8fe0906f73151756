//! How a service takes its messages: all of them, whatever its workers do and its connections. In memory, by the real clock.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Select};
use zc_events::{
    Context, Deadline, Delivered, Event, EventClient, HandlerError, Observer, Retry, Service, Settings,
    SettingsBuilder, Settled, SystemClock, Value,
};
use zc_events_transport::memory::MemoryBroker;
use zc_events_transport::{
    Broker, ConsumeOptions, Delivery, Health, Inspection, Outgoing, Polled, Receipt, Subscription, Topology,
};

use crate::support::{PATIENCE, eventually};

fn settings(name: &str) -> SettingsBuilder {
    let url = format!("memory://{name}");
    Settings::builder().broker_url(&url).events_redis_url(&url).staging_name("test").service_name("orders")
}

fn client(name: &str) -> EventClient {
    EventClient::new(settings(name).build().unwrap()).unwrap()
}

fn broker(name: &str) -> MemoryBroker {
    MemoryBroker::named(name, Arc::new(SystemClock))
}

fn event(event_type: &str, number: usize) -> Event {
    Event::new(event_type).resource("Order", number)
}

/// As a handler's work takes now none and now some time.
fn work_a_moment() {
    if fastrand::u8(..) < 32 {
        thread::sleep(Duration::from_micros(fastrand::u64(..500))); // tidy: allow(thread::sleep) because it is the work
    }
}

#[test]
fn request_of_a_handler_is_answered_after_a_lost_connection_while_an_event_waits() {
    let name = "consuming-change";
    let (client, broker) = (client(name), broker(name));
    let (go, gone) = mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let service = Service::builder(&client)
        .workers(1)
        .call("add", |_: &Context, (x, y): (i64, i64)| Ok(x + y))
        .on("asks", move |context: &Context, _: Value| {
            gone.lock().map_err(|_| HandlerError::new("poisoned"))?.recv()?;
            assert_eq!(context.client().get("add").data((1, 2))?.fetch::<i64>()?, 3);
            Ok(())
        })
        .start()
        .unwrap();
    for number in 0..2 {
        client.emit(&event("asks", number)).unwrap();
        eventually(|| service.health().under_way == number + 1);
    }
    broker.restart();
    eventually(|| service.health().last_error.is_some() && service.health().consuming);
    eventually(|| broker.unacked("orders-events") == Some(2));
    for _ in 0..4 {
        // Redelivered copies wait for the end of the first.
        go.send(()).unwrap();
    }
    eventually(|| service.health().processed >= 2 && service.health().under_way == 0);
    assert_eq!(service.health().failed, 0);
    assert_eq!(service.stop(PATIENCE).abandoned, 0);
    assert_eq!((broker.queue_len("orders-events"), broker.unacked("orders-events")), (Some(0), Some(0)));
}

#[test]
fn events_behind_one_that_takes_long_are_handled_by_other_workers() {
    let client = client("consuming-behind");
    let (go, gone) = mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let service = Service::builder(&client)
        .workers(3)
        .on("long", move |_: &Context, _: Value| {
            Ok(gone.lock().map_err(|_| HandlerError::new("poisoned"))?.recv_timeout(PATIENCE)?)
        })
        .on("short", |_: &Context, _: Value| Ok(()))
        .start()
        .unwrap();
    let mut handled = 0;
    for round in 0..20 {
        // Enough of them that short ones are known to be short, and that any worker may lead.
        let events: Vec<Event> = (0..50).map(|number| event("short", number)).collect();
        assert!(client.emit_many(&events).iter().all(Result::is_ok));
        handled += 50;
        eventually(|| service.health().processed == handled);
        client.emit(&event("long", round)).unwrap();
        let behind: Vec<Event> = (0..50).map(|number| event("short", number)).collect();
        assert!(client.emit_many(&behind).iter().all(Result::is_ok));
        handled += 50;
        eventually(|| service.health().processed == handled);
        go.send(()).unwrap();
        handled += 1;
        eventually(|| service.health().processed == handled);
    }
}

#[test]
fn all_events_and_their_requests_are_handled_while_connections_are_lost() {
    const EVENTS: usize = 300;

    for workers in [1, 4] {
        let name = format!("consuming-lost-{workers}");
        // There is room for the requests behind all events.
        let client = EventClient::new(settings(&name).events_prefetch(600).build().unwrap()).unwrap();
        let broker = broker(&name);
        let handled = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&handled);
        let service = Service::builder(&client)
            .workers(workers)
            .call("add", |_: &Context, (x, y): (usize, usize)| {
                work_a_moment();
                Ok(x + y)
            })
            .on("counted", move |context: &Context, payload: Value| {
                let number = payload["resource_id"].as_u64().unwrap_or(0) as usize;
                work_a_moment();
                // A broker that restarts loses the requests that it has.
                let ask = || context.client().get("add").timeout(Duration::from_millis(200)).data((number, 1))?.fetch();
                while number.is_multiple_of(8) && !ask().is_ok_and(|sum: usize| sum == number + 1) {}
                counted.fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
            .on_notification(None, "noted", |_: &Context, _: Value| Ok(()))
            .start()
            .unwrap();
        for number in 0..EVENTS {
            client.emit(&event("counted", number)).unwrap();
            if number % 100 == 50 {
                broker.restart();
            }
        }
        let is_empty = || broker.queue_len("orders-events") == Some(0) && broker.unacked("orders-events") == Some(0);
        let since = Instant::now();
        while handled.load(Ordering::SeqCst) < EVENTS || !is_empty() || service.health().under_way > 0 {
            let (health, handled) = (service.health(), handled.load(Ordering::SeqCst));
            assert!(since.elapsed() < PATIENCE, "{workers} workers: {handled} handled, {health:?}");
            thread::yield_now();
        }
        assert_eq!(handled.load(Ordering::SeqCst), EVENTS, "each once: the service knows the copies");
        assert_eq!(service.stop(PATIENCE).abandoned, 0);
    }
}

#[test]
fn what_a_stopped_service_has_not_handled_is_in_its_queue() {
    let name = "consuming-stop";
    let (client, broker) = (client(name), broker(name));
    let (handled, mut sent) = (Arc::new(AtomicUsize::new(0)), 0);
    for round in 0..25 {
        let counted = Arc::clone(&handled);
        let service = Service::builder(&client)
            .workers(1 + round % 3)
            .on("counted", move |_: &Context, _: Value| {
                work_a_moment();
                counted.fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
            .start()
            .unwrap();
        let events: Vec<Event> = (0..40).map(|_| event("counted", round)).collect();
        assert!(client.emit_many(&events).iter().all(Result::is_ok));
        sent += events.len();
        let enough = handled.load(Ordering::SeqCst) + round;
        eventually(|| handled.load(Ordering::SeqCst) >= enough.min(sent));
        assert_eq!(service.stop(PATIENCE).abandoned, 0);
        assert_eq!(broker.unacked("orders-events"), Some(0));
        let left = broker.queue_len("orders-events").unwrap() + broker.queue_len("orders-events.quarantine").unwrap();
        assert_eq!(handled.load(Ordering::SeqCst) + left, sent, "round {round}");
    }
}

/// Panics each time that it is told of a message.
struct Panicking;

impl Observer for Panicking {
    fn delivered(&self, _: &Delivered<'_>) {
        panic!("told of a delivery");
    }

    fn message_taken(&self) {
        panic!("told of a message that is taken");
    }

    fn work_started(&self, _: u64) {
        panic!("told of work");
    }

    fn settled(&self, _: &Settled<'_>) {
        panic!("told of a settled message");
    }

    fn message_released(&self) {
        panic!("told of a message that is released");
    }
}

#[test]
fn observer_that_panics_harms_no_message() {
    let name = "consuming-panics";
    let client = EventClient::builder(settings(name).build().unwrap()).observer(Arc::new(Panicking)).build().unwrap();
    let service = Service::builder(&client).workers(1).on("noted", |_: &Context, _: Value| Ok(())).start().unwrap();
    for number in 0..5 {
        client.emit(&event("noted", number)).unwrap();
    }
    eventually(|| service.health().processed == 5 && service.health().under_way == 0);
    assert_eq!(service.stop(PATIENCE).abandoned, 0);
    assert_eq!(broker(name).unacked("orders-events"), Some(0));
}

#[test]
fn failed_event_counts_as_failed_whatever_its_status() {
    let client = client("consuming-failed");
    let service = Service::builder(&client)
        .retry(Retry::never())
        .on("fails", |_: &Context, _: Value| Err(HandlerError::with_status(409, "taken")))
        .start()
        .unwrap();
    client.emit(&event("fails", 1)).unwrap();
    eventually(|| service.health().dead_lettered == 1);
    assert_eq!(service.health().failed, 1);
}

/// A broker in memory whose first subscription to each queue panics.
struct PanickingBroker(MemoryBroker);

struct PanickingSubscription(Box<dyn Subscription>);

impl Subscription for PanickingSubscription {
    fn try_next(&self) -> zc_events_transport::Result<Polled> {
        panic!("on purpose")
    }

    fn register<'a>(&'a self, select: &mut Select<'a>) {
        self.0.register(select);
    }

    fn next_unless(&self, _: &Receiver<()>, _: Deadline) -> zc_events_transport::Result<Option<Delivery>> {
        panic!("on purpose")
    }

    fn cancel(&self, deadline: Deadline) -> zc_events_transport::Result<()> {
        self.0.cancel(deadline)
    }
}

impl Broker for PanickingBroker {
    fn declare(&self, topology: &Topology, deadline: Deadline) -> zc_events_transport::Result<()> {
        self.0.declare(topology, deadline)
    }

    fn send(&self, message: &Outgoing<'_>, deadline: Deadline) -> zc_events_transport::Result<Receipt> {
        self.0.send(message, deadline)
    }

    fn subscribe(
        &self,
        queue: &str,
        options: ConsumeOptions,
        deadline: Deadline,
    ) -> zc_events_transport::Result<Box<dyn Subscription>> {
        static BEFORE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        let subscription = self.0.subscribe(queue, options, deadline)?;
        let is_first = BEFORE.lock().unwrap().insert(queue.to_owned());
        Ok(if is_first { Box::new(PanickingSubscription(subscription)) } else { subscription })
    }

    fn subscribe_with(
        &self,
        topology: &Topology,
        queue: &str,
        options: ConsumeOptions,
        deadline: Deadline,
    ) -> zc_events_transport::Result<Box<dyn Subscription>> {
        self.0.subscribe_with(topology, queue, options, deadline)
    }

    fn inspect(&self, wanted: &Topology, deadline: Deadline) -> zc_events_transport::Result<Inspection> {
        self.0.inspect(wanted, deadline)
    }

    fn remove(&self, topology: &Topology, deadline: Deadline) -> zc_events_transport::Result<()> {
        self.0.remove(topology, deadline)
    }

    fn health(&self) -> Health {
        self.0.health()
    }

    fn close(&self, deadline: Deadline) -> zc_events_transport::Result<()> {
        self.0.close(deadline)
    }
}

#[test]
fn subscription_that_panics_is_replaced() {
    let broker = Arc::new(PanickingBroker(MemoryBroker::new(Arc::new(SystemClock))));
    let settings = Settings::builder().broker_url("memory://").staging_name("test").service_name("panicking");
    let client = EventClient::builder(settings.build().unwrap()).broker(broker).build().unwrap();
    let (handled, events) = mpsc::channel();
    let service =
        Service::builder(&client).on("e", move |_: &Context, _: Value| Ok(handled.send(())?)).start().unwrap();
    client.emit(&Event::new("e")).unwrap();
    events.recv().unwrap();
    assert!(service.health().last_error.is_some_and(|error| error.contains("panicked: on purpose")));
}
