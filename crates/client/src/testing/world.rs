//! What a test and the clients and services that it made have in common: the broker and the store in memory, the
//! clock, who waits for what, what became of each message. When time passes is decided in `time`; what a user of the
//! kit sees is in `fleet`.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};
use uuid::Uuid;
use zc_events_cache::memory::MemoryReplyStore;
use zc_events_protocol::{Deadline, ManualClock};
use zc_events_transport::memory::MemoryBroker;

use super::at_work;
use super::ended::{Ended, Ending};
use super::stub_queue::StubQueue;
use crate::service::Observed;

/// What somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// An answer in the reply store.
    Answer,
    /// That the broker takes messages again.
    Room,
    /// A message of this queue, which is no service's.
    Message(Arc<str>),
    /// That a service has stopped.
    Stop,
    /// That it is time to connect again.
    Pause,
}

/// Somebody who waits.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) what: Wait,
    /// The message in whose handler it is; `None` where it is the test.
    pub(super) job: Option<u64>,
    pub(super) deadline: Deadline,
    /// For a message: how many its queue had given out when the waiting began. One more, and it is over.
    pub(super) taken: u64,
}

impl Waiting {
    /// Whether it is the test that waits.
    pub(super) fn is_the_tests(&self) -> bool {
        self.job.is_none() && self.what != Wait::Pause
    }
}

/// See the module.
pub(crate) struct World {
    pub(super) name: String,
    pub(super) clock: ManualClock,
    pub(super) broker: MemoryBroker,
    pub(super) store: MemoryReplyStore,
    state: Mutex<State>,
    /// Held by whoever moves the time.
    pub(super) moving: Mutex<()>,
    /// Tells the thread that lets time pass that the test waits.
    bell: Sender<()>,
}

#[derive(Default)]
struct State {
    services: Vec<Observed>,
    /// Whatever the services so far have handled. Their queues are there, though they may have stopped.
    served: HashSet<String>,
    waiting: BTreeMap<u64, Waiting>,
    next: u64,
    ended: Vec<Ended>,
    stub: Option<Arc<StubQueue>>,
}

impl World {
    /// A new one, and what is rung when the test waits.
    pub(super) fn new() -> (Arc<Self>, Receiver<()>) {
        let name = format!("zc-events-testing-{}", Uuid::new_v4().simple());
        let clock = ManualClock::new();
        let shared: Arc<dyn zc_events_protocol::Clock> = Arc::new(clock.clone());
        let (bell, rung) = bounded(1);
        let world = Self {
            broker: MemoryBroker::named(&name, Arc::clone(&shared)),
            store: MemoryReplyStore::named(&name, shared),
            name,
            clock,
            state: Mutex::default(),
            moving: Mutex::default(),
            bell,
        };
        (Arc::new(world), rung)
    }

    /// Waits, and lets it be known meanwhile.
    pub(crate) fn waiting<T>(&self, what: Wait, job: Option<u64>, deadline: Deadline, wait: impl FnOnce() -> T) -> T {
        let taken = match &what {
            Wait::Message(queue) => self.broker.taken_and_untaken(queue).0,
            _ => 0,
        };
        let waiting = Waiting { what, job: at_work::job().or(job), deadline, taken };
        let is_the_tests = waiting.is_the_tests();
        let _entry = self.enter(waiting);
        if is_the_tests {
            // A bell that was rung already is heard as well.
            let _ = self.bell.try_send(());
        }
        wait()
    }

    fn enter(&self, waiting: Waiting) -> Entry<'_> {
        let mut state = self.lock();
        state.next += 1;
        let number = state.next;
        state.waiting.insert(number, waiting);
        Entry { world: self, number }
    }

    /// A service has started.
    pub(crate) fn started(&self, service: Observed) {
        self.settle_stub();
        let mut state = self.lock();
        state.served.extend(service.event_types());
        state.services.push(service);
    }

    /// A message of a service has come to an end.
    pub(crate) fn ended(&self, service: &str, event_type: &str, id: Option<&str>, ending: Ending) {
        let (service, event_type) = (service.to_owned(), event_type.to_owned());
        self.lock().ended.push(Ended { service, event_type, id: id.map(str::to_owned), ending });
    }

    pub(super) fn all_ended(&self) -> Vec<Ended> {
        self.lock().ended.clone()
    }

    pub(super) fn all_waiting(&self) -> Vec<Waiting> {
        self.lock().waiting.values().cloned().collect()
    }

    /// The numbers of the test's own waits, and whether any is for more than the end of a service.
    pub(super) fn waits_of_test(&self) -> Vec<(u64, Wait)> {
        let state = self.lock();
        let of_test = state.waiting.iter().filter(|(_, waiting)| waiting.is_the_tests());
        of_test.map(|(number, waiting)| (*number, waiting.what.clone())).collect()
    }

    pub(super) fn services(&self) -> Vec<Observed> {
        self.lock().services.clone()
    }

    /// The names of the services that run and handle this event type.
    pub(super) fn who_handles(&self, event_type: &str) -> Vec<String> {
        self.services().iter().filter_map(|service| service.handles(event_type)).collect()
    }

    /// Whether a service that runs or has run handles this event type.
    pub(super) fn has_served(&self, event_type: &str) -> bool {
        self.lock().served.contains(event_type)
    }

    /// There is a stand-in, or none any more.
    pub(super) fn set_stub(&self, stub: Option<Arc<StubQueue>>) {
        self.lock().stub = stub;
    }

    pub(super) fn stub(&self) -> Option<Arc<StubQueue>> {
        self.lock().stub.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An entry among those who wait, for as long as it lives.
struct Entry<'a> {
    world: &'a World,
    number: u64,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.world.lock().waiting.remove(&self.number);
    }
}
