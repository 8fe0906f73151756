//! Whether work is left in a fleet now. `time` moves the clock only if none is left.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Instant;

use zc_events::{ConsumedQueueSnapshot, ServiceMonitor, ServiceSnapshot};
use zc_events_protocol::Clock;

use crate::harness::{Harness, WaitReason, WaitingThread};

impl Harness {
    /// Whether no work is left now; the error says what is left.
    pub(crate) fn check_quiescent(&self) -> Result<(), String> {
        self.check_once()?;
        // A message may have moved from one place to another during the first check.
        thread::yield_now();
        self.check_once()
    }

    fn check_once(&self) -> Result<(), String> {
        let now = self.clock.now();
        let waiting = self.waiting();
        if waiting.iter().any(|thread| thread.deadline.instant() <= now) {
            return Err("a deadline has passed, and the thread that waits has not noticed it yet".to_owned());
        }
        let count = |reason| waiting.iter().filter(|thread| thread.reason == reason).count();
        if count(WaitReason::Reply) != self.store.waiting() {
            return Err("a reply is on its way to a caller".to_owned());
        }
        if count(WaitReason::Send) != self.broker.waiting_to_send() {
            return Err("a thread is about to send a message".to_owned());
        }
        let has_message = |thread: &WaitingThread| match &thread.reason {
            WaitReason::Message(queue) => self.broker.taken_and_untaken(queue) != (thread.taken_before, 0),
            _ => false,
        };
        if waiting.iter().any(has_message) {
            return Err("a message is on its way to a thread that waits for it".to_owned());
        }
        let services: Vec<ServiceSnapshot> = self.services().iter().filter_map(ServiceMonitor::snapshot).collect();
        check_workers(&services, &waiting)?;
        let names: BTreeSet<&str> = services.iter().map(|service| service.service.as_str()).collect();
        let mut disconnected = 0;
        for name in names {
            let copies: Vec<&ServiceSnapshot> = services.iter().filter(|service| service.service == name).collect();
            disconnected += self.check_queues(name, &copies, now)?;
        }
        if disconnected > count(WaitReason::Backoff) {
            return Err("a service is reconnecting".to_owned());
        }
        self.stub().map_or(Ok(()), |stub| stub.check_quiescent(&self.broker, now))
    }

    /// Checks that no message of a service's queues is ready or on its way to a worker. Returns how many queues the service
    /// should consume and does not. Copies of a service share its queues.
    fn check_queues(&self, service: &str, copies: &[&ServiceSnapshot], now: Instant) -> Result<usize, String> {
        let mut queues: BTreeMap<&str, Vec<(&ServiceSnapshot, &ConsumedQueueSnapshot)>> = BTreeMap::new();
        for copy in copies {
            for queue in &copy.queues {
                queues.entry(&queue.queue).or_default().push((copy, queue));
            }
        }
        let mut held: usize = copies.iter().map(|copy| copy.parked).sum();
        let (mut unacked, mut disconnected) = (0, 0);
        for (name, queues) in queues {
            let consumers = self.broker.consumers(name);
            if consumers < queues.iter().filter(|(_, queue)| queue.is_consuming).count() {
                return Err(format!("service `{service}` has not noticed yet that the connection to `{name}` is lost"));
            }
            disconnected += queues.iter().filter(|(copy, queue)| !queue.is_consuming && !copy.is_stopping).count();
            if consumers == 0 {
                continue;
            }
            if queues.iter().any(|(_, queue)| queue.next_due.is_some_and(|due| due <= now)) {
                return Err(format!("a scheduled message of `{name}` is due"));
            }
            let queue_unacked = self.broker.unacked(name).unwrap_or(0);
            let consuming = queues.iter().filter(|(copy, queue)| queue.is_consuming && !copy.is_stopping);
            let prefetch: usize = consuming.map(|(_, queue)| queue.prefetch).sum();
            if queue_unacked < prefetch && self.broker.queue_len(name).unwrap_or(0) > 0 {
                return Err(format!("messages are ready in `{name}`"));
            }
            held += queues.iter().map(|(_, queue)| queue.current + queue.scheduled).sum::<usize>();
            unacked += queue_unacked;
        }
        if unacked > held {
            return Err(format!("messages are on their way to the workers of service `{service}`"));
        }
        Ok(disconnected)
    }
}

/// Checks that each running handler waits, and that no worker is free for a waiting message.
fn check_workers(services: &[ServiceSnapshot], waiting: &[WaitingThread]) -> Result<(), String> {
    if let Some(service) = services.iter().find(|service| service.is_about_to_work && !service.is_stopping) {
        return Err(format!("a worker of service `{}` is about to take a message", service.service));
    }
    let taken: usize = services.iter().flat_map(|service| &service.queues).map(|queue| queue.taken).sum();
    let queued: usize = services.iter().map(|service| service.waiting).sum();
    // Several threads of one handler may wait.
    let in_handlers = waiting.iter().filter(|thread| thread.reason != WaitReason::Stop);
    let waiting_messages: BTreeSet<u64> = in_handlers.filter_map(|thread| thread.message).collect();
    match taken.saturating_sub(queued).saturating_sub(waiting_messages.len()) {
        0 => Ok(()),
        1 => Err("1 handler is running and does not wait for the clock or a message".to_owned()),
        running => Err(format!("{running} handlers are running and do not wait for the clock or a message")),
    }
}
