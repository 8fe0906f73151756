//! Consuming a queue, as its callers see it. Deliveries come straight from amiquip's receiver to the thread that asks for
//! one; verdicts go through `settlements` to the thread that owns the channel (`consumer_thread`). A lost connection ends the
//! subscription; the subscriber connects again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use amiquip::ConsumerMessage;
use crossbeam_channel::{Receiver, RecvTimeoutError, Select, Sender, TryRecvError, bounded};
use zc_events_protocol::{Clock, Deadline, Outcome, Stage, clock};

use super::connection::BrokerConnection;
use super::consumer_thread::{self, Cancel, Started};
use super::convert;
use super::failure;
use super::guard::GuardReport;
use super::settlements::Settlements;
use crate::subscription::{self, Polled};
use crate::{ConsumeOptions, Delivery, Error, Result, Subscription, Verdict};

/// A queue of an AMQP broker that is consumed.
pub(super) struct AmqpSubscription {
    messages: Receiver<ConsumerMessage>,
    settlements: Arc<Settlements>,
    guard_report: Arc<GuardReport>,
    /// `None` once dropped, which stops the thread.
    control: Option<Sender<Cancel>>,
    thread: Option<JoinHandle<()>>,
    clock: Arc<dyn Clock>,
    /// Whether the broker has confirmed that no more deliveries come.
    cancelled: AtomicBool,
}

impl AmqpSubscription {
    pub(super) fn start(
        connection: BrokerConnection,
        queue: &str,
        options: ConsumeOptions,
        closing: Receiver<()>,
        deadline: Deadline,
    ) -> Result<Self> {
        let (clock, guard_report) = (Arc::clone(connection.clock()), Arc::clone(&connection.guard_report));
        let Started { settlements, control, ready, thread } =
            consumer_thread::start(connection, queue, options, closing, deadline)?;
        match clock::receive(&*clock, &ready, deadline) {
            Ok(Ok(messages)) => {
                let (control, thread, cancelled) = (Some(control), Some(thread), AtomicBool::new(false));
                Ok(Self { messages, settlements, guard_report, control, thread, clock, cancelled })
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(failure::timeout(Stage::Subscribe)),
        }
    }

    fn delivery(&self) -> Result<Option<Delivery>, Ended> {
        let take = || match self.messages.try_recv() {
            Ok(ConsumerMessage::Delivery(delivery)) => Ok(delivery),
            Err(TryRecvError::Empty) => Err(None),
            // Nothing follows the cancellation, and deliveries may still be settled.
            Ok(ConsumerMessage::ClientCancelled) | Err(TryRecvError::Disconnected) if self.is_cancelled() => Err(None),
            Ok(message) => Err(Some(Ended::By(Box::new(message)))),
            Err(TryRecvError::Disconnected) => Err(Some(Ended::Lost)),
        };
        let (content, settler) = match self.settlements.give_out(take) {
            Ok(taken) => taken,
            Err(None) => return Ok(None),
            Err(Some(ended)) => return Err(ended),
        };
        let (properties, defect) = convert::delivered(content.properties, &self.guard_report);
        Ok(Some(Delivery {
            exchange: content.exchange,
            routing_key: content.routing_key,
            redelivered: content.redelivered,
            properties,
            body: content.body,
            settler,
            defect,
        }))
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    fn why(&self, ended: Ended) -> Error {
        match ended {
            Ended::By(message) => match *message {
                ConsumerMessage::ServerCancelled => Error::Rejected {
                    why: "the broker ended the consumption: the queue was deleted, or moved to another node".to_owned(),
                },
                ConsumerMessage::ServerClosedChannel(error) | ConsumerMessage::ServerClosedConnection(error) => {
                    failure::failed(&error, "consuming", Outcome::NotSent)
                }
                _ => gone(),
            },
            Ended::Lost => {
                let why = self.guard_report.refusal().unwrap_or("the connection ended").to_owned();
                failure::lost("consuming", why, Outcome::NotSent)
            }
        }
    }
}

/// Why there are no more deliveries.
enum Ended {
    By(Box<ConsumerMessage>),
    Lost,
}

impl Subscription for AmqpSubscription {
    fn try_next(&self) -> Result<Polled> {
        if let Some(error) = self.settlements.ended(gone) {
            return Err(error);
        }
        match self.delivery() {
            Ok(Some(delivery)) => Ok(Polled::Delivery(Box::new(delivery))),
            Ok(None) => Ok(Polled::Empty { look_again: None }),
            Err(ended) => {
                self.settlements.end(self.why(ended));
                Err(self.settlements.ended(gone).unwrap_or_else(gone))
            }
        }
    }

    fn register<'a>(&'a self, select: &mut Select<'a>) {
        if !self.is_cancelled() {
            select.recv(&self.messages);
        }
    }

    fn next_unless(&self, interrupt: &Receiver<()>, deadline: Deadline) -> Result<Option<Delivery>> {
        subscription::next_unless(self, &*self.clock, interrupt, deadline)
    }

    fn cancel(&self, deadline: Deadline) -> Result<()> {
        let (done, cancelled) = bounded(1);
        let asked = self.control.as_ref().is_some_and(|control| control.send(Cancel(done)).is_ok());
        if !asked {
            return Err(gone());
        }
        match clock::receive(&*self.clock, &cancelled, deadline) {
            Ok(()) => self.cancelled.store(true, Ordering::Release),
            Err(RecvTimeoutError::Timeout) => return Err(failure::timeout(Stage::Close)),
            Err(RecvTimeoutError::Disconnected) => return Err(gone()),
        }
        // What has arrived before the cancellation goes back.
        while let Ok(Some(delivery)) = self.delivery() {
            delivery.settler.settle(Verdict::Requeue);
        }
        Ok(())
    }
}

impl Drop for AmqpSubscription {
    fn drop(&mut self) {
        self.control = None;
        if let Some(thread) = self.thread.take() {
            // It ends by its own deadlines, and a panic in it was an end, too.
            let _ = thread.join();
        }
        // amiquip gives up a connection on which it has something to say to a consumer that is gone, so that its receiver
        // lives until the thread has ended.
        while self.messages.try_recv().is_ok() {}
    }
}

pub(super) fn gone() -> Error {
    failure::lost("consuming", "the subscription has ended".to_owned(), Outcome::NotSent)
}
