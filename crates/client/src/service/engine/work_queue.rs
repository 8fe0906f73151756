//! The work that waits for a worker, and which thread leads: takes what the subscriptions deliver.
//!
//! One worker leads, the others follow. A leader that finds work leaves the lead and does the work itself: no thread is
//! woken for a message that comes alone. Others are woken when more waits than one worker does in a moment, or by the
//! dispatcher, which looks each millisecond while there is work, and leads where all workers are busy.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

/// Waiting work of more than this is worth waking a worker for.
const WORTH_WAKING: Duration = Duration::from_micros(100);
/// How long a handler is taken to run before any has.
const FIRST_MEAN: Duration = Duration::from_millis(1);

/// What a worker takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WorkerRole {
    /// Requests first, then events.
    General,
    /// Requests only, so that a handler can ask its own service while all other workers are busy.
    RequestsOnly,
}

/// What waits for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WorkClass {
    /// A caller waits for the answer.
    Request,
    Event,
}

/// What a worker is to do next.
pub(super) enum Next<T> {
    Work(T),
    /// Lead: see [`super::leader`].
    Lead,
    /// There will be no more work.
    End,
}

/// What the dispatcher is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tick {
    /// Nothing: a worker leads, or one was woken.
    Look,
    /// Lead: no worker is free.
    Lead,
    /// Nothing happens.
    Quiet,
}

/// How much waits, and whether a worker is free for some of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::service) struct WaitingWork {
    pub(in crate::service) count: usize,
    pub(in crate::service) is_about_to_be_taken: bool,
}

/// See the module.
pub(super) struct WorkQueue<T> {
    state: Mutex<WorkQueueState<T>>,
    general: Condvar,
    requests_only: Condvar,
    vacant: Condvar,
    /// Wakes the dispatcher.
    nudge: (Sender<()>, Receiver<()>),
    /// How long a worker is busy with one item, on average, in nanoseconds.
    mean: AtomicU64,
}

