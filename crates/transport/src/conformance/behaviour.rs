//! One behaviour of the contract, and how it is checked.

use std::fmt;

use super::fixture::Fixture;
use super::suite::Suite;

/// A behaviour of every broker.
#[derive(Clone, Copy, Debug)]
pub struct Behaviour {
    /// The behaviour, in words.
    pub name: &'static str,
    pub(super) check: fn(&Fixture<'_>),
}

impl Behaviour {
    /// Checks it.
    ///
    /// # Panics
    /// If the broker behaves differently.
    pub fn check(&self, suite: &Suite<'_>) {
        let fixture = Fixture::new(*suite);
        (self.check)(&fixture);
        fixture.clear();
    }
}

/// How to break the server, by other means than the contract.
#[derive(Clone, Copy)]
pub struct Breaker<'a> {
    /// Kills the server and starts it again. Returns when it answers.
    pub restart: &'a dyn Fn(),
    /// Raises a memory alarm, so that the server accepts no messages, or ends it.
    pub alarm: &'a dyn Fn(bool),
}

impl fmt::Debug for Breaker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").finish_non_exhaustive()
    }
}

/// A behaviour of every broker when its server fails.
#[derive(Clone, Copy, Debug)]
pub struct FaultBehaviour {
    /// The behaviour, in words.
    pub name: &'static str,
    pub(super) check: fn(&Fixture<'_>, &Breaker<'_>),
}

impl FaultBehaviour {
    /// Checks it.
    ///
    /// # Panics
    /// If the broker behaves differently.
    pub fn check(&self, suite: &Suite<'_>, breaker: &Breaker<'_>) {
        let fixture = Fixture::new(*suite);
        (self.check)(&fixture, breaker);
        fixture.clear();
    }
}
