//! A load for rows to break: a client whose threads emit events until they are stopped, and a service that handles them.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use zc_events::{Context, Event, EventClient, HandlerError, Service, Settings, Value};

use super::{Fixture, Ledger, Report};
use integration_tests::wait_until;

/// The limit for handling all confirmed events at the end.
const PATIENCE: Duration = Duration::from_secs(60);
/// The limit for the service's handlers, and for the broker's answer when a connection is closed.
const ENDING: Duration = Duration::from_secs(10);

/// The client, the service and their ledger.
pub struct Load {
    /// The client that emits and that the service uses.
    pub client: EventClient,
    /// The service that handles the events.
    pub service: Service,
    /// What happened to each event.
    pub ledger: Arc<Ledger>,
    /// The service's queue.
    pub queue: String,
    emitters: Emitters,
}

/// The emitting threads. Dropping it stops each thread after its current call.
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
    /// Starts so many threads, each of which emits one event after another.
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

    /// The number of confirmed events so far.
    #[must_use]
    pub fn confirmed(&self) -> u64 {
        self.emitters.counts.confirmed.load(Ordering::SeqCst)
    }

    /// The number of calls of the handler so far.
    #[must_use]
    pub fn handled(&self) -> u64 {
        self.emitters.counts.handled.load(Ordering::SeqCst)
    }

    /// Stops the emitters. Returns whether their last calls ended within `patience` and without a panic.
    pub fn stop_emitting(&mut self, patience: Duration) -> bool {
        self.emitters.counts.stop.store(true, Ordering::SeqCst);
        let threads = &mut self.emitters.threads;
        let ended = wait_until(patience, || threads.iter().all(JoinHandle::is_finished)).is_ok();
        ended && threads.drain(..).all(|emitter| emitter.join().is_ok())
    }

    /// Stops the service and closes the client. Returns whether both ended cleanly.
    #[must_use]
    pub fn end(self) -> bool {
        let Self { client, service, emitters, .. } = self;
        drop(emitters);
        let abandoned = service.stop(ENDING).abandoned;
        client.close(ENDING).is_ok() && abandoned == 0
    }

    /// Call this after the emitters have stopped. Waits until all events are handled and the queue is empty, and checks what
    /// must hold for every fault: no event is lost, and none is completed twice.
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
