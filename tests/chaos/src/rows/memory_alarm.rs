//! RabbitMQ's memory alarm: it blocks publishers until the alarm ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use zc_events::{Context, Error, Event, EventClient, HandlerError, Service, Value};

use crate::{Done, Fixture, MemoryAlarm, Report, Row, SchedulerDelay, resident_kib};
use integration_tests::wait_until;

pub(super) static ROW: Row = Row {
    name: "memory-alarm",
    fault: "RabbitMQ's memory watermark is set to nearly 0",
    must_hold: "emitting says Blocked by its deadline; consuming goes on; closing takes at most 2 s; memory grows at most 32 MiB; all is well afterwards",
    run,
    child: None,
};

const PATIENCE: Duration = Duration::from_secs(60);
const LEEWAY: Duration = Duration::from_millis(500);
/// The timeout of emitting.
const EMIT: Duration = Duration::from_secs(1);
/// The timeout of closing, and the limit by which it must have ended.
const CLOSE: Duration = Duration::from_millis(1_500);
const CLOSED: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_secs(5);
const GROWTH: u64 = 32 * 1024;
const EMITTERS: usize = 16;
/// 64 KiB.
const BODY: usize = 64 * 1024;

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    let waiting = fixture.scale(5_000, 500);
    let settings = || fixture.settings("alarm").events_publish_timeout(EMIT);
    let exchange = integration_tests::unique("alarm");
    let client = EventClient::new(settings().events_exchange(&exchange).build()?)?;
    let other = EventClient::new(settings().events_exchange(&exchange).build()?)?;
    let (handled, may) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (count, open) = (Arc::clone(&handled), Arc::clone(&may));
    let service = Service::builder(&client)
        .on("wait", move |_: &Context, _: Value| {
            wait_until(PATIENCE, || open.load(Ordering::SeqCst)).map_err(HandlerError::new)?;
            count.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
        .start()?;
    let events: Vec<Event> = (0..waiting).map(|_| Event::new("wait")).collect();
    report.check("events are queued before the alarm", client.emit_many(&events).iter().all(Result::is_ok));
    report.check("the other client emits before the alarm", other.emit(&Event::new("ignored")).is_ok());

    let large = Event::new("ignored").set("text", "x".repeat(BODY))?;
    let stop = Arc::new(AtomicBool::new(false));
    let emitters: Vec<_> = (0..EMITTERS)
        .map(|_| {
            let (client, event, stop) = (client.clone(), large.clone(), Arc::clone(&stop));
            thread::spawn(move || emit(&client, &event, &stop))
        })
        .collect();
    let late = fixture.delay();
    let before = resident_kib()?;
    let mut alarm = MemoryAlarm::raise(fixture)?;
    let blocked = wait_until(PATIENCE, || client.health().blocked_since);
    let begun = Instant::now();
    report.check("the client's health says since when it is blocked", blocked.is_ok());
    let why = client.health().blocked_reason;
    report.check(&format!("and why: {why:?}"), why.as_ref().is_some_and(|why| why.contains("memory")));
    report.check("the client is not ready", !client.health().is_ready());

    // The handlers start now.
    may.store(true, Ordering::SeqCst);
    let consumed = wait_until(PATIENCE, || handled.load(Ordering::SeqCst) >= waiting);
    report.check("all that was queued is handled under the alarm", consumed.is_ok());
    report.time("handling it under the alarm", begun.elapsed());
    report.check("the alarm lasted meanwhile", client.health().blocked_since == blocked.ok());
    let begun_second = Instant::now();
    let second = Service::builder(&client).on("wait", |_: &Context, _: Value| Ok(())).start();
    report.within("starting a service under the alarm", begun_second.elapsed(), AGAIN, &late);
    report.check(&format!("a service starts under the alarm: {:?}", second.as_ref().err()), second.is_ok());
    drop(second);
    // So many calls can time out in this time.
    let length = Duration::from_secs(fixture.scale(20, 3));
    let mut most = resident_kib()?;
    while begun.elapsed() < length {
        most = most.max(resident_kib()?);
        // tidy: allow(thread::sleep) because it is the interval between two measurements of memory
        thread::sleep(Duration::from_millis(20));
    }
    closing(report, &other, &late)?;
    stop.store(true, Ordering::SeqCst);
    let mut all = Calls::default();
    for emitter in emitters {
        all.add(emitter.join().map_err(|_| "an emitter panicked")?);
    }
    report.figure("emissions confirmed before the alarm", all.confirmed);
    report.figure("emissions blocked", all.blocked);
    report.figure("emissions out when it came, or earlier, and not confirmed", all.unknown);
    report.check("each emitter was told that it is blocked, and again", all.blocked >= EMITTERS * 2);
    report.equal("connections for publishing that the client needed", client.health().connections, 1);
    report.check(&format!("under the alarm none ends otherwise: {:?}", all.others), all.others.is_empty());
    report.within("emitting with a deadline of 1 s ends", all.worst, EMIT + LEEWAY, &late);
    let grown = most.saturating_sub(before);
    report.figure("memory grows by", format!("{:.1} MiB", grown as f64 / 1024.0));
    report.check(&format!("memory grows by at most {GROWTH} KiB, but it is {grown}"), grown <= GROWTH);

    let late = fixture.delay();
    alarm.lift()?;
    let begun = Instant::now();
    let again = wait_until(PATIENCE, || client.emit(&Event::new("wait")).is_ok());
    report.within("emitting again after the alarm", begun.elapsed(), AGAIN, &late);
    report.check("emitting works again", again.is_ok());
    report.check("the client is ready again", client.health().is_ready());
    let consumed = wait_until(PATIENCE, || handled.load(Ordering::SeqCst) > waiting);
    report.check("what is emitted afterwards is handled", consumed.is_ok());
    let _ = service.stop(PATIENCE);
    report.equal("handled more than once", handled.load(Ordering::SeqCst) - waiting, 1);
    Ok(())
}

/// Closes a blocked client while one of its calls waits.
fn closing(report: &mut Report, client: &EventClient, late: &SchedulerDelay) -> Done {
    // The broker reports the alarm to a connection when the connection publishes.
    wait_until(PATIENCE, || matches!(client.emit(&Event::new("ignored")), Err(Error::Blocked { .. })))?;
    let emitter = client.clone();
    let emitting = thread::spawn(move || emitter.emit(&Event::new("ignored")));
    let begun = Instant::now();
    let closed = client.close(CLOSE);
    report.within("closing under the alarm", begun.elapsed(), CLOSED, late);
    report.figure("closing says", closed.map_or_else(|error| error.to_string(), |()| "closed".to_owned()));
    let emitted = emitting.join().map_err(|_| "an emitter panicked")?;
    report.check("a call that waits when the client is closed fails", emitted.is_err());
    Ok(())
}

/// The results of an emitter's calls.
#[derive(Default)]
struct Calls {
    confirmed: usize,
    blocked: usize,
    unknown: usize,
    /// The calls that began when the client knew of the alarm and that did not end as blocked.
    others: Vec<String>,
    worst: Duration,
}

impl Calls {
    fn add(&mut self, other: Self) {
        self.confirmed += other.confirmed;
        self.blocked += other.blocked;
        self.unknown += other.unknown;
        self.others.extend(other.others);
        self.worst = self.worst.max(other.worst);
    }
}

fn emit(client: &EventClient, event: &Event, stop: &AtomicBool) -> Calls {
    let mut calls = Calls::default();
    while !stop.load(Ordering::SeqCst) {
        let begun = Instant::now();
        let known = client.health().blocked_since.is_some();
        match client.emit(event) {
            Err(Error::Blocked { .. }) => calls.blocked += 1,
            other if known => calls.others.push(format!("{other:?}")),
            Ok(()) => calls.confirmed += 1,
            Err(_) => calls.unknown += 1,
        }
        calls.worst = calls.worst.max(begun.elapsed());
    }
    calls
}
