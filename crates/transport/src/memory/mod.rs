//! A broker inside the process, for demos, for tests, and for programs that need no other. It routes, orders, limits,
//! expires and dead-letters like RabbitMQ, and keeps nothing on disk. It knows no AMQP.
//!
//! It honours these arguments of queues: `x-max-priority`, `x-message-ttl`, `x-max-length`, `x-overflow`,
//! `x-dead-letter-exchange` and `x-dead-letter-routing-key`; with `x-queue-type: quorum` also `x-delivery-limit` and
//! `x-dead-letter-strategy`, but not `x-max-priority`. [`MemoryBroker::with_quorum_priorities`] says how quorum queues
//! treat priorities.
//!
//! It differs from RabbitMQ in two ways: a dead letter that is held for a full or missing target is sent as soon as
//! that changes (RabbitMQ checks every 3 minutes), and a requeued message always takes its old place (a quorum queue in
//! RabbitMQ may put it at the end).

mod amqp_limits;
mod arguments;
mod connections;
mod dead_letter;
mod declaration;
mod difference;
mod exchange;
mod fault_injection;
mod faults;
mod handle;
mod memory_broker;
mod memory_subscription;
mod message;
mod queue;
mod queue_consumer;
mod record;
mod rejection;
mod server;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod topic;

pub use self::faults::SendFault;
pub use self::memory_broker::MemoryBroker;
pub use self::record::Published;
