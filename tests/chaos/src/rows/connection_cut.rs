//! Connections that are cut at random bytes while events are emitted and handled.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use zc_events::{Context, Event, EventClient, HandlerError, Service, Value};

use crate::{Done, Ending, Fixture, Ledger, Mode, Report, Row, Way};
use integration_tests::wait_until;

pub(super) static ROW: Row = Row {
    name: "connection-cut",
    fault: "RST or FIN at random bytes, both ways, of one connection or all",
    must_hold: "nothing confirmed is lost; duplicates at most cuts x prefetch; no completed handler runs again",
    run,
    child: None,
};

const PATIENCE: Duration = Duration::from_secs(60);
const PREFETCH: u16 = 64;
const EMITTERS: u64 = 4;
/// Unconfirmed events of each emitter.
const WINDOW: usize = 16;

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    let (messages, cuts) = (fixture.scale(100_000, 5_000), fixture.scale(200, 10));
    let (proxy, url) = fixture.broker_proxy()?;
    let settings = fixture.settings("cut").broker_url(url).events_prefetch(PREFETCH).build()?;
    let queue = format!("{}-events", settings.service_name().unwrap_or_default());
    let client = EventClient::new(settings)?;
    let ledger = Arc::new(Ledger::default());
    let book = Arc::clone(&ledger);
    let service = Service::builder(&client)
        .on("count", move |context: &Context, payload: Value| {
            let id = payload["n"].as_u64().ok_or_else(|| HandlerError::new("no number"))?;
            book.handled(id, context.is_redelivered());
            book.completed(id);
            Ok(())
        })
        .start()?;

    let next = Arc::new(AtomicU64::new(0));
    let emitters: Vec<_> = (0..EMITTERS)
        .map(|_| {
            let (client, ledger, next) = (client.clone(), Arc::clone(&ledger), Arc::clone(&next));
            thread::spawn(move || emit_all(&client, &ledger, &next, messages))
        })
        .collect();
    for cut in 0..cuts {
        wait_until(PATIENCE, || next.load(Ordering::SeqCst) >= messages * cut / cuts)?;
        let ending = if fastrand::bool() { Ending::Rst } else { Ending::Fin };
        let before = proxy.cuts();
        if fastrand::u8(..4) == 0 {
            wait_until(PATIENCE, || proxy.cut_all(ending) > 0)?;
        } else {
            let way = if fastrand::bool() { Way::Up } else { Way::Down };
            proxy.set(way, Mode::CutAfter(fastrand::u64(1..20_000), ending));
            // Without traffic there is nothing to cut.
            if wait_until(Duration::from_secs(5), || proxy.cuts() > before).is_err() {
                proxy.set(way, Mode::Pass);
                proxy.cut_all(ending);
            }
        }
    }
    for emitter in emitters {
        emitter.join().map_err(|_| "an emitter panicked")??;
    }
    let all_handled = wait_until(PATIENCE, || ledger.lost() == 0);
    let left = wait_until(PATIENCE, || {
        service.health().under_way == 0 && fixture.plain().and_then(|it| it.ready(&queue)).is_ok_and(|n| n == 0)
    });
    let health = service.health();
    let repeated = health.duplicates + ledger.duplicates() as u64;
    let cut = proxy.cuts() as u64;

    report.figure("attempted", ledger.attempts());
    report.figure("confirmed", ledger.confirms());
    report.figure("unknown", ledger.unknowns());
    report.figure("not sent", ledger.not_sent());
    report.figure("handled", ledger.handles());
    report.figure("connections cut", cut);
    report.figure("lost", ledger.lost());
    report.figure("delivered again", repeated);
    report.figure("completed again", ledger.completed_again());
    report.equal("attempted", ledger.attempts() as u64, messages);
    report.check("at least as many connections are cut as asked for", cut >= cuts);
    report.check("four of five events are confirmed all the same", ledger.confirms() as u64 * 5 >= messages * 4);
    report
        .check(&format!("all that was confirmed is handled; lost: {:?}", ledger.examples_lost()), all_handled.is_ok());
    report.check("the queue is empty at the end", left.is_ok());
    report.equal("said not to be sent, and handled", ledger.denied(), 0);
    report.check("delivered again at most cuts x prefetch times", repeated <= cut * u64::from(PREFETCH));
    report.equal("completed again", ledger.completed_again(), 0);
    report.equal("dead letters", health.dead_lettered, 0);
    Ok(())
}

fn emit_all(client: &EventClient, ledger: &Ledger, next: &AtomicU64, messages: u64) -> Result<(), zc_events::Error> {
    let mut out = Vec::new();
    loop {
        let id = next.fetch_add(1, Ordering::SeqCst);
        if id < messages {
            ledger.attempted(id);
            match client.start_emit(&Event::new("count").set("n", id)?) {
                Ok(receipt) => out.push((id, receipt)),
                refused => ledger.sent(id, &refused),
            }
        }
        if out.len() >= WINDOW || id >= messages {
            out.drain(..).for_each(|(id, receipt)| ledger.sent(id, &receipt.wait()));
        }
        if id >= messages {
            return Ok(());
        }
    }
}
