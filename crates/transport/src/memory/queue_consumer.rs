//! The server's side of a subscription: what is out with it, and how it is woken.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::message::{MessageContent, QueuedMessage};

/// Why a subscription gives nothing any more, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Its queue was deleted.
    Deleted,
    /// Its broker handle was closed.
    Closed,
    /// The broker went away.
    Lost,
}

/// A message on its way to the subscription's owner.
pub(super) struct Taken {
    pub(super) tag: u64,
    pub(super) redelivered: bool,
    pub(super) returns: u64,
    pub(super) content: Arc<MessageContent>,
}

#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) queue: Arc<str>,
    pub(super) connection: u64,
    pub(super) ended: Option<Ended>,
    prefetch: usize,
    last_tag: u64,
    /// All without a verdict.
    unsettled: BTreeMap<u64, QueuedMessage>,
    /// Those of them that were not given out yet.
    waiting: VecDeque<u64>,
    taken: u64,
    wake: Sender<()>,
}

impl Consumer {
    /// `wake` has room for one message.
    pub(super) fn new(queue: Arc<str>, connection: u64, prefetch: u16, wake: Sender<()>) -> Self {
        Self {
            queue,
            connection,
            ended: None,
            prefetch: usize::from(prefetch.max(1)),
            last_tag: 0,
            unsettled: BTreeMap::new(),
            waiting: VecDeque::new(),
            taken: 0,
            wake,
        }
    }

    /// How many were given out, and how many were not yet.
    pub(super) fn taken_and_untaken(&self) -> (u64, usize) {
        (self.taken, self.waiting.len())
    }

    pub(super) fn has_room(&self) -> bool {
        self.unsettled.len() < self.prefetch
    }

    /// How many messages have no verdict.
    pub(super) fn unsettled(&self) -> usize {
        self.unsettled.len()
    }

    pub(super) fn hand(&mut self, message: QueuedMessage) {
        self.last_tag += 1;
        self.unsettled.insert(self.last_tag, message);
        self.waiting.push_back(self.last_tag);
        self.wake();
    }

    /// Makes a waiting `next` look again.
    pub(super) fn wake(&self) {
        // Where there is no room, it has been told already.
        let _ = self.wake.try_send(());
    }

    pub(super) fn take(&mut self) -> Option<Taken> {
        let tag = self.waiting.pop_front()?;
        self.taken += 1;
        if !self.waiting.is_empty() {
            // Another thread may wait for the next one.
            self.wake();
        }
        let message = self.unsettled.get(&tag)?;
        Some(Taken {
            tag,
            redelivered: message.redelivered,
            returns: message.returns,
            content: message.content.clone(),
        })
    }

    /// The message that a verdict is for; `None` where it has one already.
    pub(super) fn settle(&mut self, tag: u64) -> Option<QueuedMessage> {
        self.unsettled.remove(&tag)
    }

    /// What was not given out.
    pub(super) fn give_back_waiting(&mut self) -> Vec<QueuedMessage> {
        std::mem::take(&mut self.waiting).into_iter().filter_map(|tag| self.unsettled.remove(&tag)).collect()
    }

    /// Ends it; everything without a verdict comes back.
    pub(super) fn end(&mut self, why: Ended) -> Vec<QueuedMessage> {
        self.ended = Some(why);
        self.waiting.clear();
        self.wake();
        std::mem::take(&mut self.unsettled).into_values().collect()
    }
}
