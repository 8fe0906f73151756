//! A channel in confirm mode: publishes on it, and finds the confirms. No thread reads confirms on its own: a caller
//! that waits for one reads all that arrive and completes the receipts of others. `publisher` chooses the channel.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use amiquip::{Channel, Confirm, Publish, Return};
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, select_biased};
use zc_events_protocol::{Deadline, Outcome, Stage};

use super::closing_channel::{CLOSE_CHANNEL, ClosingChannel};
use super::connection::BrokerConnection;
use super::convert;
use super::failure::{self, reason};
use super::in_flight::{ConfirmSource, InFlightPermit};
use super::unconfirmed::{Unconfirmed, UnconfirmedMessage};
use crate::{Confirmation, Error, Outgoing, Receipt, Result};

/// A channel in confirm mode. It lives until its last receipt is dropped, so a channel that has left the pool still
/// confirms the messages that were sent on it.
pub(super) struct ConfirmChannel {
    /// `None` only while being dropped.
    channel: Mutex<Option<Channel>>,
    unconfirmed: Mutex<Unconfirmed>,
    confirms: Receiver<Confirm>,
    returns: Receiver<Return>,
    retired: AtomicBool,
    /// How many receipts exist.
    receipts: AtomicUsize,
    connection: Arc<BrokerConnection>,
    closing_channels: Sender<ClosingChannel>,
}

impl ConfirmChannel {
    /// `closing_channels` receives the channel when it is no longer needed. Opening takes longer than the deadline if
    /// the broker stops reading meanwhile.
    pub(super) fn open(
        connection: &Arc<BrokerConnection>,
        closing_channels: Sender<ClosingChannel>,
        deadline: Deadline,
    ) -> Result<Self> {
        // Outlives the channel, since closing the channel is a blocking call, too.
        let guard = connection.patient_guard(deadline);
        let channel = connection.open_channel(Stage::Pool, &guard)?;
        let prepared = channel
            .listen_for_publisher_confirms()
            .and_then(|confirms| Ok((confirms, channel.listen_for_returns()?)))
            .and_then(|listeners| channel.enable_publisher_confirms().map(|()| listeners));
        match prepared {
            Ok((confirms, returns)) => Ok(Self {
                channel: Mutex::new(Some(channel)),
                unconfirmed: Mutex::default(),
                confirms,
                returns,
                retired: AtomicBool::new(false),
                receipts: AtomicUsize::new(0),
                connection: Arc::clone(connection),
                closing_channels,
            }),
            Err(_) if guard.has_fired() => Err(failure::timeout(Stage::Pool)),
            Err(error) => Err(failure::failed(&error, "opening a channel", Outcome::NotSent)),
        }
    }

    pub(super) fn connection(&self) -> &Arc<BrokerConnection> {
        &self.connection
    }

    /// Whether the pool may lend it.
    pub(super) fn is_usable(&self) -> bool {
        !self.retired.load(Ordering::Acquire) && self.connection.is_alive() && !self.unconfirmed().has_ended()
    }

