//! The queues that a service consumes, deleted under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use amiquip::AmqpProperties;
use zc_events::{Context, Error, Event, EventClient, HandlerError, Service, Value};

use crate::{Done, Fixture, Ledger, Report, Row};
use integration_tests::wait_until;

pub(super) static ROW: Row = Row {
    name: "queue-deleted",
    fault: "the queue of a service, or its quarantine, deleted while it consumes, under load",
    must_hold: "noticed within 1 s, redeclared; later events are handled; only messages of the deleted queue are lost",
    run,
    child: None,
};

const PATIENCE: Duration = Duration::from_secs(30);
const NOTICED: Duration = Duration::from_secs(1);
/// Pauses between attempts grow while queues are deleted as soon as they exist.
const BACK: Duration = Duration::from_secs(3);
const PREFETCH: u16 = 32;
const EMITTERS: u64 = 2;
/// Unconfirmed events of each emitter.
const WINDOW: u64 = 16;
/// Emitted after each deletion.
const AFTERWARDS: u64 = 50;
/// The first number of these events.
const FIRST_AFTERWARDS: u64 = 1_000_000_000;

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    let deletions = fixture.scale(40, 8);
    let late = fixture.delay();
    let settings = fixture.settings("deleted").events_prefetch(PREFETCH).build()?;
    let queue = format!("{}-events", settings.service_name().unwrap_or_default());
    let quarantine = format!("{queue}.quarantine");
    let client = EventClient::new(settings)?;
    // Of the load, and of what is emitted when the queue is there again.
    let (load, afterwards) = (Arc::new(Ledger::default()), Arc::new(Ledger::default()));
    let books = [Arc::clone(&load), Arc::clone(&afterwards)];
    let service = Service::builder(&client)
        .on("count", move |context: &Context, payload: Value| {
            let id = payload["n"].as_u64().ok_or_else(|| HandlerError::new("no number"))?;
            books[usize::from(id >= FIRST_AFTERWARDS)].handled(id, context.is_redelivered());
            Ok(())
        })
        .start()?;
    wait_until(PATIENCE, || service.health().is_ready())?;

    let (next, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let emitters: Vec<_> = (0..EMITTERS)
        .map(|_| {
            let (client, load, next, stop) = (client.clone(), Arc::clone(&load), Arc::clone(&next), Arc::clone(&stop));
            thread::spawn(move || emit_until(&client, &load, &next, &stop))
        })
        .collect();

    let (mut noticed, mut back) = (Vec::new(), Vec::new());
    let (mut destroyed, mut main_deletions, mut told, mut number) = (0, 0, 0, FIRST_AFTERWARDS);
    for round in 0..deletions {
        let which = if round % 3 == 2 { &quarantine } else { &queue };
        // The load is on.
        let before = next.load(Ordering::SeqCst);
        wait_until(PATIENCE, || next.load(Ordering::SeqCst) > before + WINDOW)?;
        let plain = fixture.plain()?;
        plain.ready(which)?;
        let deleted = Instant::now();
        let ready = plain.delete_queue(which)?;
        if which == &queue {
            destroyed += ready;
            main_deletions += 1;
        }
        told += u64::from(wait_until(PATIENCE, || service.health().last_error_at > Some(deleted)).is_ok());
        noticed.push(service.health().last_error_at.map_or(PATIENCE, |at| at.saturating_duration_since(deleted)));
        wait_until(PATIENCE, || service.health().is_ready() && plain_has(fixture, which))?;
        back.push(deleted.elapsed());

        for _ in 0..AFTERWARDS {
            afterwards.attempted(number);
            let event = Event::new("count").set("n", number)?;
            if which == &quarantine {
                // As another process of the service would put it there.
                put(fixture, &quarantine, number)?;
                afterwards.sent::<()>(number, &Ok(()));
            } else {
                afterwards.sent(number, &client.emit(&event));
            }
            number += 1;
        }
        wait_until(PATIENCE, || afterwards.lost() == 0)?;
    }
    stop.store(true, Ordering::SeqCst);
    for emitter in emitters {
        emitter.join().map_err(|_| "an emitter panicked")??;
    }
    let idle = wait_until(PATIENCE, || {
        service.health().under_way == 0 && fixture.plain().and_then(|it| it.ready(&queue)).is_ok_and(|n| n == 0)
    });
    // Beside what was ready: what was out with the service, and what was on its way when the queue went.
    let in_queue_at_most = destroyed + main_deletions * (u64::from(PREFETCH) + EMITTERS * WINDOW);

    report.figure("queues deleted", deletions);
    report.figure("events emitted meanwhile", load.attempts());
    report.figure("confirmed", load.confirms());
    report.figure("unroutable meanwhile", load.returns());
    report.figure("lost with a queue", load.lost());
    report.figure("of at most", in_queue_at_most);
    report.figure("emitted afterwards", afterwards.attempts());
    report.figure("of them lost", afterwards.lost());
    report.equal("deletions that health tells of", told, deletions);
    report.all_within("noticed after", &noticed, NOTICED, NOTICED, &late);
    report.all_within("consuming again after", &back, BACK, BACK, &late);
    report.equal("confirmed afterwards", afterwards.confirms() as u64, deletions * AFTERWARDS);
    report.equal("lost afterwards", afterwards.lost(), 0);
    // How many are unroutable meanwhile is a matter of who is faster, and says nothing.
    report.check("most of the load that was confirmed is handled", load.handles() * 2 > load.confirms());
    report.check(
        &format!("lost: at most {in_queue_at_most}, but it is {}", load.lost()),
        load.lost() as u64 <= in_queue_at_most,
    );
    report.equal("said not to be sent, and handled", load.denied(), 0);
    report.equal("neither confirmed nor unroutable", load.unknowns() + load.not_sent() + load.nacks(), 0);
    report.check("the queue is empty at the end", idle.is_ok());
    report.equal("dead letters", service.health().dead_lettered, 0);
    Ok(())
}

fn plain_has(fixture: &Fixture, queue: &str) -> bool {
    fixture.plain().and_then(|plain| plain.ready(queue)).is_ok()
}

/// Puts an event into a queue, past the exchange.
fn put(fixture: &Fixture, queue: &str, number: u64) -> Done {
    let body = serde_json::json!({
        "task": "microservice.event", "id": integration_tests::unique("event"), "args": ["count"], "kwargs": {"n": number},
    });
    let properties = AmqpProperties::default().with_content_type("application/json".to_owned());
    fixture.plain()?.publish("", queue, body.to_string().as_bytes(), properties)
}

fn emit_until(client: &EventClient, ledger: &Ledger, next: &AtomicU64, stop: &AtomicBool) -> Result<(), Error> {
    while !stop.load(Ordering::SeqCst) {
        let first = next.fetch_add(WINDOW, Ordering::SeqCst);
        let mut out = Vec::new();
        for id in first..first + WINDOW {
            ledger.attempted(id);
            out.push((id, client.start_emit(&Event::new("count").set("n", id)?)));
        }
        for (id, receipt) in out {
            ledger.sent(id, &receipt.and_then(zc_events::EmitReceipt::wait));
        }
    }
    Ok(())
}
