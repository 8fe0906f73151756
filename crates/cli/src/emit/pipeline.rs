//! Many events out at once, up to a bound, each waited for in its turn.

use std::collections::VecDeque;

use zc_events::{EmitReceipt, Event, EventClient};

use super::report::Report;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::note;

/// How many events are out at once.
const WINDOW: usize = 1000;

/// Events under way.
pub(super) struct Pipeline<'a> {
    client: &'a EventClient,
    out: VecDeque<Out>,
    report: Report,
    /// The last line that was looked at.
    last: u64,
    /// Whether they are all the same but for their ids.
    is_one_event: bool,
    /// Whether what follows would fail, too.
    is_pointless: bool,
}

struct Out {
    number: Option<u64>,
    /// `None` where the line is no event.
    event: Option<Event>,
    /// Its receipt, or why it was not sent. It is told in its turn.
    sent: Result<EmitReceipt, Failure>,
}

impl<'a> Pipeline<'a> {
    pub(super) fn new(client: &'a EventClient, report: Report) -> Self {
        Self { client, out: VecDeque::new(), report, last: 0, is_one_event: false, is_pointless: false }
    }

    /// Of events that are the same but for their ids: what fails of one fails of all.
    pub(super) fn of_one_event(client: &'a EventClient, report: Report) -> Self {
        Self { is_one_event: true, ..Self::new(client, report) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Whether whatever is taken now would fail as the last one did.
    pub(super) fn is_pointless(&self) -> bool {
        self.is_pointless
    }

    /// A line with nothing in it.
    pub(super) fn skip(&mut self, number: u64) {
        self.last = number;
    }

    /// Sends an event, once there is room for it. Why it is none, or was not sent, is told in its turn.
    pub(super) fn take(&mut self, number: Option<u64>, event: Result<Event, Failure>) -> Result<(), Failure> {
        if self.out.len() >= WINDOW {
            self.settle_first()?;
        }
        self.last = number.unwrap_or(self.last + 1);
        let (event, sent) = match event {
            Ok(event) => {
                let sent = self.client.start_emit(&event).map_err(|error| Failure::sending(self.client, error));
                (Some(event), sent)
            }
            Err(failure) => (None, Err(failure)),
        };
        if let Err(failure) = &sent {
            self.learn_from(failure);
        }
        self.out.push_back(Out { number, event, sent });
        Ok(())
    }

    /// Waits for the first that is out.
    pub(super) fn settle_first(&mut self) -> Result<(), Failure> {
        let Some(Out { number, event, sent }) = self.out.pop_front() else { return Ok(()) };
        match sent.and_then(|receipt| receipt.wait().map_err(|error| Failure::sending(self.client, error))) {
            Ok(()) => self.report.confirmed(number, event.as_ref()),
            Err(failure) => {
                self.learn_from(&failure);
                self.report.failed(number, event.as_ref(), &failure)
            }
        }
    }

    /// What is about the connection, and not about this event, ends it all; and so does what is about all of them.
    fn learn_from(&mut self, failure: &Failure) {
        self.is_pointless |= match failure.exit {
            Exit::Config | Exit::Unavailable | Exit::Refused => true,
            Exit::Usage | Exit::Undelivered => self.is_one_event,
            _ => false,
        };
    }

    /// Waits for all that is out, and says how it went. A signal that has come is how it ends, whatever else failed.
    pub(super) fn end(mut self, interrupt: &Interrupt) -> Result<(), Failure> {
        if interrupt.check().is_err() && !self.is_empty() {
            note("interrupted; waiting for the broker to confirm what was sent (Ctrl-C once more: not even that)");
        }
        while !self.is_empty() {
            self.settle_first()?;
        }
        let ended = self.report.end(self.is_pointless.then_some(self.last));
        if let (Err(failure), Err(_)) = (&ended, interrupt.check()) {
            failure.print();
        }
        interrupt.check().and(ended)
    }
}