    /// Sends a message to the broker. `None` if the channel was given up after it was lent: the message was not sent,
    /// and the channel is not lent again.
    ///
    /// An error means that the message was not sent: amiquip fails only before it has accepted all of a message, and
    /// the broker ignores a part of one.
    pub(super) fn publish(
        self: &Arc<Self>,
        message: &Outgoing<'_>,
        message_id: &str,
        permit: InFlightPermit,
        deadline: Deadline,
    ) -> Result<Option<Receipt>> {
        self.handle_arrived();
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
        // The lock is held across both, so that delivery tags are given in the order of publishing.
        let channel = self.channel();
        let Some(channel) = channel.as_ref() else {
            return Ok(None);
        };
        let tag = self.unconfirmed().add(UnconfirmedMessage {
            message_id: message_id.to_owned(),
            exchange: message.exchange.to_owned(),
            routing_key: message.routing_key.to_owned(),
            returned: false,
            since: self.connection.clock().now(),
            _permit: permit,
            done,
        });
        match channel.basic_publish(message.exchange, publish) {
            Ok(()) => {
                // Under the channel's lock, since `close_if_unused` reads the count under it.
                self.receipts.fetch_add(1, Ordering::AcqRel);
                Ok(Some(Receipt::new(Box::new(PendingConfirm { channel: Arc::clone(self), receipt }))))
            }
            Err(error) => {
                let mut unconfirmed = self.unconfirmed();
                unconfirmed.remove_unsent(tag);
                unconfirmed.end(&reason(&error));
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

    /// Handles the confirms that have arrived.
    fn handle_arrived(&self) {
        loop {
            match self.confirms.try_recv() {
                Ok(confirm) => self.apply(confirm),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => return self.take_end(),
            }
        }
    }

    fn apply(&self, confirm: Confirm) {
        let mut unconfirmed = self.unconfirmed();
        // The return of a message arrives before its confirm. Read under the lock, since another thread that has read
        // the return must have marked it first.
        while let Ok(returned) = self.returns.try_recv() {
            if let Some(id) = returned.properties.message_id() {
                unconfirmed.mark_returned(id, &returned.exchange, &returned.routing_key);
            }
        }
        match confirm {
            Confirm::Ack(payload) => unconfirmed.settle(payload.delivery_tag, payload.multiple, true),
            Confirm::Nack(payload) => {
                // After a nack, RabbitMQ 3.10 may keep nacking on this channel.
                self.retired.store(true, Ordering::Release);
                unconfirmed.settle(payload.delivery_tag, payload.multiple, false);
            }
        }
    }

    /// The channel has ended. The next call on it returns the reason, and only once.
    fn take_end(&self) {
        let _guard = self.connection.guard(self.connection.clock().deadline(CLOSE_CHANNEL));
        let channel = self.channel();
        if self.unconfirmed().has_ended() {
            return;
        }
        let why = match channel.as_ref().map(Channel::enable_publisher_confirms) {
            Some(Err(error)) => reason(&error),
            _ => "the channel was closed".to_owned(),
        };
        self.unconfirmed().end(&why);
    }

    /// Closes a retired channel without receipts. Otherwise its unconfirmed messages would hold their permits for as
    /// long as the channel stays in the pool.
    fn close_if_unused(&self) {
        if !self.retired.load(Ordering::Acquire) {
            return;
        }
        let mut channel = match self.channel.try_lock() {
            Ok(channel) => channel,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another thread publishes on it, and will have a receipt.
            Err(TryLockError::WouldBlock) => return,
        };
        if self.receipts.load(Ordering::Acquire) == 0 {
            self.close(channel.take());
        }
    }

    fn close(&self, channel: Option<Channel>) {
        self.unconfirmed().end("the channel was given up");
        // If the receiver is gone, the channel is closed here.
        let _ = channel
            .map(|channel| self.closing_channels.send(ClosingChannel::new(channel, Arc::clone(&self.connection))));
    }

    fn channel(&self) -> MutexGuard<'_, Option<Channel>> {
        self.channel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unconfirmed(&self) -> MutexGuard<'_, Unconfirmed> {
        self.unconfirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConfirmChannel {
    fn drop(&mut self) {
        let channel = self.channel().take();
        self.close(channel);
    }
}

impl ConfirmSource for ConfirmChannel {
    fn confirms(&self) -> Option<Receiver<Confirm>> {
        (!self.unconfirmed().has_ended()).then(|| self.confirms.clone())
    }

    fn handle_confirms(&self, first: Option<Confirm>) {
        match first {
            Some(confirm) => {
                self.apply(confirm);
                self.handle_arrived();
            }
            None => self.take_end(),
        }
    }

    fn collect_confirms(&self, stale: Option<Instant>) {
        if !self.unconfirmed().has_ended() {
            self.handle_arrived();
        }
        let is_stale =
            stale.is_some_and(|stale| self.unconfirmed().oldest_since().is_some_and(|oldest| oldest < stale));
        if is_stale && self.receipts.load(Ordering::Acquire) == 0 {
            self.retired.store(true, Ordering::Release);
        }
        self.close_if_unused();
    }
}

impl Drop for PendingConfirm {
    fn drop(&mut self) {
        self.channel.receipts.fetch_sub(1, Ordering::AcqRel);
        self.channel.close_if_unused();
    }
}

/// A published message that waits for its confirm.
struct PendingConfirm {
    channel: Arc<ConfirmChannel>,
    receipt: Receiver<Result<()>>,
}

impl Confirmation for PendingConfirm {
    fn verdict(&mut self) -> Option<Result<()>> {
        self.channel.handle_arrived();
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
                    // The pool must not lend it again: the next message may wait in vain, too.
                    channel.retired.store(true, Ordering::Release);
                    // The message keeps its permit until its confirm comes or the channel ends.
                    return Err(failure::timeout(Stage::Confirm));
                }
            }
        }
    }
}

fn unknown(why: &str) -> Error {
    failure::lost("waiting for the confirm", why.to_owned(), Outcome::Unknown)
}
