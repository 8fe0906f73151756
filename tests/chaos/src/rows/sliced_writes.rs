//! Everything that goes to and from RabbitMQ and Redis arrives byte by byte.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::json;
use zc_events::{
    Context, Document, Event, EventClient, HandlerError, ResourceObject, ResourceView, Service, Settings, Value,
    ViewResult,
};

use crate::{Done, Fixture, Mode, Report, Row, Way};
use integration_tests::wait_until;

pub(super) static ROW: Row = Row {
    name: "sliced-writes",
    fault: "RabbitMQ and Redis read and write 1 byte at a time, both ways",
    must_hold: "events and answers are the same as without the fault",
    run,
    child: None,
};

const PATIENCE: Duration = Duration::from_secs(120);
const CALLERS: u64 = 8;
/// Waiting for a free handler takes half of the callers' time.
const TIMEOUT: Duration = Duration::from_secs(30);

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    // The number of events, and of requests.
    let messages = fixture.scale(5_000, 250);
    let (broker, broker_url) = fixture.broker_proxy()?;
    let (redis, redis_url) = fixture.redis_proxy()?;
    let settings = || {
        let settings = fixture.settings("slices").broker_url(&broker_url).events_redis_url(&redis_url);
        settings.events_timeout(TIMEOUT).events_publish_timeout(TIMEOUT).build()
    };
    let whole = exchange(settings()?, messages)?;
    broker.set(Way::Both, Mode::Slice);
    redis.set(Way::Both, Mode::Slice);
    let before = (broker.passed(), redis.passed());
    let sliced = exchange(settings()?, messages)?;
    let bytes = [0, 1].map(|way| (broker.passed()[way] - before.0[way], redis.passed()[way] - before.1[way]));

    report.figure("events", sliced.events.len());
    report.figure("requests", sliced.answers.len());
    report.figure("bytes to and from RabbitMQ", format!("{} and {}", bytes[0].0, bytes[1].0));
    report.figure("bytes to and from Redis", format!("{} and {}", bytes[0].1, bytes[1].1));
    for (name, results) in [("whole", &whole), ("sliced", &sliced)] {
        report.equal(&format!("{name}: events that arrived"), results.events.len() as u64, messages);
        report.equal(&format!("{name}: requests that were answered"), results.answers.len() as u64, messages);
        let first = results.failed.first();
        report.check(&format!("{name}: no call fails; {} did: {first:?}", results.failed.len()), first.is_none());
        report.equal(&format!("{name}: replies that could not be pushed"), results.unanswered, 0);
        report.equal(&format!("{name}: events that came again"), results.again, 0);
    }
    report.check("the same events arrive", sliced.events == whole.events);
    report.check("the same answers come", sliced.answers == whole.answers);
    let enough = |(to_broker, to_redis): (u64, u64)| to_broker > messages * 500 && to_redis > messages * 50;
    report.check("all of it went through the proxies", bytes.into_iter().all(enough));
    Ok(())
}

/// The results of one run.
#[derive(Default)]
struct Results {
    events: BTreeMap<u64, Value>,
    again: u64,
    answers: BTreeMap<u64, Value>,
    failed: Vec<String>,
    unanswered: u64,
}

/// A payload that differs for each number, up to 512 bytes long, with characters of several bytes.
fn payload(n: u64) -> Value {
    json!({"text": "aé\u{1F980}\"\\".repeat(1 + (n % 61) as usize), "number": n, "half": n as f64 / 2.0, "list": [n, null, true]})
}

struct Slices;

impl ResourceView for Slices {
    fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
        let n = pk.parse().map_err(|_| HandlerError::not_found())?;
        Ok(Document::one(ResourceObject::new("Slice", pk).attributes(&payload(n))?).into())
    }
}

/// Emits so many events and sends as many requests, and waits for all results.
fn exchange(settings: Settings, messages: u64) -> Result<Results, Box<dyn std::error::Error>> {
    let client = EventClient::new(settings)?;
    let results = Arc::new(Mutex::new(Results::default()));
    let handled = Arc::clone(&results);
    let service = Service::builder(&client)
        .on("sliced", move |_: &Context, event: Value| {
            let n = event["n"].as_u64().ok_or_else(|| HandlerError::new("no number"))?;
            let mut results = handled.lock().unwrap_or_else(PoisonError::into_inner);
            let again = results.events.insert(n, event["payload"].clone()).is_some();
            results.again += u64::from(again);
            Ok(())
        })
        .resource("Slice", Slices)
        .start()?;
    let next = Arc::new(AtomicU64::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (client, results, next) = (client.clone(), Arc::clone(&results), Arc::clone(&next));
            thread::spawn(move || call(&client, &results, &next, messages))
        })
        .collect();
    for caller in callers {
        caller.join().map_err(|_| "a caller panicked")?;
    }
    let lock = || results.lock().unwrap_or_else(PoisonError::into_inner);
    // If an event never comes, the check of the results finds it.
    let _ = wait_until(PATIENCE, || lock().events.len() as u64 >= messages);
    lock().unanswered = service.health().unanswered;
    let _ = service.stop(TIMEOUT);
    client.close(TIMEOUT)?;
    Ok(std::mem::take(&mut *lock()))
}

fn call(client: &EventClient, results: &Mutex<Results>, next: &AtomicU64, messages: u64) {
    let lock = || results.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        // Begins at 1, because an id of 0 is refused.
        let n = next.fetch_add(1, Ordering::SeqCst) + 1;
        if n > messages {
            return;
        }
        let event = Event::new("sliced").set("n", n).and_then(|event| event.set("payload", payload(n)));
        let emitted = event.map_err(zc_events::Error::from).and_then(|event| client.start_emit(&event));
        let answer = client.remote("Slice").pk(n).fetch::<Value>();
        if let Err(error) = emitted.and_then(|receipt| receipt.wait()) {
            lock().failed.push(error.to_string());
        }
        match answer {
            Ok(answer) => drop(lock().answers.insert(n, answer)),
            Err(error) => lock().failed.push(format!("{n}: {error}")),
        }
    }
}
