//! The endings of a message, as tables: a message in, a disposition out; a disposition in, a settled message out.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zc_events_cache::memory::MemoryReplyStore;
use zc_events_protocol::{
    Call, Clock, EncodeOptions, Encoded, Event, HeaderValue, Limits, ManualClock, Method, Properties, names,
};
use zc_events_transport::memory::MemoryBroker;
use zc_events_transport::{Broker, Delivery, Settle, Settler, Verdict};

use super::attempts::Attempts;
use super::disposition::{DeadLetterReason, DeferPlace, DiscardReason, Disposition, PreparedReply, STUCK};
use super::message::InboundMessage;
use super::processing::Processing;
use super::state::EngineState;
use super::work_queue::WorkerRole;
use super::{pipeline, settle};
use crate::observe::{Settled, Settlement};
use crate::{
    Context, Document, EventClient, HandlerError, Observer, ResourceObject, ResourceView, Service, Settings, Value,
    ViewResult,
};

const SERVICE: &str = "orders";
/// How many attempts there are unless a handler says otherwise.
const ATTEMPTS: i64 = 5;

/// A service whose threads do not run.
struct Bench {
    state: Arc<EngineState>,
    broker: Arc<MemoryBroker>,
    store: Arc<MemoryReplyStore>,
    clock: Arc<ManualClock>,
    told: Arc<Told>,
    verdicts: Arc<Verdicts>,
}

/// The settlements that an observer was told.
#[derive(Default)]
struct Told(Mutex<Vec<Settlement>>);

impl Observer for Told {
    fn settled(&self, message: &Settled<'_>) {
        self.0.lock().unwrap().push(message.settlement);
    }
}

#[derive(Default)]
struct Verdicts(Mutex<Vec<Verdict>>);

impl Settle for Verdicts {
    fn settle(&self, _: u64, verdict: Verdict) {
        self.0.lock().unwrap().push(verdict);
    }
}

struct Orders;

impl ResourceView for Orders {
    fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
        if pk != "5" {
            return Err(HandlerError::not_found());
        }
        Ok(Document::one(ResourceObject::new("Order", pk)).into())
    }
}

#[derive(serde::Deserialize)]
struct Typed {
    #[expect(dead_code, reason = "no value fits it")]
    x: bool,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new());
        let broker = Arc::new(MemoryBroker::new(clock.clone()));
        let store = Arc::new(MemoryReplyStore::new(clock.clone()));
        let told = Arc::new(Told::default());
        let settings = Settings::builder().broker_url("memory://").staging_name("test").service_name(SERVICE);
        let client = EventClient::builder(settings.build().unwrap())
            .broker(broker.clone())
            .reply_store(store.clone())
            .clock(clock.clone())
            .observer(told.clone())
            .build()
            .unwrap();
        let state = Service::builder(&client)
            .on("works", |_: &Context, _: Value| Ok(()))
            .on("fails", |_: &Context, _: Value| Err(HandlerError::new("on purpose")))
            .on("fails_for_good", |_: &Context, _: Value| Err(HandlerError::new("on purpose").permanent()))
            .on("panics", |_: &Context, _: Value| panic!("on purpose"))
            .on("typed", |_: &Context, _: Typed| Ok(()))
            .call("add", |_: &Context, (x, y): (i64, i64)| Ok(x + y))
            .resource("Order", Orders)
            .build()
            .unwrap();
        broker.declare(&state.topology, clock.deadline(Duration::ZERO)).unwrap();
        Self { state: Arc::new(state), broker, store, clock, told, verdicts: Arc::default() }
    }

    /// A message in the queue of that index: 0 that of events, 1 the quarantine.
    fn arrived(&self, queue: usize, sent: &Sent) -> Arc<InboundMessage> {
        let delivery = Delivery {
            exchange: if sent.is_copy { String::new() } else { "microservice-events-test".to_owned() },
            routing_key: String::new(),
            redelivered: sent.is_redelivered,
            properties: sent.properties.clone(),
            body: sent.body.clone(),
            settler: Settler::new(1, self.verdicts.clone()),
            defect: sent.defect,
        };
        InboundMessage::new(delivery, Limits::default(), self.clock.now(), &self.state.queues[queue])
    }

    fn process(&self, sent: &Sent) -> (Processing, Disposition) {
        pipeline::process(&self.state, &self.arrived(0, sent), WorkerRole::General)
    }

    /// Processes and settles it.
    fn handle(&self, sent: &Sent) {
        let (processing, disposition) = self.process(sent);
        settle::apply(&self.state, processing, disposition);
    }

    /// What came of it: the verdicts and the settlements since the last time.
    fn outcome(&self) -> (Vec<Verdict>, Vec<Settlement>) {
        (std::mem::take(&mut *self.verdicts.0.lock().unwrap()), std::mem::take(&mut *self.told.0.lock().unwrap()))
    }

    fn len(&self, queue: &str) -> usize {
        self.broker.queue_len(queue).unwrap_or(0)
    }
}

