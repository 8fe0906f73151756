//! Connections whose callers left at their deadline while a BLPOP was out: its end may come a
//! tenth of a second later (a server looks at its timeouts when it has a reason to wake) or, from a
//! server that stalls, much later. One thread takes what comes, puts an answer back for
//! whoever asks next, and the connection serves again.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use zc_events_protocol::Deadline;

use super::commands::{PATIENCE, found, put_back};
use super::connect::Connector;
use super::link::Trouble;
use super::pool::Lease;
use super::watch::Watch;

/// How long one round over all connections waits.
const ROUND: Duration = Duration::from_millis(10);

pub(super) struct Late {
    connector: Arc<Connector>,
    watch: Arc<Watch>,
    /// To the thread, which begins with the first connection and ends with the store.
    queue: Mutex<Option<Sender<Owed>>>,
}

/// A connection on which the end of a BLPOP is owed.
struct Owed {
    lease: Lease,
    keys: Vec<String>,
    until: Deadline,
}

impl Late {
    pub(super) fn new(connector: Arc<Connector>, watch: Arc<Watch>) -> Self {
        Self { connector, watch, queue: Mutex::default() }
    }

    /// Takes over a connection on which a BLPOP for `keys` is out. Does not wait.
    pub(super) fn adopt(&self, lease: Lease, keys: &[&str]) {
        let keys = keys.iter().map(|&key| key.to_owned()).collect();
        let until = self.connector.clock.deadline(PATIENCE);
        let mut owed = Owed { lease, keys, until };
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = &*queue {
            match sender.send(owed) {
                Ok(()) => return,
                Err(unsent) => owed = unsent.into_inner(),
            }
        }
        let (sender, receiver) = unbounded();
        let (connector, watch) = (Arc::clone(&self.connector), Arc::clone(&self.watch));
        let thread = thread::Builder::new().name("zc-events-redis-late".to_owned());
        match thread.spawn(move || collect(&connector, &watch, &receiver)) {
            Ok(_) => {
                let _ = sender.send(owed);
                *queue = Some(sender);
            }
            // The connection is closed unread, and an answer on it is gone.
            Err(error) => log::warn!("no thread for late answers: {error}"),
        }
    }
}

fn collect(connector: &Connector, watch: &Watch, queue: &Receiver<Owed>) {
    let mut all = Vec::new();
    loop {
        if all.is_empty() {
            match queue.recv() {
                Ok(owed) => all.push(owed),
                Err(_) => return,
            }
        }
        all.extend(queue.try_iter());
        let share = ROUND / u32::try_from(all.len()).unwrap_or(u32::MAX);
        all.retain_mut(|owed| owed.is_still_owed(connector, watch, share));
    }
}

impl Owed {
    /// Waits for `share`, and says whether there is more to wait for.
    fn is_still_owed(&mut self, connector: &Connector, watch: &Watch, share: Duration) -> bool {
        let clock = &*connector.clock;
        let Ok(link) = self.lease.link() else { return false };
        let mut answer = None;
        let result = link.receive(1, clock, clock.deadline(share), |taken| answer = Some(taken));
        let value = match (result, answer) {
            (Ok(()), Some(Ok(value))) => value,
            (Err(Trouble::TimedOut), None) => return !self.until.has_passed(clock),
            _ => return false,
        };
        match found(value, &self.keys) {
            Ok(None) => {}
            Ok(Some(found)) => put_back(connector, watch, link, found, clock.deadline(PATIENCE)),
            Err(_) => link.spoil(),
        }
        false
    }
}
