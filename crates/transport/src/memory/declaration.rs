//! Declares and removes exchanges, queues and bindings.

use std::collections::VecDeque;

use super::arguments::QueueArguments;
use super::exchange::MemoryExchange;
use super::queue::MemoryQueue;
use super::rejection::{no_exchange, no_queue, rejected, unlocked};
use super::state::{Moment, ServerState};
use crate::{Binding, Result, Topology};

impl ServerState {
    /// Declares a topology in order, until an error.
    ///
    /// # Errors
    /// [`Error::Rejected`](crate::Error::Rejected).
    pub(super) fn declare(&mut self, topology: &Topology, connection: u64, moment: Moment) -> Result<()> {
        let declared = self.make(topology, connection);
        // A held dead letter may have a target now.
        self.advance(VecDeque::new(), moment);
        declared
    }

    fn make(&mut self, topology: &Topology, connection: u64) -> Result<()> {
        for exchange in &topology.exchanges {
            if exchange.name.is_empty() {
                return Err(rejected(
                    "ACCESS_REFUSED - the default exchange cannot be declared: it always exists".to_owned(),
                ));
            }
            let existing = self.exchanges.entry(exchange.name.clone()).or_insert_with(|| MemoryExchange::new(exchange));
            if existing.kind() != exchange.kind {
                return Err(rejected(format!(
                    "PRECONDITION_FAILED - exchange '{}' exists, but is not a {} exchange: use another name (EVENTS_EXCHANGE, NOTIFICATIONS_EXCHANGE)",
                    exchange.name,
                    exchange.kind.as_str()
                )));
            }
        }
        for queue in &topology.queues {
            if queue.name.is_empty() {
                return Err(rejected("a queue needs a name".to_owned()));
            }
            match self.queues.get(queue.name.as_str()) {
                Some(existing) => {
                    unlocked(&queue.name, existing, connection)?;
                    compare(queue, existing, topology.strict)?;
                }
                None => {
                    let (arguments, table) = QueueArguments::of(queue)?;
                    let owner = queue.exclusive.then_some(connection);
                    let declared = crate::Queue { arguments: table.clone(), fallback: None, ..queue.clone() };
                    self.queues.insert(
                        queue.name.as_str().into(),
                        MemoryQueue::new(arguments, declared, owner, self.quorum_priorities),
                    );
                }
            }
        }
        topology.bindings.iter().try_for_each(|binding| self.bind(binding, connection))
    }

    fn bind(&mut self, binding: &Binding, connection: u64) -> Result<()> {
        let Binding { queue, exchange, routing_key } = binding;
        if exchange.is_empty() {
            return Err(rejected(format!(
                "ACCESS_REFUSED - queue '{queue}' cannot be bound to the default exchange: it is always bound by its name"
            )));
        }
        let (name, existing) = self.queues.get_key_value(queue.as_str()).ok_or_else(|| no_queue(queue))?;
        unlocked(queue, existing, connection)?;
        let exchange = self.exchanges.get_mut(exchange).ok_or_else(|| no_exchange(exchange))?;
        exchange.bind(name, routing_key);
        Ok(())
    }

    /// Deletes the queues and exchanges of a topology.
    pub(super) fn remove(&mut self, topology: &Topology) {
        for queue in &topology.queues {
            self.delete_queue(&queue.name);
        }
        for exchange in &topology.exchanges {
            self.exchanges.remove(&exchange.name);
        }
    }
}

/// An existing queue is used as it is. A difference is logged, or is an error if `strict`.
fn compare(wanted: &crate::Queue, existing: &MemoryQueue, strict: bool) -> Result<()> {
    let differences = existing.differences(wanted);
    let Some(key) = differences.first().map(|difference| &difference.what) else { return Ok(()) };
    let why = format!(
        "PRECONDITION_FAILED - inequivalent arg '{key}' for queue '{}': it exists with other arguments",
        wanted.name
    );
    if strict {
        return Err(rejected(why));
    }
    log::warn!("{why}; it is used as it is");
    Ok(())
}
