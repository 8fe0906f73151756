//! Limits how many bytes are sent and not confirmed yet, like a semaphore. A caller that waits for a permit reads the
//! confirms of all channels meanwhile, so it depends on no other thread. The channel knows what a confirm means.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use amiquip::Confirm;
use crossbeam_channel::{Receiver, Select, Sender, bounded};
use zc_events_protocol::{Clock, Deadline};

/// A message without a receipt that stays unconfirmed for this long is given up together with its channel. Otherwise it
/// would hold its permit for ever.
const STALE: Duration = Duration::from_secs(30);

/// A channel that confirms are read from.
pub(super) trait ConfirmSource: Send + Sync {
    /// The receiver of confirms. `None` if no more will come.
    fn confirms(&self) -> Option<Receiver<Confirm>>;
    /// Handles `first`, which was read already, and all confirms after it. `None` means that the end was read.
    fn handle_confirms(&self, first: Option<Confirm>);
    /// Handles the confirms that have arrived. Gives the channel up if it has an unconfirmed message from before
    /// `stale` and no receipts.
    fn collect_confirms(&self, stale: Option<Instant>);
}

/// The bytes and messages in flight, over all channels.
pub(super) struct InFlight {
    limit: usize,
    state: Mutex<InFlightState>,
}

#[derive(Default)]
struct InFlightState {
    bytes: usize,
    messages: usize,
    /// The tickets of waiting callers, in order: a large message would never get a permit if small ones overtook it.
    waiters: BTreeSet<u64>,
    last_ticket: u64,
    /// Dropped when something changes, which wakes every holder of a clone of the receiver.
    change: Option<(Sender<()>, Receiver<()>)>,
    sources: Vec<Weak<dyn ConfirmSource>>,
}

/// The share of the limit that one message uses until this is dropped.
pub(super) struct InFlightPermit {
    bytes: usize,
    of: Arc<InFlight>,
}

impl Drop for InFlightPermit {
    fn drop(&mut self) {
        let mut state = self.of.lock();
        state.bytes -= self.bytes;
        state.messages -= 1;
        state.change = None;
    }
}

/// A place in the queue of waiters, left when dropped.
struct QueuePlace<'a> {
    ticket: u64,
    of: &'a InFlight,
}

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        let mut state = self.of.lock();
        state.waiters.remove(&self.ticket);
        state.change = None;
    }
}

