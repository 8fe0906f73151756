//! The thread that owns a consumer's connection and channel. Nothing else settles deliveries: it acknowledges all up to the
//! lowest that is still out with one frame, and the rest one by one.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use amiquip::{Channel, Consumer, ConsumerMessage, ConsumerOptions};
use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};
use zc_events_protocol::{Deadline, Outcome, Stage};

use super::connection::BrokerConnection;
use super::failure;
use super::settlements::{Due, Settled, Settlements};
use crate::{ConsumeOptions, Error, Result, Verdict};

/// How long handing verdicts to the connection may take before it counts as dead.
const SETTLE: Duration = Duration::from_secs(10);
/// How long stopping may take.
const STOP: Duration = Duration::from_secs(5);
/// How long an acknowledgement may wait for others while deliveries are settled.
const TICK: Duration = Duration::from_millis(1);
/// After so many ticks without a verdict the thread sleeps.
const QUIET_TICKS: u32 = 8;

/// A wish to get no more deliveries, and where to say that there will be none.
pub(super) struct Cancel(pub(super) Sender<()>);

/// The thread, seen from outside.
pub(super) struct Started {
    pub(super) settlements: Arc<Settlements>,
    /// Lost, it ends the thread.
    pub(super) control: Sender<Cancel>,
    /// Amiquip's receiver, or why there is none.
    pub(super) ready: Receiver<Result<Receiver<ConsumerMessage>>>,
    pub(super) thread: JoinHandle<()>,
}

/// Starts it.
pub(super) fn start(
    connection: BrokerConnection,
    queue: &str,
    options: ConsumeOptions,
    closing: Receiver<()>,
    deadline: Deadline,
) -> Result<Started> {
    let prefetch = options.prefetch.max(1);
    let (settlements, woken) = Settlements::new(prefetch);
    let (control, controlled) = unbounded();
    let (started, ready) = bounded(1);
    let owner = ConsumerThread {
        queue: queue.to_owned(),
        prefetch,
        deadline,
        started,
        settlements: Arc::clone(&settlements),
        woken,
        control: controlled,
        closing,
    };
    let thread = thread::Builder::new()
        .name("zc-events-consumer".into())
        .spawn(move || owner.run(&connection))
        .map_err(|error| failure::lost("starting a thread", error.to_string(), Outcome::NotSent))?;
    Ok(Started { settlements, control, ready, thread })
}

struct ConsumerThread {
    queue: String,
    prefetch: u16,
    deadline: Deadline,
    started: Sender<Result<Receiver<ConsumerMessage>>>,
    settlements: Arc<Settlements>,
    woken: Receiver<()>,
    control: Receiver<Cancel>,
    /// Ends when the broker handle is closed.
    closing: Receiver<()>,
}

impl ConsumerThread {
    fn run(&self, connection: &BrokerConnection) {
        let guard = connection.guard(self.deadline);
        let channel = match connection.open_channel(Stage::Subscribe, &guard) {
            Ok(channel) => channel,
            Err(error) => {
                let _ = self.started.send(Err(error));
                return;
            }
        };
        drop(guard);
        self.consume(connection, &channel);
        let stop = connection.clock().deadline(STOP);
        let guard = connection.guard(stop);
        drop(channel);
        drop(guard);
        // A connection that does not answer is cut; the broker puts back what has no verdict.
        let _ = connection.close(stop);
    }

    fn consume(&self, connection: &BrokerConnection, channel: &Channel) {
        let guard = connection.guard(self.deadline);
        let consumer = channel
            .qos(0, self.prefetch, false)
            .and_then(|()| channel.basic_consume(self.queue.as_str(), ConsumerOptions::default()));
        let consumer = match consumer {
            Ok(consumer) => consumer,
            Err(_) if guard.has_fired() => {
                let _ = self.started.send(Err(failure::timeout(Stage::Subscribe)));
                return;
            }
            Err(error) => {
                let doing = format!("consuming queue `{}`", self.queue);
                let _ = self.started.send(Err(failure::failed(&error, &doing, Outcome::NotSent)));
                return;
            }
        };
        drop(guard);
        let _ = self.started.send(Ok(consumer.receiver().clone()));
        let mut settling = Settling { connection, channel, settlements: &self.settlements, waiting: Vec::new() };
        if let Err(error) = self.settle(&mut settling, &consumer) {
            log::debug!("consuming queue `{}` ended: {error}", self.queue);
            self.settlements.end(error);
        }
        let _guard = connection.guard(connection.clock().deadline(STOP));
        drop(consumer);
    }

