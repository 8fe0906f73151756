//! Lends connections. What r2d2 keeps here are places for a connection, and making an
//! empty place takes no time and cannot fail; whoever borrows a place that is empty
//! connects it himself. The module above says why.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use r2d2::ManageConnection;
use zc_events_protocol::{Deadline, Stage};

use super::connect::Connector;
use super::gate::{Gate, Place};
use super::link::Link;
use crate::{Error, Result};

/// A place for a connection.
#[derive(Default)]
pub(super) struct Slot(Option<Link>);

struct Slots;

impl ManageConnection for Slots {
    type Connection = Slot;
    type Error = Infallible;

    fn connect(&self) -> Result<Slot, Infallible> {
        Ok(Slot::default())
    }

    fn is_valid(&self, _: &mut Slot) -> Result<(), Infallible> {
        Ok(())
    }

    /// Called with each slot that comes back: a broken connection does not survive it, the slot does.
    fn has_broken(&self, slot: &mut Slot) -> bool {
        slot.0 = slot.0.take().filter(Link::is_clean);
        false
    }
}

pub(super) struct Pool {
    connector: Arc<Connector>,
    slots: r2d2::Pool<Slots>,
    gate: Arc<Gate>,
}

/// A borrowed connection. The slot goes back before the place at the gate does.
pub(super) struct Lease {
    slot: r2d2::PooledConnection<Slots>,
    _place: Place,
}

impl Pool {
    pub(super) fn new(connector: Arc<Connector>, size: u32) -> Self {
        let slots = r2d2::Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            .idle_timeout(None)
            .max_lifetime(None)
            .test_on_check_out(false)
            .build_unchecked(Slots);
        Self { connector, slots, gate: Gate::new(size) }
    }

    /// A connection that works as far as is known, by the deadline.
    pub(super) fn lend(&self, deadline: Deadline) -> Result<Lease> {
        let clock = &*self.connector.clock;
        let place = self.gate.enter(clock, deadline).ok_or(Error::Timeout { stage: Stage::Pool })?;
        self.connected(place, deadline)
    }

    /// The same, if nobody has to give one back for it.
    pub(super) fn lend_at_once(&self, deadline: Deadline) -> Result<Option<Lease>> {
        self.gate.try_enter().map(|place| self.connected(place, deadline)).transpose()
    }

    fn connected(&self, place: Place, deadline: Deadline) -> Result<Lease> {
        let clock = &*self.connector.clock;
        // Whoever is inside has a slot; one that is new comes from a thread of r2d2, at once.
        let wait = deadline.remaining(clock).clamp(Duration::from_millis(50), Duration::from_secs(1));
        let slot = self.slots.get_timeout(wait).map_err(|_| Error::Timeout { stage: Stage::Pool })?;
        let mut lease = Lease { slot, _place: place };
        let alive = lease.slot.0.as_mut().is_some_and(|link| self.connector.is_alive(link, deadline));
        if !alive {
            lease.slot.0 = None;
            lease.slot.0 = Some(self.connector.connect(deadline)?);
        }
        Ok(lease)
    }
}

impl Lease {
    /// The connection.
    pub(super) fn link(&mut self) -> Result<&mut Link> {
        let what = || Error::Unavailable { what: "there is no connection to Redis".to_owned(), source: None };
        self.slot.0.as_mut().ok_or_else(what)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.slots.state().fmt(f)
    }
}
