//! What a server that restarts or takes no messages does to those who use it. Apart from the other behaviours, since it
//! takes a server that may be broken.

use std::time::Duration;

use zc_events_protocol::Properties;

use super::Suite;
use super::scene::Scene;
use crate::{ConsumeOptions, Error, ExchangeKind, Outgoing, Queue, Result, Standing, Subscription, Topology};

/// How the server is broken, by other means than the contract has.
#[derive(Clone, Copy)]
pub struct Breaker<'a> {
    /// Ends it without a word and starts it again; returns when it answers.
    pub restart: &'a dyn Fn(),
    /// Lets it take no messages (a memory alarm), or take them again.
    pub alarm: &'a dyn Fn(bool),
}

/// Something that every broker does when its server breaks.
#[derive(Clone, Copy)]
pub struct FaultBehaviour {
    /// In words.
    pub name: &'static str,
    check: fn(&Scene<'_>, &Breaker<'_>),
}

impl FaultBehaviour {
    /// Checks it.
    ///
    /// # Panics
    /// Where the broker does otherwise.
    pub fn check(&self, suite: &Suite<'_>, breaker: &Breaker<'_>) {
        let scene = Scene::new(*suite);
        (self.check)(&scene, breaker);
        scene.clear();
    }
}

/// All of them.
pub fn fault_behaviours() -> impl Iterator<Item = FaultBehaviour> {
    [
        FaultBehaviour {
            name: "what is persistent and has no verdict outlives a restart, and comes again",
            check: kept,
        },
        FaultBehaviour { name: "a restart ends subscriptions, and the handle goes on", check: goes_on },
        FaultBehaviour { name: "what was removed does not come back with the connection", check: stays_away },
        FaultBehaviour { name: "under an alarm sending says Blocked, and consuming goes on", check: blocked },
    ]
    .into_iter()
}

fn message<'a>(queue: &'a str, properties: &'a Properties, body: &'a str) -> Outgoing<'a> {
    Outgoing { exchange: "", routing_key: queue, mandatory: true, properties, body: body.as_bytes() }
}

/// One that outlives a restart.
fn durable(scene: &Scene<'_>) -> String {
    let name = scene.name("durable");
    scene.declare(&Topology::new().queue(Queue::durable(&name))).expect("declaring a queue");
    scene.owns(&name);
    name
}

fn put(scene: &Scene<'_>, queue: &str, delivery_mode: u8, body: &str) -> Result<()> {
    let properties = Properties { delivery_mode: Some(delivery_mode), ..Properties::default() };
    scene.broker.send(&message(queue, &properties, body), scene.soon())?.wait(scene.soon())
}

/// Asks again until it works: a server that is back is found by whoever tries next.
fn again<T>(scene: &Scene<'_>, mut attempt: impl FnMut() -> Result<T>) -> T {
    let deadline = scene.soon();
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(error) => assert!(!deadline.has_passed(scene.suite.clock), "it does not work again: {error}"),
        }
    }
}

fn subscribe(scene: &Scene<'_>, queue: &str) -> Box<dyn Subscription> {
    again(scene, || scene.broker.subscribe(queue, ConsumeOptions { prefetch: 10 }, scene.soon()))
}

fn kept(scene: &Scene<'_>, breaker: &Breaker<'_>) {
    const TRANSIENT: u8 = 1;
    const PERSISTENT: u8 = 2;
    let queue = durable(scene);
    for (mode, body) in [(PERSISTENT, "out"), (TRANSIENT, "lost"), (PERSISTENT, "kept")] {
        put(scene, &queue, mode, body).expect("a confirm");
    }
    let mut before = scene.subscribe(&queue, 2);
    let out = [scene.next(&mut before), scene.next(&mut before)];
    (breaker.restart)();
    // Too late: what is persistent comes again.
    out.iter().for_each(|delivery| delivery.settler.ack());
    let mut after = subscribe(scene, &queue);
    scene.expect(&mut after, "out");
    scene.expect(&mut after, "kept");
    scene.expect_nothing(&mut after);
}

fn goes_on(scene: &Scene<'_>, breaker: &Breaker<'_>) {
    let queue = durable(scene);
    let mut before = scene.subscribe(&queue, 1);
    (breaker.restart)();
    match before.next(scene.soon()) {
        Err(Error::Unavailable { .. }) => {}
        other => panic!("a subscription that was lost says {other:?}"),
    }
    again(scene, || put(scene, &queue, 2, "a"));
    let mut after = subscribe(scene, &queue);
    scene.expect(&mut after, "a");
    assert!(scene.broker.health().connected, "the handle says that it is not connected");
}

fn stays_away(scene: &Scene<'_>, breaker: &Breaker<'_>) {
    let (gone, kept) = (scene.name("gone"), durable(scene));
    let topology =
        Topology::new().exchange(&gone, ExchangeKind::Fanout).queue(Queue::durable(&gone)).bind(&gone, &gone, "");
    scene.declare(&topology).expect("declaring");
    scene.broker.remove(&topology, scene.soon()).expect("removing");
    (breaker.restart)();
    again(scene, || put(scene, &kept, 2, "a"));
    let found = scene.broker.inspect(&topology, scene.soon()).expect("inspecting");
    assert_eq!(found.queues[0].standing, Standing::Missing);
    assert_eq!(found.exchanges[0].standing, Standing::Missing);
}

fn blocked(scene: &Scene<'_>, breaker: &Breaker<'_>) {
    const SHORT: Duration = Duration::from_millis(200);
    let queue = scene.queue("queue");
    put(scene, &queue, 2, "before").expect("a confirm");
    (breaker.alarm)(true);
    // What is sent before the alarm is known may be out and unconfirmed.
    let deadline = scene.soon();
    let properties = Properties::default();
    let reason = loop {
        let soon = scene.suite.clock.deadline(SHORT);
        match scene.broker.send(&message(&queue, &properties, "meanwhile"), soon).and_then(|receipt| receipt.wait(soon))
        {
            Err(Error::Blocked { reason }) => break reason,
            _ => assert!(!deadline.has_passed(scene.suite.clock), "nobody says Blocked"),
        }
    };
    assert!(!reason.is_empty());
    assert!(scene.broker.health().blocked.is_some(), "the health says nothing of an alarm");
    let mut subscription = scene.subscribe(&queue, 100);
    scene.expect(&mut subscription, "before").settler.ack();
    (breaker.alarm)(false);
    again(scene, || put(scene, &queue, 2, "after"));
    assert!(scene.broker.health().blocked.is_none(), "the health says that the alarm goes on");
    // Behind those that were sent meanwhile, if any.
    while super::scene::text(&scene.next(&mut subscription)) != "after" {}
}
