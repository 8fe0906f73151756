//! Tests of behaviours that the conformance suite cannot check: a manual clock, introspection, faults, and the
//! ownership of handles.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use zc_events_protocol::{Clock, HeaderValue, ManualClock, Outcome, Properties, SystemClock};

use super::{MemoryBroker, SendFault};
use crate::{
    Broker, ConsumeOptions, Delivery, Error, Outgoing, Queue, QuorumPriorities, Subscription, Topology, Verdict,
};

const SECOND: Duration = Duration::from_secs(1);

struct Fixture {
    clock: ManualClock,
    broker: MemoryBroker,
}

impl Fixture {
    fn new() -> Self {
        let clock = ManualClock::new();
        Self { broker: MemoryBroker::new(Arc::new(clock.clone())), clock }
    }

    fn queue<const N: usize>(&self, name: &str, arguments: [(&str, HeaderValue); N]) {
        declare(&self.broker, queue(name, false, arguments)).unwrap();
    }

    fn put(&self, queue: &str, expiration: Option<&str>, body: &str) {
        let properties = Properties { expiration: expiration.map(str::to_owned), ..Properties::default() };
        put(&self.broker, queue, &properties, body).unwrap();
    }

    fn subscribe(&self, queue: &str, prefetch: u16) -> Box<dyn Subscription> {
        self.broker.subscribe(queue, ConsumeOptions { prefetch }, self.clock.deadline(SECOND)).unwrap()
    }

    /// The next delivery, if there is one now.
    fn next(&self, subscription: &mut Box<dyn Subscription>) -> Option<Delivery> {
        subscription.next(self.clock.deadline(Duration::ZERO)).unwrap()
    }
}

fn queue<const N: usize>(name: &str, exclusive: bool, arguments: [(&str, HeaderValue); N]) -> Queue {
    let arguments = arguments.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Queue { exclusive, ..Queue::durable(name).arguments(arguments) }
}

fn declare(broker: &MemoryBroker, queue: Queue) -> Result<(), Error> {
    broker.declare(&Topology::new().queue(queue), SystemClock.deadline(SECOND))
}

fn put(broker: &MemoryBroker, queue: &str, properties: &Properties, body: &str) -> Result<(), Error> {
    let message = Outgoing { exchange: "", routing_key: queue, mandatory: true, properties, body: body.as_bytes() };
    let soon = SystemClock.deadline(SECOND);
    broker.send(&message, soon)?.wait(soon)
}

#[test]
fn messages_expire_by_the_clock_when_they_reach_the_head() {
    let fixture = Fixture::new();
    fixture.queue("q", []);
    fixture.put("q", Some("1000"), "short");
    fixture.put("q", None, "for ever");
    fixture.put("q", Some("1000"), "behind it");
    fixture.clock.advance(Duration::from_millis(999));
    assert_eq!(fixture.broker.queue_len("q"), Some(3));
    fixture.clock.advance(Duration::from_millis(1));
    assert_eq!(fixture.broker.queue_len("q"), Some(2));
    let mut subscription = fixture.subscribe("q", 1);
    fixture.next(&mut subscription).unwrap().settler.ack();
    assert!(fixture.next(&mut subscription).is_none());
    assert_eq!(fixture.broker.queue_len("q"), Some(0));
}

#[test]
fn an_unacknowledged_message_does_not_expire_before_it_is_requeued() {
    let fixture = Fixture::new();
    fixture.queue("q", [("x-message-ttl", 1000.into())]);
    fixture.put("q", None, "a");
    let mut subscription = fixture.subscribe("q", 1);
    let delivery = fixture.next(&mut subscription).unwrap();
    fixture.clock.advance(2 * SECOND);
    assert_eq!(fixture.broker.unacked("q"), Some(1));
    delivery.settler.settle(Verdict::Requeue);
    assert!(fixture.next(&mut subscription).is_none());
    assert_eq!((fixture.broker.queue_len("q"), fixture.broker.unacked("q")), (Some(0), Some(0)));
}

