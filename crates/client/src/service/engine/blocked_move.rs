//! A message that is to go to another queue of its service, and where it is to go. `settle` moves it, and tries again while
//! the other queue does not take it: given back to its own queue it would be delivered and handled again at once, and
//! quorum queues drop what comes back too often.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::attempts::Attempts;
use super::disposition::DeadLetterReason;
use super::message::InboundMessage;
use super::processing::Processing;

/// The pause after a first failure, which doubles, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Where a message is to go.
pub(super) enum Destination {
    /// A delay queue, to come back after it; `is_retry` where an attempt has failed.
    DelayQueue { delay: Duration, attempts: Attempts, is_retry: bool },
    /// The queue whose messages are handled one by one.
    Quarantine(Attempts),
    /// The dead letters.
    DeadLetters(DeadLetterReason),
}

impl Destination {
    /// Its name in log lines.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Destination::DelayQueue { .. } => "a delay queue",
            Destination::Quarantine(_) => "the quarantine",
            Destination::DeadLetters(_) => "the dead letters",
        }
    }
}

/// A message on its way to another queue.
pub(super) struct Move {
    pub(super) processing: Processing,
    pub(super) destination: Destination,
    failures: u32,
    blocked: Option<BlockedMove>,
}

impl Move {
    pub(super) fn new(processing: Processing, destination: Destination) -> Self {
        Self { processing, destination, failures: 0, blocked: None }
    }

    /// It was not taken. Says how long to wait before the next try; `moves` counts it while it lives.
    pub(super) fn blocked(&mut self, moves: &BlockedMoves) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(self.failures)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.blocked.get_or_insert_with(|| moves.one_more());
        pause
    }
}

/// How many moves are blocked.
#[derive(Default)]
pub(super) struct BlockedMoves(Arc<AtomicUsize>);

impl BlockedMoves {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    fn one_more(&self) -> BlockedMove {
        self.0.fetch_add(1, Ordering::AcqRel);
        BlockedMove(Arc::clone(&self.0))
    }
}

/// Counts one that is blocked, for as long as it lives.
struct BlockedMove(Arc<AtomicUsize>);

impl Drop for BlockedMove {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a worker is given.
pub(super) enum Work {
    /// A message.
    Message(Arc<InboundMessage>),
    /// A move that was blocked, and is to be tried again.
    Move(Box<Move>),
}

impl Work {
    pub(super) fn message(&self) -> &Arc<InboundMessage> {
        match self {
            Work::Message(message) => message,
            Work::Move(blocked) => &blocked.processing.message,
        }
    }
}
