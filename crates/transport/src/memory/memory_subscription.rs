//! The client's side of a subscription: waiting for messages, and passing verdicts on.

use std::sync::{Arc, Weak};

use crossbeam_channel::{Receiver, Select};
use zc_events_protocol::{Deadline, Outcome};

use super::faults::unavailable;
use super::handle::BrokerHandle;
use super::queue_consumer::{Ended, Taken};
use super::server::MemoryServer;
use super::state::Look;
use crate::subscription::{self, Polled};
use crate::{Delivery, Error, Result, Settle, Settler, Subscription, Verdict};

pub(super) struct MemorySubscription {
    /// Keeps exclusive queues alive, as the connection of any other subscription would.
    connection: Arc<BrokerHandle>,
    queue: String,
    consumer: u64,
    /// Whether it is a quorum queue, which stamps what comes back.
    counts: bool,
    wake: Receiver<()>,
    verdicts: Arc<Verdicts>,
}

impl MemorySubscription {
    pub(super) fn new(
        connection: Arc<BrokerHandle>,
        queue: &str,
        consumer: u64,
        counts: bool,
        wake: Receiver<()>,
    ) -> Self {
        let verdicts = Arc::new(Verdicts { server: Arc::downgrade(&connection.server), consumer });
        Self { connection, queue: queue.to_owned(), consumer, counts, wake, verdicts }
    }

    fn error(&self, ended: Ended) -> Error {
        match ended {
            Ended::Closed => Error::Closed,
            Ended::Lost => unavailable(
                format!("the connection on which queue '{}' was consumed is lost", self.queue),
                Outcome::NotSent,
            ),
            Ended::Deleted => Error::Rejected {
                why: format!(
                    "queue '{}' was deleted while it was consumed: declare it and subscribe again",
                    self.queue
                ),
            },
        }
    }

    fn delivery(&self, taken: Taken) -> Delivery {
        let mut properties = taken.content.properties.clone();
        if self.counts && taken.returns > 0 {
            let count = i64::try_from(taken.returns).unwrap_or(i64::MAX);
            properties.headers.get_or_insert_default().insert("x-delivery-count".to_owned(), count.into());
        }
        Delivery {
            exchange: taken.content.exchange.clone(),
            routing_key: taken.content.routing_key.clone(),
            redelivered: taken.redelivered,
            properties,
            body: taken.content.body.clone(),
            settler: Settler::new(taken.tag, self.verdicts.clone()),
            defect: None,
        }
    }
}

impl Subscription for MemorySubscription {
    fn try_next(&self) -> Result<Polled> {
        // Before the look: a message that comes after it rings again.
        let _ = self.wake.try_recv();
        match self.connection.server.with(|state, _| state.look(self.consumer)) {
            Look::Found(taken) => Ok(Polled::Delivery(Box::new(self.delivery(taken)))),
            Look::Ended(why) => Err(self.error(why)),
            Look::Nothing(look_again) => Ok(Polled::Empty { look_again }),
        }
    }

    fn register<'a>(&'a self, select: &mut Select<'a>) {
        select.recv(&self.wake);
    }

    fn next_unless(&self, interrupt: &Receiver<()>, deadline: Deadline) -> Result<Option<Delivery>> {
        subscription::next_unless(self, &*self.connection.server.clock, interrupt, deadline)
    }

    fn cancel(&self, _deadline: Deadline) -> Result<()> {
        match self.connection.server.with(|state, moment| state.cancel(self.consumer, moment)) {
            Some(why) => Err(self.error(why)),
            None => Ok(()),
        }
    }
}

impl Drop for MemorySubscription {
    fn drop(&mut self) {
        self.connection.server.with(|state, moment| state.forget(self.consumer, moment));
    }
}

/// Where the settlers of one subscription lead. It keeps no broker alive.
struct Verdicts {
    server: Weak<MemoryServer>,
    consumer: u64,
}

impl Settle for Verdicts {
    fn settle(&self, tag: u64, verdict: Verdict) {
        if let Some(server) = self.server.upgrade() {
            server.with(|state, moment| state.settle(self.consumer, tag, verdict, moment));
        }
    }
}
