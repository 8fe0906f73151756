//! The messages that this process knows, by the id of their envelope: a completed one is not handled again, and one that is
//! being handled is not handled twice at once. Bounded: the oldest are forgotten. `store` knows the messages of other
//! processes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;
use zc_events_protocol::Task;
use zc_events_transport::{Settler, Verdict};

use crate::service::engine::disposition::Answer;

/// How many messages are remembered, and how many bytes of answers.
const MOST: usize = 20_000;
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// What tells a message from others: the id of its envelope, how often Celery has sent it again on purpose, and what it
/// says. Two messages may share an id (an event that served as a template, say), and a copy of one says the same, byte
/// for byte. One notification goes out to several channels; elsewhere `channel` is empty. Never `kwargs.task_id`, which
/// senders choose. A digest, since peers choose the length of ids.
pub(in crate::service::engine) fn key(task: &Task, channel: &str, body: &[u8]) -> Option<String> {
    let id = task.id.as_deref().filter(|id| !id.is_empty())?;
    let channel = if channel.is_empty() { String::new() } else { format!("/{channel}") };
    let who = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{id}/{}{channel}", task.retries).as_bytes());
    Some(Uuid::new_v5(&who, body).simple().to_string())
}

/// What is known of a message that has come.
#[derive(Debug)]
pub(in crate::service::engine) enum Begun {
    /// It is to be handled; the caller must say [`LocalDedup::end`]. With whether this process knows it from before, and
    /// knows that it did no harm.
    Now { known: bool },
    /// It is being handled; the verdict on it will come from there.
    Parked,
    /// It was completed.
    Completed(Answer),
}

/// How the handling of a message ended.
pub(in crate::service::engine) enum Completion {
    /// Completed, with the answer.
    Completed(Answer),
    /// It is about to move to another queue of the service. Said before it does: the copy may be there at once, and must
    /// not be taken for one that came too often.
    Moved,
    /// It is done with, and not to be remembered.
    Gone,
    /// It goes back to its queue unharmed.
    Returned,
}

enum MessageState {
    Running { parked: Vec<Settler> },
    Completed { answer: Answer, at: Instant },
    Returned { at: Instant },
}

/// The memory of a service.
pub(in crate::service::engine) struct LocalDedup {
    inner: Mutex<Memory>,
    ttl: Duration,
}

#[derive(Default)]
struct Memory {
    states: HashMap<String, MessageState>,
    /// The keys of what ended, the oldest first. A key may stand in it more than once.
    ended: VecDeque<(Instant, String)>,
    bytes: usize,
}

impl LocalDedup {
    pub(in crate::service::engine) fn new(ttl: Duration) -> Self {
        Self { inner: Mutex::default(), ttl }
    }

    /// A message has come.
    pub(in crate::service::engine) fn begin(&self, key: &str, settler: &Settler, now: Instant) -> Begun {
        let mut inner = self.lock();
        inner.forget_old(now, self.ttl);
        let known = match inner.states.get_mut(key) {
            Some(MessageState::Running { parked }) => {
                parked.push(settler.clone());
                return Begun::Parked;
            }
            Some(MessageState::Completed { answer, .. }) => return Begun::Completed(answer.clone()),
            Some(MessageState::Returned { .. }) => true,
            None => false,
        };
        inner.states.insert(key.to_owned(), MessageState::Running { parked: Vec::new() });
        Begun::Now { known }
    }

    /// Its handling ended. Returns the copies that came meanwhile, which the caller settles with the verdict beside them.
    pub(in crate::service::engine) fn end(&self, key: &str, end: Completion, now: Instant) -> (Vec<Settler>, Verdict) {
        let mut inner = self.lock();
        let Some(MessageState::Running { parked }) = inner.states.remove(key) else {
            return (Vec::new(), Verdict::Ack);
        };
        let verdict = match end {
            Completion::Completed(answer) => {
                inner.bytes += answer.as_ref().map_or(0, |answer| answer.len());
                inner.remember(key, MessageState::Completed { answer, at: now }, now);
                Verdict::Ack
            }
            Completion::Gone => Verdict::Ack,
            Completion::Moved if parked.is_empty() => return (parked, Verdict::Requeue),
            Completion::Moved | Completion::Returned => {
                inner.remember(key, MessageState::Returned { at: now }, now);
                Verdict::Requeue
            }
        };
        (parked, verdict)
    }

    /// It could not move after all, and goes back to its queue.
    pub(in crate::service::engine) fn stayed(&self, key: &str, now: Instant) {
        let mut inner = self.lock();
        if !inner.states.contains_key(key) {
            inner.remember(key, MessageState::Returned { at: now }, now);
        }
    }

