//! An expected request or call and its reply, as a test writes it. `request_matcher` decides which requests match,
//! `expectation_format` reads expectations from files, `expectations` holds a list of them.

use std::fmt::{self, Display};
use std::time::Duration;

use serde_json::Value;
use zc_events_protocol::{Method, RemoteError};

use crate::received_request::{RequestTarget, plain_text};
use crate::reply::ExpectedReply;
use crate::request_matcher::{IDS, PkMatcher, RequestMatcher};

/// An expected request for a resource, or an expected call by key, and its reply. It is expected once, unless
/// [`Expectation::times`] or [`Expectation::always`] says otherwise.
///
/// An expectation matches a request that meets all of its conditions. A request with a primary key, a related resource
/// or a relationship matches only an expectation that names it; anything else that the expectation does not name may
/// have any value.
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
#[must_use = "an expectation has an effect when it is given to a `Fleet` or to `Expectations`"]
pub struct Expectation {
    pub(crate) matcher: RequestMatcher,
    pub(crate) reply: ExpectedReply,
    pub(crate) delay: Duration,
    pub(crate) error_rate: f64,
    pub(crate) times: Option<Times>,
}

/// How often a request is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    Exactly(u32),
    Always,
}

impl Expectation {
    fn new(target: RequestTarget, method: Option<Method>) -> Self {
        let reply = if target.is_call() {
            ExpectedReply::Result(Value::Null)
        } else {
            ExpectedReply::Status { status: 204, body: None }
        };
        let matcher = RequestMatcher::new(target, method);
        Self { matcher, reply, delay: Duration::ZERO, error_rate: 0.0, times: None }
    }

    /// Expects a request for a resource, such as `Order`, with this method. The reply is 204 until you set another.
    pub fn request(method: Method, resource: &str) -> Self {
        Self::new(RequestTarget::resource(resource), Some(method))
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

    /// Expects a call of the function with this key, with any method. The function returns null until you set another
    /// reply.
    pub fn call(key: &str) -> Self {
        Self::new(RequestTarget::Call { key: key.to_owned() }, None)
    }

    /// Requires this method.
    pub fn method(mut self, method: Method) -> Self {
        self.matcher.method = Some(method);
        self
    }

    /// Requires this primary key. A number equals its digits. For a call, it is the header `pk`.
    pub fn pk(mut self, pk: impl Into<Value>) -> Self {
        self.matcher.pk = PkMatcher::One(plain_text(&pk.into()));
        self
    }

    /// Allows any primary key, or none.
    pub fn any_pk(mut self) -> Self {
        self.matcher.pk = PkMatcher::Any;
        self
    }

    /// Requires these primary keys, in any order, in the parameter `filter[id__in]`.
    pub fn pks<I>(self, pks: I) -> Self
    where
        I: IntoIterator,
        I::Item: Display,
    {
        let ids: Vec<String> = pks.into_iter().map(|pk| pk.to_string()).collect();
        self.query(IDS, ids.join(","))
    }

    /// Requires this query parameter. The query may contain others. For a call, it is a parameter in the header
    /// `query_string`.
    pub fn query(mut self, name: impl Into<String>, value: impl Display) -> Self {
        self.matcher.query.push((name.into(), value.to_string()));
        self
    }

    /// Requires this related resource.
    pub fn related_resource(mut self, name: impl Into<String>) -> Self {
        self.matcher.related_resource = Some(name.into());
        self
    }

    /// Requires this relationship.
    pub fn relationship(mut self, name: impl Into<String>) -> Self {
        self.matcher.relationship = Some(name.into());
        self
    }

    /// Requires this user. A number equals its digits. For a call, it is the header `user_id`.
    pub fn user(mut self, user: impl Into<Value>) -> Self {
        self.matcher.user = Some(user.into());
        self
    }

    /// Requires these roles, in this order. For a call, they are the header `roles`.
    pub fn roles<I>(mut self, roles: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.matcher.roles = Some(roles.into_iter().map(Into::into).collect());
        self
    }

    /// Requires this body of a request, or this data of a call.
    pub fn data(mut self, data: impl Into<Value>) -> Self {
        self.matcher.data = Some(data.into());
        self
    }

    /// Requires this header of a call. The call may have others.
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
        self.matcher.headers.push((name.into(), value.into()));
        self
    }

    /// Replies with a status and a body, such as `Document::to_value` returns. For a call, a status of 400 or above is a
    /// failure with the body as its errors.
    pub fn answer(self, status: u16, body: impl Into<Value>) -> Self {
        self.reply(ExpectedReply::Status { status, body: Some(body.into()) })
    }

    /// Replies with a status and no body.
    pub fn status(self, status: u16) -> Self {
        self.reply(ExpectedReply::Status { status, body: None })
    }

    /// Replies with the result of the function.
    pub fn returns(self, result: impl Into<Value>) -> Self {
        self.reply(ExpectedReply::Result(result.into()))
    }

    /// Replies with a failure of the function: the type of the error and its message. The reply to a request for a
    /// resource is status 500 with that message.
    pub fn fails(self, kind: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors(vec![RemoteError::new(kind, message)])
    }

    pub(crate) fn errors(self, errors: Vec<RemoteError>) -> Self {
        self.reply(ExpectedReply::Errors(errors))
    }

    /// Puts these bytes into the reply store, to test how a caller handles an invalid reply.
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
    pub fn answer_bytes(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.reply(ExpectedReply::Bytes(bytes.into()))
    }

    /// Never replies: the caller's deadline passes.
    pub fn never_answers(self) -> Self {
        self.reply(ExpectedReply::Silence)
    }

    fn reply(mut self, reply: ExpectedReply) -> Self {
        self.reply = reply;
        self
    }

    /// Replies after this delay, measured by the client's clock.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Fails at random in place of the reply: with rate 0.1, one of ten requests fails. A failed request for a resource
    /// has status 500.
    pub fn error_rate(mut self, rate: f64) -> Self {
        self.error_rate = rate.clamp(0.0, 1.0);
        self
    }

    /// Expects exactly this number of requests.
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(Times::Exactly(times));
        self
    }

    /// Allows any number of requests, including none.
    pub fn always(mut self) -> Self {
        self.times = Some(Times::Always);
        self
    }
}

impl Display for Expectation {
    /// Leaves out the data and the reply, which may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.matcher.fmt(f)
    }
}

impl fmt::Debug for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expectation({self})")
    }
}
