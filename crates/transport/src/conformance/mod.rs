//! What every [`Broker`] does the same, as checks that can be run against any of them.
//! They use nothing but the contract, names of their own, and a server that all handles
//! share. Checks fail by panicking, as tests do.
//!
//! On a real server, run it in a virtual host of its own: a check that fails leaves its
//! exchanges and queues for a look.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod confirm;
mod delivery;
mod failure;
mod faults;
mod fidelity;
mod inspection;
mod limits;
mod quorum;
mod routing;
mod scene;
mod sharing;
mod subscription;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use zc_events_protocol::Clock;

use self::scene::Scene;
use crate::Broker;

pub use self::faults::{Breaker, FaultBehaviour, fault_behaviours};

/// The suite, and what it is run against.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use zc_events_protocol::SystemClock;
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
/// }
/// .run_all();
/// ```
#[derive(Clone, Copy)]
pub struct Suite<'a> {
    /// Makes a new handle; all reach the same server.
    pub make: &'a dyn Fn() -> Arc<dyn Broker>,
    /// Deletes a queue that exists, by other means than the contract has.
    pub delete_queue: &'a dyn Fn(&str),
    /// The clock of the brokers. It has to run by itself.
    pub clock: &'a dyn Clock,
    /// By when whatever should happen has happened.
    pub patience: Duration,
    /// How long nothing has to come until nothing is taken to come.
    pub quiet: Duration,
}

/// Something that every broker does.
#[derive(Clone, Copy)]
pub struct Behaviour {
    /// In words.
    pub name: &'static str,
    check: fn(&Scene<'_>),
}

impl Behaviour {
    /// Checks it.
    ///
    /// # Panics
    /// Where the broker does otherwise.
    pub fn check(&self, suite: &Suite<'_>) {
        let scene = Scene::new(*suite);
        (self.check)(&scene);
        scene.clear();
    }
}

impl Suite<'_> {
    /// Checks all behaviours, one after the other, and names those that fail.
    ///
    /// # Panics
    /// Where one or more fail, after all were checked.
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

/// All of them, for a runner that reports each by itself.
pub fn behaviours() -> impl Iterator<Item = Behaviour> {
    let themes: [&[Behaviour]; 10] = [
        routing::BEHAVIOURS,
        fidelity::BEHAVIOURS,
        delivery::BEHAVIOURS,
        subscription::BEHAVIOURS,
        sharing::BEHAVIOURS,
        confirm::BEHAVIOURS,
        limits::BEHAVIOURS,
        quorum::BEHAVIOURS,
        inspection::BEHAVIOURS,
        failure::BEHAVIOURS,
    ];
    themes.into_iter().flatten().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryBroker;
    use zc_events_protocol::SystemClock;

    #[test]
    fn the_broker_in_memory_conforms() {
        let name = uuid::Uuid::new_v4().to_string();
        let server = MemoryBroker::named(&name, Arc::new(SystemClock));
        Suite {
            make: &|| Arc::new(MemoryBroker::named(&name, Arc::new(SystemClock))),
            delete_queue: &|queue| assert!(server.delete_queue(queue), "{queue} is not there"),
            clock: &SystemClock,
            patience: Duration::from_secs(10),
            quiet: Duration::from_millis(50),
        }
        .run_all();
    }

    #[test]
    fn the_broker_in_memory_breaks_as_others_do() {
        let name = uuid::Uuid::new_v4().to_string();
        let server = MemoryBroker::named(&name, Arc::new(SystemClock));
        let suite = Suite {
            make: &|| Arc::new(MemoryBroker::named(&name, Arc::new(SystemClock))),
            delete_queue: &|queue| assert!(server.delete_queue(queue), "{queue} is not there"),
            clock: &SystemClock,
            patience: Duration::from_secs(10),
            quiet: Duration::from_millis(50),
        };
        let breaker = Breaker {
            restart: &|| server.restart(),
            alarm: &|blocked| server.block(blocked.then_some("low on memory")),
        };
        for behaviour in fault_behaviours() {
            behaviour.check(&suite, &breaker);
        }
    }

    #[test]
    fn behaviours_have_names_of_their_own() {
        let mut names: Vec<_> = behaviours().map(|behaviour| behaviour.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
