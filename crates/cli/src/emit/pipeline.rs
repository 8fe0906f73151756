//! Emits many events with a limited number of unconfirmed ones, and waits for the confirms in order.

use std::collections::VecDeque;

use zc_events::{EmitReceipt, Event, EventClient};

use super::report::Report;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::note;

/// The limit of unconfirmed events.
const WINDOW: usize = 1000;

/// The unconfirmed events.
pub(super) struct Pipeline<'a> {
    client: &'a EventClient,
    unconfirmed: VecDeque<Unconfirmed>,
    report: Report,
    /// The number of the last line or event.
    last: u64,
    /// Whether the events differ only in their ids.
    is_one_event: bool,
    /// Whether all following events would fail too.
    is_pointless: bool,
}

struct Unconfirmed {
    number: Option<u64>,
    /// `None` if the line is not an event.
    event: Option<Event>,
    /// The receipt, or why the event was not sent. It is reported in order.
    sent: Result<EmitReceipt, Failure>,
}

impl<'a> Pipeline<'a> {
    pub(super) fn new(client: &'a EventClient, report: Report) -> Self {
        Self { client, unconfirmed: VecDeque::new(), report, last: 0, is_one_event: false, is_pointless: false }
    }

    /// For copies of one event: if one copy fails, all copies fail.
    pub(super) fn of_one_event(client: &'a EventClient, report: Report) -> Self {
        Self { is_one_event: true, ..Self::new(client, report) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unconfirmed.is_empty()
    }

    /// Whether all following events would fail too.
    pub(super) fn is_pointless(&self) -> bool {
        self.is_pointless
    }

    /// Counts an empty line.
    pub(super) fn skip(&mut self, number: u64) {
        self.last = number;
    }

    /// Sends an event as soon as the limit allows it. Failures are reported in order.
    pub(super) fn send(&mut self, number: Option<u64>, event: Result<Event, Failure>) -> Result<(), Failure> {
        if self.unconfirmed.len() >= WINDOW {
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
            self.check_pointless(failure);
        }
        self.unconfirmed.push_back(Unconfirmed { number, event, sent });
        Ok(())
    }

    /// Waits for the oldest unconfirmed event.
    pub(super) fn settle_first(&mut self) -> Result<(), Failure> {
        let Some(Unconfirmed { number, event, sent }) = self.unconfirmed.pop_front() else { return Ok(()) };
        match sent.and_then(|receipt| receipt.wait().map_err(|error| Failure::sending(self.client, error))) {
            Ok(()) => self.report.confirmed(number, event.as_ref()),
            Err(failure) => {
                self.check_pointless(&failure);
                self.report.failed(number, event.as_ref(), &failure)
            }
        }
    }

    /// Failures of the connection affect all events; some failures of one event affect all its copies.
    fn check_pointless(&mut self, failure: &Failure) {
        self.is_pointless |= match failure.exit {
            Exit::Config | Exit::Unavailable | Exit::Refused => true,
            Exit::Usage | Exit::Undelivered => self.is_one_event,
            _ => false,
        };
    }

    /// Waits for all confirms and reports. A signal determines the exit code, even if events failed.
    pub(super) fn end(mut self, interrupt: &Interrupt) -> Result<(), Failure> {
        if interrupt.check().is_err() && !self.is_empty() {
            note("interrupted; waiting for the broker's confirms (press Ctrl-C again to stop now)");
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
