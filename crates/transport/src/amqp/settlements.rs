//! Verdicts on deliveries, on their way from the threads that work to the thread that owns the channel.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::{Error, Settle, Settler, Verdict};

/// The deliveries that are out, and the verdicts that the broker has yet to get.
///
/// The owner of the channel is woken for the first verdict, for each that is not an acknowledgement, and for each batch;
/// in between it looks by itself. A thread that is woken for each acknowledgement would cost more than it saves.
pub(super) struct Settlements {
    inner: Mutex<SettlementsInner>,
    wake: Sender<()>,
    /// How many verdicts wake the owner.
    batch: usize,
}

#[derive(Default)]
struct SettlementsInner {
    /// What was given out and has no verdict, by its tag: amiquip's own deliveries, emptied, since it settles nothing else.
    out: BTreeMap<u64, amiquip::Delivery>,
    verdicts: Vec<Settled>,
    /// Whether the owner looks by itself within a moment.
    is_watched: bool,
    /// Whether the consumer has ended; why, until that was told once.
    has_ended: bool,
    end: Option<Error>,
}

/// What is in a delivery.
pub(super) struct DeliveryContent {
    pub(super) exchange: String,
    pub(super) routing_key: String,
    pub(super) redelivered: bool,
    pub(super) properties: amiquip::AmqpProperties,
    pub(super) body: Vec<u8>,
}

/// A delivery with its verdict.
pub(super) struct Settled {
    pub(super) tag: u64,
    pub(super) delivery: amiquip::Delivery,
    pub(super) verdict: Verdict,
}

/// What the owner has to do.
pub(super) struct Due {
    pub(super) verdicts: Vec<Settled>,
    /// The lowest tag that has no verdict. All below it are settled.
    pub(super) lowest_out: Option<u64>,
    pub(super) has_ended: bool,
}

impl Settlements {
    /// With what the owner waits for. `prefetch` is how many deliveries may be out at once.
    pub(super) fn new(prefetch: u16) -> (Arc<Self>, Receiver<()>) {
        let (wake, woken) = bounded(1);
        let batch = usize::from(prefetch / 4).max(1);
        (Arc::new(Self { inner: Mutex::default(), wake, batch }), woken)
    }

    /// Takes out what `take` finds, and remembers it as given out, in one step: a later delivery could otherwise be
    /// acknowledged together with it.
    pub(super) fn give_out<E>(
        self: &Arc<Self>,
        take: impl FnOnce() -> Result<amiquip::Delivery, E>,
    ) -> Result<(DeliveryContent, Settler), E> {
        let mut inner = self.lock();
        let mut delivery = take()?;
        let tag = delivery.delivery_tag();
        let content = DeliveryContent {
            exchange: std::mem::take(&mut delivery.exchange),
            routing_key: std::mem::take(&mut delivery.routing_key),
            redelivered: delivery.redelivered,
            properties: std::mem::take(&mut delivery.properties),
            body: std::mem::take(&mut delivery.body),
        };
        inner.out.insert(tag, delivery);
        drop(inner);
        Ok((content, Settler::new(tag, Arc::clone(self) as Arc<dyn Settle>)))
    }

    /// Why the consumer has ended, where it has: the reason once, `gone` afterwards.
    pub(super) fn ended(&self, gone: impl FnOnce() -> Error) -> Option<Error> {
        let mut inner = self.lock();
        inner.has_ended.then(|| inner.end.take().unwrap_or_else(gone))
    }

    /// The consumer has ended. The first reason counts.
    pub(super) fn end(&self, why: Error) {
        let mut inner = self.lock();
        if !inner.has_ended {
            inner.has_ended = true;
            inner.end = Some(why);
        }
        drop(inner);
        self.wake();
    }

    /// All verdicts so far.
    pub(super) fn take(&self) -> Due {
        let mut inner = self.lock();
        inner.is_watched = true;
        Due {
            verdicts: std::mem::take(&mut inner.verdicts),
            lowest_out: inner.out.first_key_value().map(|(tag, _)| *tag),
            has_ended: inner.has_ended,
        }
    }

    /// The owner looks no more until it is woken. `false` where there is something to do.
    pub(super) fn leave_unwatched(&self) -> bool {
        let mut inner = self.lock();
        inner.is_watched = !inner.verdicts.is_empty() || inner.has_ended;
        !inner.is_watched
    }

    pub(super) fn batch(&self) -> usize {
        self.batch
    }

    fn wake(&self) {
        // Where it was woken already, it looks as well.
        let _ = self.wake.try_send(());
    }

    fn lock(&self) -> MutexGuard<'_, SettlementsInner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Settle for Settlements {
    fn settle(&self, tag: u64, verdict: Verdict) {
        let mut inner = self.lock();
        // One that has its verdict, or is of a connection that is gone: the broker has put it back.
        let Some(delivery) = inner.out.remove(&tag) else { return };
        inner.verdicts.push(Settled { tag, delivery, verdict });
        let wakes = !inner.is_watched || verdict != Verdict::Ack || inner.verdicts.len().is_multiple_of(self.batch);
        inner.is_watched = true;
        drop(inner);
        if wakes {
            self.wake();
        }
    }
}
