//! Handlers that do not return: some, as many as there are workers, all that there can be.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use zc_events::{Context, Event, EventClient, HandlerError, Service, Value};

use crate::dead_letter::take_dead_letters;
use crate::{Done, Fixture, Ledger, Report, Row};
use integration_tests::wait_until;

pub(super) static ROW: Row = Row {
    name: "stuck-handler",
    fault: "handlers that never return: fewer than the workers, as many and more, twice as many",
    must_hold: "health says so, their messages are dead-lettered as stuck; other messages are handled, or wait in the queue if twice as many are stuck",
    run,
    child: None,
};

const PATIENCE: Duration = Duration::from_secs(60);
const WORKERS: usize = 4;
const HANDLER_TIMEOUT: Duration = Duration::from_secs(1);
/// The service checks eight times within the timeout, but at most every 100 ms.
const NOTICED: Duration = Duration::from_millis(1_500);

/// Handlers wait until it opens, which is at the end, so that the threads of a row do not outlive it.
#[derive(Default)]
struct Bed {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Bed {
    fn sleep(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_while(open, |open| !*open));
    }

    fn open(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    let others = fixture.scale(2_000, 300);
    let late = fixture.delay();
    let settings = fixture.settings("stuck").events_handler_timeout(HANDLER_TIMEOUT).events_workers(WORKERS).build()?;
    let queue = format!("{}-events", settings.service_name().unwrap_or_default());
    let client = EventClient::new(settings)?;
    let (bed, ledger) = (Arc::new(Bed::default()), Arc::new(Ledger::default()));
    let service = start(&client, &ledger, &bed)?;
    let mut next = 0;
    let mut stuck = 0;
    report.check("it is ready at first", wait_until(PATIENCE, || service.health().is_ready()).is_ok());

    // 2 of 4, then 6 of 4, then 7 of at most 8: one worker is left.
    for more in [2, 4, 1] {
        let begun = Instant::now();
        for _ in 0..more {
            client.emit(&Event::new("sleeps").set("n", 1_000_000 + stuck as u64)?)?;
            stuck += 1;
        }
        wait_until(PATIENCE, || service.health().stuck == stuck)?;
        report.within(&format!("{stuck} stuck, told after"), begun.elapsed(), HANDLER_TIMEOUT + NOTICED, &late);
        report.check(&format!("{stuck} stuck: is_ready() says no"), !service.health().is_ready());
        wait_until(PATIENCE, || service.health().dead_lettered == stuck as u64)?;
        emit_some(&client, &ledger, &mut next, others)?;
        let handled = wait_until(PATIENCE, || ledger.lost() == 0);
        report.check(&format!("{stuck} stuck: the others are handled, lost {}", ledger.lost()), handled.is_ok());
    }

    // The last worker. No worker is left, and health says so; new messages wait for another process.
    client.emit(&Event::new("sleeps").set("n", 1_000_000 + stuck as u64)?)?;
    stuck += 1;
    wait_until(PATIENCE, || service.health().stuck == stuck && service.health().dead_lettered == stuck as u64)?;
    let before = ledger.handles();
    emit_some(&client, &ledger, &mut next, others)?;
    let health = service.health();
    report.equal("stuck in the end", health.stuck, 2 * WORKERS);
    report.check("all stuck: is_ready() says no", !health.is_ready());
    report.equal("all stuck: handled", ledger.handles(), before);
    let begun = Instant::now();
    let stopped = service.stop(Duration::from_secs(10));
    report.within("stopping with all stuck", begun.elapsed(), Duration::from_secs(2), &late);
    report.equal("abandoned, beside the stuck", stopped.abandoned, 0);
    let another = start(&client, &ledger, &bed)?;
    let handled = wait_until(PATIENCE, || ledger.lost() == 0);
    report.check(&format!("another process handles the rest, lost {}", ledger.lost()), handled.is_ok());

    // One that returns after all.
    client.emit(&Event::new("sleeps").set("n", 1_000_000 + stuck as u64)?)?;
    stuck += 1;
    wait_until(PATIENCE, || another.health().stuck == 1 && another.health().dead_lettered == 1)?;
    bed.open();
    let ready = wait_until(PATIENCE, || another.health().is_ready());
    report.check("ready again when it has returned", ready.is_ok());
    let _ = another.stop(Duration::from_secs(10));

    let plain = fixture.plain()?;
    let dead = take_dead_letters(&plain, &format!("{queue}.dead"))?;
    report.figure("workers", WORKERS);
    report.figure("stuck handlers", stuck);
    report.figure("dead letters", dead.len());
    report.figure("others handled", ledger.handles());
    report.figure("others lost", ledger.lost());
    report.equal("dead letters", dead.len(), stuck);
    report.check(
        &format!("all of them say stuck, and where they came from: {dead:?}"),
        dead.iter().all(|letter| letter.reason == "stuck" && letter.has_origin && letter.attempts == 1),
    );
    report.check("only those that sleep are there", dead.iter().all(|letter| letter.id >= Some(1_000_000)));
    report.equal("others handled", ledger.handles() as u64, 4 * others);
    report.equal("others handled twice", ledger.duplicates(), 0);
    report.equal("left in the queue", plain.ready(&queue)?, 0);
    Ok(())
}

fn start(client: &EventClient, ledger: &Arc<Ledger>, bed: &Arc<Bed>) -> zc_events::Result<Service> {
    let (ledger, bed) = (Arc::clone(ledger), Arc::clone(bed));
    Service::builder(client)
        .on("sleeps", move |_: &Context, _: Value| {
            bed.sleep();
            Ok(())
        })
        .on("count", move |context: &Context, payload: Value| {
            let id = payload["n"].as_u64().ok_or_else(|| HandlerError::new("no number"))?;
            ledger.handled(id, context.is_redelivered());
            Ok(())
        })
        .start()
}

/// So many events that do not sleep.
fn emit_some(client: &EventClient, ledger: &Ledger, next: &mut u64, count: u64) -> Result<(), zc_events::Error> {
    let ids = *next..*next + count;
    *next = ids.end;
    let events: Vec<_> = ids.clone().map(|id| Event::new("count").set("n", id)).collect::<Result<_, _>>()?;
    for (id, result) in ids.zip(client.emit_many(&events)) {
        ledger.attempted(id);
        ledger.sent(id, &result);
        result?;
    }
    Ok(())
}
