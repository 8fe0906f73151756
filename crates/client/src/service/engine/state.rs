//! What the threads of a service share. No thread starts here, and no message is handled here.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use zc_events_protocol::{Clock, Deadline};
use zc_events_transport::Topology;

use super::blocked_move::{BlockedMoves, Work};
use super::counters::ServiceCounters;
use super::dedup::local::LocalDedup;
use super::live::LiveSubscriptions;
use super::message::InboundMessage;
use super::queue::ConsumedQueue;
use super::routes::Routes;
use super::running::RunningHandlers;
use super::schedule::Schedule;
use super::work_queue::{WaitingWork, WorkQueue};
use crate::observe::Observers;
use crate::service::retry::Retry;
use crate::{Error, EventClient, ServiceHealth};

/// What the threads of a service share.
pub(in crate::service) struct EngineState {
    pub(super) client: EventClient,
    pub(in crate::service) service: String,
    /// The name of this process among those of the service.
    pub(super) owner: String,
    pub(super) topology: Topology,
    pub(in crate::service) routes: Routes,
    /// For handlers without a policy of their own.
    pub(super) retry: Retry,
    /// That of events first.
    pub(in crate::service) queues: Vec<Arc<ConsumedQueue>>,
    pub(super) workers: usize,
    pub(super) observers: Observers,
    pub(super) live: LiveSubscriptions,
    pub(super) work: WorkQueue<Work>,
    pub(super) schedule: Schedule<Work>,
    pub(super) dedup: LocalDedup,
    pub(super) running: RunningHandlers,
    /// Messages that wait here because the queue that they are to move to does not take them.
    pub(super) blocked_moves: BlockedMoves,
    counters: Arc<ServiceCounters>,
    notes: Mutex<Notes>,
    stopping: AtomicBool,
}

#[derive(Default)]
struct Notes {
    last_delivery: Option<Instant>,
    last_error: Option<(Instant, String)>,
    drain_by: Option<Deadline>,
    /// The delay queues that are known to be there.
    delay_queues: HashSet<String>,
}

/// What a service is made of.
pub(in crate::service) struct EngineParts {
    pub(in crate::service) client: EventClient,
    pub(in crate::service) service: String,
    pub(in crate::service) topology: Topology,
    pub(in crate::service) routes: Routes,
    pub(in crate::service) retry: Retry,
    pub(in crate::service) queues: Vec<Arc<ConsumedQueue>>,
    pub(in crate::service) workers: usize,
}

impl EngineState {
    pub(in crate::service) fn new(parts: EngineParts) -> Self {
        let counters = Arc::new(ServiceCounters::default());
        let mut observers = parts.client.inner().observers.clone();
        observers.add(Arc::clone(&counters) as _);
        Self {
            dedup: LocalDedup::new(parts.client.settings().dedup_ttl),
            client: parts.client,
            service: parts.service,
            owner: uuid::Uuid::new_v4().simple().to_string(),
            topology: parts.topology,
            routes: parts.routes,
            retry: parts.retry,
            queues: parts.queues,
            workers: parts.workers,
            observers,
            live: LiveSubscriptions::default(),
            work: WorkQueue::new(),
            schedule: Schedule::default(),
            running: RunningHandlers::default(),
            blocked_moves: BlockedMoves::default(),
            counters,
            notes: Mutex::default(),
            stopping: AtomicBool::new(false),
        }
    }

    pub(in crate::service) fn client(&self) -> &EventClient {
        &self.client
    }

    pub(in crate::service) fn clock(&self) -> &dyn Clock {
        self.client.inner().clock()
    }

    pub(in crate::service) fn observers(&self) -> &Observers {
        &self.observers
    }

    /// Tells all threads to drain, for at most `timeout`.
    pub(in crate::service) fn stop(&self, timeout: Duration) {
        let deadline = self.clock().deadline(timeout);
        self.notes().drain_by.get_or_insert(deadline);
        self.stopping.store(true, Ordering::Release);
        self.work.stop();
        self.live.wake_leader();
        for queue in &self.queues {
            queue.wake();
        }
    }

    pub(in crate::service) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(super) fn drain_deadline(&self) -> Deadline {
        let drain_by = self.notes().drain_by;
        drain_by.unwrap_or_else(|| self.clock().deadline(self.client.settings().shutdown_timeout))
    }

    /// A message is with the workers.
    pub(super) fn taken(&self, message: &InboundMessage) {
        self.observers.tell(|observer| observer.message_taken());
        message.queue.take(message.epoch);
    }

    /// A message is with the workers no more.
    pub(super) fn released(&self, message: &InboundMessage) {
        self.observers.tell(|observer| observer.message_released());
        message.queue.release(message.epoch);
    }

    /// Keeps work until its time, and makes the leader look when that is.
    pub(super) fn schedule(&self, until: Deadline, work: Work) {
        self.schedule.add(until, work);
        self.live.wake_leader();
    }

    pub(super) fn note_delivery(&self, now: Instant) {
        self.notes().last_delivery = Some(now);
    }

    pub(super) fn note_error(&self, queue: &ConsumedQueue, error: &Error) {
        log::warn!("queue `{}` is not consumed, connecting again: {error}", queue.name);
        let now = self.clock().now();
        self.notes().last_error = Some((now, error.to_string()));
    }

    /// Whether a delay queue is known to be there.
    pub(super) fn knows_delay_queue(&self, queue: &str) -> bool {
        self.notes().delay_queues.contains(queue)
    }

    pub(super) fn note_delay_queue(&self, queue: &str) {
        self.notes().delay_queues.insert(queue.to_owned());
    }

    pub(in crate::service) fn health(&self) -> ServiceHealth {
        let notes = self.notes();
        let mut health = ServiceHealth {
            consuming: self.queues.iter().all(|queue| queue.is_consuming()),
            stopping: self.is_stopping(),
            last_delivery: notes.last_delivery,
            last_error: notes.last_error.as_ref().map(|(_, text)| text.clone()),
            last_error_at: notes.last_error.as_ref().map(|(at, _)| *at),
            under_way: self.queues.iter().map(|queue| queue.taken()).sum(),
            stuck: self.running.stuck(),
            blocked_moves: self.blocked_moves.count(),
            ..ServiceHealth::default()
        };
        self.counters.read_into(&mut health);
        health
    }

    /// How many messages of a queue wait in memory for their time, and when the first of them is due.
    pub(in crate::service) fn scheduled(&self, queue: &Arc<ConsumedQueue>) -> (usize, Option<Instant>) {
        self.schedule.count(|work| Arc::ptr_eq(&work.message().queue, queue))
    }

    /// How many messages wait for the end of another copy of theirs.
    pub(in crate::service) fn parked(&self) -> usize {
        self.dedup.parked()
    }

    /// What waits for a worker.
    pub(in crate::service) fn waiting(&self) -> WaitingWork {
        self.work.waiting()
    }

    /// A request that was answered before was answered once more.
    pub(super) fn count_repeated_answer(&self) {
        self.counters.count_duplicate();
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
