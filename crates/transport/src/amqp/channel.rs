//! A channel in confirm mode and its ledger: publishing on it, and finding the confirm.
//! There is no thread that reads confirms: whoever waits for one reads them all, and hands
//! on those of others. Which channel is used is decided in `publisher`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use amiquip::{Channel, Confirm, Publish, Return};
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, select_biased};
use zc_events_protocol::{Deadline, Outcome, Stage};

use super::connection::BrokerConnection;
use super::convert;
use super::failure::{self, reason};
use super::in_flight::{Room, Source};
use super::ledger::{Entry, Ledger};
use crate::{Confirmation, Error, Outgoing, Receipt, Result};

/// How long closing a channel may take.
const CLOSE: Duration = Duration::from_secs(5);

/// A channel in confirm mode. It lives until its last receipt is gone, so that a channel
/// that is not lent any more still confirms what was sent on it.
pub(super) struct ConfirmChannel {
    /// `None` only while being dropped.
    channel: Mutex<Option<Channel>>,
    ledger: Mutex<Ledger>,
    confirms: Receiver<Confirm>,
    returns: Receiver<Return>,
    retired: AtomicBool,
    /// How many receipts there are.
    receipts: AtomicUsize,
    connection: Arc<BrokerConnection>,
    bin: Sender<Discarded>,
}

/// A channel that is not needed any more. Dropping it closes it, which may take a while:
/// that is left to a thread that has time.
pub(super) struct Discarded {
    channel: Option<Channel>,
    connection: Arc<BrokerConnection>,
}

impl Discarded {
    /// What to wait for before it is dropped: a broker that blocks a connection reads nothing from it, and a channel
    /// whose closing is not answered would cost the connection.
    pub(super) fn hindrance(&self) -> Option<Receiver<()>> {
        self.connection.gate.opening()
    }
}

impl Drop for Discarded {
    fn drop(&mut self) {
        let _guard = self.connection.patient_guard(self.connection.clock().deadline(CLOSE));
        self.channel = None;
    }
}

impl ConfirmChannel {
    /// `bin` is where it goes in the end. It takes longer than the deadline where the broker
    /// stops reading meanwhile.
    pub(super) fn open(connection: &Arc<BrokerConnection>, bin: Sender<Discarded>, deadline: Deadline) -> Result<Self> {
        // Outlives the channel, whose end is a call, too.
        let guard = connection.patient_guard(deadline);
        let channel = connection.open_channel(Stage::Pool, &guard)?;
        let prepared = channel
            .listen_for_publisher_confirms()
            .and_then(|confirms| Ok((confirms, channel.listen_for_returns()?)))
            .and_then(|listeners| channel.enable_publisher_confirms().map(|()| listeners));
        match prepared {
            Ok((confirms, returns)) => Ok(Self {
                channel: Mutex::new(Some(channel)),
                ledger: Mutex::default(),
                confirms,
                returns,
                retired: AtomicBool::new(false),
                receipts: AtomicUsize::new(0),
                connection: Arc::clone(connection),
                bin,
            }),
            Err(_) if guard.has_fired() => Err(failure::timeout(Stage::Pool)),
            Err(error) => Err(failure::failed(&error, "opening a channel", Outcome::NotSent)),
        }
    }

    pub(super) fn connection(&self) -> &Arc<BrokerConnection> {
        &self.connection
    }

    /// Whether it may be lent (again).
    pub(super) fn is_usable(&self) -> bool {
        !self.retired.load(Ordering::Acquire) && self.connection.is_alive() && !self.ledger().has_ended()
    }

    /// Hands a message to the broker. `None`: the channel was given up since it was lent, and
    /// nothing was sent; it is not lent again.
    ///
    /// An error means that it was not sent: amiquip fails only before it has taken all of
    /// a message, and the broker does nothing with a part of one.
    pub(super) fn publish(
        self: &Arc<Self>,
        message: &Outgoing<'_>,
        message_id: &str,
        room: Room,
        deadline: Deadline,
    ) -> Result<Option<Receipt>> {
        self.take_arrived();
        let mut properties = convert::to_amqp(message.properties);
        if message.properties.message_id.is_none() {
            properties = properties.with_message_id(message_id.to_owned());
        }
        let publish = Publish {
            body: message.body,
            routing_key: message.routing_key.to_owned(),
            mandatory: message.mandatory,
            immediate: false,
            properties,
        };
        let (done, receipt) = bounded(1);
        let guard = self.connection.guard(deadline);
        // Held across both, so that numbers are given in the order of publishing.
        let channel = self.channel();
        let Some(channel) = channel.as_ref() else {
            return Ok(None);
        };
        let tag = self.ledger().enter(Entry {
            message_id: message_id.to_owned(),
            exchange: message.exchange.to_owned(),
            routing_key: message.routing_key.to_owned(),
            returned: false,
            since: self.connection.clock().now(),
            _room: room,
            done,
        });
        match channel.basic_publish(message.exchange, publish) {
            Ok(()) => {
                // Under the channel's lock, as `discard` counts them.
                self.receipts.fetch_add(1, Ordering::AcqRel);
                Ok(Some(Receipt::new(Box::new(Waiting { channel: Arc::clone(self), receipt }))))
            }
            Err(error) => {
                let mut ledger = self.ledger();
                ledger.strike(tag);
                ledger.end(&reason(&error));
                if !matches!(error, amiquip::Error::ServerClosedChannel { .. }) {
                    self.connection.note_dead();
                }
                if guard.has_fired() {
                    return Err(failure::timeout(Stage::Send));
                }
                Err(failure::lost("publishing", reason(&error), Outcome::NotSent))
            }
        }
    }