#[test]
fn a_waiting_subscription_gets_a_dead_letter_of_another_queue() {
    let fixture = Fixture::new();
    let to_work = [("x-dead-letter-exchange", "".into()), ("x-dead-letter-routing-key", "work".into())];
    fixture.queue("retry", to_work);
    fixture.queue("work", []);
    let subscription = fixture.subscribe("work", 1);
    let deadline = fixture.clock.deadline(3600 * SECOND);
    let waiting = thread::spawn(move || subscription.next(deadline).unwrap().unwrap().body);
    fixture.put("retry", Some("30000"), "again");
    fixture.put("retry", Some("60000"), "later");
    // It must not miss the message, whether it began to wait before or after the clock moved.
    fixture.clock.advance(30 * SECOND);
    assert_eq!(waiting.join().unwrap(), b"again");
    assert_eq!(fixture.broker.queue_len("retry"), Some(1));
}

#[test]
fn a_manual_clock_ends_a_wait() {
    let fixture = Fixture::new();
    fixture.queue("q", []);
    let subscription = fixture.subscribe("q", 1);
    let deadline = fixture.clock.deadline(SECOND);
    let waiting = thread::spawn(move || subscription.next(deadline).unwrap().is_none());
    fixture.clock.advance(SECOND);
    assert!(waiting.join().unwrap());
}

#[test]
fn automatic_dead_lettering_does_not_cycle() {
    let fixture = Fixture::new();
    let again = |to: &str| {
        [("x-message-ttl", 0.into()), ("x-dead-letter-exchange", "".into()), ("x-dead-letter-routing-key", to.into())]
    };
    fixture.queue("a", again("b"));
    fixture.queue("b", again("a"));
    fixture.put("a", None, "round and round");
    assert_eq!((fixture.broker.queue_len("a"), fixture.broker.queue_len("b")), (Some(0), Some(0)));
}

#[test]
fn a_queue_above_its_maximum_length_drops_its_head() {
    let fixture = Fixture::new();
    fixture.queue("dropped", []);
    let to_dropped = ("x-dead-letter-routing-key", "dropped".into());
    fixture.queue("q", [("x-max-length", 2.into()), ("x-dead-letter-exchange", "".into()), to_dropped]);
    for body in ["a", "b", "c"] {
        fixture.put("q", None, body);
    }
    assert_eq!(fixture.broker.queue_len("q"), Some(2));
    assert_eq!(fixture.next(&mut fixture.subscribe("dropped", 1)).unwrap().body, b"a");
}

#[test]
fn introspection_counts_ready_and_unacknowledged_messages() {
    let fixture = Fixture::new();
    fixture.queue("q", []);
    for body in ["a", "b", "c", "d"] {
        fixture.put("q", None, body);
    }
    let mut subscription = fixture.subscribe("q", 2);
    assert_eq!((fixture.broker.queue_len("q"), fixture.broker.unacked("q")), (Some(2), Some(2)));
    fixture.next(&mut subscription).unwrap().settler.ack();
    assert_eq!((fixture.broker.queue_len("q"), fixture.broker.unacked("q")), (Some(1), Some(2)));
    assert_eq!(fixture.broker.purge("q"), Some(1));
    assert_eq!((fixture.broker.queue_len("q"), fixture.broker.unacked("q")), (Some(0), Some(2)));
    drop(subscription);
    assert_eq!((fixture.broker.queue_len("q"), fixture.broker.unacked("q")), (Some(2), Some(0)));
    assert!(fixture.broker.delete_queue("q"));
    assert!(!fixture.broker.delete_queue("q"));
    assert_eq!(
        (fixture.broker.queue_len("q"), fixture.broker.unacked("q"), fixture.broker.purge("q")),
        (None, None, None)
    );
}

#[test]
fn subscriptions_take_turns() {
    let fixture = Fixture::new();
    fixture.queue("q", []);
    let mut subscriptions = [fixture.subscribe("q", 10), fixture.subscribe("q", 10)];
    for body in ["a", "b", "c", "d"] {
        fixture.put("q", None, body);
    }
    for expected in [[b"a", b"b"], [b"c", b"d"]] {
        for (subscription, body) in subscriptions.iter_mut().zip(expected) {
            assert_eq!(fixture.next(subscription).unwrap().body, body);
        }
    }
}

