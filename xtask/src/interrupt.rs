//! Ctrl-C, SIGTERM and SIGHUP, turned into an ordinary error, so that what was started is stopped on the way out.

use std::cell::Cell;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, after};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::{Failure, Result};

/// Every wait of a command goes through one of these, and ends when a signal arrives.
pub(crate) struct Interrupt {
    signals: Receiver<i32>,
    seen: Cell<Option<i32>>,
}

impl Interrupt {
    /// From here on the signals no longer end the process; the waits below do.
    pub(crate) fn listen() -> Result<Self> {
        let cannot = |error: std::io::Error| Failure::says(format!("cannot listen for signals: {error}"));
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(cannot)?;
        let (sender, receiver) = crossbeam_channel::unbounded();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for signal in signals.forever() {
                    if sender.send(signal).is_err() {
                        return;
                    }
                }
            })
            .map_err(cannot)?;
        Ok(Self { signals: receiver, seen: Cell::new(None) })
    }

    /// One that hears nothing: for bounded waits on the way out, after a signal.
    pub(crate) fn deaf() -> Self {
        Self { signals: crossbeam_channel::never(), seen: Cell::new(None) }
    }

    /// One that listens to `signals` instead of the process's.
    #[cfg(test)]
    pub(crate) fn from_channel(signals: Receiver<i32>) -> Self {
        Self { signals, seen: Cell::new(None) }
    }

    /// Waits for `patience`. An error as soon as a signal arrives, and at once if one has arrived before.
    pub(crate) fn pause(&self, patience: Duration) -> Result<()> {
        if self.seen.get().is_none() {
            match self.signals.recv_timeout(patience) {
                Ok(signal) => self.seen.set(Some(signal)),
                Err(RecvTimeoutError::Timeout) => {}
                // Nobody can send any more: what is left is to wait.
                Err(RecvTimeoutError::Disconnected) => drop(after(patience).recv()),
            }
        }
        self.check()
    }

    /// An error if a signal has arrived. Does not wait.
    pub(crate) fn check(&self) -> Result<()> {
        if self.seen.get().is_none()
            && let Ok(signal) = self.signals.try_recv()
        {
            self.seen.set(Some(signal));
        }
        match self.seen.get() {
            Some(signal) => Err(Failure::Interrupted(signal)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_ends_this_wait_and_every_later_one() {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let interrupt = Interrupt::from_channel(receiver);
        assert!(interrupt.pause(Duration::from_millis(1)).is_ok());
        sender.send(SIGTERM).unwrap();
        assert!(matches!(interrupt.pause(Duration::from_secs(60)), Err(Failure::Interrupted(SIGTERM))));
        sender.send(SIGINT).unwrap();
        assert!(matches!(interrupt.check(), Err(Failure::Interrupted(SIGTERM))));
    }
}
