//! Whether nothing is left to do in a test at this moment. What follows from that is in `time`.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Instant;

use zc_events_protocol::Clock;

use crate::harness::{WaitedFor, Waiting, World};
use zc_events::{ConsumedQueueSnapshot, ServiceMonitor, ServiceSnapshot};

impl World {
    /// Whether nothing is left to do at this moment; else what is.
    pub(crate) fn rest(&self) -> Result<(), String> {
        self.look()?;
        // Once more: a message may have been on its way from one place to another.
        thread::yield_now();
        self.look()
    }

    fn look(&self) -> Result<(), String> {
        let now = self.clock.now();
        let waiting = self.all_waiting();
        if waiting.iter().any(|waiting| waiting.deadline.instant() <= now) {
            return Err("somebody's deadline has passed and he has yet to notice".to_owned());
        }
        let count = |what| waiting.iter().filter(|waiting| waiting.what == what).count();
        if count(WaitedFor::Answer) != self.store.waiting() {
            return Err("an answer is on its way to whoever waits for it".to_owned());
        }
        if count(WaitedFor::Room) != self.broker.waiting_to_send() {
            return Err("somebody is about to send a message".to_owned());
        }
        let is_there = |waiting: &Waiting| match &waiting.what {
            WaitedFor::Message(queue) => self.broker.taken_and_untaken(queue) != (waiting.taken, 0),
            _ => false,
        };
        if waiting.iter().any(is_there) {
            return Err("a message is on its way to whoever waits for it".to_owned());
        }
        let sights: Vec<ServiceSnapshot> = self.services().iter().filter_map(ServiceMonitor::snapshot).collect();
        self.look_at_workers(&sights, &waiting)?;
        let mut lost = 0;
        let names: BTreeSet<&str> = sights.iter().map(|sight| sight.service.as_str()).collect();
        for name in names {
            let copies: Vec<&ServiceSnapshot> = sights.iter().filter(|sight| sight.service == name).collect();
            lost += self.look_at_queues(name, &copies, now)?;
        }
        if lost > count(WaitedFor::Pause) {
            return Err("a service comes back".to_owned());
        }
        self.stub().map_or(Ok(()), |stub| stub.rest(&self.broker, now))
    }

    /// Whether all that workers have waits for somebody, and no worker is free for what waits for one.
    fn look_at_workers(&self, sights: &[ServiceSnapshot], waiting: &[Waiting]) -> Result<(), String> {
        if let Some(sight) = sights.iter().find(|sight| sight.is_about_to_work && !sight.is_stopping) {
            return Err(format!("a worker of service `{}` is about to take a message", sight.service));
        }
        let under_way: usize = sights.iter().flat_map(|sight| &sight.queues).map(|lane| lane.taken).sum();
        let queued: usize = sights.iter().map(|sight| sight.waiting).sum();
        // A handler may wait in several threads.
        let waits = |waiting: &&Waiting| waiting.what != WaitedFor::Stop;
        let jobs: BTreeSet<u64> = waiting.iter().filter(waits).filter_map(|waiting| waiting.job).collect();
        match under_way.saturating_sub(queued).saturating_sub(jobs.len()) {
            0 => Ok(()),
            running => Err(format!("{running} handlers run and wait for nothing that this test could bring")),
        }
    }

    /// How many queues of a service that should be consumed are not, where all messages of the others have come to rest.
    /// Its copies take turns at one queue each.
    fn look_at_queues(&self, service: &str, copies: &[&ServiceSnapshot], now: Instant) -> Result<usize, String> {
        let mut lanes: BTreeMap<&str, Vec<(&ServiceSnapshot, &ConsumedQueueSnapshot)>> = BTreeMap::new();
        for sight in copies {
            for lane in &sight.queues {
                lanes.entry(&lane.queue).or_default().push((sight, lane));
            }
        }
        let mut accounted: usize = copies.iter().map(|sight| sight.parked).sum();
        let (mut unacked, mut lost) = (0, 0);
        for (queue, lanes) in lanes {
            let consumers = self.broker.consumers(queue);
            if consumers < lanes.iter().filter(|(_, lane)| lane.is_consuming).count() {
                return Err(format!("service `{service}` has yet to notice that `{queue}` is lost"));
            }
            lost += lanes.iter().filter(|(sight, lane)| !lane.is_consuming && !sight.is_stopping).count();
            if consumers == 0 {
                continue;
            }
            if lanes.iter().any(|(_, lane)| lane.next_due.is_some_and(|due| due <= now)) {
                return Err(format!("a message of `{queue}` that was held back is due"));
            }
            let out = self.broker.unacked(queue).unwrap_or(0);
            let takes = lanes.iter().filter(|(sight, lane)| lane.is_consuming && !sight.is_stopping);
            let room: usize = takes.map(|(_, lane)| lane.prefetch).sum();
            if out < room && self.broker.queue_len(queue).unwrap_or(0) > 0 {
                return Err(format!("messages are ready in `{queue}`"));
            }
            accounted += lanes.iter().map(|(_, lane)| lane.current + lane.scheduled).sum::<usize>();
            unacked += out;
        }
        if unacked > accounted {
            return Err(format!("messages are on their way to the workers of service `{service}`"));
        }
        Ok(lost)
    }
}
