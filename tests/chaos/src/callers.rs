//! Callers that request a resource, each with its own number, and the view that answers with that number. The rows about
//! Redis use them and inject the faults.

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
/// The first number. 0 is not a valid id.
pub(super) const FIRST: u64 = 1;

/// The resource type.
pub(super) const ECHO: &str = "Echo";

/// A view that answers a request for `Echo` n with n, and counts its requests.
#[derive(Clone, Default)]
pub(super) struct Echo(Arc<AtomicU64>);

impl Echo {
    /// The number of requests so far.
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

/// The results of calls. Threads share it by reference.
pub(super) struct Calls {
    timeout: Duration,
    begun: AtomicU64,
    ends: Mutex<Ends>,
}

#[derive(Default)]
struct Ends {
    own: u64,
    crossed: u64,
    /// The key is the name of the stage, because stages have no order.
    timeouts: BTreeMap<String, u64>,
    /// The key is the text of the error.
    unknown: BTreeMap<String, u64>,
    others: BTreeMap<String, u64>,
    /// Timeouts that came before the deadline.
    early: u64,
    /// How long after its deadline each late call ended.
    late: Vec<Duration>,
}

impl Calls {
    /// No results yet, for clients with this `EVENTS_TIMEOUT`.
    #[must_use]
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, begun: AtomicU64::new(0), ends: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// Requests one resource: even numbers by `get_remote_resource`, odd ones by `remote`.
    pub(super) fn ask(&self, client: &EventClient, number: u64) {
        let begun = self.begin();
        let answer = if number.is_multiple_of(2) {
            client.get_remote_resource::<Value>(ECHO, number)
        } else {
            client.remote(ECHO).pk(number).fetch::<Value>()
        };
        self.end(number, begun, self.timeout, answer);
    }

    /// Requests one resource with a timeout of its own.
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
                // Some waits are rounded to whole milliseconds.
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

    /// Requests all of `numbers` from `threads` threads. The calling thread runs `meanwhile`.
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

    /// The number of calls that began.
    #[must_use]
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    /// The number of calls that got their own answer.
    #[must_use]
    pub(super) fn answered(&self) -> u64 {
        self.lock().own
    }

    /// The number of calls that ended with a timeout.
    #[must_use]
    pub(super) fn timeouts(&self) -> u64 {
        self.lock().timeouts.values().sum()
    }

    /// The number of calls that ended with an unknown outcome.
    #[must_use]
    pub(super) fn unknown(&self) -> u64 {
        self.lock().unknown.values().sum()
    }

    /// How long after its deadline each late call ended.
    #[must_use]
    pub(super) fn late(&self) -> Vec<Duration> {
        self.lock().late.clone()
    }

    /// Reports the results, and checks that each call ended with its own answer, with a timeout, or with an unknown
    /// outcome. `whose` stands before each figure.
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

/// Checks that so many callers get their answers at the same time. Before a fault this also opens the connections.
/// `when` says whether it is before or after the fault.
pub(super) fn all_are_answered(report: &mut Report, client: &EventClient, callers: u64, when: &str) {
    let calls = Calls::new(PATIENCE);
    thread::scope(|scope| {
        for number in FIRST..FIRST + callers {
            let calls = &calls;
            scope.spawn(move || calls.ask_within(client, number, PATIENCE));
        }
    });
    let Ends { own, timeouts, unknown, others, .. } = &*calls.lock();
    let seen = format!("{own}, timeouts {timeouts:?}, unknown {unknown:?}, other errors {others:?}");
    report.check(&format!("all {callers} callers get an answer {when}; answered: {seen}"), *own == callers);
}