impl InFlight {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default() })
    }

    /// Adds a channel whose confirms waiting callers read.
    pub(super) fn register(&self, source: Weak<dyn ConfirmSource>) {
        let mut state = self.lock();
        state.sources.retain(|source| source.strong_count() > 0);
        state.sources.push(source);
        state.change = None;
    }

    /// The unconfirmed messages and bytes, after handling the confirms that have arrived.
    pub(super) fn count(&self) -> (usize, usize) {
        for source in self.sources() {
            source.collect_confirms(None);
        }
        let state = self.lock();
        (state.messages, state.bytes)
    }

    /// A permit for a message of this size. `None` at the deadline.
    pub(super) fn acquire(
        self: &Arc<Self>,
        bytes: usize,
        clock: &dyn Clock,
        deadline: Deadline,
    ) -> Option<InFlightPermit> {
        let place = {
            let mut state = self.lock();
            if state.waiters.is_empty() && state.fits(bytes, self.limit) {
                return Some(self.take(&mut state, bytes));
            }
            state.last_ticket += 1;
            let ticket = state.last_ticket;
            state.waiters.insert(ticket);
            QueuePlace { ticket, of: self }
        };
        let alarm = clock.at(deadline.instant());
        loop {
            let change = match self.attempt(&place, bytes) {
                Ok(permit) => return Some(permit),
                Err(change) => change,
            };
            // After `change`, so that a channel opened since then is not overlooked. The channels are not held while
            // waiting, since the end of a channel frees its permits.
            let stale = clock.now().checked_sub(STALE);
            let confirms: Vec<_> = self
                .sources()
                .into_iter()
                .filter_map(|source| {
                    source.collect_confirms(stale);
                    source.confirms().map(|confirms| (confirms, Arc::downgrade(&source)))
                })
                .collect();
            if deadline.has_passed(clock) {
                return self.attempt(&place, bytes).ok();
            }
            let mut select = Select::new();
            select.recv(&change);
            select.recv(&alarm);
            for (confirms, _) in &confirms {
                select.recv(confirms);
            }
            let operation = select.select();
            match operation.index() {
                0 => drop(operation.recv(&change)),
                1 => drop(operation.recv(&alarm)),
                index => {
                    if let Some((receiver, source)) = confirms.get(index - 2) {
                        let confirm = operation.recv(receiver).ok();
                        if let Some(source) = source.upgrade() {
                            source.handle_confirms(confirm);
                        }
                    }
                }
            }
        }
    }

    /// A permit, or a receiver that disconnects when one may be free.
    fn attempt(self: &Arc<Self>, place: &QueuePlace<'_>, bytes: usize) -> Result<InFlightPermit, Receiver<()>> {
        let mut state = self.lock();
        if state.waiters.first() == Some(&place.ticket) && state.fits(bytes, self.limit) {
            return Ok(self.take(&mut state, bytes));
        }
        Err(state.change.get_or_insert_with(|| bounded(0)).1.clone())
    }

    fn take(self: &Arc<Self>, state: &mut InFlightState, bytes: usize) -> InFlightPermit {
        state.bytes += bytes;
        state.messages += 1;
        InFlightPermit { bytes, of: Arc::clone(self) }
    }

    /// Upgraded outside the lock, since dropping the last reference closes a channel.
    fn sources(&self) -> Vec<Arc<dyn ConfirmSource>> {
        let sources = self.lock().sources.clone();
        sources.iter().filter_map(Weak::upgrade).collect()
    }

    fn lock(&self) -> MutexGuard<'_, InFlightState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlightState {
    fn fits(&self, bytes: usize, limit: usize) -> bool {
        self.bytes == 0 || self.bytes.saturating_add(bytes) <= limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use amiquip::ConfirmPayload;
    use crossbeam_channel::unbounded;
    use std::thread;
    use zc_events_protocol::{ManualClock, SystemClock};

    /// A channel on which each confirm frees one permit.
    struct Fake {
        confirms: Receiver<Confirm>,
        permits: Mutex<Vec<InFlightPermit>>,
    }

    impl ConfirmSource for Fake {
        fn confirms(&self) -> Option<Receiver<Confirm>> {
            Some(self.confirms.clone())
        }

        fn handle_confirms(&self, first: Option<Confirm>) {
            if first.is_some() {
                self.permits.lock().unwrap().pop();
            }
        }

        fn collect_confirms(&self, _stale: Option<Instant>) {
            while let Ok(confirm) = self.confirms.try_recv() {
                self.handle_confirms(Some(confirm));
            }
        }
    }

    fn confirm() -> Confirm {
        Confirm::Ack(ConfirmPayload { delivery_tag: 1, multiple: false })
    }

    fn take(in_flight: &Arc<InFlight>, bytes: usize) -> Option<InFlightPermit> {
        in_flight.acquire(bytes, &SystemClock, SystemClock.deadline(Duration::ZERO))
    }

    #[test]
    fn a_message_beyond_the_limit_waits_until_its_deadline() {
        let in_flight = InFlight::new(10);
        let first = take(&in_flight, 8).unwrap();
        assert!(take(&in_flight, 3).is_none());
        let second = take(&in_flight, 2).unwrap();
        assert_eq!(in_flight.count(), (2, 10));
        drop((first, second));
        assert_eq!(in_flight.count(), (0, 0));
    }

    #[test]
    fn a_message_larger_than_the_limit_is_sent_alone() {
        let in_flight = InFlight::new(10);
        let small = take(&in_flight, 1).unwrap();
        assert!(take(&in_flight, 11).is_none());
        drop(small);
        let large = take(&in_flight, 11).unwrap();
        assert!(take(&in_flight, 1).is_none());
        drop(large);
        assert!(take(&in_flight, 1).is_some());
    }

    #[test]
    fn a_waiting_caller_reads_the_confirms_itself() {
        let in_flight = InFlight::new(10);
        let (sender, confirms) = unbounded();
        let permits = Mutex::new(vec![take(&in_flight, 5).unwrap(), take(&in_flight, 5).unwrap()]);
        let fake = Arc::new(Fake { confirms, permits });
        let weak: Weak<dyn ConfirmSource> = Arc::downgrade(&(Arc::clone(&fake) as Arc<dyn ConfirmSource>));
        in_flight.register(weak);
        let waiting = thread::spawn({
            let in_flight = Arc::clone(&in_flight);
            move || in_flight.acquire(10, &SystemClock, SystemClock.deadline(Duration::from_secs(60)))
        });
        sender.send(confirm()).unwrap();
        sender.send(confirm()).unwrap();
        assert!(waiting.join().unwrap().is_some());
    }

    #[test]
    fn a_channel_opened_during_the_wait_is_read_too_and_its_end_frees_its_permit() {
        let in_flight = InFlight::new(10);
        let permit = take(&in_flight, 10).unwrap();
        let waiting = thread::spawn({
            let in_flight = Arc::clone(&in_flight);
            move || in_flight.acquire(10, &SystemClock, SystemClock.deadline(Duration::from_secs(60)))
        });
        while in_flight.lock().waiters.is_empty() {
            thread::yield_now();
        }
        let (_sender, confirms) = unbounded();
        let fake = Arc::new(Fake { confirms, permits: Mutex::new(vec![permit]) });
        let weak: Weak<dyn ConfirmSource> = Arc::downgrade(&(Arc::clone(&fake) as Arc<dyn ConfirmSource>));
        in_flight.register(weak);
        drop(fake);
        assert!(waiting.join().unwrap().is_some());
    }

    #[test]
    fn small_messages_do_not_overtake_a_large_one() {
        let clock = ManualClock::new();
        let in_flight = InFlight::new(10);
        let permit = take(&in_flight, 6).unwrap();
        let large = thread::spawn({
            let (in_flight, clock) = (Arc::clone(&in_flight), clock.clone());
            let deadline = clock.deadline(Duration::from_secs(60));
            move || in_flight.acquire(8, &clock, deadline)
        });
        while in_flight.lock().waiters.is_empty() {
            thread::yield_now();
        }
        // Its size would fit.
        assert!(take(&in_flight, 1).is_none());
        drop(permit);
        let large = large.join().unwrap().unwrap();
        drop(large);
        assert_eq!(in_flight.count(), (0, 0));
        assert!(in_flight.lock().waiters.is_empty());
    }

    #[test]
    fn eight_threads_share_a_small_limit_and_all_get_through() {
        let in_flight = InFlight::new(10);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for size in 0..500 {
                        let deadline = SystemClock.deadline(Duration::from_secs(60));
                        let permit = in_flight.acquire(size % 12, &SystemClock, deadline);
                        assert!(permit.is_some());
                    }
                });
            }
        });
        assert_eq!(in_flight.count(), (0, 0));
    }
}
