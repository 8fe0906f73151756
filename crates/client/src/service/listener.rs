//! The thread that consumes: takes deliveries, ignores at once what nobody here handles,
//! hands the rest to the workers, comes back after a lost connection, and drains.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use zc_events_protocol::{Deadline, Task, clock, peek_event_type};
use zc_events_transport::{ConsumeOptions, Delivery, Subscription, Verdict};

use super::worker;
use super::{Held, Route, Shared};
use crate::{Error, Result};

/// The longest pause before connecting again, and the first.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// How long connecting and declaring may take.
const CONNECT: Duration = Duration::from_secs(15);
/// How long the broker may take to stop delivering.
const CANCEL: Duration = Duration::from_secs(5);
/// Further off than anything that is waited for.
const IDLE: Duration = Duration::from_secs(3600);

pub(super) struct Listener {
    pub(super) shared: Arc<Shared>,
    pub(super) events: Sender<Delivery>,
    pub(super) requests: Sender<Delivery>,
    /// The workers' ends, to take back what none has begun.
    pub(super) waiting: [Receiver<Delivery>; 2],
    /// Has a message when there is something to look at beside deliveries.
    pub(super) wake: Receiver<()>,
    pub(super) held: Receiver<Held>,
    pub(super) done: Receiver<()>,
}

impl Listener {
    /// Runs until the service is stopped. Returns how many messages were abandoned.
    pub(super) fn run(self, first: Box<dyn Subscription>) -> usize {
        let mut subscription = Some(first);
        let mut pause = FIRST_PAUSE;
        loop {
            let consuming = match subscription.take() {
                Some(subscription) => Ok(subscription),
                None => subscribe(&self.shared),
            };
            match consuming {
                Ok(mut consuming) => {
                    pause = FIRST_PAUSE;
                    self.shared.set_consuming(true);
                    let end = self.consume(&mut *consuming);
                    self.shared.set_consuming(false);
                    match end {
                        Ok(()) => return self.drain(consuming),
                        Err(error) => self.shared.note_error(&error),
                    }
                }
                Err(error) => self.shared.note_error(&error),
            }
            if !self.rest(pause) {
                return 0;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Waits somewhere between nothing and `pause`, so that a fleet does not come back in
    /// step. `false` when the service is stopped.
    fn rest(&self, pause: Duration) -> bool {
        let clock = self.shared.clock();
        let until = clock.deadline(pause.mul_f64(fastrand::f64()));
        while !self.shared.is_stopping() {
            if clock::pause(clock, until, &self.wake) {
                return true;
            }
        }
        false
    }

    /// Hands out deliveries until the service is stopped (`Ok`) or the connection is lost.
    fn consume(&self, subscription: &mut dyn Subscription) -> Result<()> {
        let clock = self.shared.clock();
        let mut later: BTreeMap<(Instant, u64), Delivery> = BTreeMap::new();
        let mut number = 0;
        loop {
            if self.shared.is_stopping() {
                for delivery in later.into_values() {
                    delivery.settler.settle(Verdict::Requeue);
                }
                return Ok(());
            }
            for Held { eta, delivery } in self.held.try_iter() {
                let wait = eta.duration_since(clock.wall()).unwrap_or_default();
                number += 1;
                later.insert((clock.deadline(wait).instant(), number), delivery);
            }
            let due = later.split_off(&(clock.now(), u64::MAX));
            for delivery in std::mem::replace(&mut later, due).into_values() {
                self.hand_out(delivery);
            }
            let until = later.keys().next().map_or_else(|| clock.deadline(IDLE), |(instant, _)| Deadline::at(*instant));
            if let Some(delivery) = subscription.next_unless(&self.wake, until)? {
                self.shared.note_delivery();
                self.hand_out(delivery);
            }
        }
    }

    fn hand_out(&self, delivery: Delivery) {
        let to = match peek_event_type(&delivery.properties, &delivery.body) {
            Some(event_type) => match self.shared.routes.get(event_type) {
                Some(Route::Resource(_)) => &self.requests,
                Some(Route::Event(_)) => &self.events,
                None => return self.ignore(&delivery),
            },
            None => &self.events,
        };
        self.shared.begun();
        if let Err(refused) = to.send(delivery) {
            // The workers live as long as this thread; should they not, the message must.
            refused.0.settler.settle(Verdict::Requeue);
            self.shared.finished();
        }
    }

    /// Read in full only for the log line.
    fn ignore(&self, delivery: &Delivery) {
        let task = log::log_enabled!(log::Level::Info)
            .then(|| Task::decode(&delivery.properties, &delivery.body, &self.shared.client.settings().limits).ok())
            .flatten();
        worker::ignore(&self.shared, task.as_ref());
        delivery.settler.ack();
    }

    /// Takes no more, waits for what is under way, gives the rest back.
    fn drain(&self, mut subscription: Box<dyn Subscription>) -> usize {
        let clock = self.shared.clock();
        let deadline = self.shared.drain_deadline();
        if let Err(error) = subscription.cancel(clock.deadline(CANCEL)) {
            self.shared.note_error(&Error::from(error));
        }
        for waiting in &self.waiting {
            for delivery in waiting.try_iter() {
                delivery.settler.settle(Verdict::Requeue);
                self.shared.finished();
            }
        }
        while self.shared.under_way() > 0 {
            if clock::receive(clock, &self.done, deadline).is_err() {
                break;
            }
        }
        for held in self.held.try_iter() {
            held.delivery.settler.settle(Verdict::Requeue);
        }
        let abandoned = self.shared.under_way();
        // Hands in the verdicts, and puts back what has none.
        drop(subscription);
        abandoned
    }
}

/// Declares what the service needs and begins to consume.
pub(super) fn subscribe(shared: &Shared) -> Result<Box<dyn Subscription>> {
    let inner = shared.client.inner();
    let deadline = inner.deadline(CONNECT);
    inner.broker.declare(&shared.topology, deadline)?;
    let options = ConsumeOptions { prefetch: inner.settings.prefetch };
    let subscription = inner.broker.subscribe(&shared.queue, options, deadline)?;
    log::info!("consuming queue `{}`", shared.queue);
    Ok(subscription)
}
