//! Consuming a queue: a thread owns the connection, the channel and the
//! acknowledgements; deliveries and verdicts reach it and leave it through channels.
//! A lost connection ends it; coming back is the business of who subscribed.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use amiquip::{Channel, Consumer, ConsumerMessage, ConsumerOptions};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select, unbounded};
use zc_events_protocol::{Clock, Deadline, Outcome, Stage, clock};

use super::connection::BrokerConnection;
use super::convert;
use super::failure;
use crate::{ConsumeOptions, Delivery, Error, Result, Settle, Settler, Subscription, Verdict};

/// How long handing verdicts to the connection may take before it counts as dead.
const SETTLE: Duration = Duration::from_secs(10);
/// How long stopping may take.
const STOP: Duration = Duration::from_secs(5);

/// A queue of an AMQP broker being consumed.
pub(super) struct AmqpSubscription {
    deliveries: Receiver<Result<Delivery>>,
    /// `None` once dropped, which stops the thread.
    control: Option<Sender<Cancel>>,
    thread: Option<JoinHandle<()>>,
    clock: Arc<dyn Clock>,
    failed: bool,
}

/// A wish to get no more deliveries, and where to say that there will be none.
struct Cancel(Sender<()>);

/// The way back for verdicts.
struct Verdicts(Sender<(u64, Verdict)>);

impl Settle for Verdicts {
    fn settle(&self, tag: u64, verdict: Verdict) {
        // When the thread is gone, so is the connection: the broker has put the message back.
        let _ = self.0.send((tag, verdict));
    }
}

impl AmqpSubscription {
    pub(super) fn start(
        connection: BrokerConnection,
        queue: &str,
        options: ConsumeOptions,
        closing: Receiver<()>,
        deadline: Deadline,
    ) -> Result<Self> {
        let clock = Arc::clone(connection.clock());
        let (out, deliveries) = unbounded();
        let (control, controlled) = unbounded();
        let (ready, started) = bounded(1);
        let job = Job { queue: queue.to_owned(), options, deadline, ready, out, control: controlled, closing };
        let thread = thread::Builder::new()
            .name("zc-events-consumer".into())
            .spawn(move || job.run(&connection))
            .map_err(|error| failure::lost("starting a thread", error.to_string(), Outcome::NotSent))?;
        let subscription = Self { deliveries, control: Some(control), thread: Some(thread), clock, failed: false };
        match clock::receive(&*subscription.clock, &started, deadline) {
            Ok(Ok(())) => Ok(subscription),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(failure::timeout(Stage::Subscribe)),
        }
    }
}

impl Subscription for AmqpSubscription {
    fn next_unless(&mut self, interrupt: &Receiver<()>, deadline: Deadline) -> Result<Option<Delivery>> {
        if self.failed {
            return Err(gone());
        }
        match clock::receive_unless(&*self.clock, &self.deliveries, interrupt, deadline) {
            Ok(Ok(delivery)) => Ok(Some(delivery)),
            Ok(Err(error)) => {
                self.failed = true;
                Err(error)
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                self.failed = true;
                Err(gone())
            }
        }
    }

    fn cancel(&mut self, deadline: Deadline) -> Result<()> {
        let (done, cancelled) = bounded(1);
        let asked = self.control.as_ref().is_some_and(|control| control.send(Cancel(done)).is_ok());
        if !asked {
            return Err(gone());
        }
        match clock::receive(&*self.clock, &cancelled, deadline) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return Err(failure::timeout(Stage::Close)),
            Err(RecvTimeoutError::Disconnected) => return Err(gone()),
        }
        for delivery in self.deliveries.try_iter().flatten() {
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
    }
}

fn gone() -> Error {
    failure::lost("consuming", "the subscription has ended".to_owned(), Outcome::NotSent)
}

/// What the thread is given.
struct Job {
    queue: String,
    options: ConsumeOptions,
    deadline: Deadline,
    ready: Sender<Result<()>>,
    out: Sender<Result<Delivery>>,
    control: Receiver<Cancel>,
    /// Ends when the broker handle is closed.
    closing: Receiver<()>,
}