#[test]
fn a_wait_ends_when_the_handle_is_closed_or_the_queue_deleted() {
    let fixture = Fixture::new();
    fixture.queue("q", []);
    let wait = || {
        let (subscription, deadline) = (fixture.subscribe("q", 1), fixture.clock.deadline(SECOND));
        thread::spawn(move || subscription.next(deadline))
    };
    let deleted = wait();
    fixture.broker.delete_queue("q");
    assert!(matches!(deleted.join().unwrap(), Err(Error::Rejected { .. })));
    fixture.queue("q", []);
    let closed = wait();
    fixture.broker.close(fixture.clock.deadline(SECOND)).unwrap();
    assert!(matches!(closed.join().unwrap(), Err(Error::Closed)));
}

#[test]
fn an_exclusive_queue_belongs_to_its_handle() {
    let name = uuid::Uuid::new_v4().to_string();
    let [owner, other] = [(), ()].map(|()| MemoryBroker::named(&name, Arc::new(SystemClock)));
    declare(&owner, queue("own", true, [])).unwrap();
    let soon = SystemClock.deadline(SECOND);
    assert!(matches!(other.subscribe("own", ConsumeOptions::default(), soon), Err(Error::Rejected { .. })));
    assert!(matches!(declare(&other, queue("own", false, [])), Err(Error::Rejected { .. })));
    put(&other, "own", &Properties::default(), "to publish is allowed").unwrap();
    let subscription = owner.subscribe("own", ConsumeOptions::default(), soon).unwrap();
    // The handle was dropped, but its subscription keeps it open.
    drop(owner);
    subscription.next(soon).unwrap().unwrap().settler.ack();
    drop(subscription);
    assert_eq!(other.queue_len("own"), None);
    declare(&other, queue("own", true, [])).unwrap();
    other.close(soon).unwrap();
    assert_eq!(other.queue_len("own"), None);
}

#[test]
fn a_named_broker_lives_as_long_as_a_handle() {
    let name = uuid::Uuid::new_v4().to_string();
    let named = || MemoryBroker::named(&name, Arc::new(SystemClock));
    let first = named();
    declare(&first, queue("q", false, [])).unwrap();
    put(&first, "q", &Properties::default(), "a").unwrap();
    let second = named();
    first.close(SystemClock.deadline(SECOND)).unwrap();
    drop(first);
    assert_eq!(second.queue_len("q"), Some(1));
    let soon = SystemClock.deadline(SECOND);
    let subscription = second.subscribe("q", ConsumeOptions::default(), soon).unwrap();
    let delivery = subscription.next(soon).unwrap().unwrap();
    drop((subscription, second));
    assert_eq!(named().queue_len("q"), None);
    // A settler does not keep the broker alive.
    delivery.settler.ack();
    let other = MemoryBroker::new(Arc::new(SystemClock));
    declare(&other, queue("q", false, [])).unwrap();
    assert_eq!(MemoryBroker::new(Arc::new(SystemClock)).queue_len("q"), None);
}

#[test]
fn debug_shows_no_message() {
    let fixture = Fixture::new();
    fixture.queue("q", []);
    fixture.put("q", None, "secret");
    let shown = format!("{:?}", fixture.broker);
    assert!(shown.starts_with("MemoryBroker") && !shown.contains("secret"), "{shown}");
}

/// A retry queue of one second to `target`, and a message in it.
fn retrying(fixture: &Fixture) {
    declare_all(fixture, Topology::new().retry_queue("retry", SECOND, "target"));
    fixture.put("retry", None, "a");
    fixture.clock.advance(SECOND);
}

fn declare_all(fixture: &Fixture, topology: Topology) {
    fixture.broker.declare(&topology, SystemClock.deadline(SECOND)).unwrap();
}

#[test]
fn a_dead_letter_stays_until_its_target_exists() {
    let fixture = Fixture::new();
    retrying(&fixture);
    fixture.clock.advance(3600 * SECOND);
    assert_eq!(fixture.broker.queue_len("retry"), Some(1));
    declare_all(&fixture, Topology::new().dead_queue("target"));
    assert_eq!((fixture.broker.queue_len("retry"), fixture.broker.queue_len("target")), (Some(0), Some(1)));
    // Deleted with its messages. Later messages wait again.
    assert!(fixture.broker.delete_queue("target"));
    fixture.put("retry", None, "b");
    fixture.clock.advance(SECOND);
    assert_eq!(fixture.broker.queue_len("retry"), Some(1));
    assert!(fixture.broker.delete_queue("retry"));
    declare_all(&fixture, Topology::new().dead_queue("target"));
    assert_eq!(fixture.broker.queue_len("target"), Some(0));
}

