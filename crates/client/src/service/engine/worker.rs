//! The threads that work: each leads when no other does, and else takes what waits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::blocked_move::Work;
use super::disposition::Disposition;
use super::invoke::panic_text;
use super::message::InboundMessage;
use super::processing::Processing;
use super::state::EngineState;
use super::work_queue::{Next, WorkerRole};
use super::{leader, pipeline, settle};
use crate::Result;
use crate::log_fields::LogLine;
use crate::observe::Observers;
use crate::thread::spawn;

/// Starts a worker.
pub(super) fn start(state: &Arc<EngineState>, role: WorkerRole) -> Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = format!("zc-events-worker-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let working = Arc::clone(state);
    // Counted before its thread runs: it will come.
    state.work.add_worker(role);
    spawn(name, move || run(&working, role)).map(drop).inspect_err(|_| state.work.remove_worker(role))
}

fn run(state: &EngineState, role: WorkerRole) {
    loop {
        match state.work.take(role) {
            Next::Lead => leader::lead(state, Some(role)),
            Next::Work(work) => {
                let (message, began) = (Arc::clone(work.message()), Instant::now());
                let done = work_on(state, work, role);
                // In this order: a message that is with no worker any more has a worker that is free again.
                state.work.finish(role, began.elapsed());
                match done {
                    SettledBy::ThisWorker => state.released(&message),
                    SettledBy::Supervisor { is_replaced: true } => break,
                    SettledBy::Supervisor { is_replaced: false } => {}
                }
            }
            Next::End => break,
        }
    }
    state.work.remove_worker(role);
}

/// Does the work.
fn work_on(state: &EngineState, work: Work, role: WorkerRole) -> SettledBy {
    let message = Arc::clone(work.message());
    let _at_work = AtWork::on(&state.observers, message.number);
    if state.is_stopping() {
        settle::requeue_work(state, &work);
        return SettledBy::ThisWorker;
    }
    // Handlers are caught where they are run. This is for any other panic: the worker goes on, and the message is not lost.
    let done = catch_unwind(AssertUnwindSafe(|| match work {
        Work::Message(message) => handle(state, &message, role),
        Work::Move(blocked) => {
            settle::resume(state, *blocked);
            SettledBy::ThisWorker
        }
    }));
    done.unwrap_or_else(|panic| {
        log::error!("a message goes back to its queue after a panic: {}", LogLine(panic_text(&*panic)));
        settle::apply(state, Processing::new(message), Disposition::Requeue);
        SettledBy::ThisWorker
    })
}

/// Which thread has settled a message.
enum SettledBy {
    ThisWorker,
    /// Its handler took too long.
    Supervisor {
        is_replaced: bool,
    },
}

fn handle(state: &EngineState, message: &Arc<InboundMessage>, role: WorkerRole) -> SettledBy {
    let (processing, disposition) = pipeline::process(state, message, role);
    if let Disposition::AlreadySettled { is_replaced } = disposition {
        return SettledBy::Supervisor { is_replaced };
    }
    settle::apply(state, processing, disposition);
    SettledBy::ThisWorker
}

/// Tells the observers that the thread works on a message, for as long as this lives.
pub(super) struct AtWork<'a> {
    observers: &'a Observers,
    message: u64,
}

impl<'a> AtWork<'a> {
    pub(super) fn on(observers: &'a Observers, message: u64) -> Self {
        observers.tell(|observer| observer.work_started(message));
        Self { observers, message }
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.observers.tell(|observer| observer.work_ended(self.message));
    }
}
