//! What ends with a connection, and with the server.

use std::sync::Arc;

use super::queue::MemoryQueue;
use super::queue_consumer::Ended;
use super::state::{Moment, ServerState};

impl ServerState {
    /// Makes the server unreachable for the reason `why`, or reachable again with `None`.
    pub(super) fn take_down(&mut self, why: Option<&str>, moment: Moment) {
        self.faults.down = why.map(str::to_owned);
        if why.is_some() {
            self.lose_connections(moment);
        }
    }

    /// Ends all consumers, and drops all that does not survive a restart.
    fn lose_connections(&mut self, moment: Moment) {
        let consumers: Vec<u64> = self.consumers.keys().copied().collect();
        for id in consumers {
            self.end(id, Ended::Lost, moment);
        }
        let goes = |queue: &MemoryQueue| queue.owner.is_some() || !queue.declared.durable;
        let gone: Vec<Arc<str>> =
            self.queues.iter().filter(|(_, queue)| goes(queue)).map(|(name, _)| name.clone()).collect();
        for name in gone {
            self.delete_queue(&name);
        }
        self.exchanges.retain(|_, exchange| !exchange.is_temporary());
        for queue in self.queues.values_mut() {
            queue.drop_transient();
        }
        let names = self.queues.keys().cloned().collect();
        self.advance(names, moment);
    }

    /// Ends a consumer whose subscription was dropped.
    pub(super) fn forget(&mut self, id: u64, moment: Moment) {
        self.end(id, Ended::Closed, moment);
        self.consumers.remove(&id);
    }

    /// Ends a connection with its consumers and its exclusive queues.
    pub(super) fn disconnect(&mut self, connection: u64, moment: Moment) {
        let consumers: Vec<u64> = self
            .consumers
            .iter()
            .filter(|(_, consumer)| consumer.connection == connection)
            .map(|(id, _)| *id)
            .collect();
        for id in consumers {
            self.end(id, Ended::Closed, moment);
        }
        let own: Vec<Arc<str>> = self
            .queues
            .iter()
            .filter(|(_, queue)| queue.owner == Some(connection))
            .map(|(name, _)| name.clone())
            .collect();
        for name in own {
            self.delete_queue(&name);
        }
    }
}
