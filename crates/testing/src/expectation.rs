//! A request or a call that is expected, and what it is answered with. Its form in a file is in `file`; the list of
//! all expectations and who is answered by which, in `answers`.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::time::Duration;

use serde_json::Value;
use zc_events_protocol::{Method, RemoteError};

use crate::received_request::{Asked, What, text, write_rest};

/// A request for a resource, or a call by key, that is expected; and its answer. Answered once unless it says
/// otherwise: [`Expectation::times`], [`Expectation::always`].
///
/// What it names has to be so; what it does not name may be anything, but for the primary key, the related resource and
/// the relationship: without them, a request with them is another one.
///
/// ```
/// use serde_json::json;
/// use zc_events_testing::Expectation;
///
/// let order = json!({"data": {"type": "Order", "id": "5", "attributes": {"name": "Lunch"}}});
/// let expected = Expectation::get("Order").pk(5).query("include", "company").answer(200, order);
/// assert_eq!(expected.to_string(), r#"GET Order "5"?include=company"#);
///
/// let expected = Expectation::call("add").data(json!({"x": 1, "y": 2})).returns(3).always();
/// assert_eq!(expected.to_string(), "call of `add`");
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "it is expected once it is given to a `Fleet` or to `Answers`"]
pub struct Expectation {
    what: What,
    method: Option<Method>,
    pk: Pk,
    query: Vec<(String, String)>,
    related_resource: Option<String>,
    relationship: Option<String>,
    user: Option<Value>,
    roles: Option<Vec<String>>,
    data: Option<Value>,
    headers: Vec<(String, Value)>,
    pub(crate) answer: Answer,
    pub(crate) delay: Duration,
    pub(crate) error_rate: f64,
    pub(crate) times: Option<Times>,
}

#[derive(Clone, Debug, PartialEq)]
enum Pk {
    None,
    One(String),
    Any,
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    Exactly(u32),
    Always,
}

/// What is answered.
#[derive(Clone, PartialEq)]
pub(crate) enum Answer {
    /// To a call, a status of 400 and above is a failure.
    Status {
        status: u16,
        body: Option<Value>,
    },
    /// What a function returns.
    Result(Value),
    /// How a function fails.
    Errors(Vec<RemoteError>),
    /// These bytes, whatever they are.
    Bytes(Vec<u8>),
    Nothing,
}

impl Expectation {
    fn new(what: What, method: Option<Method>) -> Self {
        let answer = match what {
            What::Resource { .. } => Answer::Status { status: 204, body: None },
            What::Call { .. } => Answer::Result(Value::Null),
        };
        Self {
            what,
            method,
            pk: Pk::None,
            query: Vec::new(),
            related_resource: None,
            relationship: None,
            user: None,
            roles: None,
            data: None,
            headers: Vec::new(),
            answer,
            delay: Duration::ZERO,
            error_rate: 0.0,
            times: None,
        }
    }

    /// A request for a resource, such as `Order`, with this method. Answered 204 until an answer is set.
    pub fn request(method: Method, resource: &str) -> Self {
        Self::new(What::resource(resource), Some(method))
    }

    /// [`Expectation::request`] with GET.
    pub fn get(resource: &str) -> Self {
        Self::request(Method::Get, resource)
    }

    /// [`Expectation::request`] with POST.
    pub fn post(resource: &str) -> Self {
        Self::request(Method::Post, resource)
    }

    /// [`Expectation::request`] with PUT.
    pub fn put(resource: &str) -> Self {
        Self::request(Method::Put, resource)
    }

    /// [`Expectation::request`] with PATCH.
    pub fn patch(resource: &str) -> Self {
        Self::request(Method::Patch, resource)
    }

    /// [`Expectation::request`] with DELETE.
    pub fn delete(resource: &str) -> Self {
        Self::request(Method::Delete, resource)
    }

    /// A call of the function with this key, with any method. Returns null until an answer is set.
    pub fn call(key: &str) -> Self {
        Self::new(What::Call { key: key.to_owned() }, None)
    }

