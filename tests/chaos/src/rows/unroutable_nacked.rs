//! Events that no queue gets, and events that a queue refuses.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use amiquip::{AmqpProperties, AmqpValue};
use zc_events::{Error, Event, EventClient};

use crate::dead_letter::event_number;
use crate::{AmqpClient, Done, Fixture, Ledger, Report, Row};
use integration_tests::{unique, wait_until};

pub(super) static ROW: Row = Row {
    name: "unroutable-nacked",
    fault: "no binding; a full queue with reject-publish, alone, beside a good one, and filling up; a binding that is added and removed",
    must_hold: "Unroutable or Nacked, never success; each event that was reported as success is in the queue",
    run,
    child: None,
};

const PATIENCE: Duration = Duration::from_secs(30);
const THREADS: u64 = 4;
/// How many events a thread has out at once.
const WINDOW: usize = 32;
/// How long the queue is that is full from the start.
const SHORT: u64 = 8;

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    let messages = fixture.scale(10_000, 1_200);
    let plain = fixture.plain()?;
    for (case, full, good) in [("no binding", false, false), ("full", true, false), ("full and good", true, true)] {
        let (client, exchange) = client(fixture, &plain)?;
        let (full_queue, good_queue) = (unique("full"), unique("good"));
        if full {
            limited(&plain, &full_queue, &exchange, SHORT)?;
            (0..SHORT).try_for_each(|_| plain.publish("", &full_queue, b"full", AmqpProperties::default()))?;
            wait_until(PATIENCE, || plain.ready(&full_queue).is_ok_and(|ready| ready == SHORT))?;
        }
        if good {
            plain.declare_queue(&good_queue, &[])?;
            plain.bind(&good_queue, &exchange)?;
        }
        let ledger = emit_all(&client, messages)?;
        report.figure(&format!("{case}: refused"), ledger.returns() + ledger.nacks());
        report.equal(&format!("{case}: reported as success"), ledger.confirms(), 0);
        report.equal(&format!("{case}: another error"), ledger.unknowns() + ledger.not_sent(), 0);
        let told = if full { ledger.nacks() } else { ledger.returns() };
        report.equal(
            &format!("{case}: said to be {}", if full { "nacked" } else { "unroutable" }),
            told as u64,
            messages,
        );
        if full {
            report.equal(&format!("{case}: length of the full queue"), plain.ready(&full_queue)?, SHORT);
        }
        if good {
            // The refusal of one queue does not wait for the other.
            let _ = wait_until(PATIENCE, || plain.ready(&good_queue).is_ok_and(|ready| ready == messages));
            report.equal(&format!("{case}: in the good queue"), plain.ready(&good_queue)?, messages);
            plain.delete_queue(&good_queue)?;
        }
        // The same client, and nothing in the way.
        plain.delete_queue(&full_queue)?;
        plain.declare_queue(&good_queue, &[])?;
        plain.bind(&good_queue, &exchange)?;
        let ledger = emit_all(&client, 100)?;
        report.equal(&format!("{case}: confirmed afterwards"), ledger.confirms(), 100);
        report.equal(&format!("{case}: in the queue afterwards"), plain.take_all(&good_queue)?.len(), 100);
        plain.delete_queue(&good_queue)?;
    }
    filling(fixture, report, &plain, messages)?;
    coming_and_going(fixture, report, &plain, messages)
}

/// A queue that has room for half of the events.
fn filling(fixture: &Fixture, report: &mut Report, plain: &AmqpClient, messages: u64) -> Done {
    let (client, exchange) = client(fixture, plain)?;
    let queue = unique("filling");
    limited(plain, &queue, &exchange, messages / 2)?;
    let ledger = emit_all(&client, messages)?;
    report.figure("filling up: confirmed", ledger.confirms());
    report.figure("filling up: nacked", ledger.nacks());
    report.equal("filling up: confirmed or nacked", (ledger.confirms() + ledger.nacks()) as u64, messages);
    report.check("filling up: some are refused", ledger.nacks() > 0);
    check_content(report, "filling up", plain, &queue, &ledger)
}