#[test]
fn a_dead_letter_stays_until_its_target_has_room() {
    let fixture = Fixture::new();
    fixture.queue("target", [("x-max-length", 1.into()), ("x-overflow", "reject-publish".into())]);
    fixture.put("target", None, "full");
    retrying(&fixture);
    assert_eq!(fixture.broker.queue_len("retry"), Some(1));
    let mut subscription = fixture.subscribe("target", 1);
    // An unacknowledged message does not count, so there is room.
    assert_eq!(fixture.broker.queue_len("retry"), Some(0));
    for body in ["full", "a"] {
        let delivery = fixture.next(&mut subscription).unwrap();
        assert_eq!(delivery.body, body.as_bytes());
        delivery.settler.ack();
    }
}

#[test]
fn held_dead_letters_count_towards_the_length() {
    let fixture = Fixture::new();
    let mut topology = Topology::new().retry_queue("retry", SECOND, "target");
    topology.queues[0].arguments.insert("x-max-length".into(), 1.into());
    declare_all(&fixture, topology);
    fixture.put("retry", None, "a");
    fixture.clock.advance(SECOND);
    assert!(matches!(put(&fixture.broker, "retry", &Properties::default(), "b"), Err(Error::Nacked { .. })));
}

#[test]
fn a_queue_without_the_strategy_loses_a_dead_letter_without_a_target() {
    let fixture = Fixture::new();
    let mut topology = Topology::new().retry_queue("retry", SECOND, "target");
    topology.queues[0].arguments = topology.queues[0].fallback.take().unwrap();
    declare_all(&fixture, topology);
    fixture.put("retry", None, "a");
    fixture.clock.advance(SECOND);
    assert_eq!(fixture.broker.queue_len("retry"), Some(0));
}

#[test]
fn a_difference_is_an_error_only_in_a_strict_topology() {
    let fixture = Fixture::new();
    fixture.queue("dead", []);
    // The fallback is a classic queue.
    let mut topology = Topology::new().dead_queue("dead");
    topology.strict = true;
    declare_all(&fixture, topology.clone());
    topology.queues[0].durable = false;
    let error = fixture.broker.declare(&topology, SystemClock.deadline(SECOND)).unwrap_err();
    assert!(error.to_string().contains("durable"), "{error}");
}

#[test]
fn each_send_fault_has_its_outcome_and_is_used_up() {
    let fixture = Fixture::new();
    fixture.queue("q", []);
    let send = || put(&fixture.broker, "q", &Properties::default(), "m");
    let cases: [(SendFault, Outcome, usize); 5] = [
        (SendFault::Unavailable, Outcome::NotSent, 0),
        (SendFault::ConfirmLost, Outcome::Unknown, 1),
        (SendFault::MessageLost, Outcome::Unknown, 0),
        (SendFault::Nacked, Outcome::Unknown, 1),
        (SendFault::Unroutable, Outcome::NotSent, 0),
    ];
    for (fault, outcome, arrived) in cases {
        fixture.broker.fail_sends(fault, 1);
        let before = fixture.broker.queue_len("q").unwrap();
        assert_eq!(send().unwrap_err().outcome(), outcome, "{fault:?}");
        assert_eq!(fixture.broker.queue_len("q").unwrap() - before, arrived, "{fault:?}");
        send().unwrap();
    }
}

#[test]
fn a_lost_acknowledgement_redelivers_its_message() {
    let fixture = Fixture::new();
    fixture.queue("q", []);
    fixture.queue("other", []);
    fixture.put("q", None, "m");
    fixture.put("other", None, "o");
    fixture.put("q", None, "another");
    fixture.broker.lose_acks(&["other", "q"], b"m", 1);
    let mut other = fixture.subscribe("other", 1);
    fixture.next(&mut other).unwrap().settler.ack();
    assert!(fixture.next(&mut other).is_none());
    let mut subscription = fixture.subscribe("q", 1);
    for (body, redelivered) in [("m", false), ("m", true), ("another", false)] {
        let delivery = fixture.next(&mut subscription).unwrap();
        assert_eq!((delivery.body.as_slice(), delivery.redelivered), (body.as_bytes(), redelivered));
        delivery.settler.ack();
    }
    assert!(fixture.next(&mut subscription).is_none());
    fixture.broker.lose_acks(&["q"], b"", 1);
    fixture.put("q", None, "any");
    fixture.next(&mut subscription).unwrap().settler.ack();
    assert!(fixture.next(&mut subscription).unwrap().redelivered);
}

