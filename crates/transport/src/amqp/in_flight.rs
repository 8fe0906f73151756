//! How many bytes were handed to the broker and are not confirmed yet, and the wait for
//! room for more. Whoever waits here reads the confirms of all channels meanwhile, so that
//! it needs nobody else to go on; what a confirm means is the channel's business.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use amiquip::Confirm;
use crossbeam_channel::{Receiver, Select, Sender, bounded};
use zc_events_protocol::{Clock, Deadline};

/// A message that nobody waits for and that was not confirmed for so long is given up with
/// its channel: else it would take up its room for ever.
const STALE: Duration = Duration::from_secs(30);

/// What confirms are read from.
pub(super) trait Source: Send + Sync {
    /// Where they arrive; `None` where none will come any more.
    fn arrivals(&self) -> Option<Receiver<Confirm>>;
    /// Takes what has arrived: `first`, which was read already, and all behind it. `None`
    /// means that the end was read.
    fn arrived(&self, first: Option<Confirm>);
    /// Takes what has arrived, and gives up what was out before `stale` and is not waited for.
    fn sweep(&self, stale: Option<Instant>);
}

/// The bytes and messages in flight, over all channels.
pub(super) struct InFlight {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bytes: usize,
    messages: usize,
    /// Those who wait, in the order in which they came: a large message would never find
    /// room if small ones overtook it.
    line: BTreeSet<u64>,
    last_ticket: u64,
    /// Dropped when something changes, which wakes all who hold a clone of the receiver.
    change: Option<(Sender<()>, Receiver<()>)>,
    sources: Vec<Weak<dyn Source>>,
}

/// The room that one message takes up until it is dropped.
pub(super) struct Room {
    bytes: usize,
    of: Arc<InFlight>,
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut state = self.of.lock();
        state.bytes -= self.bytes;
        state.messages -= 1;
        state.change = None;
    }
}

/// A place in the line, left when dropped.
struct Place<'a> {
    ticket: u64,
    of: &'a InFlight,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.of.lock();
        state.line.remove(&self.ticket);
        state.change = None;
    }
}

