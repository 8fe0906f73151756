//! An alarm of the broker blocks the connection for publishing: it must stop publishing, and cost nothing else.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::fake_broker::{CHANNEL_CLOSE, CHANNEL_OPEN, Fake, PUBLISH};
use zc_events_protocol::{Clock, Deadline, ManualClock, Properties, Stage, SystemClock};
use zc_events_transport::amqp::{AmqpBroker, AmqpOptions};
use zc_events_transport::{Broker, ConsumeOptions, Error, Outgoing, Queue, Receipt, Result, Topology};

/// Longer than anything that is cut for want of an answer may take.
const LONG: Duration = Duration::from_secs(10);

/// A broker in which one message waits for its confirm, on a channel of its own, and the alarm is still to come.
struct Fixture {
    fake: Fake,
    clock: ManualClock,
    broker: AmqpBroker,
    held: Receipt,
}

impl Fixture {
    fn new() -> Self {
        let (fake, clock) = (Fake::start(), ManualClock::new());
        let options = AmqpOptions::new(fake.url.parse().unwrap()).clock(Arc::new(clock.clone()));
        let broker = AmqpBroker::new(options).unwrap();
        let held = send(&broker, "held", clock.deadline(LONG)).unwrap();
        // A nack, after which that channel is not lent again.
        let nack = send(&broker, "nack", clock.deadline(LONG)).unwrap().wait(clock.deadline(LONG));
        assert!(matches!(nack, Err(Error::Nacked { .. })), "{nack:?}");
        Self { fake, clock, broker, held }
    }

    /// A long alarm, which must not be the connection's end.
    fn sit_out(&self) {
        until(|| self.broker.health().blocked.is_some());
        // Each opens a connection of its own: that takes a while, and whatever else goes on has begun by then.
        self.declare();
        self.clock.advance(LONG);
        self.declare();
        let refused = send(&self.broker, "x", self.clock.deadline(Duration::ZERO)).map(drop);
        assert!(matches!(refused, Err(Error::Blocked { .. })), "{refused:?}");
    }

    fn declare(&self) {
        let topology = Topology::new().queue(Queue::durable("q"));
        self.broker.declare(&topology, self.clock.deadline(LONG)).expect("declaring under the alarm");
    }

    /// After the alarm.
    fn end(self) {
        self.held.wait(self.clock.deadline(LONG)).expect("what was out before the alarm is confirmed after it");
        assert_eq!(self.broker.health().connections, 1);
        until(|| self.fake.closed_channels() >= 2);
        self.broker.close(self.clock.deadline(LONG)).unwrap();
    }
}

fn send(broker: &AmqpBroker, body: &str, deadline: Deadline) -> Result<Receipt> {
    let properties = Properties::default();
    let body = body.as_bytes();
    broker.send(&Outgoing { exchange: "x", routing_key: "", mandatory: true, properties: &properties, body }, deadline)
}

fn until(mut is_so: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < patience, "it did not come to that");
        thread::yield_now();
    }
}

#[test]
fn channel_closes_after_an_alarm_that_raced_its_last_message() {
    let fixture = Fixture::new();
    let alarm = fixture.fake.block_at(PUBLISH);
    let raced = send(&fixture.broker, "x", fixture.clock.deadline(LONG)).unwrap();
    until(|| fixture.broker.health().blocked.is_some());
    let raced = raced.wait(fixture.clock.deadline(Duration::ZERO));
    assert!(matches!(raced, Err(Error::Timeout { stage: Stage::Confirm })), "{raced:?}");
    fixture.sit_out();
    let closed = fixture.fake.closed_channels();
    drop(alarm);
    until(|| fixture.fake.closed_channels() > closed);
    fixture.end();
}

#[test]
fn alarm_during_channel_close() {
    let fixture = Fixture::new();
    let alarm = fixture.fake.block_at(CHANNEL_CLOSE);
    let nack = send(&fixture.broker, "nack", fixture.clock.deadline(LONG)).unwrap();
    assert!(matches!(nack.wait(fixture.clock.deadline(LONG)), Err(Error::Nacked { .. })));
    fixture.sit_out();
    drop(alarm);
    fixture.end();
}

#[test]
fn alarm_during_channel_open() {
    let fixture = Fixture::new();
    let alarm = fixture.fake.block_at(CHANNEL_OPEN);
    let (broker, deadline) = (fixture.broker.clone(), fixture.clock.deadline(LONG * 10));
    let opening = thread::spawn(move || send(&broker, "nack", deadline)?.wait(deadline));
    fixture.sit_out();
    drop(alarm);
    let nack = opening.join().unwrap();
    assert!(matches!(nack, Err(Error::Nacked { .. })), "{nack:?}");
    fixture.end();
}

#[test]
fn subscribe_works_under_an_alarm_and_declare_waits_for_its_end() {
    let fake = Fake::start();
    let broker = AmqpBroker::new(AmqpOptions::new(fake.url.parse().unwrap())).unwrap();
    let soon = || SystemClock.deadline(LONG);
    let alarm = fake.block_at(PUBLISH);
    let raced = send(&broker, "x", soon()).unwrap();
    until(|| broker.health().blocked.is_some());

    let topology = Topology::new().queue(Queue::durable("q"));
    broker.declare(&topology, soon()).unwrap();
    let subscription = broker.subscribe("q", ConsumeOptions::default(), soon()).unwrap();
    assert!(subscription.next(SystemClock.deadline(Duration::ZERO)).unwrap().is_none());
    let exclusive = Topology::new().queue(Queue { durable: false, exclusive: true, ..Queue::durable("own") });
    let begun = Instant::now();
    let refused = broker.declare(&exclusive, SystemClock.deadline(Duration::from_millis(300)));
    assert!(matches!(refused, Err(Error::Blocked { .. })), "{refused:?}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());

    drop(alarm);
    raced.wait(soon()).unwrap();
    broker.declare(&exclusive, soon()).unwrap();
    assert_eq!(broker.health().connections, 1);
    drop(subscription);
    broker.close(soon()).unwrap();
}