    /// How many wait for the verdict on another copy of theirs.
    pub(in crate::service::engine) fn parked(&self) -> usize {
        let count = |state: &MessageState| if let MessageState::Running { parked } = state { parked.len() } else { 0 };
        self.lock().states.values().map(count).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn remember(&mut self, key: &str, state: MessageState, now: Instant) {
        self.states.insert(key.to_owned(), state);
        self.ended.push_back((now, key.to_owned()));
    }

    fn forget_old(&mut self, now: Instant, ttl: Duration) {
        while let Some((at, _)) = self.ended.front() {
            let is_old = now.saturating_duration_since(*at) > ttl;
            if !is_old && self.ended.len() <= MOST && self.bytes <= MOST_BYTES {
                return;
            }
            let Some((at, key)) = self.ended.pop_front() else { return };
            // Unless it came and ended again since.
            let is_it = match self.states.get(&key) {
                Some(MessageState::Completed { at: ended, .. } | MessageState::Returned { at: ended }) => *ended == at,
                _ => false,
            };
            if is_it && let Some(MessageState::Completed { answer: Some(answer), .. }) = self.states.remove(&key) {
                self.bytes -= answer.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use zc_events_transport::Settle;

    #[derive(Default)]
    struct Verdicts(Mutex<Vec<(u64, Verdict)>>);

    impl Settle for Verdicts {
        fn settle(&self, tag: u64, verdict: Verdict) {
            self.0.lock().unwrap().push((tag, verdict));
        }
    }

    fn settler(tag: u64, verdicts: &Arc<Verdicts>) -> Settler {
        Settler::new(tag, Arc::clone(verdicts) as Arc<dyn Settle>)
    }

    /// Ends it, and gives the copies their verdict, as `settle` does.
    fn end(dedup: &LocalDedup, key: &str, completion: Completion, now: Instant) {
        let (parked, verdict) = dedup.end(key, completion, now);
        parked.iter().for_each(|settler| settler.settle(verdict));
    }

    #[test]
    fn a_message_is_handled_once_and_its_copies_share_the_verdict() {
        let (dedup, verdicts, now) = (LocalDedup::new(Duration::from_secs(60)), Arc::default(), Instant::now());
        assert!(matches!(dedup.begin("a", &settler(1, &verdicts), now), Begun::Now { known: false }));
        assert!(matches!(dedup.begin("a", &settler(2, &verdicts), now), Begun::Parked));
        assert!(verdicts.0.lock().unwrap().is_empty());
        end(&dedup, "a", Completion::Completed(Some(Arc::from(*b"answer"))), now);
        assert_eq!(*verdicts.0.lock().unwrap(), [(2, Verdict::Ack)]);
        let again = dedup.begin("a", &settler(3, &verdicts), now);
        assert!(matches!(again, Begun::Completed(Some(answer)) if *answer == *b"answer"));
    }

    #[test]
    fn what_went_back_is_known_and_what_moved_is_not() {
        let (dedup, verdicts, now) = (LocalDedup::new(Duration::from_secs(60)), Arc::default(), Instant::now());
        dedup.begin("a", &settler(1, &verdicts), now);
        dedup.begin("a", &settler(2, &verdicts), now);
        end(&dedup, "a", Completion::Returned, now);
        assert_eq!(*verdicts.0.lock().unwrap(), [(2, Verdict::Requeue)]);
        assert!(matches!(dedup.begin("a", &settler(3, &verdicts), now), Begun::Now { known: true }));
        end(&dedup, "a", Completion::Moved, now);
        assert!(matches!(dedup.begin("a", &settler(4, &verdicts), now), Begun::Now { known: false }));
        dedup.begin("a", &settler(5, &verdicts), now);
        end(&dedup, "a", Completion::Gone, now);
        assert_eq!(verdicts.0.lock().unwrap()[1..], [(5, Verdict::Ack)]);
    }

    #[test]
    fn a_copy_that_comes_while_the_first_one_moves_is_never_acknowledged_with_it() {
        let (dedup, verdicts, now) = (LocalDedup::new(Duration::from_secs(60)), Arc::default(), Instant::now());
        dedup.begin("a", &settler(1, &verdicts), now);
        dedup.begin("a", &settler(2, &verdicts), now);
        end(&dedup, "a", Completion::Moved, now);
        assert_eq!(*verdicts.0.lock().unwrap(), [(2, Verdict::Requeue)]);
        assert!(matches!(dedup.begin("a", &settler(2, &verdicts), now), Begun::Now { known: true }));
        end(&dedup, "a", Completion::Moved, now);
        dedup.stayed("a", now);
        assert!(matches!(dedup.begin("a", &settler(1, &verdicts), now), Begun::Now { known: true }));
    }

    #[test]
    fn the_memory_is_bounded_in_time_number_and_bytes() {
        let (dedup, verdicts, start) = (LocalDedup::new(Duration::from_secs(60)), Arc::default(), Instant::now());
        let complete = |key: &str, answer: Answer, now| {
            dedup.begin(key, &settler(1, &verdicts), now);
            end(&dedup, key, Completion::Completed(answer), now);
        };
        complete("old", Some(Arc::from(vec![0; 1000])), start);
        let later = start + Duration::from_secs(61);
        assert!(matches!(dedup.begin("old", &settler(1, &verdicts), later), Begun::Now { known: false }));
        end(&dedup, "old", Completion::Gone, later);
        assert_eq!(dedup.lock().bytes, 0);
        for number in 0..MOST + 10 {
            complete(&number.to_string(), None, later);
        }
        assert!(dedup.lock().states.len() <= MOST + 1);
        for number in 0..40 {
            complete(&format!("large {number}"), Some(Arc::from(vec![0; 1024 * 1024])), later);
        }
        assert!(dedup.lock().bytes <= MOST_BYTES + 1024 * 1024);
    }
}
