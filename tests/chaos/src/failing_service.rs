//! A service whose handlers fail, and which can be stopped and started. For rows about retries and dead letters.

use std::sync::Arc;
use std::time::Duration;

use zc_events::{Context, Event, EventClient, HandlerError, Retry, Service, ServiceHealth, Value};

use super::dead_letter::{DeadLetter, take_dead_letters};
use super::row::Done;
use super::{AmqpClient, Fixture, Ledger};

/// An event type whose handler fails once.
pub(super) const FLAKY: &str = "flaky";
/// An event type whose handler always fails.
pub(super) const HOPELESS: &str = "hopeless";

const STOP: Duration = Duration::from_secs(10);

/// The service and the ledger of its events. An event that is handled, or found among the dead letters, is not lost.
pub(super) struct FailingService {
    client: EventClient,
    pub(super) exchange: String,
    queue: String,
    pause: Duration,
    pub(super) ledger: Arc<Ledger>,
    service: Option<Service>,
    next: u64,
}

impl FailingService {
    /// Makes a service that has not started. Its retries wait for `pause`, 1 or 5 seconds, in one queue, `.retry.1s` or
    /// `.retry.5s`.
    pub(super) fn new(fixture: &Fixture, name: &str, pause: Duration) -> zc_events::Result<Self> {
        let settings = fixture.settings(name).build()?;
        let queue = format!("{}-events", settings.service_name().unwrap_or_default());
        let exchange = settings.events_exchange().to_owned();
        let client = EventClient::new(settings)?;
        Ok(Self { client, exchange, queue, pause, ledger: Arc::default(), service: None, next: 0 })
    }

    /// A queue of it: the one that it consumes, or `.retry.1s`, `.dead`.
    pub(super) fn queue(&self, rest: &str) -> String {
        format!("{}{rest}", self.queue)
    }

    pub(super) fn start(&mut self) -> Done {
        let ledger = Arc::clone(&self.ledger);
        let service = Service::builder(&self.client)
            .retry(Retry::attempts(5).backoff(self.pause, self.pause))
            .on(FLAKY, move |context: &Context, payload: Value| {
                if context.attempt() == 1 {
                    return Err(HandlerError::new("the first time it fails"));
                }
                let id = payload["n"].as_u64().ok_or_else(|| HandlerError::new("no number"))?;
                ledger.handled(id, context.is_redelivered());
                Ok(())
            })
            .on(HOPELESS, |_: &Context, _: Value| Err(HandlerError::new("it cannot be done").permanent()))
            .start()?;
        self.service = Some(service);
        Ok(())
    }

    pub(super) fn stop(&mut self) {
        if let Some(service) = self.service.take() {
            let _ = service.stop(STOP);
        }
    }

    /// The health of the service; all zeros while it is stopped.
    pub(super) fn health(&self) -> ServiceHealth {
        self.service.as_ref().map(Service::health).unwrap_or_default()
    }

    /// Emits `count` events, which must all be confirmed.
    pub(super) fn emit(&mut self, event_type: &str, count: u64) -> zc_events::Result<()> {
        let ids = self.next..self.next + count;
        self.next = ids.end;
        let events: Vec<_> = ids.clone().map(|id| Event::new(event_type).set("n", id)).collect::<Result<_, _>>()?;
        for (id, result) in ids.zip(self.client.emit_many(&events)) {
            self.ledger.attempted(id);
            self.ledger.sent(id, &result);
            result?;
        }
        Ok(())
    }

    /// Takes the dead letters out of their queue and records them in the ledger.
    pub(super) fn take_dead_letters(&self, plain: &AmqpClient) -> Result<Vec<DeadLetter>, Box<dyn std::error::Error>> {
        let taken = take_dead_letters(plain, &self.queue(".dead"))?;
        taken.iter().filter_map(|letter| letter.id).for_each(|id| self.ledger.handled(id, false));
        Ok(taken)
    }
}