/// A message as it was sent.
#[derive(Clone)]
struct Sent {
    properties: Properties,
    body: Vec<u8>,
    is_redelivered: bool,
    /// Whether it came through a queue of the service itself.
    is_copy: bool,
    defect: Option<&'static str>,
}

impl Sent {
    fn of(encoded: Encoded) -> Self {
        let Encoded { properties, body, .. } = encoded;
        Self { properties, body, is_redelivered: false, is_copy: false, defect: None }
    }

    fn event(event_type: &str) -> Self {
        Self::of(Event::new(event_type).encode(&EncodeOptions::default()).unwrap())
    }

    fn raw(body: &[u8]) -> Self {
        Self { body: body.to_vec(), ..Self::event("works") }
    }

    fn redelivered(mut self) -> Self {
        self.is_redelivered = true;
        self
    }

    fn attempt(mut self, attempt: i64) -> Self {
        self.is_copy = true;
        let headers = self.properties.headers.get_or_insert_default();
        headers.insert("x-zc-attempt".to_owned(), HeaderValue::Int(attempt));
        self
    }
}

fn call() -> Sent {
    let call = Call::new("add", Method::Get).data((1, 2)).unwrap();
    Sent::of(call.encode(&EncodeOptions::default()).unwrap())
}

fn request(response_key: Option<&str>) -> Sent {
    let event = Event::new("order_request").set("method", "GET").unwrap().set("pk", "5").unwrap();
    let event = event.set("response_key", response_key).unwrap();
    Sent::of(event.encode(&EncodeOptions::default()).unwrap())
}

/// A disposition in one line.
fn summary(disposition: &Disposition) -> String {
    match disposition {
        Disposition::Complete(None) => "complete".to_owned(),
        Disposition::Complete(Some(PreparedReply { is_repeated: false, .. })) => "complete with an answer".to_owned(),
        Disposition::Complete(Some(PreparedReply { is_repeated: true, .. })) => {
            "complete with the same answer".to_owned()
        }
        Disposition::Retry { .. } => "retry".to_owned(),
        Disposition::Defer { place: DeferPlace::Memory, .. } => "defer in memory".to_owned(),
        Disposition::Defer { place: DeferPlace::DelayQueue, .. } => "defer in a delay queue".to_owned(),
        Disposition::Quarantine(attempts) => format!("quarantine before attempt {}", attempts.attempt),
        Disposition::DeadLetter(reason) => format!("dead letter: {}", reason.reason),
        Disposition::Discard(reason) => format!("discard: {reason:?}"),
        Disposition::Park => "park".to_owned(),
        Disposition::Requeue => "requeue".to_owned(),
        Disposition::AlreadySettled { is_replaced } => format!("settled already, replaced: {is_replaced}"),
    }
}

#[test]
fn a_message_leads_to_a_disposition() {
    let wall = ManualClock::new().wall();
    let with = |change: &dyn Fn(&mut EncodeOptions)| {
        let mut options = EncodeOptions::default();
        change(&mut options);
        Sent::of(Event::new("works").encode(&options).unwrap())
    };
    let with_eta = |seconds| with(&|options| options.eta = Some(wall + Duration::from_secs(seconds)));
    let many_headers = {
        let mut sent = Sent::event("works");
        sent.properties.headers.get_or_insert_default().insert("x".to_owned(), "y".repeat(70_000).as_str().into());
        sent
    };
    let table: Vec<(&str, Sent, &str)> = vec![
        ("an event", Sent::event("works"), "complete"),
        ("the last attempt of an event", Sent::event("works").attempt(ATTEMPTS), "complete"),
        ("an event whose handler fails", Sent::event("fails"), "retry"),
        ("the same at the last attempt", Sent::event("fails").attempt(ATTEMPTS), "dead letter: failed"),
        ("one with an attempt too many", Sent::event("works").attempt(ATTEMPTS + 1), "dead letter: failed"),
        ("an event whose handler fails for good", Sent::event("fails_for_good"), "dead letter: failed"),
        ("an event whose handler panics", Sent::event("panics"), "retry"),
        ("the same at the last attempt", Sent::event("panics").attempt(ATTEMPTS), "dead letter: panicked"),
        ("a payload of another type", Sent::event("typed"), "dead letter: payload_mismatch"),
        ("an event for others", Sent::event("unknown"), "discard: Ignored"),
        (
            "an event that comes too late",
            with(&|options| options.expires = Some(wall - Duration::from_secs(1))),
            "discard: Expired",
        ),
        ("an event that is soon due", with_eta(20), "defer in memory"),
        ("an event that is due much later", with_eta(90), "defer in a delay queue"),
        ("a body that is no JSON", Sent::raw(b"{"), "dead letter: malformed"),
        ("an empty body", Sent::raw(b""), "dead letter: empty"),
        (
            "headers that cannot be read",
            Sent { defect: Some("headers_not_utf8"), ..Sent::event("works") },
            "dead letter: headers_not_utf8",
        ),
        ("headers that are too large", many_headers, "dead letter: headers_too_large"),
        ("a request", request(Some("key")), "complete with an answer"),
        ("a request that is none", Sent::event("order_request"), "dead letter: no_request"),
        ("a call", call(), "complete with an answer"),
        ("a call that is none", Sent::event("add"), "dead letter: no_call"),
        ("one that a worker may have died of", Sent::event("works").redelivered(), "quarantine before attempt 1"),
    ];
    for (name, sent, expected) in table {
        let bench = Bench::new();
        let (_, disposition) = bench.process(&sent);
        assert_eq!(summary(&disposition), expected, "{name}");
        assert_eq!(bench.outcome(), (vec![], vec![]), "{name}: the pipeline touches no queue and tells nothing");
    }
}