#[test]
fn a_blocked_broker_holds_senders_until_their_deadline_and_not_consumers() {
    let fixture = Fixture::new();
    fixture.queue("q", []);
    fixture.put("q", None, "m");
    fixture.broker.block(Some("low on memory"));
    assert_eq!(fixture.broker.health().blocked.unwrap().1, "low on memory");
    let properties = Properties::default();
    let message = Outgoing { exchange: "", routing_key: "q", mandatory: true, properties: &properties, body: b"m" };
    let at_once = fixture.broker.send(&message, fixture.clock.deadline(Duration::ZERO));
    assert!(matches!(at_once, Err(Error::Blocked { reason }) if reason == "low on memory"));
    let deadline = fixture.clock.deadline(SECOND);
    thread::scope(|scope| {
        let sending = scope.spawn(|| fixture.broker.send(&message, deadline).map(drop));
        let mut subscription = fixture.subscribe("q", 1);
        fixture.next(&mut subscription).unwrap().settler.ack();
        fixture.broker.block(None);
        sending.join().unwrap().unwrap();
    });
    assert!(fixture.broker.health().blocked.is_none());
}

#[test]
fn a_restart_ends_subscriptions_and_keeps_durable_queues_and_persistent_messages() {
    let fixture = Fixture::new();
    fixture.queue("q", []);
    declare(&fixture.broker, Queue { durable: false, ..queue("fleeting", false, []) }).unwrap();
    declare(&fixture.broker, queue("own", true, [])).unwrap();
    let persistent = Properties { delivery_mode: Some(2), ..Properties::default() };
    put(&fixture.broker, "q", &persistent, "kept").unwrap();
    put(&fixture.broker, "q", &persistent, "kept, too").unwrap();
    put(&fixture.broker, "q", &Properties::default(), "lost").unwrap();
    let mut before = fixture.subscribe("q", 1);
    let out = fixture.next(&mut before).unwrap();
    fixture.broker.restart();
    // Too late: the message is delivered again.
    out.settler.ack();
    assert!(matches!(before.next(fixture.clock.deadline(SECOND)), Err(Error::Unavailable { .. })));
    assert_eq!(fixture.broker.queue_len("fleeting"), None);
    assert_eq!(fixture.broker.queue_len("own"), None);
    let mut after = fixture.subscribe("q", 10);
    let first = fixture.next(&mut after).unwrap();
    assert_eq!((first.body.as_slice(), first.redelivered), (&b"kept"[..], true));
    let second = fixture.next(&mut after).unwrap();
    assert_eq!((second.body.as_slice(), second.redelivered), (&b"kept, too"[..], false));
    assert!(fixture.next(&mut after).is_none());
}

#[test]
fn a_broker_that_is_down_fails_all_calls_until_it_is_back() {
    let fixture = Fixture::new();
    fixture.queue("q", []);
    fixture.broker.take_down(Some("gone for lunch"));
    let soon = fixture.clock.deadline(SECOND);
    let error = put(&fixture.broker, "q", &Properties::default(), "m").unwrap_err();
    assert_eq!((error.to_string().as_str(), error.outcome()), ("gone for lunch", Outcome::NotSent));
    assert!(fixture.broker.subscribe("q", ConsumeOptions::default(), soon).is_err());
    assert!(declare(&fixture.broker, queue("new", false, [])).is_err());
    assert!(!fixture.broker.health().connected);
    fixture.broker.mend();
    put(&fixture.broker, "q", &Properties::default(), "m").unwrap();
    assert!(fixture.broker.health().connected);
}

#[test]
fn published_messages_are_recorded_after_record() {
    let fixture = Fixture::new();
    fixture.queue("q", []);
    fixture.put("q", None, "before");
    assert!(fixture.broker.published().is_empty());
    fixture.broker.record();
    fixture.put("q", None, "one");
    fixture.put("q", None, "two");
    let published = fixture.broker.published();
    let bodies: Vec<&[u8]> = published.iter().map(super::Published::body).collect();
    assert_eq!(bodies, [b"one", b"two"]);
    assert_eq!((published[0].exchange(), published[0].routing_key()), ("", "q"));
    assert!(!format!("{published:?}").contains("one"));
}

