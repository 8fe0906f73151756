//! All that is expected, and which of it answers what was asked. Who is answered how is in `stub`.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use zc_events_protocol::RemoteError;

use crate::expectation::{ANOTHER, Answer, Expectation, Times};
use crate::received_request::{Asked, What};

/// A list of expectations, in whose order they are tried: the first that fits and is not used up answers.
///
/// ```
/// use zc_events_testing::{Answers, Expectation};
/// let answers = Answers::new([Expectation::get("Order").pk(5).status(404)]);
/// assert_eq!(answers.unmet(), [r#"GET Order "5" (expected once, came 0 times)"#]);
/// ```
#[derive(Debug, Default)]
pub struct Answers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    slots: Vec<Slot>,
    /// Whether those that do not say how often hold always.
    is_standing: bool,
    /// And how often.
    unexpected: Vec<(String, u32)>,
}

#[derive(Debug)]
struct Slot {
    expectation: Expectation,
    came: u32,
}

/// What something that was asked leads to.
#[derive(PartialEq)]
pub(crate) enum Found {
    Answer(Answer, Duration),
    /// Nothing is expected like that. What is nearest, in words.
    Nothing(String),
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Answer(..) => f.write_str("Answer(..)"),
            Found::Nothing(nearest) => write!(f, "Nothing({nearest:?})"),
        }
    }
}

impl Answers {
    /// These.
    pub fn new(expected: impl IntoIterator<Item = Expectation>) -> Self {
        let answers = Self::default();
        answers.extend(expected);
        answers
    }

    /// These, each of which holds [always](Expectation::always) unless it says how often: what stands in for a service, and
    /// not for one conversation with it.
    ///
    /// ```
    /// use zc_events_testing::{Answers, Expectation};
    /// let answers = Answers::standing([Expectation::get("Order").pk(5).status(404)]);
    /// assert!(answers.unmet().is_empty());
    /// ```
    pub fn standing(expected: impl IntoIterator<Item = Expectation>) -> Self {
        let answers = Self(Mutex::new(State { is_standing: true, ..State::default() }));
        answers.extend(expected);
        answers
    }

    /// Adds more, behind those that are there.
    pub fn extend(&self, expected: impl IntoIterator<Item = Expectation>) {
        self.lock().extend(expected);
    }

    /// Takes these in place of those that are there.
    pub fn replace(&self, expected: impl IntoIterator<Item = Expectation>) {
        let mut state = self.lock();
        state.slots.clear();
        state.extend(expected);
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        *state = State { is_standing: state.is_standing, ..State::default() };
    }

    /// What was expected and has not come as often as it should.
    #[must_use]
    pub fn unmet(&self) -> Vec<String> {
        self.lock().slots.iter().filter_map(Slot::unmet).collect()
    }

    /// What has come and was not expected, with what is nearest to it.
    #[must_use]
    pub fn unexpected(&self) -> Vec<String> {
        let told = |(what, times): &(String, u32)| match times {
            1 => what.clone(),
            times => format!("{what} (it came {times} times)"),
        };
        self.lock().unexpected.iter().map(told).collect()
    }

    /// Notes something that should not have come.
    pub(crate) fn note_unexpected(&self, what: String) {
        let mut state = self.lock();
        // What asks in an event's handler asks again with each of its attempts.
        match state.unexpected.iter_mut().find(|(noted, _)| *noted == what) {
            Some((_, times)) => *times += 1,
            None => state.unexpected.push((what, 1)),
        }
    }