#[test]
fn a_copy_is_parked_while_the_first_is_handled_and_a_duplicate_afterwards() {
    let bench = Bench::new();
    let event = Sent::event("works");
    let (first, disposition) = bench.process(&event);
    let (second, parked) = bench.process(&event);
    assert_eq!((summary(&disposition), summary(&parked)), ("complete".to_owned(), "park".to_owned()));
    settle::apply(&bench.state, second, parked);
    assert_eq!(bench.outcome(), (vec![], vec![]));
    settle::apply(&bench.state, first, disposition);
    let (verdicts, told) = bench.outcome();
    assert_eq!(verdicts, [Verdict::Ack, Verdict::Ack]);
    assert_eq!(told, [Settlement::Handled, Settlement::Duplicate]);
    let (_, third) = bench.process(&event);
    assert_eq!(summary(&third), "discard: Duplicate");
}

#[test]
fn a_request_that_comes_again_gets_the_same_answer() {
    for sent in [request(Some("key")), call()] {
        let bench = Bench::new();
        bench.handle(&sent);
        assert_eq!(bench.outcome(), (vec![Verdict::Ack], vec![Settlement::Handled]));
        let (_, again) = bench.process(&sent);
        assert_eq!(summary(&again), "complete with the same answer");
    }
}

#[test]
fn a_redelivered_message_in_the_quarantine_has_failed_an_attempt() {
    let bench = Bench::new();
    for (attempt, expected) in [(1, "quarantine before attempt 2"), (ATTEMPTS, "dead letter: worker_lost")] {
        let message = bench.arrived(1, &Sent::event("works").attempt(attempt).redelivered());
        let (_, disposition) = pipeline::process(&bench.state, &message, WorkerRole::General);
        assert_eq!(summary(&disposition), expected);
    }
    let new = bench.arrived(1, &Sent::event("works").attempt(2));
    assert_eq!(summary(&pipeline::process(&bench.state, &new, WorkerRole::General).1), "complete");
}

#[test]
fn a_message_that_was_on_a_lost_connection_is_no_suspect() {
    let bench = Bench::new();
    bench.state.queues[0].connection_lost();
    assert_eq!(summary(&bench.process(&Sent::event("works").redelivered()).1), "complete");
}

#[test]
fn a_handler_that_returns_too_late_finds_its_message_settled() {
    let (entered, entries) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let settings = Settings::builder().broker_url("memory://").staging_name("test").service_name(SERVICE).build();
    let client = EventClient::new(settings.unwrap()).unwrap();
    let state = Service::builder(&client)
        .on("works", move |_: &Context, _: Value| {
            entered.send(())?;
            Ok(wait.lock().unwrap().recv()?)
        })
        .build()
        .unwrap();
    let bench = Bench { state: Arc::new(state), ..Bench::new() };
    std::thread::scope(|scope| {
        let processing = scope.spawn(|| summary(&bench.process(&Sent::event("works")).1));
        entries.recv().unwrap();
        let later = bench.state.clock().now() + Duration::from_secs(2);
        let overdue = bench.state.running.take_overdue(later, Duration::from_secs(1), 4);
        assert_eq!(overdue.len(), 1);
        go.send(()).unwrap();
        assert_eq!(processing.join().unwrap(), "settled already, replaced: true");
    });
}

