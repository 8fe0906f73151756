//! Many calls at the same moment, with the same deadline: how they end, and how late.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use zc_events::{Clock, Stage, SystemClock};
use zc_events_protocol::Deadline;

use super::Report;

/// The results of the calls.
#[derive(Default)]
pub(super) struct Burst {
    /// The number of calls that succeeded.
    pub(super) done: u64,
    /// How late each other call ended after its deadline.
    pub(super) late: Vec<Duration>,
    /// By the name of the stage: stages have no order.
    timeouts: BTreeMap<String, u64>,
    failures: BTreeMap<String, u64>,
}

impl Burst {
    /// Lets `callers` threads make the call. `Ok(Some(stage))` is a timeout at this stage, `Err` another failure.
    pub(super) fn run(
        &mut self,
        callers: u64,
        timeout: Duration,
        call: impl Fn(Deadline) -> Result<Option<Stage>, String> + Sync,
    ) {
        let start = Barrier::new(callers as usize);
        let ended = thread::scope(|scope| {
            let one = || {
                start.wait();
                let deadline = SystemClock.deadline(timeout);
                let end = call(deadline);
                (Instant::now().saturating_duration_since(deadline.instant()), end)
            };
            let all: Vec<_> = (0..callers).map(|_| scope.spawn(one)).collect();
            all.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
        });
        for end in ended {
            match end {
                Ok((_, Ok(None))) => self.done += 1,
                Ok((late, Ok(Some(stage)))) => {
                    *self.timeouts.entry(format!("{stage:?}")).or_default() += 1;
                    self.late.push(late);
                }
                Ok((late, Err(other))) => {
                    *self.failures.entry(other).or_default() += 1;
                    self.late.push(late);
                }
                Err(_) => *self.failures.entry("a panic".to_owned()).or_default() += 1,
            }
        }
    }

    /// Checks that no call succeeded, that all timed out, and at least `least` of them at `stage`.
    pub(super) fn report(&self, report: &mut Report, what: &str, stage: Stage, least: u64) {
        let shown: Vec<_> = self.timeouts.iter().map(|(stage, count)| format!("{stage} {count}")).collect();
        report.figure(&format!("{what}: timeouts"), shown.join(", "));
        let named = self.timeouts.get(&format!("{stage:?}")).copied().unwrap_or_default();
        report.equal(&format!("{what}: done"), self.done, 0);
        let (failures, failed) = (&self.failures, self.failures.values().sum::<u64>());
        report.check(&format!("{what}: no other failure, but {failed}: {failures:?}"), failed == 0);
        report.check(&format!("{what}: {stage:?} is named to {least} or more, but {named}"), named >= least);
    }
}
