//! Read-only views of a server's state: counts, and how it differs from a topology.

use std::time::Instant;

use super::queue::MemoryQueue;
use super::queue_consumer::Consumer;
use super::state::ServerState;
use crate::{Difference, InspectedExchange, InspectedQueue, Inspection, Presence, Topology};

impl ServerState {
    /// Every user has all permissions here.
    pub(super) fn inspect(&self, wanted: &Topology, connection: u64) -> Inspection {
        let exchanges = wanted.exchanges.iter().map(|exchange| {
            let presence = match self.exchanges.get(&exchange.name) {
                None => Presence::Missing,
                Some(there) => presence(there.differences(exchange)),
            };
            InspectedExchange { name: exchange.name.clone(), presence }
        });
        let queues = wanted.queues.iter().map(|queue| {
            let name = queue.name.clone();
            let Some(there) = self.queues.get(name.as_str()) else {
                return InspectedQueue { name, presence: Presence::Missing, ready: None, consumers: None };
            };
            if there.owner.is_some_and(|owner| owner != connection) {
                let presence = Presence::Unknown(format!("RESOURCE_LOCKED - queue '{name}' is exclusive"));
                return InspectedQueue { name, presence, ready: None, consumers: None };
            }
            let presence = presence(there.differences(queue));
            let (ready, consumers) = (there.len() as u64, self.consumers(&name) as u64);
            InspectedQueue { name, presence, ready: Some(ready), consumers: Some(consumers) }
        });
        let bindings = wanted.bindings.iter().map(|binding| {
            Some(self.exchanges.get(&binding.exchange).is_some_and(|it| it.binds(&binding.queue, &binding.routing_key)))
        });
        Inspection {
            exchanges: exchanges.collect(),
            queues: queues.collect(),
            bindings: bindings.collect(),
            missing_permissions: Vec::new(),
        }
    }

    pub(super) fn is_quorum(&self, name: &str) -> bool {
        self.queues.get(name).is_some_and(|queue| queue.arguments.quorum)
    }

    pub(super) fn ready(&self, name: &str) -> Option<usize> {
        self.queues.get(name).map(MemoryQueue::len)
    }

    pub(super) fn unacked(&self, name: &str) -> Option<usize> {
        self.queues.get(name)?;
        let consumers = self.consumers.values().filter(|consumer| &*consumer.queue == name);
        Some(consumers.map(Consumer::unsettled).sum())
    }

    pub(super) fn consumers(&self, name: &str) -> usize {
        self.consumers.values().filter(|consumer| &*consumer.queue == name && consumer.ended.is_none()).count()
    }

    pub(super) fn taken_and_untaken(&self, name: &str) -> (u64, usize) {
        let consumers = self.consumers.values().filter(|consumer| &*consumer.queue == name);
        consumers.map(Consumer::taken_and_untaken).fold((0, 0), |sum, of_one| (sum.0 + of_one.0, sum.1 + of_one.1))
    }

    pub(super) fn next_change(&self) -> Option<Instant> {
        self.alarms.first().map(|(when, _)| *when)
    }
}

fn presence(differences: Vec<Difference>) -> Presence {
    if differences.is_empty() { Presence::AsWanted } else { Presence::Different(differences) }
}