    /// Enters what the broker has answered so far.
    fn take_arrived(&self) {
        loop {
            match self.confirms.try_recv() {
                Ok(confirm) => self.apply(confirm),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => return self.take_end(),
            }
        }
    }

    fn apply(&self, confirm: Confirm) {
        let mut ledger = self.ledger();
        // A message's return was there before its confirm; under the lock, because another
        // thread may have taken it and must have entered it first.
        while let Ok(returned) = self.returns.try_recv() {
            if let Some(id) = returned.properties.message_id() {
                ledger.returned(id, &returned.exchange, &returned.routing_key);
            }
        }
        match confirm {
            Confirm::Ack(payload) => ledger.confirmed(payload.delivery_tag, payload.multiple, true),
            Confirm::Nack(payload) => {
                // After a nack, RabbitMQ 3.10 may go on nacking on this channel.
                self.retired.store(true, Ordering::Release);
                ledger.confirmed(payload.delivery_tag, payload.multiple, false);
            }
        }
    }

    /// The channel is gone. Its reason comes with the next call on it, and only once.
    fn take_end(&self) {
        let _guard = self.connection.guard(self.connection.clock().deadline(CLOSE));
        let channel = self.channel();
        if self.ledger().has_ended() {
            return;
        }
        let why = match channel.as_ref().map(Channel::enable_publisher_confirms) {
            Some(Err(error)) => reason(&error),
            _ => "the channel was closed".to_owned(),
        };
        self.ledger().end(&why);
    }

    /// Gives it up where nothing is expected of it any more. What is out on it would else
    /// take up its room for as long as the channel lies in the pool.
    fn discard_if_useless(&self) {
        if !self.retired.load(Ordering::Acquire) {
            return;
        }
        let mut channel = match self.channel.try_lock() {
            Ok(channel) => channel,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody publishes, and will have a receipt.
            Err(TryLockError::WouldBlock) => return,
        };
        if self.receipts.load(Ordering::Acquire) == 0 {
            self.discard(channel.take());
        }
    }

    fn discard(&self, channel: Option<Channel>) {
        self.ledger().end("the channel was given up");
        // Where the bin is gone, it is dropped here.
        let _ = channel.map(|channel| {
            self.bin.send(Discarded { channel: Some(channel), connection: Arc::clone(&self.connection) })
        });
    }

    fn channel(&self) -> MutexGuard<'_, Option<Channel>> {
        self.channel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConfirmChannel {
    fn drop(&mut self) {
        let channel = self.channel().take();
        self.discard(channel);
    }
}

impl Source for ConfirmChannel {
    fn arrivals(&self) -> Option<Receiver<Confirm>> {
        (!self.ledger().has_ended()).then(|| self.confirms.clone())
    }

    fn arrived(&self, first: Option<Confirm>) {
        match first {
            Some(confirm) => {
                self.apply(confirm);
                self.take_arrived();
            }
            None => self.take_end(),
        }
    }

    fn sweep(&self, stale: Option<Instant>) {
        if !self.ledger().has_ended() {
            self.take_arrived();
        }
        let is_stale = stale.is_some_and(|stale| self.ledger().oldest().is_some_and(|oldest| oldest < stale));
        if is_stale && self.receipts.load(Ordering::Acquire) == 0 {
            self.retired.store(true, Ordering::Release);
        }
        self.discard_if_useless();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.channel.receipts.fetch_sub(1, Ordering::AcqRel);
        self.channel.discard_if_useless();
    }
}

/// A published message, to be waited for.
struct Waiting {
    channel: Arc<ConfirmChannel>,
    receipt: Receiver<Result<()>>,
}

impl Confirmation for Waiting {
    fn verdict(&mut self) -> Option<Result<()>> {
        self.channel.take_arrived();
        self.receipt.try_recv().ok()
    }

    fn wait(self: Box<Self>, deadline: Deadline) -> Result<()> {
        let channel = &self.channel;
        let alarm = channel.connection.clock().at(deadline.instant());
        loop {
            select_biased! {
                recv(self.receipt) -> verdict => {
                    return verdict.unwrap_or_else(|_| Err(unknown("its entry was dropped")));
                }
                recv(channel.confirms) -> confirm => match confirm {
                    Ok(confirm) => channel.apply(confirm),
                    Err(_) => {
                        channel.take_end();
                        return self.receipt.try_recv().unwrap_or_else(|_| Err(unknown("the channel ended")));
                    }
                },
                recv(alarm) -> _ => {
                    // Not lent any more: what one message waits for in vain, the next may, too.
                    channel.retired.store(true, Ordering::Release);
                    // Its entry stays: it takes up its room until its confirm comes or the channel ends.
                    return Err(failure::timeout(Stage::Confirm));
                }
            }
        }
    }
}

fn unknown(why: &str) -> Error {
    failure::lost("waiting for the confirm", why.to_owned(), Outcome::Unknown)
}