/// A queue that is bound at times.
fn coming_and_going(fixture: &Fixture, report: &mut Report, plain: &AmqpClient, messages: u64) -> Done {
    let (client, exchange) = client(fixture, plain)?;
    let queue = unique("at-times");
    plain.declare_queue(&queue, &[])?;
    let ended = Arc::new(AtomicBool::new(false));
    let (end, other) = (Arc::clone(&ended), client.clone());
    let emitting = thread::spawn(move || {
        let ledger = emit_all(&other, messages);
        end.store(true, Ordering::SeqCst);
        ledger.map_err(|error| error.to_string())
    });
    let mut changes = 0;
    while !ended.load(Ordering::SeqCst) {
        // tidy: allow(thread::sleep) because events are to go by between two changes
        thread::sleep(Duration::from_millis(fastrand::u64(2..20)));
        if changes % 2 == 0 {
            plain.bind(&queue, &exchange)?;
        } else {
            plain.unbind(&queue, &exchange)?;
        }
        changes += 1;
    }
    let ledger = emitting.join().map_err(|_| "an emitter panicked")??;
    report.figure("bound at times: confirmed", ledger.confirms());
    report.figure("bound at times: unroutable", ledger.returns());
    report.equal("bound at times: confirmed or unroutable", (ledger.confirms() + ledger.returns()) as u64, messages);
    report.check("bound at times: some of both", ledger.confirms() > 0 && ledger.returns() > 0 && changes > 2);
    check_content(report, "bound at times", plain, &queue, &ledger)
}

/// What is in the queue is what was confirmed, each once.
fn check_content(report: &mut Report, case: &str, plain: &AmqpClient, queue: &str, ledger: &Ledger) -> Done {
    let all = plain.take_all(queue)?;
    let ids: BTreeSet<u64> = all.iter().filter_map(|delivery| event_number(&delivery.body)).collect();
    ids.iter().for_each(|id| ledger.handled(*id, false));
    report.equal(&format!("{case}: messages in the queue"), all.len(), ledger.confirms());
    report.equal(&format!("{case}: confirmed, and not in the queue"), ledger.lost(), 0);
    report.equal(&format!("{case}: refused, and in the queue"), ids.len(), ledger.confirms());
    plain.delete_queue(queue)?;
    Ok(())
}

fn client(fixture: &Fixture, plain: &AmqpClient) -> Result<(EventClient, String), Box<dyn std::error::Error>> {
    let settings = fixture.settings("refused").build()?;
    let exchange = settings.events_exchange().to_owned();
    plain.declare_exchange(&exchange)?;
    Ok((EventClient::new(settings)?, exchange))
}

/// A bound queue that refuses what is beyond its length.
fn limited(plain: &AmqpClient, queue: &str, exchange: &str, length: u64) -> Done {
    let arguments = [
        ("x-max-length", AmqpValue::LongLongInt(i64::try_from(length)?)),
        ("x-overflow", AmqpValue::LongString("reject-publish".to_owned())),
    ];
    plain.declare_queue(queue, &arguments)?;
    plain.bind(queue, exchange)
}

/// Emits from a few threads, a third of the events in each of the three ways.
fn emit_all(client: &EventClient, messages: u64) -> Result<Ledger, Box<dyn std::error::Error>> {
    let ledger = Arc::new(Ledger::default());
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let (client, ledger) = (client.clone(), Arc::clone(&ledger));
            let ids: Vec<u64> = (0..messages).filter(|id| id % THREADS == number).collect();
            thread::spawn(move || emit_some(&client, &ledger, &ids))
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "an emitter panicked")??;
    }
    Arc::into_inner(ledger).ok_or_else(|| "an emitter still runs".into())
}

fn emit_some(client: &EventClient, ledger: &Ledger, ids: &[u64]) -> Result<(), Error> {
    let event = |id: &u64| {
        ledger.attempted(*id);
        Event::new("count").set("n", *id)
    };
    let (one_by_one, rest) = ids.split_at(ids.len() / 3);
    let (windows, many) = rest.split_at(rest.len() / 2);
    for id in one_by_one {
        ledger.sent(*id, &client.emit(&event(id)?));
    }
    for window in windows.chunks(WINDOW) {
        let started: Vec<_> = window
            .iter()
            .map(|id| event(id).map(|event| (*id, client.start_emit(&event))))
            .collect::<Result<_, _>>()?;
        for (id, receipt) in started {
            ledger.sent(id, &receipt.and_then(zc_events::EmitReceipt::wait));
        }
    }
    let events: Vec<_> = many.iter().map(event).collect::<Result<_, _>>()?;
    many.iter().zip(client.emit_many(&events)).for_each(|(id, result)| ledger.sent(*id, &result));
    Ok(())
}