impl Job {
    fn run(&self, connection: &BrokerConnection) {
        let guard = connection.guard(self.deadline);
        let channel = match connection.open_channel(Stage::Subscribe, &guard) {
            Ok(channel) => channel,
            Err(error) => {
                let _ = self.ready.send(Err(error));
                return;
            }
        };
        drop(guard);
        // To the end of the connection: amiquip gives up a connection on which it has something to say to a consumer
        // that is gone, and it says that a consumer was cancelled after it has told the channel.
        let _held = self.consume(connection, &channel);
        let stop = connection.clock().deadline(STOP);
        let guard = connection.guard(stop);
        drop(channel);
        drop(guard);
        // A connection that does not answer is cut; the broker puts back what has no verdict.
        let _ = connection.close(stop);
    }

    /// Returns amiquip's end of the deliveries.
    fn consume(&self, connection: &BrokerConnection, channel: &Channel) -> Option<Receiver<ConsumerMessage>> {
        let guard = connection.guard(self.deadline);
        let consumer = channel
            .qos(0, self.options.prefetch.max(1), false)
            .and_then(|()| channel.basic_consume(self.queue.as_str(), ConsumerOptions::default()));
        let consumer = match consumer {
            Ok(consumer) => consumer,
            Err(_) if guard.has_fired() => {
                let _ = self.ready.send(Err(failure::timeout(Stage::Subscribe)));
                return None;
            }
            Err(error) => {
                let doing = format!("consuming queue `{}`", self.queue);
                let _ = self.ready.send(Err(failure::failed(&error, &doing, Outcome::NotSent)));
                return None;
            }
        };
        drop(guard);
        let _ = self.ready.send(Ok(()));

        let (settle, verdicts) = unbounded();
        let messages = consumer.receiver().clone();
        let settler = Arc::new(Verdicts(settle));
        let mut desk = Desk { connection, channel, out: &self.out, settler, unsettled: HashMap::new() };
        if let Err(error) = desk.run(&consumer, &messages, &verdicts, self) {
            log::debug!("consuming queue `{}` ended: {error}", self.queue);
            let _ = self.out.send(Err(error));
        }
        let _guard = connection.guard(connection.clock().deadline(STOP));
        drop(consumer);
        while messages.try_recv().is_ok() {}
        Some(messages)
    }
}

/// The thread's work: deliveries out, verdicts in.
struct Desk<'a> {
    connection: &'a BrokerConnection,
    channel: &'a Channel,
    out: &'a Sender<Result<Delivery>>,
    settler: Arc<Verdicts>,
    /// amiquip's own deliveries, emptied, by tag: it settles nothing else.
    unsettled: HashMap<u64, amiquip::Delivery>,
}

