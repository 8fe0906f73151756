//! A list of expectations: which of them answers a request, which are unmet, and which requests matched none.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::expectation::{Expectation, Times};
use crate::received_request::ReceivedRequest;
use crate::reply::ExpectedReply;

#[cfg(test)]
mod tests;

/// A list of expectations. They are tried in order: the first that matches and is not used up gives the reply.
///
/// ```
/// use zc_events_testing::{Expectation, Expectations};
/// let expectations = Expectations::new([Expectation::get("Order").pk(5).status(404)]);
/// assert_eq!(expectations.unmet(), [r#"GET Order "5" (expected 1 time, received 0 times)"#]);
/// ```
#[derive(Debug, Default)]
pub struct Expectations(Mutex<ListState>);

#[derive(Debug, Default)]
struct ListState {
    entries: Vec<ListEntry>,
    /// Whether an expectation that sets no number of times is expected always.
    is_standing: bool,
    /// Requests that matched no expectation, and how often each was received.
    unexpected: Vec<(String, u32)>,
}

#[derive(Debug)]
struct ListEntry {
    expectation: Expectation,
    received: u32,
}

/// The result of looking up a request.
#[derive(PartialEq)]
pub(crate) enum Lookup {
    /// The reply, and the delay before it.
    Reply(ExpectedReply, Duration),
    /// No expectation matches; the text names the closest one.
    NoMatch(String),
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lookup::Reply(..) => f.write_str("Reply(..)"),
            Lookup::NoMatch(why) => write!(f, "NoMatch({why:?})"),
        }
    }
}

impl Expectations {
    /// Creates a list of these expectations.
    pub fn new(expected: impl IntoIterator<Item = Expectation>) -> Self {
        let expectations = Self::default();
        expectations.extend(expected);
        expectations
    }

    /// Creates a list in which an expectation without [`Expectation::times`] is expected [always](Expectation::always):
    /// for a stub that stands in for a service, not for one conversation with it.
    ///
    /// ```
    /// use zc_events_testing::{Expectation, Expectations};
    /// let expectations = Expectations::standing([Expectation::get("Order").pk(5).status(404)]);
    /// assert!(expectations.unmet().is_empty());
    /// ```
    pub fn standing(expected: impl IntoIterator<Item = Expectation>) -> Self {
        let expectations = Self(Mutex::new(ListState { is_standing: true, ..ListState::default() }));
        expectations.extend(expected);
        expectations
    }

    /// Adds expectations at the end.
    pub fn extend(&self, expected: impl IntoIterator<Item = Expectation>) {
        self.lock().extend(expected);
    }

    /// Replaces all expectations by these.
    pub fn replace(&self, expected: impl IntoIterator<Item = Expectation>) {
        let mut state = self.lock();
        state.entries.clear();
        state.extend(expected);
    }

    /// Removes all expectations and all unexpected requests.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        *state = ListState { is_standing: state.is_standing, ..ListState::default() };
    }

    /// The expectations that were not received as often as expected.
    #[must_use]
    pub fn unmet(&self) -> Vec<String> {
        self.lock().entries.iter().filter_map(ListEntry::unmet).collect()
    }

    /// The requests that matched no expectation, with the closest one.
    #[must_use]
    pub fn unexpected(&self) -> Vec<String> {
        let told = |(text, times): &(String, u32)| match times {
            1 => text.clone(),
            times => format!("{text} (received {times} times)"),
        };
        self.lock().unexpected.iter().map(told).collect()
    }

    /// Records a request that matched no expectation.
    pub(crate) fn note_unexpected(&self, text: String) {
        let mut state = self.lock();
        // A handler that is retried repeats its requests.
        match state.unexpected.iter_mut().find(|(noted, _)| *noted == text) {
            Some((_, times)) => *times += 1,
            None => state.unexpected.push((text, 1)),
        }
    }

    /// Finds the reply to a request, and counts the request.
    pub(crate) fn find(&self, request: &ReceivedRequest) -> Lookup {
        let mut state = self.lock();
        let answers = |entry: &&mut ListEntry| entry.is_open() && entry.expectation.matcher.matches(request);
        if let Some(entry) = state.entries.iter_mut().find(answers) {
            entry.received += 1;
            let Expectation { reply, delay, error_rate, .. } = &entry.expectation;
            let fails = *error_rate > 0.0 && fastrand::f64() < *error_rate;
            let reply = if fails { ExpectedReply::random_failure(&request.target) } else { reply.clone() };
            return Lookup::Reply(reply, *delay);
        }
        Lookup::NoMatch(state.no_match(request))
    }

    fn lock(&self) -> MutexGuard<'_, ListState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ListEntry {
    fn times(&self) -> Times {
        self.expectation.times.unwrap_or(Times::Exactly(1))
    }

    fn is_open(&self) -> bool {
        match self.times() {
            Times::Exactly(times) => self.received < times,
            Times::Always => true,
        }
    }

    fn unmet(&self) -> Option<String> {
        let Times::Exactly(expected) = self.times() else { return None };
        let received = self.received;
        (received < expected).then(|| {
            format!(
                "{} (expected {}, received {})",
                self.expectation,
                number_of_times(expected),
                number_of_times(received)
            )
        })
    }
}

fn number_of_times(times: u32) -> String {
    if times == 1 { "1 time".to_owned() } else { format!("{times} times") }
}

impl ListState {
    fn extend(&mut self, expected: impl IntoIterator<Item = Expectation>) {
        let is_standing = self.is_standing;
        self.entries.extend(expected.into_iter().map(|expectation| {
            let is_always = is_standing && expectation.times.is_none();
            ListEntry { expectation: if is_always { expectation.always() } else { expectation }, received: 0 }
        }));
    }

    /// Says that no expectation matches the request, and how the closest one differs from it.
    fn no_match(&self, request: &ReceivedRequest) -> String {
        let candidates = self.entries.iter().map(|entry| (entry, entry.expectation.matcher.differences(request)));
        let weight = |differences: &[_]| {
            differences.iter().map(|it: &crate::request_matcher::Difference| it.weight).sum::<u32>()
        };
        let closest = candidates.min_by_key(|(_, differences)| weight(differences));
        let Some((entry, differences)) = closest else { return "there are no expectations".to_owned() };
        if differences.iter().any(|difference| difference.is_other_target()) {
            let method = request.method.as_deref().map(|method| format!("{method} ")).unwrap_or_default();
            let kind = if request.target.is_call() { "" } else { "request for " };
            return format!("no expectation for a {method}{kind}{}", request.target);
        }
        let mut texts: Vec<String> = differences.into_iter().map(|difference| difference.text).collect();
        if texts.is_empty() {
            texts.push(format!("used up: answered {}", number_of_times(entry.received)));
        }
        format!("no match; closest expectation: {} ({})", entry.expectation, texts.join("; "))
    }
}
