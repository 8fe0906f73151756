//! The faults that a test may inject into a broker in memory, as values. `fault_injection` sets them; `memory_broker`
//! and `state` act on them.

use std::collections::VecDeque;

use zc_events_protocol::Outcome;

use crate::Error;

/// What happens to a message that is sent; see [`MemoryBroker::fail_sends`](super::MemoryBroker::fail_sends).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendFault {
    /// The connection is lost before the message is sent: [`Error::Unavailable`], not sent.
    Unavailable,
    /// The message is routed, and the connection is lost before its confirm: [`Error::Unavailable`], unknown.
    ConfirmLost,
    /// The message is lost together with the connection: [`Error::Unavailable`], unknown. The sender cannot tell it
    /// from [`SendFault::ConfirmLost`].
    MessageLost,
    /// The message is routed, and one of the queues refuses it: [`Error::Nacked`], unknown.
    Nacked,
    /// The message reaches no queue: [`Error::Unroutable`], not sent.
    Unroutable,
}

/// The faults in force.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Why the broker cannot be reached.
    pub(super) down: Option<String>,
    /// One for each of the next messages.
    pub(super) sends: VecDeque<SendFault>,
    /// Whether one of them has happened since they were requested.
    pub(super) a_send_failed: bool,
    /// Which acknowledgements are lost.
    pub(super) lost_acks: Vec<LostAcks>,
}

/// The next `left` acknowledgements of messages of these queues whose bodies contain these bytes.
#[derive(Debug)]
pub(super) struct LostAcks {
    pub(super) queues: Vec<String>,
    pub(super) containing: Vec<u8>,
    pub(super) left: usize,
    pub(super) has_happened: bool,
}

impl LostAcks {
    fn is_for(&self, queue: &str, body: &[u8]) -> bool {
        let is_in = |part: &[u8]| part.is_empty() || body.windows(part.len()).any(|bytes| bytes == part);
        self.left > 0 && self.queues.iter().any(|own| own == queue) && is_in(&self.containing)
    }
}

impl Faults {
    /// # Errors
    /// [`Error::Unavailable`] while it is down.
    pub(super) fn reachable(&self) -> Result<(), Error> {
        match &self.down {
            Some(why) => Err(unavailable(why.clone(), Outcome::NotSent)),
            None => Ok(()),
        }
    }

    /// The fault for the next message. It is used up.
    pub(super) fn next_send_fault(&mut self) -> Option<SendFault> {
        let fault = self.sends.pop_front();
        self.a_send_failed |= fault.is_some();
        fault
    }

    /// Whether this acknowledgement is lost. If so, one such fault is used up.
    pub(super) fn loses_ack(&mut self, queue: &str, body: &[u8]) -> bool {
        let lost = self.lost_acks.iter_mut().find(|lost| lost.is_for(queue, body));
        let happens = |lost: &mut LostAcks| {
            lost.left -= 1;
            lost.has_happened = true;
        };
        lost.map(happens).is_some()
    }
}

pub(super) fn unavailable(what: String, outcome: Outcome) -> Error {
    Error::Unavailable { what, outcome, source: None }
}