impl Desk<'_> {
    /// Runs until it is told to stop (`Ok`) or cannot go on.
    fn run(
        &mut self,
        consumer: &Consumer<'_>,
        messages: &Receiver<ConsumerMessage>,
        verdicts: &Receiver<(u64, Verdict)>,
        job: &Job,
    ) -> Result<()> {
        loop {
            select! {
                recv(verdicts) -> verdict => if let Ok(verdict) = verdict {
                    self.settle(verdict, verdicts)?;
                },
                recv(messages) -> message => match message {
                    Ok(message) => self.take(message)?,
                    Err(_) => {
                        let why = self.connection.watch.refusal().unwrap_or("the connection ended").to_owned();
                        return Err(failure::lost("consuming", why, Outcome::NotSent));
                    }
                },
                recv(job.control) -> cancel => match cancel {
                    Ok(Cancel(done)) => {
                        self.cancel(consumer, messages)?;
                        let _ = done.send(());
                        return self.settle_until_stopped(verdicts, job);
                    }
                    Err(_) => return self.settle_rest(verdicts),
                },
                recv(job.closing) -> _ => {
                    self.settle_rest(verdicts)?;
                    return Err(Error::Closed);
                }
            }
        }
    }

    fn take(&mut self, message: ConsumerMessage) -> Result<()> {
        match message {
            ConsumerMessage::Delivery(delivery) => {
                self.hand_out(delivery);
                Ok(())
            }
            ConsumerMessage::ServerCancelled => Err(Error::Rejected {
                why: "the broker ended the consumption: the queue was deleted, or moved to another node".to_owned(),
            }),
            ConsumerMessage::ServerClosedChannel(error) | ConsumerMessage::ServerClosedConnection(error) => {
                Err(failure::failed(&error, "consuming", Outcome::NotSent))
            }
            ConsumerMessage::ClientCancelled
            | ConsumerMessage::ClientClosedChannel
            | ConsumerMessage::ClientClosedConnection => Err(gone()),
        }
    }

    fn hand_out(&mut self, mut delivery: amiquip::Delivery) {
        let tag = delivery.delivery_tag();
        let settler: Arc<dyn Settle> = Arc::clone(&self.settler) as _;
        let properties = std::mem::take(&mut delivery.properties);
        let (properties, defect) = convert::delivered(properties, &self.connection.watch);
        let handed = Delivery {
            exchange: std::mem::take(&mut delivery.exchange),
            routing_key: std::mem::take(&mut delivery.routing_key),
            redelivered: delivery.redelivered,
            properties,
            body: std::mem::take(&mut delivery.body),
            settler: Settler::new(tag, settler),
            defect,
        };
        self.unsettled.insert(tag, delivery);
        // Nobody to take it: then nobody settles it, and it goes back when this stops.
        let _ = self.out.send(Ok(handed));
    }

    /// Gives this verdict, and those that have come in since, to the broker.
    fn settle(&mut self, first: (u64, Verdict), verdicts: &Receiver<(u64, Verdict)>) -> Result<()> {
        let guard = self.connection.guard(self.connection.clock().deadline(SETTLE));
        for (tag, verdict) in std::iter::once(first).chain(verdicts.try_iter()) {
            let Some(delivery) = self.unsettled.remove(&tag) else {
                continue;
            };
            let given = match verdict {
                Verdict::Ack => delivery.ack(self.channel),
                Verdict::Requeue => delivery.nack(self.channel, true),
                Verdict::Reject => delivery.nack(self.channel, false),
            };
            if let Err(error) = given {
                let why = if guard.has_fired() { "it took no verdicts".to_owned() } else { error.to_string() };
                return Err(failure::lost("settling a delivery", why, Outcome::NotSent));
            }
        }
        Ok(())
    }

    fn cancel(&mut self, consumer: &Consumer<'_>, messages: &Receiver<ConsumerMessage>) -> Result<()> {
        let guard = self.connection.guard(self.connection.clock().deadline(STOP));
        let cancelled = consumer.cancel();
        drop(guard);
        cancelled.map_err(|error| failure::failed(&error, "cancelling a consumer", Outcome::NotSent))?;
        // What arrived before the cancellation is handed out; its owner puts it back.
        for message in messages.try_iter() {
            if let ConsumerMessage::Delivery(delivery) = message {
                self.hand_out(delivery);
            }
        }
        Ok(())
    }

    fn settle_rest(&mut self, verdicts: &Receiver<(u64, Verdict)>) -> Result<()> {
        match verdicts.try_recv() {
            Ok(verdict) => self.settle(verdict, verdicts),
            Err(_) => Ok(()),
        }
    }

    fn settle_until_stopped(&mut self, verdicts: &Receiver<(u64, Verdict)>, job: &Job) -> Result<()> {
        loop {
            select! {
                recv(verdicts) -> verdict => if let Ok(verdict) = verdict {
                    self.settle(verdict, verdicts)?;
                },
                recv(job.control) -> cancel => match cancel {
                    Ok(Cancel(done)) => {
                        let _ = done.send(());
                    }
                    Err(_) => return self.settle_rest(verdicts),
                },
                recv(job.closing) -> _ => {
                    self.settle_rest(verdicts)?;
                    return Err(Error::Closed);
                }
            }
        }
    }
}