#[test]
fn an_unused_fault_is_reported_once() {
    let fixture = Fixture::new();
    fixture.queue("q", []);
    let broker = &fixture.broker;
    assert!(broker.take_unused_faults().is_empty());
    broker.fail_sends(SendFault::Nacked, 2);
    broker.lose_acks(&["q", "other"], b"5", 1);
    assert_eq!(
        broker.take_unused_faults(),
        ["no message with `5` was acknowledged in q, other", "2 sends should have failed, but no message was sent"]
    );
    assert!(broker.take_unused_faults().is_empty());
    // It is used if it happened at least once.
    broker.fail_sends(SendFault::Nacked, 2);
    assert!(put(broker, "q", &Properties::default(), "m").is_err());
    assert!(broker.take_unused_faults().is_empty());
}

#[test]
fn a_quorum_queue_with_two_levels_delivers_two_high_priorities_for_one_normal() {
    let clock = ManualClock::new();
    let broker = MemoryBroker::new(Arc::new(clock.clone())).with_quorum_priorities(QuorumPriorities::TwoLevels);
    let fixture = Fixture { clock, broker };
    let quorum = |name: &str| queue(name, false, [("x-queue-type", "quorum".into())]);
    declare(&fixture.broker, Queue { durable: true, ..quorum("q") }).unwrap();
    for (priority, body) in [(0, "n1"), (4, "n2"), (5, "h1"), (9, "h2"), (255, "h3"), (6, "h4")] {
        put(&fixture.broker, "q", &Properties { priority: Some(priority), ..Properties::default() }, body).unwrap();
    }
    let subscription = fixture.subscribe("q", 1);
    let bodies = std::iter::from_fn(|| {
        let delivery = subscription.next(fixture.clock.deadline(Duration::ZERO)).unwrap()?;
        delivery.settler.ack();
        Some(String::from_utf8(delivery.body).unwrap())
    });
    assert_eq!(bodies.collect::<Vec<_>>(), ["h1", "h2", "n1", "h3", "h4", "n2"]);
}

#[test]
fn the_priorities_of_quorum_queues_are_set_for_later_declarations() {
    let broker = MemoryBroker::new(Arc::new(SystemClock));
    let quorum = |name: &str| Queue { durable: true, ..queue(name, false, [("x-queue-type", "quorum".into())]) };
    declare(&broker, quorum("before")).unwrap();
    let broker = broker.with_quorum_priorities(QuorumPriorities::TwoLevels);
    declare(&broker, quorum("after")).unwrap();
    for (name, first) in [("before", b"low"), ("after", b"top")] {
        for (priority, body) in [(1, "low"), (9, "top")] {
            put(&broker, name, &Properties { priority: Some(priority), ..Properties::default() }, body).unwrap();
        }
        let deadline = SystemClock.deadline(Duration::from_secs(20));
        let subscription = broker.subscribe(name, ConsumeOptions::default(), deadline).unwrap();
        assert_eq!(subscription.next(deadline).unwrap().unwrap().body, first, "{name}");
    }
}

#[test]
fn threads_that_share_a_subscription_each_get_a_delivery_and_each_get_its_end() {
    const THREADS: usize = 3;
    let broker = MemoryBroker::new(Arc::new(SystemClock));
    let late = || SystemClock.deadline(20 * SECOND);
    declare(&broker, queue("shared", false, [])).unwrap();
    for _ in 0..50 {
        let subscription = broker.subscribe("shared", ConsumeOptions { prefetch: 9 }, late()).unwrap();
        thread::scope(|scope| {
            let next = || subscription.next(late());
            let threads = [(); THREADS].map(|()| scope.spawn(next));
            for _ in 0..THREADS {
                put(&broker, "shared", &Properties::default(), "one").unwrap();
            }
            for thread in threads {
                thread.join().unwrap().unwrap().expect("one for each").settler.ack();
            }
            let threads = [(); THREADS].map(|()| scope.spawn(next));
            broker.restart();
            for thread in threads {
                assert!(matches!(thread.join().unwrap(), Err(Error::Unavailable { .. })));
            }
        });
    }
}