#[test]
fn a_disposition_settles_the_message_once_and_leaves_one_copy() {
    let dead_letter = |reason| Disposition::DeadLetter(DeadLetterReason { reason, detail: "on purpose".to_owned() });
    let answer = |key: &str, is_repeated| {
        Disposition::Complete(Some(PreparedReply { key: Some(key.to_owned()), body: Arc::from(*b"x"), is_repeated }))
    };
    let retry = Disposition::Retry { after: Duration::from_secs(5), why: "on purpose".to_owned() };
    let defer = |place| Disposition::Defer { pause: Duration::from_secs(5), place };
    let delayed = names::retry_queue(SERVICE, Duration::from_secs(5));
    let (dead, quarantine) = (names::dead_letter_queue(SERVICE), names::quarantine_queue(SERVICE));
    let (ack, requeue) = (Some(Verdict::Ack), Some(Verdict::Requeue));
    use Settlement::{DeadLettered, Deferred, Duplicate, Expired, Handled, Ignored, Quarantined, Requeued, Retried};
    let attempts = Attempts::of(&Bench::new().arrived(0, &Sent::event("works")));
    /// A disposition, its verdict, its settlement, and the queue that gets a copy.
    type Row<'a> = (Disposition, Option<Verdict>, Option<Settlement>, Option<&'a str>);
    let table: Vec<Row<'_>> = vec![
        (Disposition::Complete(None), ack, Some(Handled), None),
        (answer("key", false), ack, Some(Handled), None),
        (answer("key", true), ack, Some(Handled), None),
        (retry, ack, Some(Retried), Some(&delayed)),
        (defer(DeferPlace::DelayQueue), ack, Some(Deferred), Some(&delayed)),
        (defer(DeferPlace::Memory), None, None, None),
        (Disposition::Quarantine(attempts), ack, Some(Quarantined), Some(&quarantine)),
        (dead_letter("failed"), ack, Some(DeadLettered { reason: "failed" }), Some(&dead)),
        (dead_letter(STUCK), ack, Some(DeadLettered { reason: STUCK }), Some(&dead)),
        (Disposition::Discard(DiscardReason::Ignored), ack, Some(Ignored), None),
        (Disposition::Discard(DiscardReason::Expired), ack, Some(Expired), None),
        (Disposition::Discard(DiscardReason::Duplicate), ack, Some(Duplicate), None),
        (Disposition::Park, None, None, None),
        (Disposition::Requeue, requeue, Some(Requeued), None),
        (Disposition::AlreadySettled { is_replaced: false }, None, None, None),
    ];
    for (disposition, verdict, settlement, copy) in table {
        let (bench, name) = (Bench::new(), summary(&disposition));
        let processing = Processing::new(bench.arrived(0, &Sent::event("works")));
        settle::apply(&bench.state, processing, disposition);
        let (verdicts, told) = bench.outcome();
        assert_eq!(verdicts, Vec::from_iter(verdict), "{name}");
        assert_eq!(told, Vec::from_iter(settlement), "{name}");
        for queue in [&delayed, &dead, &quarantine] {
            assert_eq!(bench.len(queue), usize::from(copy == Some(queue.as_str())), "{name}: {queue}");
        }
        let (scheduled, _) = bench.state.scheduled(&bench.state.queues[0]);
        assert_eq!(scheduled, usize::from(name == "defer in memory"), "{name}");
    }
}

#[test]
fn an_answer_that_is_not_taken_is_tried_again_without_the_handler_and_given_up_at_last() {
    let bench = Bench::new();
    bench.store.fail_with(Some("on purpose"));
    bench.handle(&request(Some("key")));
    assert_eq!(bench.outcome(), (vec![Verdict::Ack], vec![Settlement::Retried]));
    assert_eq!(bench.len(&names::retry_queue(SERVICE, Duration::from_secs(1))), 1);
    bench.handle(&request(Some("another")).attempt(ATTEMPTS));
    assert_eq!(bench.outcome(), (vec![Verdict::Ack], vec![Settlement::Unanswered]));
}

#[test]
fn a_message_that_cannot_move_stays_and_is_moved_later() {
    let bench = Bench::new();
    bench.broker.block(Some("low on memory"));
    let moving = {
        let bench = &bench;
        std::thread::scope(|scope| {
            let handled = scope.spawn(|| bench.handle(&Sent::event("fails_for_good")));
            while !handled.is_finished() {
                bench.clock.advance(Duration::from_secs(1));
                std::thread::yield_now();
            }
        });
        bench.state.schedule.take_all(|_| true)
    };
    assert_eq!(bench.outcome(), (vec![], vec![]));
    assert_eq!((moving.len(), bench.state.health().blocked_moves), (1, 1));
    bench.broker.block(None);
    for work in moving {
        let super::blocked_move::Work::Move(blocked) = work else { panic!("no move") };
        settle::resume(&bench.state, *blocked);
    }
    assert_eq!(bench.outcome(), (vec![Verdict::Ack], vec![Settlement::DeadLettered { reason: "failed" }]));
    assert_eq!((bench.len(&names::dead_letter_queue(SERVICE)), bench.state.health().blocked_moves), (1, 0));
}
