//! Starting and ending the threads of a service.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use zc_events_protocol::clock;

use super::consumer::{self, Consumer};
use super::queue::QueueRole;
use super::state::EngineState;
use super::work_queue::WorkerRole;
use super::{dispatcher, leader, supervisor, worker};
use crate::Result;
use crate::observe::WaitFor;
use crate::thread::spawn;

/// How long, beyond its time, a service that stops may take to settle its last messages and close its connections.
const GOODBYE: Duration = Duration::from_secs(10);

/// The threads of a service that runs.
pub(in crate::service) struct Engine {
    state: Arc<EngineState>,
    consumers: Vec<JoinHandle<usize>>,
    /// Lost, it ends the supervisor and the dispatcher.
    stop: Option<Sender<()>>,
    /// Loses its last sender when all consumers have ended.
    pub(in crate::service) ended: Receiver<()>,
}

/// Subscribes to all queues, then starts the threads.
///
/// # Errors
/// What is wrong with the connection or the topology; no thread was started then.
pub(in crate::service) fn start(state: &Arc<EngineState>) -> Result<Engine> {
    let subscribe = |queue| Ok((Arc::clone(queue), consumer::subscribe(state, queue)?));
    let subscriptions = state.queues.iter().map(subscribe).collect::<Result<Vec<_>>>()?;
    // It is so already, though its threads have yet to begin.
    state.queues.iter().for_each(|queue| queue.set_consuming(true));
    let (stop, stopped) = bounded::<()>(0);
    let (ending, ended) = bounded::<()>(0);
    let mut engine = Engine { state: Arc::clone(state), consumers: Vec::new(), stop: Some(stop), ended };
    for _ in 0..state.workers {
        worker::start(state, WorkerRole::General)?;
    }
    // A service that asks itself would wait for itself without it.
    worker::start(state, WorkerRole::RequestsOnly)?;
    spawn("zc-events-dispatcher", {
        let (state, stopped) = (Arc::clone(state), stopped.clone());
        move || dispatcher::run(&state.work, &stopped, || leader::lead(&state, None))
    })?;
    spawn("zc-events-supervisor", {
        let state = Arc::clone(state);
        move || supervisor::run(&state, &stopped)
    })?;
    for (queue, first) in subscriptions {
        let name = match queue.role {
            QueueRole::Events => "zc-events-events",
            QueueRole::Notifications => "zc-events-notifications",
            QueueRole::Quarantine => "zc-events-quarantine",
        };
        let consumer = Consumer { state: Arc::clone(state), queue };
        let ending = ending.clone();
        engine.consumers.push(spawn(name, move || {
            // Lost with the last of these threads.
            let _ending = ending;
            consumer.run(first)
        })?);
    }
    Ok(engine)
}

impl Engine {
    /// Stops the service, and waits for its end. How many handlers had not finished.
    pub(in crate::service) fn stop(&mut self, timeout: Duration) -> usize {
        let state = &self.state;
        state.observers.tell(|observer| observer.service_stopping(&state.service));
        state.stop(timeout);
        let clock = state.clock();
        let consumers: Vec<_> = self.consumers.drain(..).collect();
        // A consumer that is connecting, say, looks up when that has ended; it is not waited for.
        let deadline = clock.deadline(timeout.saturating_add(GOODBYE));
        let wait = || clock::receive(clock, &self.ended, deadline);
        let abandoned = match state.client.waiting(WaitFor::Stop, deadline, wait) {
            Err(RecvTimeoutError::Timeout) => state.queues.iter().map(|queue| queue.taken()).sum(),
            _ => consumers.into_iter().map(|consumer| consumer.join().unwrap_or(0)).sum(),
        };
        self.end_threads();
        abandoned
    }

    pub(in crate::service) fn is_stopped(&self) -> bool {
        self.stop.is_none()
    }

    /// The workers, the supervisor and the dispatcher end by themselves.
    fn end_threads(&mut self) {
        self.state.work.close();
        self.state.live.wake_leader();
        drop(self.stop.take());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A start that has failed halfway.
        if !self.is_stopped() {
            self.state.stop(Duration::ZERO);
            self.end_threads();
        }
    }
}
