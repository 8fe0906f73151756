//! The thread that consumes a lane's queue: takes deliveries, ignores at once what nobody
//! here handles, hands the rest to the workers, comes back after a lost connection, drains.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use zc_events_protocol::{Deadline, Task, clock};
use zc_events_transport::{ConsumeOptions, Delivery, Subscription};

use super::lane::{Brings, Item, Job, Lane};
use super::shared::Shared;
use super::worker;
use crate::observe::{ConsumingChanged, Delivered, WaitFor};
use crate::{Error, Result};

/// The longest pause before connecting again, and the first: as in the transport, a broker that is back is not waited for.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// How long connecting and declaring may take.
const CONNECT: Duration = Duration::from_secs(15);
/// How long the broker may take to stop delivering.
const CANCEL: Duration = Duration::from_secs(5);
/// Further off than anything that is waited for.
const IDLE: Duration = Duration::from_secs(3600);

pub(super) struct Listener {
    pub(super) shared: Arc<Shared>,
    pub(super) lane: Arc<Lane>,
    pub(super) events: Sender<Item>,
    pub(super) requests: Sender<Item>,
    /// The workers' ends, to take back what none has begun.
    pub(super) waiting: [Receiver<Item>; 2],
}

impl Listener {
    /// Runs until the service is stopped. Returns how many messages were abandoned.
    pub(super) fn run(self, first: Box<dyn Subscription>) -> usize {
        let mut subscription = Some(first);
        let mut pause = FIRST_PAUSE;
        let mut lost = false;
        loop {
            let consuming = match subscription.take() {
                Some(subscription) => Ok(subscription),
                None => subscribe(&self.shared, &self.lane),
            };
            match consuming {
                Ok(mut consuming) => {
                    let since = self.shared.clock().now();
                    self.lane.limit_excuses(since);
                    self.set_consuming(true, std::mem::replace(&mut lost, true));
                    let end = self.consume(&mut *consuming);
                    self.set_consuming(false, false);
                    match end {
                        Ok(()) => return self.drain(consuming),
                        Err(Error::Closed) => return self.leave(),
                        Err(error) => self.shared.note_error(&self.lane, &error),
                    }
                    self.take_leave();
                    // One that is lost as soon as it is there is no success.
                    if self.shared.clock().now().saturating_duration_since(since) > pause {
                        pause = FIRST_PAUSE;
                    }
                }
                Err(Error::Closed) => return self.leave(),
                Err(error) => self.shared.note_error(&self.lane, &error),
            }
            if !self.rest(pause) {
                return self.leave();
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Waits somewhere between nothing and `pause`, so that a fleet does not come back in
    /// step. `false` when the service is stopped.
    fn rest(&self, pause: Duration) -> bool {
        let clock = self.shared.clock();
        let until = clock.deadline(pause.mul_f64(fastrand::f64()));
        self.shared.observers().waiting(WaitFor::Backoff, None, until, || {
            while !self.shared.is_stopping() {
                if clock::pause(clock, until, &self.lane.wake.1) {
                    return true;
                }
            }
            false
        })
    }

    /// Hands out deliveries until the service is stopped (`Ok`) or the connection is lost.
    fn consume(&self, subscription: &mut dyn Subscription) -> Result<()> {
        let clock = self.shared.clock();
        loop {
            if self.shared.is_stopping() {
                return Ok(());
            }
            let (due, next) = self.lane.take_due(clock.now());
            for item in due {
                self.hand_out(item);
            }
            let until = next.map_or_else(|| clock.deadline(IDLE), Deadline::at);
            if let Some(delivery) = subscription.next_unless(&self.lane.wake.1, until)? {
                self.shared.note_delivery();
                let delivered = Delivered {
                    service: &self.shared.service,
                    queue: &self.lane.queue,
                    is_redelivered: delivery.redelivered,
                    bytes: delivery.body.len(),
                };
                self.shared.observers().tell(|observer| observer.delivered(&delivered));
                self.hand_out(Item::Message(Job::new(delivery, clock.now(), Arc::clone(&self.lane))));
            }
        }
    }

    fn set_consuming(&self, is_consuming: bool, is_reconnect: bool) {
        self.lane.set_consuming(is_consuming);
        let (service, queue) = (self.shared.service.as_str(), self.lane.queue.as_str());
        let changed = ConsumingChanged { service, queue, is_consuming, is_reconnect };
        self.shared.observers().tell(|observer| observer.consuming_changed(&changed));
    }

    fn hand_out(&self, item: Item) {
        let to = match &item {
            Item::Errand(_) => &self.events,
            Item::Message(job) => match worker::event_type(&job.delivery) {
                Some(event_type) if !self.shared.routes.know(event_type) => return self.ignore(&job.delivery),
                // Whoever waits for an answer waits for no notification.
                Some(event_type) if self.lane.brings != Brings::Notifications => {
                    if self.shared.routes.answer(event_type) { &self.requests } else { &self.events }
                }
                _ => &self.events,
            },
        };
        item.job().begun();
        if let Err(refused) = to.send(item) {
            // The workers live as long as this thread; should they not, the message must.
            refused.0.job().give_back();
            refused.0.job().finished();
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

    /// The connection is lost, and the broker has put back all that had no verdict: what no
    /// worker has begun is forgotten, since it will come again.
    fn take_leave(&self) {
        self.lane.excuse_all();
        self.take_back(|_| {});
        drop(self.lane.take_held());
    }

    /// Takes this lane's items from the workers' queues. One lane at a time: it has those of the others in hand meanwhile,
    /// and where all workers are stuck, nobody but their own lane would ever give them back.
    fn take_back(&self, mut then: impl FnMut(&Job)) {
        let _alone = self.shared.taking_back();
        for (waiting, queue) in self.waiting.iter().zip([&self.requests, &self.events]) {
            let items: Vec<_> = waiting.try_iter().collect();
            for item in items {
                if Arc::ptr_eq(&item.job().lane, &self.lane) {
                    then(item.job());
                    item.job().finished();
                } else if let Err(refused) = queue.send(item) {
                    refused.0.job().give_back();
                    refused.0.job().finished();
                }
            }
        }
    }

    /// Takes no more, waits for what is under way, gives the rest back.
    fn drain(&self, mut subscription: Box<dyn Subscription>) -> usize {
        let clock = self.shared.clock();
        if let Err(error) = subscription.cancel(clock.deadline(CANCEL)) {
            self.shared.note_error(&self.lane, &Error::from(error));
        }
        self.take_back(Job::give_back);
        let abandoned = self.wait_for_handlers();
        for item in self.lane.take_held() {
            item.job().give_back();
        }
        // Hands in the verdicts, and puts back what has none.
        drop(subscription);
        log::info!("queue `{}` is not consumed any more", self.lane.queue);
        abandoned
    }

    /// Ends while there is no connection. What was on the last one comes again, here or elsewhere; the handlers that run
    /// are waited for all the same.
    fn leave(&self) -> usize {
        self.take_leave();
        let abandoned = self.wait_for_handlers();
        log::info!("queue `{}` is not consumed any more", self.lane.queue);
        abandoned
    }

    /// Waits until no handler runs, at most until the time for draining is over. How many run then.
    fn wait_for_handlers(&self) -> usize {
        let (clock, deadline) = (self.shared.clock(), self.shared.drain_deadline());
        while self.lane.under_way() > 0 {
            if clock::receive(clock, &self.lane.done.1, deadline).is_err() {
                break;
            }
        }
        self.lane.under_way()
    }
}

/// Declares what the service needs and begins to consume.
pub(super) fn subscribe(shared: &Shared, lane: &Lane) -> Result<Box<dyn Subscription>> {
    let inner = shared.client.inner();
    let deadline = inner.deadline(CONNECT);
    inner.broker.declare(&shared.topology, deadline)?;
    let subscription = inner.broker.subscribe(&lane.queue, ConsumeOptions { prefetch: lane.prefetch }, deadline)?;
    log::info!("consuming queue `{}`", lane.queue);
    Ok(subscription)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use crossbeam_channel::unbounded;
    use zc_events_protocol::Properties;
    use zc_events_transport::{Settle, Settler, Verdict};

    use super::*;
    use crate::{Context, EventClient, Service, Settings, Value};

    const ROUNDS: usize = 2_000;
    const MESSAGES: usize = 32;

    #[derive(Default)]
    struct Given(AtomicUsize);

    impl Settle for Given {
        fn settle(&self, _: u64, verdict: Verdict) {
            assert_eq!(verdict, Verdict::Requeue);
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A listener of a lane, none of whose messages a worker takes: all of them are stuck.
    fn listener(shared: &Arc<Shared>, lane: usize, events: &(Sender<Item>, Receiver<Item>)) -> Listener {
        let (requests, waiting) = unbounded();
        Listener {
            shared: Arc::clone(shared),
            lane: Arc::clone(&shared.lanes[lane]),
            events: events.0.clone(),
            requests,
            waiting: [waiting, events.1.clone()],
        }
    }

    #[test]
    fn lanes_that_drain_at_once_leave_nothing_with_each_other() {
        let settings =
            Settings::builder().broker_url("memory://").staging_name("test").service_name("stuck").build().unwrap();
        let client = EventClient::new(settings).unwrap();
        let shared = Service::builder(&client).on("job", |_: &Context, _: Value| Ok(())).build().unwrap();
        let (shared, events) = (Arc::new(shared), unbounded());
        let listeners = [listener(&shared, 0, &events), listener(&shared, 1, &events)];
        let given = Arc::new(Given::default());
        for round in 1..=ROUNDS {
            for (tag, listener) in (0..MESSAGES as u64).zip(listeners.iter().cycle()) {
                let settler = Settler::new(tag, given.clone());
                listener.hand_out(Item::Message(Job::new(
                    delivery(settler),
                    Instant::now(),
                    Arc::clone(&listener.lane),
                )));
            }
            let together = Barrier::new(2);
            std::thread::scope(|scope| {
                for listener in &listeners {
                    scope.spawn(|| {
                        together.wait();
                        listener.take_back(Job::give_back);
                    });
                }
            });
            for listener in &listeners {
                assert_eq!(listener.lane.under_way(), 0, "round {round}: left of queue `{}`", listener.lane.queue);
            }
            assert_eq!(given.0.load(Ordering::Relaxed), round * MESSAGES);
        }
    }

    fn delivery(settler: Settler) -> Delivery {
        Delivery {
            exchange: String::new(),
            routing_key: String::new(),
            redelivered: false,
            properties: Properties::default(),
            body: Vec::new(),
            settler,
            defect: None,
        }
    }
}