    /// With this method.
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// For the one with this primary key; a number and its digits are the same. Of a call, the header `pk`.
    pub fn pk(mut self, pk: impl Into<Value>) -> Self {
        self.pk = Pk::One(text(&pk.into()));
        self
    }

    /// With any primary key, or none.
    pub fn any_pk(mut self) -> Self {
        self.pk = Pk::Any;
        self
    }

    /// For those with these primary keys, in any order: the parameter `filter[id__in]`.
    pub fn pks<I>(self, pks: I) -> Self
    where
        I: IntoIterator,
        I::Item: Display,
    {
        let ids: Vec<String> = pks.into_iter().map(|pk| pk.to_string()).collect();
        self.query(IDS, ids.join(","))
    }

    /// With this parameter in the query; there may be others. Of a call, that of the header `query_string`.
    pub fn query(mut self, name: impl Into<String>, value: impl Display) -> Self {
        self.query.push((name.into(), value.to_string()));
        self
    }

    /// For a resource below the one that is meant.
    pub fn related_resource(mut self, name: impl Into<String>) -> Self {
        self.related_resource = Some(name.into());
        self
    }

    /// For the relationship itself.
    pub fn relationship(mut self, name: impl Into<String>) -> Self {
        self.relationship = Some(name.into());
        self
    }

    /// On behalf of this user; a number and its digits are the same. Of a call, the header `user_id`.
    pub fn user(mut self, user: impl Into<Value>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// With these roles, in this order. Of a call, the header `roles`.
    pub fn roles<I>(mut self, roles: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.roles = Some(roles.into_iter().map(Into::into).collect());
        self
    }

    /// With this body, or with this data where it is a call.
    pub fn data(mut self, data: impl Into<Value>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// With this header, where it is a call; there may be others.
    ///
    /// ```
    /// use zc_events_testing::{Expectation, Fleet};
    /// let fleet = Fleet::new();
    /// fleet.expect(Expectation::call("add").header("tenant", 7).user(56).returns(3));
    /// let headers = serde_json::json!({"tenant": 7, "user_id": "56", "trace": "a"});
    /// assert_eq!(fleet.client("caller").get("add").headers(headers)?.fetch::<i64>()?, 3);
    /// # Ok::<(), zc_events::Error>(())
    /// ```
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Answers with a status and a body, such as `Document::to_value` makes one. To a call, a status of 400 and above
    /// is a failure with the body as its errors.
    pub fn answer(mut self, status: u16, body: impl Into<Value>) -> Self {
        self.answer = Answer::Status { status, body: Some(body.into()) };
        self
    }

    /// Answers with a status, and no body.
    pub fn status(mut self, status: u16) -> Self {
        self.answer = Answer::Status { status, body: None };
        self
    }

    /// Answers with what the function returns.
    pub fn returns(mut self, result: impl Into<Value>) -> Self {
        self.answer = Answer::Result(result.into());
        self
    }

    /// Answers with a failure of the function: the type of the error, and what it says. A request for a resource is
    /// answered with status 500 and that text.
    pub fn fails(mut self, kind: impl Into<String>, message: impl Into<String>) -> Self {
        self.answer = Answer::Errors(vec![RemoteError::new(kind, message)]);
        self
    }

    pub(crate) fn errors(mut self, errors: Vec<RemoteError>) -> Self {
        self.answer = Answer::Errors(errors);
        self
    }

    /// Answers with these bytes as they are, in the reply store, for what becomes of an answer that is none.
    ///
    /// ```
    /// use zc_events_testing::{Expectation, Fleet};
    /// use zc_events::{Error, Value};
    ///
    /// let fleet = Fleet::new();
    /// fleet.expect(Expectation::get("Order").pk(5).answer_bytes(*b"no zlib"));
    /// let error = fleet.client("shop").get_remote_resource::<Value>("Order", 5).unwrap_err();
    /// assert!(matches!(error, Error::Decode { .. }));
    /// ```
    pub fn answer_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.answer = Answer::Bytes(bytes.into());
        self
    }

    /// Never answers: the caller's time runs out.
    pub fn never_answers(mut self) -> Self {
        self.answer = Answer::Nothing;
        self
    }

    /// Answers after a while, by the clock of the test.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Fails (500) in place of its answer, by chance: 0.1 is one in ten.
    pub fn error_rate(mut self, rate: f64) -> Self {
        self.error_rate = rate.clamp(0.0, 1.0);
        self
    }

    /// Expected so often, no more and no less.
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(Times::Exactly(times));
        self
    }

