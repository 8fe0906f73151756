//! Many events out at once, up to a bound, each waited for in its turn.

use std::collections::VecDeque;

use zc_events::{EmitReceipt, Event, EventClient};

use super::report::Report;
use crate::exit::Exit;
use crate::failure::Failure;

/// How many events are out at once.
const WINDOW: usize = 1000;

/// Events under way.
pub(super) struct Pipeline<'a> {
    client: &'a EventClient,
    out: VecDeque<Out>,
    report: Report,
    /// The last line that was looked at.
    last: u64,
    /// Why what follows would fail, too.
    hopeless: Option<Failure>,
}

struct Out {
    number: Option<u64>,
    event: Event,
    receipt: EmitReceipt,
}

impl<'a> Pipeline<'a> {
    pub(super) fn new(client: &'a EventClient, report: Report) -> Self {
        Self { client, out: VecDeque::new(), report, last: 0, hopeless: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Whether whatever is taken now would fail as the last one did.
    pub(super) fn is_pointless(&self) -> bool {
        self.hopeless.is_some()
    }

    /// A line with nothing in it.
    pub(super) fn skip(&mut self, number: u64) {
        self.last = number;
    }

    /// Sends an event, once there is room for it; or reports why it is none.
    pub(super) fn take(&mut self, number: Option<u64>, event: Result<Event, Failure>) -> Result<(), Failure> {
        if self.out.len() >= WINDOW {
            self.settle_first()?;
        }
        self.last = number.unwrap_or(self.last + 1);
        let event = match event {
            Ok(event) => event,
            Err(failure) => return self.failed(number, None, failure),
        };
        match self.client.start_emit(&event) {
            Ok(receipt) => {
                self.out.push_back(Out { number, event, receipt });
                Ok(())
            }
            Err(error) => self.failed(number, Some(&event), error.into()),
        }
    }

    /// Waits for the first that is out.
    pub(super) fn settle_first(&mut self) -> Result<(), Failure> {
        let Some(Out { number, event, receipt }) = self.out.pop_front() else { return Ok(()) };
        match receipt.wait() {
            Ok(()) => self.report.confirmed(number, &event),
            Err(error) => self.failed(number, Some(&event), error.into()),
        }
    }

    fn failed(&mut self, number: Option<u64>, event: Option<&Event>, failure: Failure) -> Result<(), Failure> {
        self.report.failed(number, event, &failure)?;
        // About the connection, and not about this event.
        if matches!(failure.exit, Exit::Config | Exit::Unavailable | Exit::Refused) {
            self.hopeless.get_or_insert(failure);
        }
        Ok(())
    }

    /// Waits for all that is out, and says how it went.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        while !self.is_empty() {
            self.settle_first()?;
        }
        self.report.end(self.hopeless.map(|_| self.last))
    }
}