struct WorkQueueState<T> {
    requests: VecDeque<T>,
    events: VecDeque<T>,
    leader: Option<Leader>,
    /// How many threads wait for the lead to change what is led.
    changes_wanted: usize,
    general: Crew,
    requests_only: Crew,
    /// Whether the dispatcher looks by itself.
    is_watched: bool,
    is_stopping: bool,
    is_closed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Leader {
    Worker,
    /// The dispatcher, or a thread that changes what is led.
    Other,
}

/// The workers of one role.
#[derive(Default)]
struct Crew {
    all: usize,
    busy: usize,
    /// Those that wait to be woken.
    idle: usize,
}

impl<T> WorkQueue<T> {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(WorkQueueState {
                requests: VecDeque::new(),
                events: VecDeque::new(),
                leader: None,
                changes_wanted: 0,
                general: Crew::default(),
                requests_only: Crew::default(),
                is_watched: false,
                is_stopping: false,
                is_closed: false,
            }),
            general: Condvar::new(),
            requests_only: Condvar::new(),
            vacant: Condvar::new(),
            nudge: bounded(1),
            mean: AtomicU64::new(nanos(FIRST_MEAN)),
        }
    }

    /// A worker is about to start.
    pub(super) fn add_worker(&self, role: WorkerRole) {
        self.lock().crew(role).all += 1;
    }

    /// A worker is gone.
    pub(super) fn remove_worker(&self, role: WorkerRole) {
        self.lock().crew(role).all -= 1;
    }

    /// What a worker is to do next; waits for it. After [`Next::Work`] it says [`WorkQueue::finish`].
    pub(super) fn take(&self, role: WorkerRole) -> Next<T> {
        let mut state = self.lock();
        loop {
            if let Some(work) = state.pop(role) {
                state.crew(role).busy += 1;
                self.wake_for_rest(&state);
                // The dispatcher looks after the lead, and after work that was not worth waking a worker for.
                if state.leader.is_none() || state.has_idle_worker_for_work() {
                    self.watch(&mut state);
                }
                return Next::Work(work);
            }
            if state.is_closed {
                return Next::End;
            }
            if state.is_vacant() {
                state.leader = Some(Leader::Worker);
                return Next::Lead;
            }
            state.crew(role).idle += 1;
            state = self.condvar(role).wait(state).unwrap_or_else(PoisonError::into_inner);
            state.crew(role).idle -= 1;
        }
    }

    /// A worker has done its work, in that time.
    pub(super) fn finish(&self, role: WorkerRole, took: Duration) {
        self.lock().crew(role).busy -= 1;
        let mean = self.mean.load(Ordering::Relaxed);
        self.mean.store(mean - mean / 8 + nanos(took) / 8, Ordering::Relaxed);
    }

    /// Adds work. No worker is woken for it: the leader does that when it leaves the lead.
    pub(super) fn push(&self, class: WorkClass, work: T) {
        let mut state = self.lock();
        match class {
            WorkClass::Request => state.requests.push_back(work),
            WorkClass::Event => state.events.push_back(work),
        }
    }

    /// Takes out the work of that kind.
    pub(super) fn remove(&self, is_it: impl Fn(&T) -> bool) -> Vec<T> {
        let mut state = self.lock();
        let mut removed = Vec::new();
        let WorkQueueState { requests, events, .. } = &mut *state;
        for queue in [requests, events] {
            let (taken, rest): (VecDeque<T>, VecDeque<T>) = std::mem::take(queue).into_iter().partition(&is_it);
            *queue = rest;
            removed.extend(taken);
        }
        removed
    }

    /// Whether a leader is to leave: there is work for it, or, where it is no worker, for a worker that is idle. Wakes a
    /// worker for work that the leader does not take.
    pub(super) fn is_to_leave(&self, role: Option<WorkerRole>) -> bool {
        let state = self.lock();
        let is_for_leader = match role {
            Some(role) => state.has_work(role),
            None => state.has_idle_worker_for_work(),
        };
        if !is_for_leader || role.is_none() {
            self.wake_one(&state);
        }
        is_for_leader
    }

    /// Whether a thread waits to change what is led.
    pub(super) fn is_change_wanted(&self) -> bool {
        self.lock().changes_wanted > 0
    }

    /// The leader leaves the lead.
    pub(super) fn stop_leading(&self) {
        let mut state = self.lock();
        let leader = state.leader.take();
        if state.changes_wanted > 0 {
            self.vacant.notify_all();
            return;
        }
        // A worker does the work that waits, and leads again. Any other thread goes away, whatever waits.
        let is_abandoned = leader == Some(Leader::Other) || !state.has_work(WorkerRole::General);
        if is_abandoned && !state.is_watched && !self.wake_any(&state) {
            self.watch(&mut state);
        }
    }

    /// Does `change` while no thread leads. `interrupt` makes the leader look up.
    pub(super) fn change_led<R>(&self, interrupt: impl Fn(), change: impl FnOnce() -> R) -> R {
        let mut state = self.lock();
        state.changes_wanted += 1;
        interrupt();
        while state.leader.is_some() {
            state = self.vacant.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.changes_wanted -= 1;
        state.leader = Some(Leader::Other);
        drop(state);
        let changed = change();
        self.stop_leading();
        changed
    }

    /// No thread leads from now on; what waits is still taken.
    pub(super) fn stop(&self) {
        self.lock().is_stopping = true;
        self.wake_all();
    }

    /// There will be no more work: the workers end once they have done what waits.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_stopping = true;
        state.is_closed = true;
        drop(state);
        self.wake_all();
    }

    pub(super) fn waiting(&self) -> WaitingWork {
        let state = self.lock();
        let (general, requests_only) = (state.general.is_free(), state.requests_only.is_free());
        let is_request_taken = !state.requests.is_empty() && (general || requests_only);
        WaitingWork {
            count: state.requests.len() + state.events.len(),
            is_about_to_be_taken: is_request_taken || !state.events.is_empty() && general,
        }
    }

    /// Has a message when the dispatcher is to look.
    pub(super) fn nudged(&self) -> &Receiver<()> {
        &self.nudge.1
    }

    /// What the dispatcher is to do at this moment.
    pub(super) fn tick(&self) -> Tick {
        let mut state = self.lock();
        if state.is_stopping {
            return if self.wake_one(&state) { Tick::Look } else { Tick::Quiet };
        }
        if state.is_vacant() {
            if self.wake_any(&state) {
                return Tick::Look;
            }
            state.leader = Some(Leader::Other);
            return Tick::Lead;
        }
        if self.wake_one(&state) { Tick::Look } else { Tick::Quiet }
    }

    /// The dispatcher looks no more until it is nudged. `false` where it has to go on. Work for which no worker is idle
    /// needs no look: a worker that ends its work takes it.
    pub(super) fn leave_unwatched(&self) -> bool {
        let mut state = self.lock();
        let is_led = state.leader.is_some() || state.is_stopping;
        state.is_watched = !(state.is_closed || is_led && !state.has_idle_worker_for_work());
        !state.is_watched
    }

    /// Makes the dispatcher look.
    fn watch(&self, state: &mut WorkQueueState<T>) {
        if !std::mem::replace(&mut state.is_watched, true) {
            let _ = self.nudge.0.try_send(());
        }
    }

    /// How many workers wait to be woken.
    #[cfg(test)]
    pub(super) fn waiting_workers(&self) -> usize {
        let state = self.lock();
        state.general.idle + state.requests_only.idle
    }

    #[cfg(test)]
    pub(super) fn is_stopping(&self) -> bool {
        self.lock().is_stopping
    }

    /// Wakes a worker where more waits than one does in a moment.
    fn wake_for_rest(&self, state: &WorkQueueState<T>) {
        let waiting = u64::try_from(state.requests.len() + state.events.len()).unwrap_or(u64::MAX);
        if waiting.saturating_mul(self.mean.load(Ordering::Relaxed)) > nanos(WORTH_WAKING) {
            self.wake_one(state);
        }
    }

    /// Wakes an idle worker for work that waits. Whether there was one.
    fn wake_one(&self, state: &WorkQueueState<T>) -> bool {
        if state.general.idle > 0 && state.has_work(WorkerRole::General) {
            self.general.notify_one();
            return true;
        }
        if state.requests_only.idle > 0 && state.has_work(WorkerRole::RequestsOnly) {
            self.requests_only.notify_one();
            return true;
        }
        false
    }

    /// Wakes an idle worker, to lead. Whether there was one.
    fn wake_any(&self, state: &WorkQueueState<T>) -> bool {
        if state.general.idle > 0 {
            self.general.notify_one();
        } else if state.requests_only.idle > 0 {
            self.requests_only.notify_one();
        } else {
            return false;
        }
        true
    }

    fn wake_all(&self) {
        self.general.notify_all();
        self.requests_only.notify_all();
        let _ = self.nudge.0.try_send(());
    }

    fn condvar(&self, role: WorkerRole) -> &Condvar {
        match role {
            WorkerRole::General => &self.general,
            WorkerRole::RequestsOnly => &self.requests_only,
        }
    }

    fn lock(&self) -> MutexGuard<'_, WorkQueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> WorkQueueState<T> {
    fn pop(&mut self, role: WorkerRole) -> Option<T> {
        let request = self.requests.pop_front();
        match role {
            WorkerRole::General => request.or_else(|| self.events.pop_front()),
            WorkerRole::RequestsOnly => request,
        }
    }

    fn has_work(&self, role: WorkerRole) -> bool {
        !self.requests.is_empty() || role == WorkerRole::General && !self.events.is_empty()
    }

    /// Whether a worker is idle though there is work for it.
    fn has_idle_worker_for_work(&self) -> bool {
        let is_idle = |crew: &Crew, role| crew.idle > 0 && self.has_work(role);
        is_idle(&self.general, WorkerRole::General) || is_idle(&self.requests_only, WorkerRole::RequestsOnly)
    }

    /// Whether a thread may begin to lead.
    fn is_vacant(&self) -> bool {
        self.leader.is_none() && self.changes_wanted == 0 && !self.is_stopping
    }

    fn crew(&mut self, role: WorkerRole) -> &mut Crew {
        match role {
            WorkerRole::General => &mut self.general,
            WorkerRole::RequestsOnly => &mut self.requests_only,
        }
    }
}

impl Crew {
    fn is_free(&self) -> bool {
        self.all > self.busy
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
