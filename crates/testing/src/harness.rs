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

use crate::current_message;
use crate::settled_message::{Ended, Ending};
use crate::stub_queue::StubQueue;
use zc_events::ServiceMonitor;
use zc_events::{Observer, Settled, Settlement, Wait, WaitFor};

/// What a thread waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WaitedFor {
    /// An answer in the reply store.
    Answer,
    /// The broker, to take messages again.
    Room,
    /// A message of this queue, which is no service's.
    Message(String),
    /// The end of a service.
    Stop,
    /// The time to connect again.
    Pause,
}

/// Somebody who waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) what: WaitedFor,
    /// The message in whose handler it is; `None` where it is the test.
    pub(crate) job: Option<u64>,
    pub(crate) deadline: Deadline,
    /// For a message: how many its queue had given out when the waiting began. One more, and it is over.
    pub(crate) taken: u64,
}

impl Waiting {
    /// Whether it is the test that waits.
    pub(crate) fn is_the_tests(&self) -> bool {
        self.job.is_none() && self.what != WaitedFor::Pause
    }
}

/// See the module.
pub(crate) struct World {
    pub(crate) name: String,
    pub(crate) clock: ManualClock,
    pub(crate) broker: MemoryBroker,
    pub(crate) store: MemoryReplyStore,
    state: Mutex<State>,
    /// Held by whoever moves the time.
    pub(crate) moving: Mutex<()>,
    /// Tells the thread that lets time pass that the test waits.
    bell: Sender<()>,
}

#[derive(Default)]
struct State {
    services: Vec<ServiceMonitor>,
    /// Whatever the services so far have handled. Their queues are there, though they may have stopped.
    served: HashSet<String>,
    waiting: BTreeMap<u64, Waiting>,
    ended: Vec<Ended>,
    stub: Option<Arc<StubQueue>>,
}

impl World {
    /// A new one, and what is rung when the test waits.
    pub(crate) fn new() -> (Arc<Self>, Receiver<()>) {
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

    pub(crate) fn all_ended(&self) -> Vec<Ended> {
        self.lock().ended.clone()
    }

    pub(crate) fn all_waiting(&self) -> Vec<Waiting> {
        self.lock().waiting.values().cloned().collect()
    }

    /// The numbers of the test's own waits, and whether any is for more than the end of a service.
    pub(crate) fn waits_of_test(&self) -> Vec<(u64, WaitedFor)> {
        let state = self.lock();
        let of_test = state.waiting.iter().filter(|(_, waiting)| waiting.is_the_tests());
        of_test.map(|(number, waiting)| (*number, waiting.what.clone())).collect()
    }

    pub(crate) fn services(&self) -> Vec<ServiceMonitor> {
        self.lock().services.clone()
    }

    /// The names of the services that run and handle this event type.
    pub(crate) fn who_handles(&self, event_type: &str) -> Vec<String> {
        self.services()
            .iter()
            .filter(|service| service.handles(event_type))
            .filter_map(ServiceMonitor::service)
            .collect()
    }

    /// Whether a service that runs or has run handles this event type.
    pub(crate) fn has_served(&self, event_type: &str) -> bool {
        self.lock().served.contains(event_type)
    }

    /// There is a stand-in, or none any more.
    pub(crate) fn set_stub(&self, stub: Option<Arc<StubQueue>>) {
        self.lock().stub = stub;
    }

    pub(crate) fn stub(&self) -> Option<Arc<StubQueue>> {
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

impl Observer for World {
    fn wait_started(&self, wait: &Wait<'_>) {
        let what = match wait.what {
            WaitFor::Reply => WaitedFor::Answer,
            WaitFor::Send => WaitedFor::Room,
            WaitFor::Message { queue } => WaitedFor::Message(queue.to_owned()),
            WaitFor::Stop => WaitedFor::Stop,
            WaitFor::Backoff => WaitedFor::Pause,
            _ => return,
        };
        let taken = match &what {
            WaitedFor::Message(queue) => self.broker.taken_and_untaken(queue).0,
            _ => 0,
        };
        let waiting = Waiting { what, job: current_message::job().or(wait.message), deadline: wait.deadline, taken };
        let is_the_tests = waiting.is_the_tests();
        self.lock().waiting.insert(wait.number, waiting);
        if is_the_tests {
            // A bell that was rung already is heard as well.
            let _ = self.bell.try_send(());
        }
    }

    fn wait_ended(&self, wait: &Wait<'_>) {
        self.lock().waiting.remove(&wait.number);
    }

    fn service_started(&self, service: &ServiceMonitor) {
        self.settle_stub();
        let mut state = self.lock();
        state.served.extend(service.event_types());
        state.services.push(service.clone());
    }

    fn service_stopping(&self, _: &str) {
        self.settle_stub();
    }

    fn work_started(&self, message: u64) {
        current_message::begin(message);
    }

    fn work_ended(&self, _: u64) {
        current_message::end();
    }

    fn settled(&self, message: &Settled<'_>) {
        let ending = match message.settlement {
            Settlement::Handled => Ending::Handled,
            Settlement::Retried => Ending::Retried,
            Settlement::DeadLettered { reason } => Ending::DeadLettered(reason),
            Settlement::Expired => Ending::Expired,
            Settlement::Duplicate => Ending::Duplicate,
            Settlement::Unanswered => Ending::Unanswered,
            _ => return,
        };
        let (service, event_type) = (message.service.to_owned(), message.event_type.to_owned());
        self.lock().ended.push(Ended { service, event_type, id: message.id.map(str::to_owned), ending });
    }
}
