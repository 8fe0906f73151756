//! The thread of a consumed queue: subscribes, hands the subscription to the leader, connects again after it is lost, and drains
//! the queue's messages at the end.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, select};
use zc_events_protocol::clock;
use zc_events_transport::{ConsumeOptions, Subscription};

use super::live::LiveSubscription;
use super::queue::ConsumedQueue;
use super::settle;
use super::state::EngineState;
use crate::observe::{ConsumingChanged, WaitFor};
use crate::{Error, Result};

/// The longest pause before connecting again, and the first: as in the transport, a broker that is back is used soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// How long connecting and declaring may take.
const CONNECT: Duration = Duration::from_secs(15);
/// How long the broker may take to stop delivering.
const CANCEL: Duration = Duration::from_secs(5);

/// Declares what the service needs and begins to consume.
pub(super) fn subscribe(state: &EngineState, queue: &ConsumedQueue) -> Result<Arc<dyn Subscription>> {
    let inner = state.client.inner();
    let deadline = inner.deadline(CONNECT);
    inner.broker.declare(&state.topology, deadline)?;
    let subscription = inner.broker.subscribe(&queue.name, ConsumeOptions { prefetch: queue.prefetch }, deadline)?;
    log::info!("consuming queue `{}`", queue.name);
    Ok(Arc::from(subscription))
}

/// Why a queue is not consumed any more.
enum End {
    Stopping,
    Failed(Error),
}

pub(super) struct Consumer {
    pub(super) state: Arc<EngineState>,
    pub(super) queue: Arc<ConsumedQueue>,
}

impl Consumer {
    /// Runs until the service is stopped. Returns how many handlers had not finished.
    pub(super) fn run(self, first: Arc<dyn Subscription>) -> usize {
        let (state, queue) = (&*self.state, &self.queue);
        let mut subscription = Some(first);
        let mut pause = FIRST_PAUSE;
        let mut is_reconnect = false;
        loop {
            let subscribed = match subscription.take() {
                Some(subscription) => Ok(subscription),
                None => subscribe(state, queue),
            };
            match subscribed {
                Ok(subscription) => {
                    let since = state.clock().now();
                    queue.limit_allowance(since);
                    self.set_consuming(true, std::mem::replace(&mut is_reconnect, true));
                    let end = self.consume(&subscription);
                    self.set_consuming(false, false);
                    match end {
                        End::Stopping => return self.drain(subscription),
                        End::Failed(Error::Closed) => return self.leave(),
                        End::Failed(error) => state.note_error(queue, &error),
                    }
                    self.forget_unbegun();
                    // A connection that is lost as soon as it is there is no success.
                    if state.clock().now().saturating_duration_since(since) > pause {
                        pause = FIRST_PAUSE;
                    }
                }
                Err(Error::Closed) => return self.leave(),
                Err(error) => state.note_error(queue, &error),
            }
            if !self.back_off(pause) {
                return self.leave();
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Lets the leader take what the subscription delivers, until the service is stopped or the subscription fails.
    fn consume(&self, subscription: &Arc<dyn Subscription>) -> End {
        let (live, failed) = LiveSubscription::new(&self.queue, Arc::clone(subscription));
        self.state.work.change_led(|| self.state.live.wake_leader(), || self.state.live.add(live));
        let end = self.wait_for_end(&failed);
        self.state.work.change_led(|| self.state.live.wake_leader(), || self.state.live.remove(&self.queue));
        end
    }

    fn wait_for_end(&self, failed: &Receiver<Error>) -> End {
        loop {
            if self.state.is_stopping() {
                return End::Stopping;
            }
            select! {
                recv(failed) -> error => if let Ok(error) = error {
                    return End::Failed(error);
                },
                recv(self.queue.wake.1) -> _ => {}
            }
        }
    }

    /// Waits somewhere between nothing and `pause`, so that a fleet does not come back in step. `false` when the service is
    /// stopped.
    fn back_off(&self, pause: Duration) -> bool {
        let clock = self.state.clock();
        let until = clock.deadline(pause.mul_f64(fastrand::f64()));
        self.state.observers.waiting(WaitFor::Backoff, None, until, || {
            while !self.state.is_stopping() {
                if clock::pause(clock, until, &self.queue.wake.1) {
                    return true;
                }
            }
            false
        })
    }

    fn set_consuming(&self, is_consuming: bool, is_reconnect: bool) {
        self.queue.set_consuming(is_consuming);
        let (service, queue) = (self.state.service.as_str(), self.queue.name.as_str());
        let changed = ConsumingChanged { service, queue, is_consuming, is_reconnect };
        self.state.observers.tell(|observer| observer.consuming_changed(&changed));
    }

    /// The connection is lost, and the broker has put back all that was not settled: what no worker has begun is forgotten,
    /// since it is delivered again. No thread leads meanwhile: a leader may hold work that is due.
    fn forget_unbegun(&self) {
        let forget = || {
            self.queue.connection_lost();
            for work in self.state.work.remove(|work| Arc::ptr_eq(&work.message().queue, &self.queue)) {
                self.state.released(work.message());
            }
            drop(self.state.schedule.take_all(|work| Arc::ptr_eq(&work.message().queue, &self.queue)));
        };
        self.state.work.change_led(|| self.state.live.wake_leader(), forget);
    }

    /// Takes no more, waits for the handlers that run, and puts the rest back.
    fn drain(&self, subscription: Arc<dyn Subscription>) -> usize {
        let clock = self.state.clock();
        if let Err(error) = subscription.cancel(clock.deadline(CANCEL)) {
            self.state.note_error(&self.queue, &Error::from(error));
        }
        for work in self.state.work.remove(|work| Arc::ptr_eq(&work.message().queue, &self.queue)) {
            settle::requeue_work(&self.state, &work);
            self.state.released(work.message());
        }
        let abandoned = self.wait_for_handlers();
        for work in self.state.schedule.take_all(|work| Arc::ptr_eq(&work.message().queue, &self.queue)) {
            settle::requeue_work(&self.state, &work);
        }
        // Hands in the verdicts, and puts back what has none. No leader holds it any more.
        drop(subscription);
        log::info!("queue `{}` is not consumed any more", self.queue.name);
        abandoned
    }

    /// Ends while there is no connection. What was on the last one is delivered again, here or elsewhere; the handlers that
    /// run are waited for all the same.
    fn leave(&self) -> usize {
        self.forget_unbegun();
        let abandoned = self.wait_for_handlers();
        log::info!("queue `{}` is not consumed any more", self.queue.name);
        abandoned
    }

    /// Waits until no handler runs, at most until the time for draining is over. How many run then.
    fn wait_for_handlers(&self) -> usize {
        let (clock, deadline) = (self.state.clock(), self.state.drain_deadline());
        while self.queue.taken() > 0 {
            if clock::receive(clock, &self.queue.done.1, deadline).is_err() {
                break;
            }
        }
        self.queue.taken()
    }
}
