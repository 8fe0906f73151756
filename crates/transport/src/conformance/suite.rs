//! The broker that the suite checks, as values.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::Clock;

use crate::{Broker, QuorumPriorities};

/// The suite, and the broker that it checks.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use zc_events_protocol::SystemClock;
/// use zc_events_transport::QuorumPriorities;
/// use zc_events_transport::conformance::Suite;
/// use zc_events_transport::memory::MemoryBroker;
///
/// let server = MemoryBroker::named("conformance-example", Arc::new(SystemClock));
/// Suite {
///     make: &|| Arc::new(MemoryBroker::named("conformance-example", Arc::new(SystemClock))),
///     delete_queue: &|queue| assert!(server.delete_queue(queue)),
///     clock: &SystemClock,
///     patience: Duration::from_secs(10),
///     quiet: Duration::from_millis(20),
///     quorum_priorities: QuorumPriorities::Ignored,
/// }
/// .run_all();
/// ```
#[derive(Clone, Copy)]
pub struct Suite<'a> {
    /// Makes a new handle. All handles use the same server.
    pub make: &'a dyn Fn() -> Arc<dyn Broker>,
    /// Deletes an existing queue, by other means than the contract.
    pub delete_queue: &'a dyn Fn(&str),
    /// The clock of the brokers. It must run by itself.
    pub clock: &'a dyn Clock,
    /// How long to wait for an expected event.
    pub patience: Duration,
    /// How long no message must come until the suite assumes that none will.
    pub quiet: Duration,
    /// How the server's quorum queues treat priorities. For a real server, take it from the version that it reports.
    pub quorum_priorities: QuorumPriorities,
}

impl fmt::Debug for Suite<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite")
            .field("patience", &self.patience)
            .field("quiet", &self.quiet)
            .field("quorum_priorities", &self.quorum_priorities)
            .finish_non_exhaustive()
    }
}
