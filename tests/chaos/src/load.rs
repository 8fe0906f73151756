//! A client whose threads emit events until they are told to stop, and a service that handles them: what rows break.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use zc_events::{Context, Event, EventClient, HandlerError, Service, Settings, Value};

use super::{Fixture, Ledger, Report};
use integration_tests::wait_until;

/// How long all that is confirmed may take to be handled in the end.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the service's handlers, and the broker's answer to the end of a connection, may take.
const ENDING: Duration = Duration::from_secs(10);

/// Emitters, service, and the book of both.
pub struct Load {
    /// What emits, and what the service is made of.
    pub client: EventClient,
    /// What handles.
    pub service: Service,
    /// What became of each event.
    pub ledger: Arc<Ledger>,
    /// The service's queue.
    pub queue: String,
    emitters: Emitters,
}

/// Dropping it ends them, with the call that each is in.
struct Emitters {
    counts: Arc<Counts>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Counts {
    next: AtomicU64,
    confirmed: AtomicU64,
    handled: AtomicU64,
    stop: AtomicBool,
}

impl Load {
    /// Begins with so many threads that emit one event after another.
    ///
    /// # Errors
    /// The service does not start.
    pub fn start(settings: Settings, emitters: usize) -> Result<Self, Box<dyn Error>> {
        let queue = format!("{}-events", settings.service_name().unwrap_or_default());
        let client = EventClient::new(settings)?;
        let (ledger, counts) = (Arc::<Ledger>::default(), Arc::<Counts>::default());
        let (book, handled) = (Arc::clone(&ledger), Arc::clone(&counts));
        let service = Service::builder(&client)
            .on("count", move |context: &Context, payload: Value| {
                let id = payload["n"].as_u64().ok_or_else(|| HandlerError::new("no number"))?;
                book.handled(id, context.is_redelivered());
                book.completed(id);
                handled.handled.fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
            .start()?;
        let threads = (0..emitters)
            .map(|_| {
                let (client, ledger, counts) = (client.clone(), Arc::clone(&ledger), Arc::clone(&counts));
                thread::spawn(move || counts.emit(&client, &ledger))
            })
            .collect();
        Ok(Self { client, service, ledger, queue, emitters: Emitters { counts, threads } })
    }

    /// How many calls said that an event is confirmed, so far.
    #[must_use]
    pub fn confirmed(&self) -> u64 {
        self.emitters.counts.confirmed.load(Ordering::SeqCst)
    }

    /// How many times the handler was called, so far.
    #[must_use]
    pub fn handled(&self) -> u64 {
        self.emitters.counts.handled.load(Ordering::SeqCst)
    }

    /// Ends the emitters. Their last calls end by their deadlines; whether they have within `patience`, and without a
    /// panic.
    pub fn stop_emitting(&mut self, patience: Duration) -> bool {
        self.emitters.counts.stop.store(true, Ordering::SeqCst);
        let threads = &mut self.emitters.threads;
        let ended = wait_until(patience, || threads.iter().all(JoinHandle::is_finished)).is_ok();
        ended && threads.drain(..).all(|emitter| emitter.join().is_ok())
    }

    /// Stops the service and closes the client; whether that went in peace.
    #[must_use]
    pub fn end(self) -> bool {
        let Self { client, service, emitters, .. } = self;
        drop(emitters);
        let abandoned = service.stop(ENDING).abandoned;
        client.close(ENDING).is_ok() && abandoned == 0
    }

    /// Once nothing is emitted any more: waits until all is handled and the queue empty, and reports what holds for
    /// every fault: nothing lost, nothing completed twice, the books in order.
    pub fn settle(&self, fixture: &Fixture, report: &mut Report) {
        let all_handled = wait_until(PATIENCE, || self.ledger.lost() == 0);
        let left = wait_until(PATIENCE, || {
            self.service.health().under_way == 0
                && fixture.plain().and_then(|it| it.ready(&self.queue)).is_ok_and(|n| n == 0)
        });
        let (ledger, health) = (&self.ledger, self.service.health());
        report.figure("attempted", ledger.attempts());
        report.figure("confirmed", ledger.confirms());
        report.figure("unknown", ledger.unknowns());
        report.figure("not sent", ledger.not_sent());
        report.figure("handled", ledger.handles());
        report.figure("lost", ledger.lost());
        report.figure("delivered again", health.duplicates + ledger.duplicates() as u64);
        report.check(
            &format!("all that was confirmed is handled; lost: {:?}", ledger.examples_lost()),
            all_handled.is_ok(),
        );
        report.check("the queue is empty at the end", left.is_ok());
        report.equal("said not to be sent, and handled", ledger.denied(), 0);
        report.equal("completed again", ledger.completed_again(), 0);
        report.equal("dead letters", health.dead_lettered, 0);
    }
}

impl Counts {
    fn emit(&self, client: &EventClient, ledger: &Ledger) {
        while !self.stop.load(Ordering::SeqCst) {
            let id = self.next.fetch_add(1, Ordering::SeqCst);
            ledger.attempted(id);
            let event = Event::new("count").set("n", id).map_err(zc_events::Error::from);
            let emitted = event.and_then(|event| client.emit(&event));
            ledger.sent(id, &emitted);
            self.confirmed.fetch_add(u64::from(emitted.is_ok()), Ordering::SeqCst);
        }
    }
}

impl Drop for Emitters {
    fn drop(&mut self) {
        self.counts.stop.store(true, Ordering::SeqCst);
    }
}