impl InFlight {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default() })
    }

    /// Has the confirms of `source` read, too, by whoever waits.
    pub(super) fn register(&self, source: Weak<dyn Source>) {
        let mut state = self.lock();
        state.sources.retain(|source| source.strong_count() > 0);
        state.sources.push(source);
        state.change = None;
    }

    /// Messages and bytes, after what has arrived was taken.
    pub(super) fn count(&self) -> (usize, usize) {
        for source in self.sources() {
            source.sweep(None);
        }
        let state = self.lock();
        (state.messages, state.bytes)
    }

    /// Room for a message, or `None` when there was none by the deadline.
    pub(super) fn room(self: &Arc<Self>, bytes: usize, clock: &dyn Clock, deadline: Deadline) -> Option<Room> {
        let place = {
            let mut state = self.lock();
            if state.line.is_empty() && state.fits(bytes, self.limit) {
                return Some(self.take(&mut state, bytes));
            }
            state.last_ticket += 1;
            let ticket = state.last_ticket;
            state.line.insert(ticket);
            Place { ticket, of: self }
        };
        let alarm = clock.at(deadline.instant());
        loop {
            let change = match self.attempt(&place, bytes) {
                Ok(room) => return Some(room),
                Err(change) => change,
            };
            // After `change`, so that a channel opened since then is not overlooked. They are
            // not held while waiting: the end of one frees its room.
            let stale = clock.now().checked_sub(STALE);
            let arrivals: Vec<_> = self
                .sources()
                .into_iter()
                .filter_map(|source| {
                    source.sweep(stale);
                    source.arrivals().map(|arrivals| (arrivals, Arc::downgrade(&source)))
                })
                .collect();
            if deadline.has_passed(clock) {
                return self.attempt(&place, bytes).ok();
            }
            let mut select = Select::new();
            select.recv(&change);
            select.recv(&alarm);
            for (arrivals, _) in &arrivals {
                select.recv(arrivals);
            }
            let operation = select.select();
            match operation.index() {
                0 => drop(operation.recv(&change)),
                1 => drop(operation.recv(&alarm)),
                index => {
                    if let Some((receiver, source)) = arrivals.get(index - 2) {
                        let confirm = operation.recv(receiver).ok();
                        if let Some(source) = source.upgrade() {
                            source.arrived(confirm);
                        }
                    }
                }
            }
        }
    }

    /// Takes room, or gives what ends when there may be some.
    fn attempt(self: &Arc<Self>, place: &Place<'_>, bytes: usize) -> Result<Room, Receiver<()>> {
        let mut state = self.lock();
        if state.line.first() == Some(&place.ticket) && state.fits(bytes, self.limit) {
            return Ok(self.take(&mut state, bytes));
        }
        Err(state.change.get_or_insert_with(|| bounded(0)).1.clone())
    }

    fn take(self: &Arc<Self>, state: &mut State, bytes: usize) -> Room {
        state.bytes += bytes;
        state.messages += 1;
        Room { bytes, of: Arc::clone(self) }
    }

    /// Outside of the lock, since the last one to hold a channel closes it.
    fn sources(&self) -> Vec<Arc<dyn Source>> {
        let sources = self.lock().sources.clone();
        sources.iter().filter_map(Weak::upgrade).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
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

    /// A channel whose every confirm frees one room.
    struct Fake {
        arrivals: Receiver<Confirm>,
        rooms: Mutex<Vec<Room>>,
    }

    impl Source for Fake {
        fn arrivals(&self) -> Option<Receiver<Confirm>> {
            Some(self.arrivals.clone())
        }

        fn arrived(&self, first: Option<Confirm>) {
            if first.is_some() {
                self.rooms.lock().unwrap().pop();
            }
        }

        fn sweep(&self, _stale: Option<Instant>) {
            while let Ok(confirm) = self.arrivals.try_recv() {
                self.arrived(Some(confirm));
            }
        }
    }

    fn confirm() -> Confirm {
        Confirm::Ack(ConfirmPayload { delivery_tag: 1, multiple: false })
    }

    fn take(in_flight: &Arc<InFlight>, bytes: usize) -> Option<Room> {
        in_flight.room(bytes, &SystemClock, SystemClock.deadline(Duration::ZERO))
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
    fn a_message_larger_than_the_limit_goes_alone() {
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
    fn who_waits_reads_the_confirms_itself() {
        let in_flight = InFlight::new(10);
        let (sender, arrivals) = unbounded();
        let rooms = Mutex::new(vec![take(&in_flight, 5).unwrap(), take(&in_flight, 5).unwrap()]);
        let fake = Arc::new(Fake { arrivals, rooms });
        let weak: Weak<dyn Source> = Arc::downgrade(&(Arc::clone(&fake) as Arc<dyn Source>));
        in_flight.register(weak);
        let waiting = thread::spawn({
            let in_flight = Arc::clone(&in_flight);
            move || in_flight.room(10, &SystemClock, SystemClock.deadline(Duration::from_secs(60)))
        });
        sender.send(confirm()).unwrap();
        sender.send(confirm()).unwrap();
        assert!(waiting.join().unwrap().is_some());
    }

    #[test]
    fn a_channel_opened_during_the_wait_is_read_too_and_its_end_frees_its_room() {
        let in_flight = InFlight::new(10);
        let room = take(&in_flight, 10).unwrap();
        let waiting = thread::spawn({
            let in_flight = Arc::clone(&in_flight);
            move || in_flight.room(10, &SystemClock, SystemClock.deadline(Duration::from_secs(60)))
        });
        while in_flight.lock().line.is_empty() {
            thread::yield_now();
        }
        let (_sender, arrivals) = unbounded();
        let fake = Arc::new(Fake { arrivals, rooms: Mutex::new(vec![room]) });
        let weak: Weak<dyn Source> = Arc::downgrade(&(Arc::clone(&fake) as Arc<dyn Source>));
        in_flight.register(weak);
        drop(fake);
        assert!(waiting.join().unwrap().is_some());
    }

    #[test]
    fn nobody_overtakes_a_large_message() {
        let clock = ManualClock::new();
        let in_flight = InFlight::new(10);
        let room = take(&in_flight, 6).unwrap();
        let large = thread::spawn({
            let (in_flight, clock) = (Arc::clone(&in_flight), clock.clone());
            let deadline = clock.deadline(Duration::from_secs(60));
            move || in_flight.room(8, &clock, deadline)
        });
        while in_flight.lock().line.is_empty() {
            thread::yield_now();
        }
        // It would fit.
        assert!(take(&in_flight, 1).is_none());
        drop(room);
        let large = large.join().unwrap().unwrap();
        drop(large);
        assert_eq!(in_flight.count(), (0, 0));
        assert!(in_flight.lock().line.is_empty());
    }

    #[test]
    fn eight_threads_share_little_room_and_all_get_through() {
        let in_flight = InFlight::new(10);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for size in 0..500 {
                        let deadline = SystemClock.deadline(Duration::from_secs(60));
                        let room = in_flight.room(size % 12, &SystemClock, deadline);
                        assert!(room.is_some());
                    }
                });
            }
        });
        assert_eq!(in_flight.count(), (0, 0));
    }
}
