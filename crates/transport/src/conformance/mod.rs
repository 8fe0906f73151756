//! The behaviours that every [`Broker`](crate::Broker) has, as checks that run against any implementation. They use
//! only the contract, with unique names, and a server that all handles share. A check fails by panicking, like a test.
//!
//! Run it against a real server in a virtual host of its own: a check that fails leaves its exchanges and queues for
//! examination.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod behaviour;
mod confirms;
mod deliveries;
mod errors;
mod fidelity;
mod fixture;
mod inspecting;
mod quorum_queues;
mod routing;
mod server_faults;
mod shared_handles;
mod size_limits;
mod subscriptions;
mod suite;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use self::behaviour::{Behaviour, Breaker, FaultBehaviour};
pub use self::server_faults::fault_behaviours;
pub use self::suite::Suite;

impl Suite<'_> {
    /// Checks all behaviours, one after the other.
    ///
    /// # Panics
    /// If at least one fails, after all were checked. The message names those that failed.
    pub fn run_all(&self) {
        let mut failed = Vec::new();
        for behaviour in behaviours() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| behaviour.check(self))) {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panicked");
                failed.push(format!("{}: {text}", behaviour.name));
            }
        }
        let count = behaviours().count();
        assert!(failed.is_empty(), "{} of {count} behaviours failed:\n{}", failed.len(), failed.join("\n"));
    }
}

/// All behaviours, for a runner that reports each by itself.
pub fn behaviours() -> impl Iterator<Item = Behaviour> {
    let groups: [&[Behaviour]; 10] = [
        routing::BEHAVIOURS,
        fidelity::BEHAVIOURS,
        deliveries::BEHAVIOURS,
        subscriptions::BEHAVIOURS,
        shared_handles::BEHAVIOURS,
        confirms::BEHAVIOURS,
        size_limits::BEHAVIOURS,
        quorum_queues::BEHAVIOURS,
        inspecting::BEHAVIOURS,
        errors::BEHAVIOURS,
    ];
    groups.into_iter().flatten().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::QuorumPriorities;
    use crate::memory::MemoryBroker;
    use std::sync::Arc;
    use std::time::Duration;
    use zc_events_protocol::SystemClock;

    /// A server in memory, and its name.
    fn server(priorities: QuorumPriorities) -> (MemoryBroker, String) {
        let name = uuid::Uuid::new_v4().to_string();
        (MemoryBroker::named(&name, Arc::new(SystemClock)).with_quorum_priorities(priorities), name)
    }

    /// Runs `act` with a suite for a server in memory.
    fn with_suite(priorities: QuorumPriorities, act: impl Fn(&Suite<'_>, &MemoryBroker)) {
        let (server, name) = server(priorities);
        let suite = Suite {
            make: &|| Arc::new(MemoryBroker::named(&name, Arc::new(SystemClock))),
            delete_queue: &|queue| assert!(server.delete_queue(queue), "{queue} does not exist"),
            clock: &SystemClock,
            patience: Duration::from_secs(10),
            quiet: Duration::from_millis(50),
            quorum_priorities: priorities,
        };
        act(&suite, &server);
    }

    #[test]
    fn the_broker_in_memory_conforms() {
        with_suite(QuorumPriorities::Ignored, |suite, _| suite.run_all());
    }

    #[test]
    fn the_broker_in_memory_conforms_with_two_priorities_in_quorum_queues() {
        with_suite(QuorumPriorities::TwoLevels, |suite, _| {
            quorum_queues::BEHAVIOURS.iter().for_each(|behaviour| behaviour.check(suite));
        });
    }

    #[test]
    #[should_panic(expected = "the content of")]
    fn a_broker_that_treats_priorities_in_another_way_than_its_suite_says_fails() {
        with_suite(QuorumPriorities::Ignored, |suite, _| {
            let wrong = Suite { quorum_priorities: QuorumPriorities::TwoLevels, ..*suite };
            quorum_queues::BEHAVIOURS.iter().for_each(|behaviour| behaviour.check(&wrong));
        });
    }

    #[test]
    fn the_broker_in_memory_fails_as_others_do() {
        with_suite(QuorumPriorities::Ignored, |suite, server| {
            let breaker = Breaker {
                restart: &|| server.restart(),
                alarm: &|blocked| server.block(blocked.then_some("low on memory")),
            };
            fault_behaviours().for_each(|behaviour| behaviour.check(suite, &breaker));
        });
    }

    #[test]
    fn behaviours_have_unique_names() {
        let mut names: Vec<_> = behaviours().map(|behaviour| behaviour.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
