//! The thread that restores a lost connection for publishing, and closes channels that are no longer needed. It sleeps
//! while all is well.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded, never, select};

use super::backoff::Backoff;
use super::closing_channel::ClosingChannel;
use super::connection_manager::{ConnectionManager, ManagerSignals};
use crate::Error;

/// The running thread. It ends when this is dropped.
pub(super) struct ReconnectThread(#[expect(dead_code, reason = "its drop is the signal")] Sender<()>);

impl ReconnectThread {
    pub(super) fn start(manager: Arc<ConnectionManager>, signals: ManagerSignals) -> std::io::Result<Self> {
        let (running, stopped) = bounded(0);
        let reconnect = Reconnect { manager };
        thread::Builder::new().name("zc-events-reconn".into()).spawn(move || reconnect.run(&signals, &stopped))?;
        Ok(Self(running))
    }
}

struct Reconnect {
    manager: Arc<ConnectionManager>,
}

impl Reconnect {
    /// Runs until `stopped` disconnects.
    fn run(&self, signals: &ManagerSignals, stopped: &Receiver<()>) {
        let clock = &*self.manager.options.clock;
        let mut backoff = Backoff::default();
        let mut due: Option<Instant> = None;
        let mut kept: Vec<ClosingChannel> = Vec::new();
        loop {
            // Dropping the others closes them.
            kept.retain(|channel| channel.unblocked().is_some());
            let unblocked = match kept.first().map(ClosingChannel::unblocked) {
                None => never(),
                Some(Some(unblocked)) => unblocked,
                Some(None) => continue,
            };
            let alarm = due.map_or_else(never, |due| clock.at(due));
            select! {
                recv(stopped) -> _ => return,
                recv(signals.unneeded) -> channel => kept.extend(channel),
                recv(unblocked) -> _ => {}
                recv(signals.losses) -> _ => due = due.or_else(|| clock.now().checked_add(backoff.next())),
                recv(alarm) -> _ => {
                    let next = catch_unwind(AssertUnwindSafe(|| self.reconnect(&mut backoff)));
                    // A panic must not end the only thread that restores the connection.
                    due = next.unwrap_or_else(|_| clock.now().checked_add(backoff.next()));
                }
            }
        }
    }

    /// One attempt to restore the connection. Returns when to make the next one.
    fn reconnect(&self, backoff: &mut Backoff) -> Option<Instant> {
        let clock = &*self.manager.options.clock;
        let nodes = u32::try_from(self.manager.options.url.nodes().len()).unwrap_or(u32::MAX);
        let deadline = clock.deadline(self.manager.options.connect_timeout.saturating_mul(nodes));
        match self.manager.connection(deadline) {
            Ok(_) => backoff.reset(),
            Err(Error::Closed) => {}
            Err(error) => {
                let pause = backoff.next();
                log::debug!("cannot restore the connection for publishing, next attempt in {pause:?}: {error}");
                return clock.now().checked_add(pause);
            }
        }
        None
    }
}
