//! A message's way through a service, each step in a file of its name:
//!
//! - `consumer` subscribes to a queue, connects again, and drains it at the end; `queue` is what it consumes.
//! - One worker at a time leads (`leader`): it takes what the subscriptions deliver and puts it into `work_queue`. The
//!   others take from there. `dispatcher` wakes a worker to lead, and leads itself while all workers are busy.
//! - `worker` calls `pipeline::process`, which decodes a message (`message`), finds its route (`routes`), decides whether
//!   to handle it now (`admission`, which asks `dedup`), and runs the handler (`invoke`). What comes out is a
//!   `Disposition`. No queue was touched so far.
//! - `settle` acts on it: it is the only place that acknowledges, requeues, republishes (`republish`), pushes answers
//!   (`reply`), counts and tells. What is to wait in memory goes to `schedule`.
//! - `supervisor` looks after handlers that do not return (`running`), and renews claims.

mod admission;
mod attempts;
mod blocked_move;
mod consumer;
mod counters;
mod dedup;
mod dispatcher;
mod disposition;
mod invoke;
mod leader;
mod live;
mod message;
mod pipeline;
mod processing;
mod queue;
mod reply;
mod republish;
mod routes;
mod running;
mod schedule;
mod settle;
mod start;
mod state;
mod supervisor;
#[cfg(test)]
mod tests;
mod work_queue;
#[cfg(test)]
mod work_queue_tests;
mod worker;

pub(super) use message::InboundMessage;
pub(super) use queue::{ConsumedQueue, QueueRole};
pub(super) use routes::{Route, RouteKey, Routes};
pub(super) use start::{Engine, start};
pub(super) use state::{EngineParts, EngineState};