    /// The answer to what was asked; what gives it is used up by that.
    pub(crate) fn find(&self, asked: &Asked) -> Found {
        let mut state = self.lock();
        let fits = |slot: &&mut Slot| slot.is_open() && slot.expectation.differences(asked).is_empty();
        if let Some(slot) = state.slots.iter_mut().find(fits) {
            slot.came += 1;
            let Expectation { answer, delay, error_rate, .. } = &slot.expectation;
            let fails = *error_rate > 0.0 && fastrand::f64() < *error_rate;
            let answer = if fails { Answer::failure_by_chance(&asked.what) } else { answer.clone() };
            return Found::Answer(answer, *delay);
        }
        Found::Nothing(state.nearest(asked))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answer {
    fn failure_by_chance(of: &What) -> Self {
        const TEXT: &str = "It was made to fail, by chance.";
        if let What::Call { .. } = of {
            return Answer::Errors(vec![RemoteError::new("FailureByChance", TEXT)]);
        }
        let error = serde_json::json!({"errors": [{"status": "500", "detail": TEXT}]});
        Answer::Status { status: 500, body: Some(error) }
    }
}

impl Slot {
    fn times(&self) -> Times {
        self.expectation.times.unwrap_or(Times::Exactly(1))
    }

    fn is_open(&self) -> bool {
        match self.times() {
            Times::Exactly(times) => self.came < times,
            Times::Always => true,
        }
    }

    fn unmet(&self) -> Option<String> {
        let Times::Exactly(times) = self.times() else { return None };
        let often = if times == 1 { "once".to_owned() } else { format!("{times} times") };
        (self.came < times).then(|| format!("{} (expected {often}, came {} times)", self.expectation, self.came))
    }
}

impl State {
    fn extend(&mut self, expected: impl IntoIterator<Item = Expectation>) {
        let is_standing = self.is_standing;
        self.slots.extend(expected.into_iter().map(|expectation| {
            let standing = is_standing && expectation.times.is_none();
            Slot { expectation: if standing { expectation.always() } else { expectation }, came: 0 }
        }));
    }

    /// What was expected and is most like it, and why it is not it.
    fn nearest(&self, asked: &Asked) -> String {
        let candidates = self.slots.iter().map(|slot| {
            let mut differences = slot.expectation.differences(asked);
            let weight: u32 = differences.iter().map(|difference| difference.weight).sum();
            if differences.first().is_some_and(|difference| difference.weight == ANOTHER) {
                // In what else they differ says nothing.
                differences.truncate(1);
            }
            let mut texts: Vec<String> = differences.drain(..).map(|difference| difference.text).collect();
            if texts.is_empty() {
                texts.push(match slot.came {
                    1 => "it was answered already, once".to_owned(),
                    came => format!("it was answered already, {came} times"),
                });
            }
            (weight, slot, texts)
        });
        match candidates.min_by_key(|(weight, ..)| *weight) {
            None => "nothing is expected".to_owned(),
            Some((_, slot, texts)) => format!("expected nearest: {}, but {}", slot.expectation, texts.join("; ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use zc_events_protocol::{EncodeOptions, Limits, Method, Task};

    fn get(resource: &str, pk: Option<&str>) -> Asked {
        Asked {
            what: What::resource(resource),
            method: Some("GET".to_owned()),
            pk: pk.map(str::to_owned),
            query: Vec::new(),
            related_resource: None,
            relationship: None,
            user: None,
            roles: vec!["anonymous".to_owned()],
            data: None,
            headers: serde_json::Value::Null,
            response_key: Some("request-1".to_owned()),
        }
    }

    fn status(found: Found) -> Result<u16, String> {
        match found {
            Found::Answer(Answer::Status { status, .. }, _) => Ok(status),
            Found::Answer(..) => panic!("no status"),
            Found::Nothing(nearest) => Err(nearest),
        }
    }

    #[test]
    fn the_first_that_fits_answers_until_it_is_used_up() {
        let answers = Answers::new([
            Expectation::get("Order").pk(1).status(201),
            Expectation::get("Order").pk(1).status(202).times(2),
            Expectation::get("Order").any_pk().status(203).always(),
        ]);
        let ask = || status(answers.find(&get("Order", Some("1"))));
        assert_eq!([ask(), ask(), ask(), ask(), ask()].map(Result::unwrap), [201, 202, 202, 203, 203]);
        assert!(answers.unmet().is_empty());
        assert_eq!(status(answers.find(&get("Order", None))).unwrap(), 203);
    }

    #[test]
    fn what_stands_holds_always_unless_it_says_how_often() {
        let answers = Answers::standing([Expectation::get("Order").pk(1).status(201).times(1)]);
        answers.extend([Expectation::get("Order").pk(1).status(202)]);
        let ask = || status(answers.find(&get("Order", Some("1")))).unwrap();
        assert_eq!([ask(), ask(), ask()], [201, 202, 202]);
        answers.replace([Expectation::get("Order").pk(1).status(203)]);
        assert_eq!([ask(), ask()], [203, 203]);
        assert!(answers.unmet().is_empty());
    }

    #[test]
    fn what_is_not_expected_is_told_from_what_is_nearest() {
        let answers = Answers::new([
            Expectation::get("Company").pk(1),
            Expectation::get("Order").pk(1).query("include", "items"),
            Expectation::call("order_request"),
        ]);
        let told = |asked: &Asked| status(answers.find(asked)).unwrap_err();
        assert_eq!(
            told(&get("Order", Some("2"))),
            r#"expected nearest: GET Order "1"?include=items, but its pk is "1"; its query has include=items"#
        );
        let with_query = Asked { query: vec![("include".into(), "items".into())], ..get("Order", Some("1")) };
        assert!(status(answers.find(&with_query)).is_ok());
        assert_eq!(
            told(&with_query),
            r#"expected nearest: GET Order "1"?include=items, but it was answered already, once"#
        );
        assert!(told(&get("Invoice", Some("1"))).contains("but this is the Invoice"));
        assert_eq!(Answers::default().find(&get("Order", None)), Found::Nothing("nothing is expected".to_owned()));
    }

    #[test]
    fn all_that_is_named_has_to_be_so() {
        let asked = Asked {
            query: vec![("filter[id__in]".into(), "2,1".into()), ("page_size".into(), "5".into())],
            user: Some(json!("56")),
            related_resource: Some("items".into()),
            data: Some(json!({"a": 1})),
            ..get("Order", None)
        };
        let base = || Expectation::get("Order").related_resource("items");
        let fits = |expectation: Expectation| expectation.differences(&asked).is_empty();
        assert!(fits(base()));
        assert!(fits(base().pks([1, 2]).user(56).roles(["anonymous"]).data(json!({"a": 1})).query("page_size", 5)));
        for other in [
            base().pks([1]),
            base().user("57"),
            base().roles(["service"]),
            base().data(json!({"a": 2})),
            base().query("page_size", 6),
            base().pk(1),
            base().relationship("items"),
            base().related_resource("company"),
            Expectation::get("Order"),
            Expectation::post("Order").related_resource("items"),
            Expectation::call("order_request"),
        ] {
            assert!(!fits(other.clone()), "{other:?}");
        }
    }

    #[test]
    fn of_a_call_the_headers_say_on_whose_behalf_and_of_what_it_is() {
        let event = zc_events_protocol::Call::new("fl", Method::Get)
            .headers(json!({"user_id": 56, "roles": ["staff"], "pk": 5, "query_string": "a=1&b=2", "tenant": "x"}))
            .unwrap();
        let encoded = event.encode(&EncodeOptions::default()).unwrap();
        let task = Task::decode(&encoded.properties, &encoded.body, &Limits::default()).unwrap();
        let asked = Asked::of(&task).unwrap();
        let base = || Expectation::call("fl");
        let fits = |expectation: Expectation| expectation.differences(&asked).is_empty();
        assert!(fits(base()) && fits(base().pk("5").user("56").roles(["staff"]).query("b", 2).header("tenant", "x")));
        for other in [
            base().pk(6),
            base().user(57),
            base().roles(["service"]),
            base().query("b", 3),
            base().header("tenant", "hunter2"),
            base().header("other", 1),
        ] {
            let told: Vec<String> = other.differences(&asked).into_iter().map(|difference| difference.text).collect();
            assert!(told.len() == 1 && !told[0].contains("hunter2"), "{other:?}: {told:?}");
        }
        let nothing = Asked { what: What::Call { key: "nobody".to_owned() }, ..asked };
        assert_eq!(
            status(Answers::new([base()]).find(&nothing)).unwrap_err(),
            "expected nearest: call of `fl`, but this is the call of `nobody`"
        );
    }

    #[test]
    fn what_fails_by_chance_fails_as_its_kind_does() {
        let call = Asked { what: What::Call { key: "add".to_owned() }, method: None, ..get("Order", None) };
        match Answers::new([Expectation::call("add").returns(1).error_rate(1.0)]).find(&call) {
            Found::Answer(Answer::Errors(errors), _) => {
                assert!(!errors[0].kind.is_empty() && errors[0].message.contains("by chance"));
            }
            other => panic!("{other:?}"),
        }
        let answers = Answers::new([Expectation::get("Order").error_rate(1.0)]);
        assert_eq!(status(answers.find(&get("Order", None))), Ok(500));
    }
}
