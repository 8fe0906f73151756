//! Callers who ask for a resource, each with a number of his own, and the view that answers with that number: for the
//! rows about Redis. What is done to Redis meanwhile is the rows' business.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use zc_events::{Context, Document, Error, EventClient, Outcome, ResourceObject, ResourceView, Value, ViewResult};

use super::Report;

const PATIENCE: Duration = Duration::from_secs(20);
/// Nothing has the number 0.
pub(super) const FIRST: u64 = 1;

/// The resource.
pub(super) const ECHO: &str = "Echo";

/// Answers who asks for `Echo` number n with n, and counts how often it was asked.
#[derive(Clone, Default)]
pub(super) struct Echo(Arc<AtomicU64>);

impl Echo {
    /// How often it was asked.
    #[must_use]
    pub(super) fn asked(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl ResourceView for Echo {
    fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
        self.0.fetch_add(1, Ordering::SeqCst);
        let number: u64 = pk.parse()?;
        Ok(Document::one(ResourceObject::new(ECHO, pk).attributes(&json!({ "number": number }))?).into())
    }
}

/// How calls ended. Shared between threads by reference.
pub(super) struct Calls {
    timeout: Duration,
    begun: AtomicU64,
    ends: Mutex<Ends>,
}

#[derive(Default)]
struct Ends {
    own: u64,
    crossed: u64,
    /// By the name of the stage: stages have no order.
    timeouts: BTreeMap<String, u64>,
    /// By what was said.
    unknown: BTreeMap<String, u64>,
    others: BTreeMap<String, u64>,
    /// Told that their time was over, when it was not.
    early: u64,
    /// By how much those that were not answered in time overran their deadlines.
    late: Vec<Duration>,
}

impl Calls {
    /// For callers whose clients have this `EVENTS_TIMEOUT`.
    #[must_use]
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, begun: AtomicU64::new(0), ends: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// Asks for one, in one of the two ways that there are.
    pub(super) fn ask(&self, client: &EventClient, number: u64) {
        let begun = self.begin();
        let answer = if number.is_multiple_of(2) {
            client.get_remote_resource::<Value>(ECHO, number)
        } else {
            client.remote(ECHO).pk(number).fetch::<Value>()
        };
        self.end(number, begun, self.timeout, answer);
    }

    /// Asks for one with a deadline of its own.
    pub(super) fn ask_within(&self, client: &EventClient, number: u64, timeout: Duration) {
        let begun = self.begin();
        let answer = client.remote(ECHO).pk(number).timeout(timeout).fetch::<Value>();
        self.end(number, begun, timeout, answer);
    }

    fn begin(&self) -> Instant {
        self.begun.fetch_add(1, Ordering::SeqCst);
        Instant::now()
    }

    fn end(&self, number: u64, begun: Instant, timeout: Duration, answer: Result<Value, Error>) {
        let took = begun.elapsed();
        let mut ends = self.lock();
        match answer {
            Ok(answer) if answer["number"] == number => ends.own += 1,
            Ok(_) => ends.crossed += 1,
            Err(Error::Timeout { stage }) => {
                *ends.timeouts.entry(format!("{stage:?}")).or_default() += 1;
                // What waits counts in milliseconds.
                ends.early += u64::from(took + Duration::from_millis(5) < timeout);
            }
            Err(Error::Unavailable { outcome: Outcome::Unknown, what, .. }) => {
                *ends.unknown.entry(what).or_default() += 1;
            }
            Err(other) => *ends.others.entry(other.to_string()).or_default() += 1,
        }
        if took > timeout {
            ends.late.push(took - timeout);
        }
    }

    /// Asks for all of `numbers` from `threads` threads, while the caller's own does `meanwhile`.
    pub(super) fn ask_all<T>(
        &self,
        client: &EventClient,
        threads: usize,
        numbers: Range<u64>,
        meanwhile: impl FnOnce() -> T,
    ) -> T {
        let next = AtomicU64::new(numbers.start);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        if number >= numbers.end {
                            return;
                        }
                        self.ask(client, number);
                    }
                });
            }
            meanwhile()
        })
    }

    /// How many calls were begun.
    #[must_use]
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    /// How many got their answers.
    #[must_use]
    pub(super) fn answered(&self) -> u64 {
        self.lock().own
    }

    /// How many ended at their deadline.
    #[must_use]
    pub(super) fn timeouts(&self) -> u64 {
        self.lock().timeouts.values().sum()
    }

    /// How many were told that nobody knows what became of the answer.
    #[must_use]
    pub(super) fn unknown(&self) -> u64 {
        self.lock().unknown.values().sum()
    }

    /// By how much those overran their deadlines that did.
    #[must_use]
    pub(super) fn late(&self) -> Vec<Duration> {
        self.lock().late.clone()
    }

    /// What became of the calls, and that each ended as it may: answered with what it asked for, at its deadline, or
    /// with the word that the outcome is unknown. `whose` goes before the figures.
    pub(super) fn report(&self, report: &mut Report, whose: &str) {
        let ends = self.lock();
        let timeouts: u64 = ends.timeouts.values().sum();
        let stages: Vec<_> = ends.timeouts.iter().map(|(stage, count)| format!("{stage} {count}")).collect();
        report.figure(&format!("{whose}requests"), self.begun());
        report.figure(&format!("{whose}answered"), ends.own);
        report.figure(&format!("{whose}timeouts"), format!("{timeouts} ({})", stages.join(", ")));
        let unknown: u64 = ends.unknown.values().sum();
        report.figure(&format!("{whose}unknown"), unknown);
        report.figure(&format!("{whose}crossed"), ends.crossed);
        report.equal(&format!("{whose}answers to the wrong caller"), ends.crossed, 0);
        report.equal(&format!("{whose}timeouts before their time"), ends.early, 0);
        let others: u64 = ends.others.values().sum();
        report.check(&format!("{whose}no request ends otherwise, but {others} do: {:?}", ends.others), others == 0);
        report.equal(
            &format!("{whose}requests that ended"),
            ends.own + ends.crossed + timeouts + unknown + others,
            self.begun(),
        );
    }
}

/// That so many callers who ask at the same time are answered: before a fault, so that connections are open and known
/// to work, and after it. `when` says which.
pub(super) fn all_are_answered(report: &mut Report, client: &EventClient, callers: u64, when: &str) {
    let calls = Calls::new(PATIENCE);
    thread::scope(|scope| {
        for number in FIRST..FIRST + callers {
            let calls = &calls;
            scope.spawn(move || calls.ask_within(client, number, PATIENCE));
        }
    });
    let Ends { own, timeouts, unknown, others, .. } = &*calls.lock();
    let seen = format!("{own} are, {timeouts:?} {unknown:?} {others:?}");
    report.check(&format!("all {callers} who ask {when} are answered, but {seen}"), *own == callers);
}