    /// Expected as often as it comes, be it never.
    pub fn always(mut self) -> Self {
        self.times = Some(Times::Always);
        self
    }

    fn is_call(&self) -> bool {
        matches!(self.what, What::Call { .. })
    }

    /// What of it the request does not meet; empty where it is the one.
    pub(crate) fn differences(&self, asked: &Asked) -> Vec<Difference> {
        let mut all = Vec::new();
        let mut differ = |weight, text: String| all.push(Difference { weight, text });
        if self.what != asked.what {
            differ(ANOTHER, format!("this is the {}", asked.what));
        }
        if let Some(method) = self.method.map(Method::as_str).filter(|it| asked.method.as_deref() != Some(*it)) {
            differ(10, format!("its method is {method}"));
        }
        match (&self.pk, &asked.pk) {
            (Pk::One(pk), asked) if asked.as_ref() != Some(pk) => differ(5, format!("its pk is {pk:?}")),
            // A call is its key's, whatever its headers say.
            (Pk::None, Some(_)) if !self.is_call() => differ(5, "it has no pk".to_owned()),
            _ => {}
        }
        for (what, ours, theirs) in [
            ("related_resource", &self.related_resource, &asked.related_resource),
            ("relationship", &self.relationship, &asked.relationship),
        ] {
            if ours != theirs {
                differ(
                    5,
                    ours.as_ref().map_or_else(|| format!("it has no {what}"), |it| format!("its {what} is {it:?}")),
                );
            }
        }
        for (name, value) in &self.query {
            let is_so = |theirs: &str| theirs == value || name == IDS && ids(theirs) == ids(value);
            if !asked.query.iter().any(|(theirs, it)| theirs == name && is_so(it)) {
                differ(2, format!("its query has {name}={value}"));
            }
        }
        if let Some(user) = self.user.as_ref().filter(|user| asked.user.as_ref().map(text) != Some(text(user))) {
            differ(1, format!("its user is {user}"));
        }
        if let Some(roles) = self.roles.as_ref().filter(|roles| asked.roles != **roles) {
            differ(1, format!("its roles are {roles:?}"));
        }
        if self.data.is_some() && self.data != asked.data {
            differ(1, "it has other data".to_owned());
        }
        // What they are is not shown: one may be a token.
        for (name, _) in self.headers.iter().filter(|(name, value)| asked.headers.get(name) != Some(value)) {
            differ(1, format!("its header `{name}` is another"));
        }
        all
    }
}

/// How far apart things are that have nothing in common.
pub(crate) const ANOTHER: u32 = 100;
/// What a list of primary keys is asked by.
const IDS: &str = "filter[id__in]";

fn ids(text: &str) -> BTreeSet<&str> {
    text.split(',').collect()
}

/// Something in which a request is not as it was expected.
pub(crate) struct Difference {
    /// How far that takes it from what was expected.
    pub(crate) weight: u32,
    pub(crate) text: String,
}

impl Display for Expectation {
    /// Without the data and the answer, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(method) = self.method {
            write!(f, "{} ", method.as_str())?;
        }
        self.what.fmt(f)?;
        match &self.pk {
            Pk::None => {}
            Pk::One(pk) => write!(f, " {pk:?}")?,
            Pk::Any => f.write_str(" (any pk)")?,
        }
        write_rest(f, [&self.related_resource, &self.relationship], &self.query)
    }
}

impl fmt::Debug for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expectation({self})")
    }
}