    /// Settles deliveries until it is told to stop (`Ok`) or cannot go on.
    fn settle(&self, settling: &mut Settling<'_>, consumer: &Consumer<'_>) -> Result<()> {
        let mut quiet = QUIET_TICKS;
        loop {
            let pause = if quiet < QUIET_TICKS || !self.settlements.leave_unwatched() { TICK } else { Duration::MAX };
            select! {
                recv(self.woken) -> _ => {}
                recv(self.control) -> cancel => match cancel {
                    Ok(Cancel(done)) => {
                        settling.flush(true)?;
                        self.cancel(settling.connection, consumer)?;
                        let _ = done.send(());
                    }
                    Err(_) => return settling.flush(true).map(drop),
                },
                recv(self.closing) -> _ => {
                    settling.flush(true)?;
                    return Err(Error::Closed);
                }
                default(pause) => {}
            }
            match settling.flush(false)? {
                Flushed::Ended => return Ok(()),
                Flushed::Verdicts => quiet = 0,
                Flushed::Nothing => quiet = quiet.saturating_add(1).min(QUIET_TICKS),
            }
        }
    }

    fn cancel(&self, connection: &BrokerConnection, consumer: &Consumer<'_>) -> Result<()> {
        let guard = connection.guard(connection.clock().deadline(STOP));
        let cancelled = consumer.cancel();
        drop(guard);
        cancelled.map_err(|error| failure::failed(&error, "cancelling a consumer", Outcome::NotSent))
    }
}

/// What a look at the verdicts has found.
enum Flushed {
    Verdicts,
    Nothing,
    /// The consumer has ended, and everything is settled that could be.
    Ended,
}

struct Settling<'a> {
    connection: &'a BrokerConnection,
    channel: &'a Channel,
    settlements: &'a Settlements,
    /// Acknowledgements that wait for those before them.
    waiting: Vec<Settled>,
}

impl Settling<'_> {
    /// Gives the verdicts to the broker: at once those that are no acknowledgements, and the acknowledgements of all
    /// deliveries below the lowest that is out. The others wait for one more look while many come, unless `all` is set.
    fn flush(&mut self, all: bool) -> Result<Flushed> {
        let Due { verdicts, lowest_out, has_ended } = self.settlements.take();
        if has_ended {
            // Nothing that is said on this channel is heard any more.
            return Ok(Flushed::Ended);
        }
        if verdicts.is_empty() && self.waiting.is_empty() {
            return Ok(Flushed::Nothing);
        }
        let one_by_one = all || verdicts.len() < self.settlements.batch();
        let guard = self.connection.guard(self.connection.clock().deadline(SETTLE));
        let settled = self.give(verdicts, lowest_out, one_by_one);
        settled.map(|()| Flushed::Verdicts).map_err(|error| {
            let why = if guard.has_fired() { "it took no verdicts".to_owned() } else { error.to_string() };
            failure::lost("settling a delivery", why, Outcome::NotSent)
        })
    }

    fn give(&mut self, verdicts: Vec<Settled>, lowest_out: Option<u64>, one_by_one: bool) -> amiquip::Result<()> {
        for settled in verdicts {
            match settled.verdict {
                Verdict::Ack => self.waiting.push(settled),
                Verdict::Requeue => settled.delivery.nack(self.channel, true)?,
                Verdict::Reject => settled.delivery.nack(self.channel, false)?,
            }
        }
        let (done, rest): (Vec<_>, Vec<_>) =
            self.waiting.drain(..).partition(|settled| lowest_out.is_none_or(|lowest| settled.tag < lowest));
        if let Some(last) = done.into_iter().max_by_key(|settled| settled.tag) {
            last.delivery.ack_multiple(self.channel)?;
        }
        if one_by_one {
            for settled in rest {
                settled.delivery.ack(self.channel)?;
            }
        } else {
            self.waiting = rest;
        }
        Ok(())
    }
}
