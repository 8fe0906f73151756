//! The state that a fleet shares with its clients and services: broker, reply store, clock, waiting threads, running
//! services, settled messages. `quiescence` decides whether work is left, `time` moves the clock, and `harness_observer`
//! records what clients and services report.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};
use uuid::Uuid;
use zc_events::ServiceMonitor;
use zc_events_cache::memory::MemoryReplyStore;
use zc_events_protocol::{Clock, Deadline, ManualClock};
use zc_events_transport::memory::MemoryBroker;

use crate::settled_message::SettledMessage;
use crate::stub_queue::StubQueue;

/// What a thread waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WaitReason {
    /// A reply in the reply store.
    Reply,
    /// The broker, until it accepts messages again.
    Send,
    /// A message of this queue, which the test consumes itself.
    Message(String),
    /// The end of a service.
    Stop,
    /// The next attempt to connect.
    Backoff,
}

/// A thread that waits.
#[derive(Clone, Debug)]
pub(crate) struct WaitingThread {
    pub(crate) reason: WaitReason,
    /// The message in whose handler the thread waits; `None` in the test.
    pub(crate) message: Option<u64>,
    pub(crate) deadline: Deadline,
    /// For [`WaitReason::Message`]: how many messages the queue had given out when the wait began.
    pub(crate) taken_before: u64,
}

impl WaitingThread {
    /// Whether the test waits, and not a handler or a connection.
    pub(crate) fn is_of_test(&self) -> bool {
        self.message.is_none() && self.reason != WaitReason::Backoff
    }
}

/// The state of a fleet; see the module.
pub(crate) struct Harness {
    pub(crate) name: String,
    pub(crate) clock: ManualClock,
    pub(crate) broker: MemoryBroker,
    pub(crate) store: MemoryReplyStore,
    state: Mutex<HarnessState>,
    /// Held while the clock moves.
    clock_moves: Mutex<()>,
    /// Wakes the thread that moves the clock while the test waits.
    test_waits: Sender<()>,
    /// Counts what clients and services report: it changes as long as work goes on.
    reports: AtomicU64,
}

#[derive(Default)]
struct HarnessState {
    services: Vec<ServiceMonitor>,
    /// The event types that any service handled so far. The queues of a stopped service still exist.
    handled_types: HashSet<String>,
    waiting: BTreeMap<u64, WaitingThread>,
    settled: Vec<SettledMessage>,
    stub: Option<Arc<StubQueue>>,
}

impl Harness {
    /// Creates a harness. The channel gets a message when the test waits.
    pub(crate) fn new() -> (Arc<Self>, Receiver<()>) {
        let name = format!("zc-events-testing-{}", Uuid::new_v4().simple());
        let clock = ManualClock::new();
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let (test_waits, wakes) = bounded(1);
        let harness = Self {
            broker: MemoryBroker::named(&name, Arc::clone(&shared)),
            store: MemoryReplyStore::named(&name, shared),
            name,
            clock,
            state: Mutex::default(),
            clock_moves: Mutex::default(),
            test_waits,
            reports: AtomicU64::new(0),
        };
        (Arc::new(harness), wakes)
    }

    /// Records that a client or a service reported something.
    pub(crate) fn count_report(&self) {
        self.reports.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn reports(&self) -> u64 {
        self.reports.load(Ordering::Relaxed)
    }

    /// Keeps all other threads from moving the clock.
    pub(crate) fn lock_clock(&self) -> MutexGuard<'_, ()> {
        self.clock_moves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add_waiting(&self, number: u64, thread: WaitingThread) {
        let is_of_test = thread.is_of_test();
        self.lock().waiting.insert(number, thread);
        if is_of_test {
            // If the channel is full, the thread wakes anyway.
            let _ = self.test_waits.try_send(());
        }
    }

    pub(crate) fn remove_waiting(&self, number: u64) {
        self.lock().waiting.remove(&number);
    }

    pub(crate) fn waiting(&self) -> Vec<WaitingThread> {
        self.lock().waiting.values().cloned().collect()
    }

    /// The numbers and reasons of the waits of the test.
    pub(crate) fn waits_of_test(&self) -> Vec<(u64, WaitReason)> {
        let state = self.lock();
        let of_test = state.waiting.iter().filter(|(_, thread)| thread.is_of_test());
        of_test.map(|(number, thread)| (*number, thread.reason.clone())).collect()
    }

    pub(crate) fn add_settled(&self, message: SettledMessage) {
        self.lock().settled.push(message);
    }

    pub(crate) fn settled(&self) -> Vec<SettledMessage> {
        self.lock().settled.clone()
    }

    pub(crate) fn add_service(&self, service: &ServiceMonitor) {
        let mut state = self.lock();
        state.handled_types.extend(service.event_types());
        state.services.push(service.clone());
    }

    pub(crate) fn services(&self) -> Vec<ServiceMonitor> {
        self.lock().services.clone()
    }

    /// The names of the running services that handle this event type.
    pub(crate) fn handlers_of(&self, event_type: &str) -> Vec<String> {
        let services = self.services();
        let handling = services.iter().filter(|service| service.handles(event_type));
        handling.filter_map(ServiceMonitor::service).collect()
    }

    /// Whether a service, running or stopped, handles this event type.
    pub(crate) fn has_handled(&self, event_type: &str) -> bool {
        self.lock().handled_types.contains(event_type)
    }

    pub(crate) fn set_stub(&self, stub: Option<Arc<StubQueue>>) {
        self.lock().stub = stub;
    }

    pub(crate) fn stub(&self) -> Option<Arc<StubQueue>> {
        self.lock().stub.clone()
    }

    fn lock(&self) -> MutexGuard<'_, HarnessState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Harness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harness").field("name", &self.name).finish_non_exhaustive()
    }
}
